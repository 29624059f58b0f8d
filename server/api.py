"""The HTTP API under /v1 that Decart's SDKs speak; its OpenAPI document, /openapi.json, is made from the code."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.responses import Response

from reverie.server import (
    files_api,
    jobs_api,
    models_api,
    recordings_api,
    rooms_api,
    sessions_api,
    speech_api,
    tokens_api,
)
from reverie.server.errors import Refused
from reverie.server.search import search_api


class Problem(BaseModel):
    """What every failure answers; `detail` and `error` are the same sentence."""

    detail: str
    error: str
    error_type: str = Field(description="a stable code")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "the request is not what this page says"},
    401: {"model": Problem, "description": "no key, or one that is not known"},
    403: {"model": Problem, "description": "the client token does not allow it"},
    404: {"model": Problem, "description": "there is no such thing, or it is another tenant's"},
    409: {"model": Problem, "description": "not in this state of it"},
    413: {"model": Problem, "description": "the request is too large"},
    421: {"description": "this server does not answer to that host"},
    503: {"model": Problem, "description": "not now: all places are taken, or the model is not there"},
    507: {"model": Problem, "description": "the disk is full"},
}


NO_OBJECT = {
    "json_invalid": "the body is not JSON",
    "model_attributes_type": "the body must be a JSON object, sent as application/json",
}  # by what pydantic calls it


def make(state: State) -> FastAPI:
    """The application behind /v1.  Args: state: of the application that it is mounted in."""
    api = FastAPI(
        title="Reverie", version="1", docs_url=None, redoc_url=None, responses=PROBLEMS,
        description="Live video restyled by a sentence: the HTTP part.  Keys go into the header X-API-KEY.",
    )  # fmt: skip
    api.state = state
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _failed)
    api.include_router(tokens_api.router)
    api.include_router(recordings_api.router)
    api.include_router(sessions_api.router)
    api.include_router(search_api.router)
    api.include_router(rooms_api.router)
    api.include_router(files_api.router)
    api.include_router(models_api.router)
    api.include_router(jobs_api.router)
    api.include_router(speech_api.router)
    described = api.openapi
    api.openapi = lambda: _without_422(described())  # type: ignore[method-assign]
    return api


def _without_422(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI says of every operation that it may answer 422; here that is 400."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    return document


def problem(status: int, code: str, text: str) -> JSONResponse:
    return JSONResponse({"detail": text, "error": text, "error_type": code}, status)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.status, error.code, str(error))


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "bad_request")
    where = "" if error.status_code == 413 else f": {request.method} {request.url.path[:100]}"
    answer = problem(error.status_code, code, f"{error.detail}{where}")
    answer.headers.update(error.headers or {})
    return answer


def _invalid(request: Request, error: Exception) -> Response:
    """One sentence of the first thing that is wrong, without the value: it may be a secret or a picture."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "path", "query"))
    text = first["msg"].removeprefix("Value error, ")
    text = "must be a file, with a name" if text.startswith("Expected UploadFile") else text
    return problem(400, "bad_request", NO_OBJECT.get(first["type"]) or f"{where or 'the body'}: {text}")
