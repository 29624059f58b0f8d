"""Who waits for an ack gets one, also of what cannot be read."""

import json

import pytest

from reverie.client.protocol import Failure, FromServer, PromptAck, SetImageAck
from reverie.server.rejection import rejection


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"type": "prompt", "prompt": "x" * 5000}, PromptAck("x" * 5000, False, "no", "bad_request")),
        ({"type": "prompt", "prompt": 5}, Failure("no", "bad_request")),
        ({"type": "set_image", "image_data": 5}, SetImageAck(False, "no", "bad_request")),
        ({"type": "offer"}, Failure("no", "bad_request")),
        ([], Failure("no", "bad_request")),
    ],
)
def test_the_answer_is_what_its_sender_waits_for(sent: object, answer: FromServer) -> None:
    assert rejection(json.dumps(sent), "no") == answer


def test_what_is_no_json_is_an_error() -> None:
    assert rejection("{", "no") == Failure("no", "bad_request")
