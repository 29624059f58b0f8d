"""What a client says on the control WebSocket, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace

from starlette.websockets import WebSocket

from reverie.client.protocol import (
    Answer,
    Candidate,
    ChangeSettings,
    Failure,
    FromClient,
    FromServer,
    LivekitJoin,
    Media,
    MediaAck,
    Offer,
    Part,
    Prompt,
    PromptAck,
    Record,
    SetImage,
    SetImageAck,
    SettingsAck,
)  # fmt: skip
from reverie.server import references, room_door
from reverie.server.errors import BadOffer, BadPicture, BadPrompt, Declined
from reverie.server.journal import Entry
from reverie.server.node import Node
from reverie.server.publisher import Publisher
from reverie.server.recall import EVERY_S, Recall, unpack
from reverie.server.returning import NOTHING, Hint, Said, Visit
from reverie.server.rooms import Room
from reverie.server.session import Session
from reverie.server.socket_media import SocketMedia
from reverie.server.trailers import Trailers

NO_CAMERA_S = 6.0
NO_CAMERA = (
    "no pictures have come from the camera since you are back: Decart's JS SDK stops the camera's track when it "
    "reconnects, give it a new one with replaceVideoTrack(track); for its Python SDKs before 0.1, let the track's "
    "stop() do nothing"
)
EMPTY = "the prompt is empty; set_image with nulls shows the camera"


class Conversation:
    """One client's; it ends with the session."""

    def __init__(
        self, socket: WebSocket, session: Session, publisher: Publisher, send: Callable[[FromServer], None], hint: Hint
    ) -> None:
        self._socket, self._session, self._publisher, self._send, self._hint = socket, session, publisher, send, hint
        self._node: Node = socket.app.state.node
        self._stack = ExitStack()
        self._room: Room | None = None
        self._media: SocketMedia | None = None
        self._kept: dict[Said, Said] = {}  # what is written down in place of what was said
        self._small = ""  # the reference picture, as it is written down
        self._picture_name = ""  # of the reference picture, if there is one
        self._late: asyncio.Task[Declined | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.visit = Visit(None, ())
        self._visual = b""
        self._watching: asyncio.Task[None] | None = None
        if self._node.settings.resume_visual:
            session.recall = Recall()
            self._watching = asyncio.get_running_loop().create_task(self._watch(session.recall))

    async def obey(self, message: FromClient) -> None:
        """Raises: ValueError if it cannot be done; ServiceError if the session must end."""
        match message:
            case Prompt() | SetImage() | ChangeSettings():
                await self._take(message)
            case Record():
                await self._node.recordings.obey(self._session, message, self._send)
                await self._write_down()
            case Offer(sdp):
                self._send(Answer(await self._publisher.answer(sdp)))
            case Candidate():
                await self._publisher.add_candidate(message)
            case Media(codec, sound):
                await self._take_over(codec, sound)
            case LivekitJoin():
                await self._join(message)

    async def resume(self) -> None:
        """Go on as the journal says: the client comes from a node that died, or has lost the network."""
        entry = await self._node.journal.read(self._session.id, self._session.tenant)
        if entry is None:
            return
        if entry.visual and self._session.recall is not None:
            with suppress(ValueError):
                self._session.lead, self._visual = unpack(entry.visual), entry.visual
        for each in entry.said:
            if await self._do(each) is None:
                self.visit = self.visit.after(each)
        if entry.taping is not None and self._node.recordings.of(self._session) is None:
            self._node.recordings.go_on(self._session, entry.taping)
        await self._write_down()

    async def _write_down(self) -> None:
        """For the node that may have to go on."""
        said = tuple(self._kept.get(each, each) for each in self.visit.said)
        await self._node.journal.write(
            self._session.id,
            self._session.tenant,
            Entry(said, self._node.recordings.taping(self._session), self._visual),
        )

    async def _watch(self, recall: Recall) -> None:
        """Write down what the stream sees, every now and then."""
        while True:
            await asyncio.sleep(EVERY_S)
            seen = await asyncio.to_thread(recall.pack)
            if seen and seen != self._visual:
                self._visual = seen
                await self._write_down()

    def hear(self, data: bytes) -> None:
        """A binary message.  Raises: ValueError."""
        if self._media is None:
            raise ValueError('binary messages are media, and come after {"type": "media"}; all others are JSON text')
        self._media.hear(data)

    def close(self, lost: bool) -> None:
        """Args: lost: the client did not want it, so it will come back."""
        self._stack.close()
        if self._media is not None:
            self._media.close()
        self._node.returning.decline(self._found_late)
        for each in (self._late, self._timer, self._watching):
            if each is not None:
                each.cancel()
        if lost:
            self._node.returning.keep(self._hint, self.visit)

    async def _take_over(self, codec: str, sound: bool) -> None:
        """The WebSocket carries the media too from now on."""
        if self._media is not None:
            self._media.close()
        await self._publisher.close()
        self._media = SocketMedia(self._socket, self._session, codec, sound)
        self._send(MediaAck(codec, sound))

    async def _join(self, message: LivekitJoin) -> None:
        if self._room is not None:
            raise BadOffer("a session joins one room; open another WebSocket for another")
        self._session.counts_camera = True
        self._room = self._stack.enter_context(room_door.opened(self._session, self._send, self._socket))
        self._room.trailers = Trailers() if message.frame_timing else None
        self._send(room_door.room_info(self._room, self._socket))
        if message.initial_state is not None:
            await self._take(message.initial_state)
        elif message.passthrough and self.visit.first is None and not await self._goes_on(NOTHING):
            self.visit = Visit(NOTHING, ())

    async def _take(self, message: Prompt | SetImage | ChangeSettings) -> None:
        """Do it and answer; a client that came back gets what it had before instead of what it begins with."""
        if self.visit.first is None and not isinstance(message, ChangeSettings):
            if await self._goes_on(message):
                return self._send(_acknowledged(message, None))
        else:
            self._node.returning.decline(self._found_late)
        error = await self._do(message)
        if error is None:
            self.visit = self.visit.after(message)
            await self._write_down()
        self._send(_acknowledged(message, error))

    async def _goes_on(self, first: Prompt | SetImage) -> bool:
        """Whether the client goes on with what it had; if not, it does when that is found to be lost later."""
        before = self._node.returning.back(self._hint, first)
        if before is not None and await self._again(before) is None:
            self._is_back(before)
            return True
        self._node.returning.expect(self._hint, first, self._found_late)
        return False

    def _found_late(self, before: Visit) -> None:
        self._is_back(before)
        self._late = asyncio.get_running_loop().create_task(self._again(before))

    def _is_back(self, before: Visit) -> None:
        self.visit = before
        if self._hint.program.startswith("decart-"):
            self._timer = asyncio.get_running_loop().call_later(NO_CAMERA_S, self._look_for_camera)

    def _look_for_camera(self) -> None:
        if not self._session.camera_at:
            self._send(Failure(NO_CAMERA, "no_camera"))

    async def _again(self, visit: Visit) -> Declined | None:
        for each in visit.said:
            if (error := await self._do(each)) is not None:
                return error
        return None

    async def _do(self, message: Prompt | SetImage | ChangeSettings) -> Declined | None:
        """What is wrong with it, if something is."""
        session = self._session
        try:
            match message:
                case Prompt(prompt, enhance, parts, transition_s, mask):
                    if not prompt.strip() and not parts:
                        return BadPrompt(EMPTY)
                    if self._picture_name and not parts:  # the picture stays
                        parts = (Part(self._picture_name, 1.0), Part(prompt, 1.0))
                    await session.set_prompt(prompt, enhance and not parts, parts, transition_s, mask)
                case SetImage(image, reference, prompt, enhance):
                    await self._set_image(image, reference, prompt or "", enhance)
                    if self._picture_name:  # another node has not the file, and a smaller one will do
                        self._kept = {message: replace(message, image_data=self._small, image_ref=None)}
                case ChangeSettings(strength, seed, tell_frames, mask, index):
                    session.change(strength, seed, mask)
                    if index is not None:
                        self._node.search.watch(session, index)
                    if tell_frames is not None:
                        session.screen.tells_frames = tell_frames
        except Declined as refusal:
            return refusal
        return None

    async def _set_image(self, image: str | None, reference: str | None, prompt: str, enhance: bool) -> None:
        """The whole look: a picture, words, both in equal shares, or the camera.  Raises: PromptDenied, BadPicture."""
        name = "" if image is None and reference is None else await asyncio.to_thread(self._picture, image, reference)
        parts = (Part(name, 1.0), Part(prompt, 1.0)) if name and prompt.strip() else ()
        self._picture_name = name
        await self._session.set_prompt(prompt if parts else name or prompt, enhance and not name, parts)

    def _picture(self, image: str | None, reference: str | None) -> str:
        """The name under which the model knows a picture.  Raises: BadPicture."""
        take_in = getattr(self._node.model, "picture", None)
        if take_in is None:
            raise BadPicture(f"{self._node.settings.model} takes no reference pictures; set a prompt instead")
        try:
            if image is not None:
                picture = references.from_base64(image)
            else:
                found = self._node.files.find(self._session.tenant, reference or "")
                if found is None:
                    raise ValueError("there is no such file, or it is over")
                picture = references.decode(found[1].read_bytes())
        except ValueError as error:
            raise BadPicture(str(error)) from None
        self._small = references.to_base64(picture)
        try:
            return str(take_in(picture))
        except ValueError as error:  # this model takes none, or not this one
            raise BadPicture(str(error)) from None


def _acknowledged(message: Prompt | SetImage | ChangeSettings, refusal: Declined | None) -> FromServer:
    answer = (True,) if refusal is None else (False, str(refusal), refusal.code)
    match message:
        case Prompt(prompt):
            return PromptAck(prompt, *answer)
        case SetImage():
            return SetImageAck(*answer)
        case _:
            return SettingsAck(*answer)
