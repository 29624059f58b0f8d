"""`/v1/speech`: spoken prompts as words."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from reverie.server import speech
from reverie.server.errors import Refused

router = APIRouter(prefix="/v1/speech")
MAX_BYTES = 3_000_000  # 30 s of WAV at 48 kHz
_turn = asyncio.Lock()  # one at a time: it takes a core
BODY = {"requestBody": {"required": True, "content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}}}


class Able(BaseModel):
    available: bool = Field(description="whether the extra `speech` is installed")


class Said(BaseModel):
    text: str = Field(description='what was said; "" if nobody spoke')


@router.get("", operation_id="canHearSpeech")
def able() -> Able:
    return Able(available=speech.is_here())


@router.post("", operation_id="hearSpeech", openapi_extra=BODY, responses={413: {"description": "more than 3 MB"}})
async def hear(request: Request) -> Said:
    """What is said in a file of sound, English, up to 30 s; it is kept nowhere and never leaves the machine."""
    if not speech.is_here():
        raise Refused(404, "no_speech", "spoken prompts need an extra on the server: pip install 'reverie[speech]'")
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_BYTES:
                raise Refused(413, "too_large", f"spoken prompts may have {MAX_BYTES // 10**6} MB")
    except ClientDisconnect:
        return Said(text="")
    async with _turn:
        try:
            return Said(text=await asyncio.to_thread(speech.words, bytes(data)))
        except ValueError as error:
            raise Refused(400, "bad_sound", str(error)) from None
