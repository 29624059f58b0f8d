"""The OpenAPI document is true: requests made from it are answered as it says (schemathesis)."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("audio/*")
def sound(_: Any, value: bytes) -> bytes:
    return value


LIGHT = settings(
    max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate], database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def test_requests_are_answered_as_the_document_says(server: Any) -> None:
    document = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    failures = []
    for found in document.get_all_operations():
        operation = found.ok()

        @LIGHT
        @given(operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)

        try:
            ask()
        except FailureGroup as group:
            failures.append(f"{operation.label}: {'; '.join(str(each) for each in group.exceptions)}")
    assert not failures, "\n".join(failures)
