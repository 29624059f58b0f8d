"""Every message of the control WebSocket `/v1/stream`, in its plain WebRTC form.

`parse` reads what a client sends, `encode` writes either side's messages, `read` is the client's own reader.
The names and fields are those of Decart's realtime API (generation before LiveKit); `settings`, `settings_ack`,
`status`, `prompt_enhanced` and the field `error_type` are ours, and unknown types are ignored by its clients.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

MAX_MESSAGE = 16_000_000  # characters; a reference picture is the longest
MAX_PROMPT = 2_000
MAX_BLEND, MAX_TRANSITION_S = 4, 10
MAX_SDP = 200_000
MAX_CANDIDATE = 4_000


@dataclass(frozen=True, slots=True)
class Part:
    """One prompt of a blend; weights count in relation to each other."""

    prompt: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """Client: another look.  `blend` and `transition_s` are ours: with a blend, `prompt` is only its name."""

    type: ClassVar[str] = "prompt"
    prompt: str
    enhance_prompt: bool = False
    blend: tuple[Part, ...] = ()
    transition_s: float = 0.0  # seconds from the look before to this one


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
    """Client (ours): strength 0..1 and seed 0..2**32-1, each optional."""

    type: ClassVar[str] = "settings"
    strength: float | None = None
    seed: int | None = None


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
class LivekitJoin:
    """Client: the LiveKit form of the protocol, which this server does not speak yet."""

    type: ClassVar[str] = "livekit_join"


@dataclass(frozen=True, slots=True)
class PromptAck:
    """Server: matched by its prompt, which is exactly the one sent."""

    type: ClassVar[str] = "prompt_ack"
    prompt: str
    success: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SetImageAck:
    type: ClassVar[str] = "set_image_ack"
    success: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SettingsAck:
    type: ClassVar[str] = "settings_ack"
    success: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SessionId:
    type: ClassVar[str] = "session_id"
    session_id: str
    server_ip: str
    server_port: int


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
    """Server (ours): what the picture shows now and why: styled, passthrough, stalled or crashed."""

    type: ClassVar[str] = "status"
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Server: the session ends; `error_type` is a stable code, `error` is for people."""

    type: ClassVar[str] = "error"
    error: str
    error_type: str


FromClient = Prompt | SetImage | ChangeSettings | Offer | Candidate | LivekitJoin
FromServer = (
    PromptAck | SetImageAck | SettingsAck | Answer | Candidate | SessionId | GenerationStarted | GenerationTick
    | GenerationEnded | PromptEnhanced | Status | Failure
)  # fmt: skip
SERVER_TYPES = {each.type: each for each in FromServer.__args__}


def encode(message: FromClient | FromServer) -> str:
    return json.dumps({"type": message.type, **asdict(message)})


def read(text: str) -> FromServer | None:
    """What a server said; None if its type is not known.  Raises ValueError if it is malformed."""
    body = _object(text)
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
    body = _object(text)
    match body.get("type"):
        case "prompt":
            transition_s = _number(body, "transition_s", MAX_TRANSITION_S) or 0.0
            return Prompt(_prompt(body), _flag(body, "enhance_prompt"), _blend(body), transition_s)
        case "set_image":
            return _set_image(body)
        case "settings":
            return ChangeSettings(_number(body, "strength", 1), _seed(body))
        case "offer":
            return Offer(_text(body, "sdp", MAX_SDP))
        case "ice-candidate":
            return Candidate(_candidate(body.get("candidate")))
        case "livekit_join":
            return LivekitJoin()
        case str() as other:
            raise ValueError(f"a client may not send {other[:40]!r}")
        case _:
            raise ValueError("a message needs a type")


def _object(text: str) -> dict[str, Any]:
    if len(text) > MAX_MESSAGE:
        raise ValueError(f"a message may have {MAX_MESSAGE} characters, this has {len(text)}")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("a message must be one JSON object") from None
    if not isinstance(body, dict):
        raise ValueError("a message must be one JSON object")
    return body


def _text(body: dict[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    if len(value) > limit:
        raise ValueError(f"{name} may have {limit} characters, this has {len(value)}")
    return value


def _prompt(body: dict[str, Any]) -> str:
    prompt = _text(body, "prompt", MAX_PROMPT)
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise ValueError("prompt is not valid Unicode") from None
    return prompt


def _blend(body: dict[str, Any]) -> tuple[Part, ...]:
    value = body.get("blend") or []
    if not isinstance(value, list) or len(value) > MAX_BLEND or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"blend must be a list of at most {MAX_BLEND} objects with prompt and weight")
    parts = tuple(Part(_prompt(each), _number(each, "weight", 1e6) or 0.0) for each in value)
    if not all(part.prompt.strip() and part.weight > 0 for part in parts):
        raise ValueError("every part of a blend needs a prompt and a weight above 0")
    return parts


def _number(body: dict[str, Any], name: str, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number from 0 to {most:g}")
    return float(value)


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


def _set_image(body: dict[str, Any]) -> SetImage:
    optional = lambda name, limit: None if body.get(name) is None else _text(body, name, limit)
    prompt = None if body.get("prompt") is None else _prompt(body)
    return SetImage(
        optional("image_data", MAX_MESSAGE), optional("image_ref", 200), prompt, _flag(body, "enhance_prompt")
    )


def _seed(body: dict[str, Any]) -> int | None:
    value = body.get("seed")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError("seed must be a whole number from 0 to 4294967295")
    return value


def _candidate(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("candidate", ""), str):
        raise ValueError("candidate must be an RTCIceCandidateInit or null")
    line, mid = value.get("sdpMLineIndex"), value.get("sdpMid")
    if line is not None and (isinstance(line, bool) or not isinstance(line, int) or not 0 <= line < 100):
        raise ValueError("sdpMLineIndex must be a small whole number")
    if mid is not None and (not isinstance(mid, str) or len(mid) > 100):
        raise ValueError("sdpMid must be short text")
    text = value.get("candidate", "")
    if len(text) > MAX_CANDIDATE:
        raise ValueError(f"candidate may have {MAX_CANDIDATE} characters, this has {len(text)}")
    return {"candidate": text, "sdpMLineIndex": line, "sdpMid": mid}
