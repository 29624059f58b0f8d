"""`POST /v1/sessions/{id}/prompt`: another look for a running session, from a program that is not its client.

For stream decks, chat bots and scripts.  Who knows a session's id, 122 random bits, may change its look.
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reverie.client.protocol import ChangeSettings, Prompt, parse
from reverie.server.access import caller_of
from reverie.server.errors import Declined
from reverie.server.node import Node

MAX_BYTES = 20_000


async def prompt(request: Request) -> Response:
    """Body: the fields of the message `prompt` (client/protocol.py); an empty prompt shows the camera.
    With `mask` and no prompt only the mask changes.

    200 when the look is taken on; 400 bad_request, 403 prompt_denied, 404 no_session, 409 no_masks, 413 too_large.
    """
    node: Node = request.app.state.node
    session = node.find(request.path_params["id"], caller_of(request).tenant.name)
    if session is None:
        return _failure(404, "no_session", "there is no such session; its id is in the message session_id")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            return _failure(413, "too_large", f"a prompt request may have {MAX_BYTES} bytes")
    try:
        fields = json.loads(body)
        if not isinstance(fields, dict):
            raise ValueError("the body must be one JSON object")
        only_mask = "prompt" not in fields and "mask" in fields
        message = parse(json.dumps({**fields, "type": "settings" if only_mask else "prompt"}))
    except (ValueError, RecursionError) as error:
        return _failure(400, "bad_request", str(error))
    assert isinstance(message, Prompt | ChangeSettings)
    try:
        if isinstance(message, ChangeSettings):
            session.change(None, None, message.mask)
            return JSONResponse({"mask": message.mask})
        await session.set_prompt(
            message.prompt, message.enhance_prompt, message.blend, message.transition_s, message.mask
        )
    except Declined as refusal:
        return _failure(refusal.status, refusal.code, str(refusal))
    return JSONResponse({"prompt": message.prompt})


def _failure(status: int, code: str, text: str) -> Response:
    return JSONResponse({"error": text, "error_type": code}, status)
