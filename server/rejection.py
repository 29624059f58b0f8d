"""What is answered to a message that cannot be read."""

from __future__ import annotations

from contextlib import suppress

from reverie.client import holds
from reverie.client.protocol import Failure, FromServer, PromptAck, SetImageAck


def rejection(text: str, reason: str) -> FromServer:
    """A program that waits for the ack of its prompt or picture gets that; an error ends all that SDKs wait for."""
    with suppress(ValueError):
        match holds.whole(text):
            case {"type": "prompt", "prompt": str(prompt)}:
                return PromptAck(prompt, False, reason, "bad_request")
            case {"type": "set_image"}:
                return SetImageAck(False, reason, "bad_request")
    return Failure(reason, "bad_request")
