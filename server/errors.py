"""What a client may be told when a session is refused or ends: a stable code, a close code, a sentence."""

from __future__ import annotations


class ServiceError(Exception):
    """Ends the session; its text is for people."""

    code = "internal_error"
    close_code = 1011


class Declined(Exception):
    """What a client asked for is not done; ends nothing."""

    code = "bad_request"
    status = 400


class PromptDenied(Declined):
    """A prompt that this server's operator does not allow."""

    code, status = "prompt_denied", 403

    def __str__(self) -> str:
        return "this server does not allow that prompt; the look stays as it was"


class BadPrompt(Declined):
    """A prompt that asks for what the model has not; the look stays as it was."""


class BadPicture(Declined):
    """A reference picture that cannot be used; the look stays as it was."""


class Refused(Exception):
    """An HTTP request that is answered with a status, a stable code and a sentence."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code


class NoMasks(Declined):
    """A mask was asked for and the networks that find people are not here."""

    code, status = "no_masks", 409

    def __str__(self) -> str:
        return "masks need the networks that find people, which are not here; `make serve` with npm installs them"


class UnknownModel(ServiceError):
    code = "model_not_found"
    close_code = 1008

    def __init__(self, asked: str, served: str) -> None:
        super().__init__(f"the model {asked[:60]!r} is not allowed: there is none here; this server runs {served}")


class NoSession(ServiceError):
    code = "no_session"
    close_code = 1008

    def __init__(self) -> None:
        super().__init__("invalid session: there is none of that id, or it has ended")


class Unauthorized(ServiceError):
    """No key, a wrong one, or one that does not allow what was asked."""

    code = "unauthorized"
    close_code = 1008


class AtCapacity(ServiceError):
    """All places are taken; the client may retry after `retry_after_s`."""

    code = "at_capacity"
    close_code = 1013  # Try Again Later, IANA WebSocket close codes

    def __init__(self, limit: int, retry_after_s: int = 10, what: str = "sessions of this server") -> None:
        super().__init__(f"all {limit} {what} are taken; retry in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Elsewhere(ServiceError):
    """Another node has a place; WHIP answers with a redirect to it."""

    code = "elsewhere"
    close_code = 1012  # Service Restart: connect again, there

    def __init__(self, url: str, node: str = "") -> None:
        super().__init__(f"connect to {url}")
        self.url, self.node = url.rstrip("/"), node


class TenantAtCapacity(AtCapacity):
    """All places of one tenant are taken."""

    def __init__(self, tenant: str, limit: int) -> None:
        super().__init__(limit)
        self.args = (f"Concurrent session limit reached: all {limit} sessions of {tenant} are taken",)


class OutOfMinutes(ServiceError):
    """A tenant has used its minutes of this day."""

    code = "out_of_minutes"
    close_code = 1008

    def __init__(self, tenant: str, limit: int) -> None:
        super().__init__(f"{tenant} has used its {limit} minutes of today; the next day begins at 0:00 UTC")


class NotReady(ServiceError):
    code = "not_ready"
    close_code = 1013

    def __init__(self) -> None:
        super().__init__("the model is still loading; retry in a few seconds")


class Unsupported(ServiceError):
    code = "unsupported"
    close_code = 1008


class BadOffer(ServiceError):
    code = "bad_offer"
    close_code = 1008
