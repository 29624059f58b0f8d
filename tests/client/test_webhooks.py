"""Whether a message is the server's own."""

import base64
import json

import pytest

from reverie.client.errors import BadRequest
from reverie.client.webhooks import verify
from reverie.server.webhooks import signature

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = json.dumps({"type": "session.started", "data": {}}).encode()


def headers(**changed: str) -> dict[str, str]:
    made = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": "1000",
        "Webhook-Signature": signature(KEY, "msg_1", 1000, BODY),
    }
    return made | changed


def test_what_is_signed_is_read_also_beside_another_signature() -> None:
    assert verify(SECRET, headers(), BODY, now=1010)["type"] == "session.started"
    both = "v1,b3RoZXI= " + headers()["Webhook-Signature"]
    assert verify(SECRET, headers(**{"Webhook-Signature": both}), BODY, now=1299)


@pytest.mark.parametrize(
    ("changed", "body", "now"),
    [
        ({}, BODY + b" ", 1000), ({"Webhook-Id": "msg_2"}, BODY, 1000), ({"Webhook-Timestamp": "1001"}, BODY, 1000),
        ({}, BODY, 1301), ({}, BODY, 699), ({"Webhook-Signature": "v1,ä"}, BODY, 1000), ({"Webhook-Timestamp": "x"}, BODY, 1000),
    ],
)  # fmt: skip
def test_anything_else_is_refused(changed: dict[str, str], body: bytes, now: float) -> None:
    with pytest.raises(BadRequest):
        verify(SECRET, headers(**changed), body, now=now)


def test_the_example_of_the_specification() -> None:
    """Of its reference libraries' tests."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
