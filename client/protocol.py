"""Every message of the control WebSocket `/v1/stream`.

`parse` reads what a client sends, `encode` writes either side's messages, `read` is the client's own reader.
The names and fields are those of Decart's realtime API, both generations: a client sends an `offer` (plain WebRTC), or
`livekit_join` and then speaks LiveKit's signalling; `settings`, `settings_ack`,
`status`, `prompt_enhanced`, `record` with its answers and the field `error_type` are ours, and unknown types are
ignored by its clients.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from reverie.client import holds

MAX_BLEND, MAX_TRANSITION_S = 4, 10
MASKS = ("none", "subject", "background")  # where the look is: everywhere, on the people, around them


@dataclass(frozen=True, slots=True)
class Part:
    """One prompt of a blend; weights count in relation to each other."""

    prompt: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """Client: another look.  All but the first two are ours: with a blend, `prompt` is only its name."""

    type: ClassVar[str] = "prompt"
    prompt: str
    enhance_prompt: bool = False
    blend: tuple[Part, ...] = ()
    transition_s: float = 0.0  # seconds from the look before to this one
    mask: str | None = None  # one of MASKS; None leaves it as it is


@dataclass(frozen=True, slots=True)
class SetImage:
    """Client: a reference picture with or without a prompt; neither means passthrough."""

    type: ClassVar[str] = "set_image"
    image_data: str | None = None
    image_ref: str | None = None
    prompt: str | None = None
    enhance_prompt: bool = False


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Client (ours): strength 0..1, seed 0..2**32-1, whether to tell of every frame shown, mask; each optional."""

    type: ClassVar[str] = "settings"
    strength: float | None = None
    seed: int | None = None
    tell_frames: bool | None = None
    mask: str | None = None  # one of MASKS
    index: bool | None = None  # whether moments of this session are kept, to be found again


@dataclass(frozen=True, slots=True)
class Record:
    """Client (ours): begin or end a recording on the server."""

    type: ClassVar[str] = "record"
    on: bool
    compare: bool = False  # camera on the left, look on the right


@dataclass(frozen=True, slots=True)
class Offer:
    type: ClassVar[str] = "offer"
    sdp: str


@dataclass(frozen=True, slots=True)
class Answer:
    type: ClassVar[str] = "answer"
    sdp: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Both: a trickled candidate; None ends them."""

    type: ClassVar[str] = "ice-candidate"
    candidate: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Media:
    """Client (ours), instead of an offer or after one that failed: media are binary messages, see socket_media."""

    type: ClassVar[str] = "media"
    codec: str  # VP8 or H264, both ways
    sound: bool = False  # whether the client has a microphone, and hears


@dataclass(frozen=True, slots=True)
class LivekitJoin:
    """Client: media will go through LiveKit's signalling.  Old versions put the first prompt or picture in here."""

    type: ClassVar[str] = "livekit_join"
    initial_state: Prompt | SetImage | None = None
    frame_timing: bool = False  # whether its frames say when they were taken
    passthrough: bool = False  # whether it begins with the camera as it is, and says no more of it


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """Server: where LiveKit's signalling is, and as whom to join."""

    type: ClassVar[str] = "livekit_room_info"
    livekit_url: str
    token: str
    room_name: str
    session_id: str


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Server: all places are taken; the client waits.  1 is next."""

    type: ClassVar[str] = "queue_position"
    position: int
    queue_size: int
    eta_s: float | None = None  # (ours) seconds until then, if visits go on ending as they did; None if nobody knows


@dataclass(frozen=True, slots=True)
class PromptAck:
    """Server: matched by its prompt, which is exactly the one sent."""

    type: ClassVar[str] = "prompt_ack"
    prompt: str
    success: bool
    error: str | None = None
    error_type: str | None = None  # (ours) a stable code, as of the other acks


@dataclass(frozen=True, slots=True)
class SetImageAck:
    type: ClassVar[str] = "set_image_ack"
    success: bool
    error: str | None = None
    error_type: str | None = None


@dataclass(frozen=True, slots=True)
class SettingsAck:
    type: ClassVar[str] = "settings_ack"
    success: bool
    error: str | None = None
    error_type: str | None = None


@dataclass(frozen=True, slots=True)
class RecordAck:
    type: ClassVar[str] = "record_ack"
    success: bool
    error: str | None = None
    recording_id: str | None = None  # of /v1/recordings


@dataclass(frozen=True, slots=True)
class MediaAck:
    """Server (ours): binary messages are understood now."""

    type: ClassVar[str] = "media_ack"
    codec: str
    sound: bool = False  # whether sound goes too; older nodes know of none


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """Server (ours): a recording is whole; asked for, or at a limit."""

    type: ClassVar[str] = "recording_ended"
    recording_id: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class SessionId:
    type: ClassVar[str] = "session_id"
    session_id: str
    server_ip: str
    server_port: int


@dataclass(frozen=True, slots=True)
class Nodes:
    """Server (ours): where else this session can go on, with ?session=ID, once its node is gone."""

    type: ClassVar[str] = "nodes"
    urls: list[str]


@dataclass(frozen=True, slots=True)
class GenerationStarted:
    type: ClassVar[str] = "generation_started"


@dataclass(frozen=True, slots=True)
class GenerationTick:
    type: ClassVar[str] = "generation_tick"
    seconds: int
    work_saved: float = 0.0  # share of the model's work not done because nothing changed, so far
    fps: int = 0  # styled frames in the last second
    step_ms: float = 0.0  # median time of the model's last steps
    render_width: int = 0  # what the model paints, before it is brought to the camera's size
    render_height: int = 0


@dataclass(frozen=True, slots=True)
class GenerationEnded:
    type: ClassVar[str] = "generation_ended"
    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class PromptEnhanced:
    type: ClassVar[str] = "prompt_enhanced"
    prompt: str


@dataclass(frozen=True, slots=True)
class Status:
    """Server (ours): what the picture shows now and why: styled, passthrough, stalled, crashed, hidden."""

    type: ClassVar[str] = "status"
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class EffectSkipped:
    """Server (ours): a user's effect fails or is late; the picture goes on without it."""

    type: ClassVar[str] = "effect_skipped"
    effect: str
    reason: str


