"""What a field of a message may hold: every check raises ValueError with a sentence to send back."""

from __future__ import annotations

import json
from typing import Any

MAX_MESSAGE = 16_000_000  # characters; a reference picture is the longest
MAX_PROMPT = 2_000
MAX_SDP = 200_000
MAX_CANDIDATE = 4_000


def whole(text: str) -> dict[str, Any]:
    if len(text) > MAX_MESSAGE:
        raise ValueError(f"a message may have {MAX_MESSAGE} characters, this has {len(text)}")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("a message must be one JSON object") from None
    if not isinstance(body, dict):
        raise ValueError("a message must be one JSON object")
    return body


def text(body: dict[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    if len(value) > limit:
        raise ValueError(f"{name} may have {limit} characters, this has {len(value)}")
    return value


def prompt(body: dict[str, Any]) -> str:
    prompt = text(body, "prompt", MAX_PROMPT)
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise ValueError("prompt is not valid Unicode") from None
    return prompt


def number(body: dict[str, Any], name: str, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number from 0 to {most:g}")
    return float(value)


def flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


def seed(body: dict[str, Any]) -> int | None:
    value = body.get("seed")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError("seed must be a whole number from 0 to 4294967295")
    return value


def candidate(value: Any) -> dict[str, Any] | None:
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
