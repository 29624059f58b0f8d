"""Wire messages: what is read back is what was written, and nothing else raises but ValueError."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.client import protocol as p

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
TYPES = ["prompt", "set_image", "settings", "offer", "ice-candidate", "livekit_join", "answer", "nonsense"]
FIELDS = ["type", "prompt", "enhance_prompt", "image_data", "image_ref", "strength", "seed", "sdp", "candidate", "mask"]


@given(st.text(max_size=300) | st.binary(max_size=100))
def test_arbitrary_input_raises_only_value_error(data: str | bytes) -> None:
    with pytest.raises(ValueError):
        p.parse(data)


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
def test_arbitrary_fields_raise_only_value_error(kind: str, body: dict[str, Any]) -> None:
    try:
        message = p.parse(json.dumps({**body, "type": kind}))
    except ValueError as error:
        assert str(error)
    else:
        assert message.type == kind


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"type": ["x"]}', '{"type": "offer", "sdp": 1}', "1" * 5000, '{"a": ' * 5000, "null"]
)
def test_known_traps_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        p.parse(text)


MESSAGES = [
    p.Prompt("néon 🎉", True), p.Prompt("dusk", False, (p.Part("a", 1.0), p.Part("b", 2.5)), 1.5), p.SetImage(), p.SetImage("aGk=", None, "x", True), p.ChangeSettings(0.5, 7), p.Offer("v=0"),
    p.Candidate(None), p.Candidate({"candidate": "candidate:1", "sdpMLineIndex": 0, "sdpMid": "0"}), p.LivekitJoin(),
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.type)
def test_what_a_client_writes_is_what_the_server_reads(message: p.FromClient) -> None:
    assert p.parse(p.encode(message)) == message


ANSWERS = [
    p.PromptAck(" exact  echo ", True), p.SetImageAck(False, "no"), p.SettingsAck(True), p.Answer("v=0"),
    p.SessionId("a", "127.0.0.1", 1), p.GenerationStarted(), p.GenerationTick(3), p.GenerationEnded(3, "disconnect"),
    p.PromptEnhanced("x"), p.Status("styled", "x"), p.Failure("e", "bad_request"), p.Candidate(None),
]  # fmt: skip


@pytest.mark.parametrize("message", ANSWERS, ids=lambda m: m.type)
def test_what_a_server_writes_is_what_the_client_reads(message: p.FromServer) -> None:
    assert p.read(p.encode(message)) == message


def test_a_client_ignores_messages_it_does_not_know() -> None:
    assert p.read('{"type": "new_thing", "x": 1}') is None
    assert p.read('{"type": 3}') is None
    with pytest.raises(ValueError, match="malformed prompt_ack"):
        p.read('{"type": "prompt_ack"}')


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"type": "prompt", "prompt": "x" * 2001}, "2000 characters, this has 2001"),
        ({"type": "prompt"}, "prompt must be text"),
        ({"type": "prompt", "prompt": "\ud800"}, "Unicode"),
        ({"type": "settings", "strength": 1.01}, "strength must be a number from 0 to 1"),
        ({"type": "settings", "strength": True}, "strength"),
        ({"type": "settings", "strength": 10**400}, "strength"),
        ({"type": "settings", "seed": 2**32}, "seed"),
        ({"type": "offer", "sdp": "x" * 200_001}, "200000"),
        ({"type": "set_image", "image_data": 3}, "image_data must be text"),
        ({"type": "dance"}, "may not send 'dance'"),
    ],
)
def test_mistakes_are_answered_with_one_clear_sentence(body: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        p.parse(json.dumps(body))
