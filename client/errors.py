"""What can go wrong for a program that uses the SDK: one class per code that the server knows, and two of its own."""

from __future__ import annotations

from typing import ClassVar

from reverie.client.protocol import Failure


class ReverieError(Exception):
    """Its text is for people, `code` for programs."""

    code: str = "internal_error"
    passing: ClassVar[bool] = False  # whether the same request may succeed in a while

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code or self.code


class BadRequest(ReverieError):
    code = "bad_request"


class UnknownModel(ReverieError):
    code = "model_not_found"


class Unsupported(ReverieError):
    code = "unsupported"


class BadOffer(ReverieError):
    code = "bad_offer"


class AtCapacity(ReverieError):
    code, passing = "at_capacity", True


class Unauthorized(ReverieError):
    """The key or token is missing, unknown, or does not allow it."""

    code = "unauthorized"


class Elsewhere(ReverieError):
    """Another node of the fleet has a place; trying again leads there."""

    code, passing = "elsewhere", True


class NoSession(ReverieError):
    """The session has ended, or is another's."""

    code = "no_session"


class OutOfMinutes(ReverieError):
    """The key's minutes of this day are used."""

    code = "out_of_minutes"


class NotReady(ReverieError):
    code, passing = "not_ready", True


class MediaFailed(ReverieError):
    code, passing = "media_failed", True


class ConnectionLost(ReverieError):
    """The server cannot be reached, or went away."""

    code, passing = "connection_lost", True


class BadSource(ReverieError):
    """The camera, file or iterator gives no frames."""

    code = "bad_source"


KNOWN = {
    each.code: each
    for each in (
        BadRequest,
        UnknownModel,
        Unsupported,
        BadOffer,
        AtCapacity,
        Unauthorized,
        Elsewhere,
        NotReady,
        NoSession,
        OutOfMinutes,
        MediaFailed,
        ConnectionLost,
    )
}


def error_from(failure: Failure) -> ReverieError:
    return KNOWN.get(failure.error_type, ReverieError)(failure.error, failure.error_type)
