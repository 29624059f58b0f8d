"""`/v1/jobs` and `/v1/generate`: clips and pictures restyled behind live sessions."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.responses import Response

from reverie.server import catalogue, job_work
from reverie.server.access import caller_of
from reverie.server.errors import Refused, Unauthorized
from reverie.server.files_api import check_size
from reverie.server.jobs import Job, Live
from reverie.server.node import Node

router = APIRouter(prefix="/v1")
MAX_PROMPT = 1000
TYPES = {".mp4": "video/mp4", ".png": "image/png"}
LISTENS_S = 0.5  # between looks whether the client of a picture is still there


class JobAnswer(BaseModel):
    job_id: str
    status: str = Field(pattern="pending|processing|completed|failed")
    model: str = Field(description="as it was asked for")
    progress: float = Field(description="0 to 1")
    created_at: str
    error: str | None = Field(None, description="one sentence, of a job that failed")
    error_type: str | None = Field(None, description="a stable code")


Data = Annotated[UploadFile, File(description="a clip (mp4, mov, mkv, webm, avi) or a picture")]
Reference = Annotated[UploadFile | None, File(description="a picture whose look is wanted, beside the prompt or alone")]
Prompt = Annotated[str, Form(max_length=MAX_PROMPT)]
Seed = Annotated[int, Form(ge=0, lt=2**32)]
Resolution = Annotated[str, Form(pattern="^(480p|720p|1080p)?$", description="empty keeps the size of data")]
Enhance = Annotated[bool, Form(description="let the LLM enrich the prompt")]
BOTH = ("video", "image")
REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"description": "data is too large"}, 429: {"description": "too many jobs wait"},
    503: {"description": "the model cannot be loaded"}, 507: {"description": "the disk is full"},
}  # fmt: skip
MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "there is no such job"}}
UNDONE: dict[int | str, dict[str, Any]] = {409: {"description": "the job is not done, or it failed"}}


@router.post("/jobs/{model}", operation_id="submitJob", responses=REFUSALS, response_model_exclude_none=True)
async def submit(
    request: Request, model: str, data: Data, reference_image: Reference = None, prompt: Prompt = "", seed: Seed = 0,
    resolution: Resolution = "", enhance_prompt: Enhance = True,
) -> JobAnswer:  # fmt: skip
    """Restyle a clip or a picture behind live sessions.  Its id tells how far it is; it is kept for a day."""
    wanted = _wanted(request, model, prompt, seed, resolution, enhance_prompt, reference_image is not None)
    return _told((await _submitted(request, wanted, data, reference_image)).job)


@router.post(
    "/generate/{model}", operation_id="generateImage", response_class=Response,
    responses={**REFUSALS, **UNDONE, 200: {"content": {"image/png": {}}}},
)  # fmt: skip
async def generate(
    request: Request, model: str, data: Data, reference_image: Reference = None, prompt: Prompt = "", seed: Seed = 0,
    resolution: Resolution = "", enhance_prompt: Enhance = True,
) -> Response:  # fmt: skip
    """Restyle a picture and answer with it (PNG)."""
    wanted = _wanted(request, model, prompt, seed, resolution, enhance_prompt, reference_image is not None)
    live = await _submitted(request, wanted, data, reference_image, kinds=("image",))
    jobs, tenant = _node(request).jobs, wanted.tenant
    try:
        while not live.done.done() and not await request.is_disconnected():
            await asyncio.wait([asyncio.wrap_future(live.done)], timeout=LISTENS_S)
        if not live.done.done():
            return Response(status_code=499)  # nobody reads it
        return Response(await asyncio.to_thread(jobs.content(tenant, live.job.id).read_bytes), media_type="image/png")
    finally:
        jobs.cancel(tenant, live.job.id)


@router.get("/jobs", operation_id="listJobs", response_model_exclude_none=True)
def every(request: Request) -> list[JobAnswer]:
    """The jobs of the last day, newest first."""
    return [_told(job) for job in _node(request).jobs.every(caller_of(request).tenant.name)]


@router.get("/jobs/{id}", operation_id="getJob", responses=MISSING, response_model_exclude_none=True)
def one(request: Request, id: str) -> JobAnswer:
    return _told(_node(request).jobs.find(caller_of(request).tenant.name, id))


@router.get(
    "/jobs/{id}/content", operation_id="downloadJob", response_class=FileResponse,
    responses={**MISSING, **UNDONE, 200: {"content": {kind: {} for kind in TYPES.values()}}},
)  # fmt: skip
def content(request: Request, id: str) -> Any:
    """What the job made: an MP4 of a clip, a PNG of a picture."""
    path = _node(request).jobs.content(caller_of(request).tenant.name, id)
    return FileResponse(path, media_type=TYPES[path.suffix], filename=f"{id}{path.suffix}")


@router.delete("/jobs/{id}", operation_id="cancelJob", status_code=204, responses=MISSING)
def cancel(request: Request, id: str) -> Response:
    """End a job: it fails as `cancelled`.  One that has ended is deleted with its file."""
    _node(request).jobs.cancel(caller_of(request).tenant.name, id)
    return Response(status_code=204)


def _node(request: Request) -> Node:
    node: Node = request.app.state.node
    return node


def _wanted(
    request: Request, model: str, prompt: str, seed: int, resolution: str, enhance: bool, pictured: bool
) -> Job:  # fmt: skip
    """A job that has no id and no kind yet.  Raises: Refused."""
    node, caller = _node(request), caller_of(request)
    served = node.settings.model
    names = catalogue.names(model, served)
    if not names:
        raise Refused(400, "model_not_found", f"there is no model {model[:60]!r} here; this server runs {served}")
    try:
        caller.may_use(*names)
    except Unauthorized as refusal:
        raise Refused(403, refusal.code, str(refusal)) from None
    if node.fault:
        raise Refused(503, "not_ready", node.fault)
    if not prompt.strip() and not pictured:
        raise Refused(400, "bad_request", "give a prompt, a reference_image or both")
    if pictured and node.model is not None and getattr(node.model, "picture", None) is None:
        raise Refused(400, "unsupported", f"{served} takes no reference pictures; give a prompt instead")
    if node.denied(prompt):
        node.metrics.denied.inc()
        raise Refused(400, "prompt_denied", "this server does not allow that prompt")
    return Job("", caller.tenant.name, model, "", prompt.strip(), enhance, seed, resolution, time.time())


async def _submitted(
    request: Request, wanted: Job, data: UploadFile, reference: UploadFile | None, kinds: tuple[str, ...] = BOTH
) -> Live:  # fmt: skip
    node = _node(request)
    check_size(request, data)

    def check(folder: Any) -> str:
        kind = job_work.check(folder, wanted.model, node.settings.max_clip_s)
        if kind not in kinds:
            raise ValueError("data is a video; send it to /v1/jobs")
        return kind

    picture: BinaryIO | None = reference.file if reference is not None else None
    return await asyncio.to_thread(partial(node.jobs.submit, wanted, data.file, picture, check))


def _told(job: Job) -> JobAnswer:
    return JobAnswer(
        job_id=job.id, status=job.state, model=job.model, progress=job.progress,
        created_at=re.sub(r"\+00:00$", "Z", datetime.fromtimestamp(job.created_at, UTC).isoformat(timespec="seconds")),
        error=job.error or None, error_type=job.error_type or None,
    )  # fmt: skip
