"""`/v1/search` and `/v1/moments`: what was shown, found again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from reverie.server.access import caller_of
from reverie.server.errors import Refused
from reverie.server.node import Node
from reverie.server.search import telling
from reverie.server.search.archive import Archive, Hit
from reverie.server.search.archive import Query as Wanted
from reverie.server.search.footage import like_file
from reverie.server.search.index import Filter
from reverie.server.search.moments import Moment

router = APIRouter(prefix="/v1")
MAX_BODY = 50_000_000  # bytes of a clip that is asked with; pictures have a limit of their own


class Found(BaseModel):
    id: str
    session: str
    begin: float = Field(description="Unix time, seconds")
    end: float
    style: str = Field(description="the prompt that was worn; empty is the camera")
    caption: str
    facts: list[str]
    media: str = Field(description="where it can be seen again: recording:ID, file:PATH, or empty")
    media_s: float = Field(description="seconds into that")
    thumbnails: dict[str, int] = Field(description="how many there are of source and output")
    score: float
    cosine: float | None = Field(description="similarity with what was asked, if vectors were compared")


class Answer(BaseModel):
    hits: list[Found]
    index: str = Field(description="where was searched: redis or memory")


class Count(BaseModel):
    deleted: int


Words = Annotated[str, Query(max_length=1000)]


@router.get("/search", operation_id="search")
async def search(
    request: Request, q: Words = "", like: Words = "", session: Words = "", after: float | None = None,
    before: float | None = None, style: str | None = None, side: str = "", mode: str = "hybrid",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Answer:  # fmt: skip
    """Moments by free words, like another moment, or both; within a session, a time, a style or a side."""
    only = _filter(session, after, before, style, side)

    def asked(archive: Archive, tenant: str) -> Wanted:
        return Wanted(q, _like(archive, tenant, like) if like else None, only, limit, mode, like)

    return await _answer(request, asked)


@router.post("/search", operation_id="searchByPicture")
async def by_picture_or_clip(
    request: Request, q: Words = "", session: Words = "", after: float | None = None, before: float | None = None,
    style: str | None = None, side: str = "", limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Answer:  # fmt: skip
    """Moments that look like a picture (PNG, JPEG, WebP, 10 MB) or like the first ten seconds of a video (50 MB).

    It is the body; with words as well if `q` has some.
    """
    only = _filter(session, after, before, style, side)
    with tempfile.NamedTemporaryFile(prefix="asked-") as file:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY:
                raise Refused(413, "too_large", f"what is asked with may have {MAX_BODY // 10**6} MB")
            file.write(part)
        file.flush()

        def asked(archive: Archive, tenant: str) -> Wanted:
            return Wanted(q, like_file(archive.space, Path(file.name)), only, limit)

        return await _answer(request, asked)


class Switch(BaseModel):
    on: bool


@router.put("/sessions/{id}/index", operation_id="indexSession")
async def index(request: Request, id: str, switch: Switch) -> Switch:
    """Keep moments of a running session, to be found again; or no longer."""
    node, tenant = _asked(request)
    if (session := node.find(id, tenant)) is None:
        raise Refused(404, "no_session", "there is no such session, or it has ended")
    node.search.watch(session, switch.on)
    return switch


class Said(BaseModel):
    text: str = Field(max_length=2000)


@router.post("/sessions/{id}/words", status_code=204, operation_id="sayInSession")
async def say(request: Request, id: str, said: Said) -> None:
    """Words that were typed, chatted or spoken in a session that is indexed: its present moment is found by them."""
    node, tenant = _asked(request)
    if (session := node.find(id, tenant)) is None:
        raise Refused(404, "no_session", "there is no such session, or it has ended")
    if not node.search.is_watched(session):
        raise Refused(409, "not_indexed", "this session is not indexed; PUT /v1/sessions/{id}/index begins it")
    node.search.say(session, said.text)


@router.get("/sessions/{id}/digest", operation_id="sessionDigest", response_class=Response)
async def digest(request: Request, id: str, format: str = "text") -> Any:
    """What happened when in a session, also one that has ended: as text, or as WebVTT chapters (`format=vtt`)."""
    node, tenant = _asked(request)
    if format not in ("text", "vtt"):
        raise Refused(400, "bad_request", f"format must be text or vtt, got {format[:20]!r}")
    entries = await node.search.ask(lambda archive: archive.journal(tenant).entries(session=id))
    moments = [each.moment for each in entries]
    if not moments:
        raise Refused(404, "no_moments", "nothing was kept of such a session")
    if format == "text":
        return Response(telling.digest(moments), media_type="text/plain; charset=utf-8")
    recorded = [m for m in moments if m.media]
    origin = recorded[0].begin - recorded[0].media_s if recorded else moments[0].begin
    return Response(telling.chapters(moments, origin), media_type="text/vtt; charset=utf-8")


@router.get("/moments", operation_id="listMoments")
async def newest(
    request: Request, session: Words = "", after: float | None = None, before: float | None = None,
    style: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Answer:  # fmt: skip
    """The last ones, newest first; of a session, a time or a style."""
    node, tenant = _asked(request)
    only = _filter(session, after, before, style, "")

    def work(archive: Archive) -> Answer:
        hits = [Hit(each, 0.0, None) for each in archive.journal(tenant).newest(limit, only)]
        return _found(archive, tenant, hits)

    return await node.search.ask(work)


@router.delete("/moments", operation_id="deleteMoments")
async def delete(request: Request, session: str | None = None) -> Count:
    """Forget a session's moments, or, if none is named, all of this tenant's."""
    node, tenant = _asked(request)
    if session == "":
        raise Refused(400, "bad_request", "session is empty; leave it out to delete everything")
    return Count(deleted=await node.search.delete(tenant, session))


@router.delete("/moments/{id}", operation_id="deleteMoment")
async def delete_one(request: Request, id: str) -> Count:
    node, tenant = _asked(request)
    return Count(deleted=await node.search.delete(tenant, ids=(id,)))


@router.get("/moments/{id}/{side}/{n}.webp", operation_id="momentThumbnail", response_class=Response)
async def thumbnail(request: Request, id: str, side: str, n: int) -> Any:
    """The n-th thumbnail of a moment, from 0."""
    node, tenant = _asked(request)
    raw = await node.search.ask(lambda archive: archive.journal(tenant).thumbnail(id, side, n))
    if raw is None:
        raise Refused(404, "no_thumbnail", "there is no such thumbnail")
    return Response(raw, media_type="image/webp", headers={"cache-control": "private, max-age=3600"})


def _asked(request: Request) -> tuple[Node, str]:
    node: Node = request.app.state.node
    return node, caller_of(request).tenant.name


async def _answer(request: Request, asked: Any) -> Answer:
    node, tenant = _asked(request)
    return await node.search.ask(lambda archive: _found(archive, tenant, archive.find(tenant, asked(archive, tenant))))


def _like(archive: Archive, tenant: str, like: str) -> np.ndarray:  # type: ignore[type-arg]
    """The vector of a moment: of what was shown.  Raises: Refused 404."""
    entries = archive.journal(tenant).entries([like])
    if not entries:
        raise Refused(404, "no_moment", "there is no such moment")
    vectors = entries[0].vectors
    return vectors["output"] if "output" in vectors else vectors["source"]


def _filter(session: str, after: float | None, before: float | None, style: str | None, side: str) -> Filter:
    if side not in ("", "source", "output"):
        raise Refused(400, "bad_request", f"side must be source or output, got {side[:20]!r}")
    return Filter(session, after, before, style, side)


def _found(archive: Archive, tenant: str, hits: list[Hit]) -> Answer:
    counts = archive.journal(tenant).thumbnails([hit.moment.id for hit in hits])
    return Answer(hits=[_shown(hit, counts[hit.moment.id]) for hit in hits], index=archive.kind)


def _shown(hit: Hit, thumbnails: dict[str, int]) -> Found:
    m: Moment = hit.moment
    cosine = None if hit.cosine is None else round(hit.cosine, 4)
    return Found(
        id=m.id, session=m.session, begin=m.begin, end=m.end, style=m.style, caption=m.caption, facts=list(m.facts),
        media=m.media, media_s=m.media_s, thumbnails=thumbnails, score=round(hit.score, 5), cosine=cosine,
    )  # fmt: skip
