"""Every code of the server has its class."""

from reverie.client import errors
from reverie.client.protocol import Failure
from reverie.server import errors as served


def test_every_code_of_the_server_is_known() -> None:
    codes = {each.code for each in served.ServiceError.__subclasses__()} | {"bad_request", "media_failed"}
    assert codes <= errors.KNOWN.keys()
    for code in codes:
        error = errors.error_from(Failure("words", code))
        assert (type(error), error.code, str(error)) == (errors.KNOWN[code], code, "words")


def test_a_code_of_the_future_is_kept() -> None:
    error = errors.error_from(Failure("words", "new_code"))
    assert (type(error), error.code) == (errors.ReverieError, "new_code")