@dataclass(frozen=True, slots=True)
class FrameShown:
    """Server (ours), to who asked for it: a frame goes out."""

    type: ClassVar[str] = "frame_shown"
    timestamp: int  # its RTP timestamp, which is that of the camera's frame it was made from
    step: int  # of the model, from 1; 0 is the camera's picture


@dataclass(frozen=True, slots=True)
class Failure:
    """Server: the session ends; `error_type` is a stable code, `error` is for people."""

    type: ClassVar[str] = "error"
    error: str
    error_type: str


FromClient = Prompt | SetImage | ChangeSettings | Record | Offer | Candidate | Media | LivekitJoin
FromServer = (
    PromptAck | SetImageAck | SettingsAck | RecordAck | MediaAck | RecordingEnded | Answer | Candidate | SessionId
    | Nodes | RoomInfo | QueuePosition
    | GenerationStarted | GenerationTick | GenerationEnded | PromptEnhanced | Status | EffectSkipped | FrameShown
    | Failure
)  # fmt: skip
SERVER_TYPES = {each.type: each for each in FromServer.__args__}


def encode(message: FromClient | FromServer) -> str:
    return json.dumps({"type": message.type, **asdict(message)})


def read(text: str) -> FromServer | None:
    """What a server said; None if its type is not known.  Raises ValueError if it is malformed."""
    body = holds.whole(text)
    kind = SERVER_TYPES.get(body.get("type")) if isinstance(body.get("type"), str) else None
    if kind is None:
        return None
    try:
        return kind(**{field.name: body[field.name] for field in fields(kind) if field.name in body})
    except TypeError as error:
        raise ValueError(f"malformed {kind.type}: {error}") from None


def parse(text: str | bytes) -> FromClient:
    """What a client said.  Raises ValueError, with a sentence to send back, on anything else."""
    if isinstance(text, bytes):
        raise ValueError("messages are JSON text, not binary")
    body = holds.whole(text)
    match body.get("type"):
        case "prompt":
            transition_s = holds.number(body, "transition_s", MAX_TRANSITION_S) or 0.0
            return Prompt(
                holds.prompt(body), holds.flag(body, "enhance_prompt"), _blend(body), transition_s, _mask(body)
            )
        case "set_image":
            return _set_image(body)
        case "settings":
            tell = None if body.get("tell_frames") is None else holds.flag(body, "tell_frames")
            index = None if body.get("index") is None else holds.flag(body, "index")
            return ChangeSettings(holds.number(body, "strength", 1), holds.seed(body), tell, _mask(body), index)
        case "record":
            if not isinstance(body.get("on"), bool):
                raise ValueError("record needs on: true or false")
            return Record(body["on"], holds.flag(body, "compare"))
        case "offer":
            return Offer(holds.text(body, "sdp", holds.MAX_SDP))
        case "ice-candidate":
            return Candidate(holds.candidate(body.get("candidate")))
        case "media":
            if body.get("codec") not in ("VP8", "H264"):
                raise ValueError(f"codec must be VP8 or H264, got {str(body.get('codec'))[:40]!r}")
            return Media(body["codec"], holds.flag(body, "sound"))
        case "livekit_join":
            return _livekit_join(body)
        case str() as other:
            raise ValueError(f"a client may not send {other[:40]!r}")
        case _:
            raise ValueError("a message needs a type")


def _blend(body: dict[str, Any]) -> tuple[Part, ...]:
    value = body.get("blend") or []
    if not isinstance(value, list) or len(value) > MAX_BLEND or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"blend must be a list of at most {MAX_BLEND} objects with prompt and weight")
    parts = tuple(Part(holds.prompt(each), holds.number(each, "weight", 1e6) or 0.0) for each in value)
    if not all(part.prompt.strip() and part.weight > 0 for part in parts):
        raise ValueError("every part of a blend needs a prompt and a weight above 0")
    return parts


def _mask(body: dict[str, Any]) -> str | None:
    value = body.get("mask")
    if value is not None and value not in MASKS:
        raise ValueError(f"mask must be one of {', '.join(MASKS)}, got {str(value)[:40]!r}")
    return value


def _livekit_join(body: dict[str, Any]) -> LivekitJoin:
    state, first = body.get("initial_state"), None
    if state is not None:
        if not isinstance(state, dict) or state.get("type") not in ("prompt", "set_image"):
            raise ValueError("initial_state must be a message prompt or set_image, or null")
        is_prompt = state["type"] == "prompt"
        first = Prompt(holds.prompt(state), holds.flag(state, "enhance_prompt")) if is_prompt else _set_image(state)
    able = body.get("client_capabilities")
    timed = isinstance(able, dict) and able.get("frame_timing") is True
    return LivekitJoin(first, timed, body.get("passthrough") is True)


def _set_image(body: dict[str, Any]) -> SetImage:
    optional = lambda name, limit: None if body.get(name) is None else holds.text(body, name, limit)
    prompt = None if body.get("prompt") is None else holds.prompt(body)
    return SetImage(
        optional("image_data", holds.MAX_MESSAGE),
        optional("image_ref", 200),
        prompt,
        holds.flag(body, "enhance_prompt"),
    )
