"""The OpenAPI document: complete, and what the gateway does is what it says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.gateway.conftest import Served
from tests.integration.ledger.filled import Filled

pytestmark = pytest.mark.long

# Parts of uploads are bytes like others.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

#: Examples per operation, for about a minute in all on a slow machine.
EXAMPLES = 5


@pytest.fixture(scope="module")
def document(served: Served) -> Any:
    return served.client.get("/openapi.json").json()


def operations(document: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_says_what_it_does_and_how_it_fails(document: Any) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(document):
        assert operation["description"].endswith((".", "`.")), name
        assert operation["tags"], name
        answers = operation["responses"]
        assert any(status.startswith("2") for status in answers), name
        if operation.get("security"):
            assert {"401", "429", "503"} <= set(answers), name
        for status, answer in answers.items():
            if status.startswith(("4", "5")) and name != "GET /readyz":
                (media,) = answer["content"]
                assert media == "application/problem+json", (name, status)
        for parameter in operation.get("parameters", []):
            schema = parameter.get("schema", {})
            assert parameter.get("description") or "$ref" in schema or schema, (name, parameter)


def test_every_request_has_an_example_that_is_accepted_as_one(document: Any) -> None:
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            if schema.get("format") == "binary":
                continue
            inside = [each.get("examples") for each in schema["properties"].values()]
            assert content.get("example") or any(inside), name


def test_every_reference_leads_somewhere(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for reference in re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    assert {"ClashRequest", "ClashSet", "TesterRequest", "Problem", "FieldProblem"} <= set(schemas)


def test_the_framework_does_not_speak_for_us(document: Any) -> None:
    assert "HTTPValidationError" not in json.dumps(document)
    assert "Problem" in document["components"]["schemas"]


def test_the_pages_load_nothing(served: Served) -> None:
    answer = served.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"(src|href)=['\"](?!/)", answer.text)
    assert "<script" not in answer.text
    for path in ("/ifcclash", "/v1/findings/{number}/decisions"):
        assert path in answer.text


def test_every_problem_type_is_described_where_it_says(served: Served) -> None:
    types = served.client.get("/problems").json()
    assert {"not-found", "unauthenticated", "forbidden", "precondition-failed"} <= {
        each["code"] for each in types
    }
    for each in types[:3]:
        assert served.client.get(each["type"]).json() == each
    assert served.client.get("/problems/nothing").json()["code"] == "not-found"


def test_no_request_makes_the_gateway_fail_or_answer_what_it_does_not_document(
    served: Served, filled: Filled, document: Any
) -> None:
    """schemathesis: every operation with examples, good and broken."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(served.client.base_url))
    headers = served.headers("own admin")
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.method == "delete" and operation.path.startswith("/v1/keys/"):
            # It would take away the key of these very requests.
            continue
        if operation.path == "/v1/events":
            # It has no end; tests of its own ask it.
            continue
        either = st.one_of(
            operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
        )

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=either)
        def each(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=headers, checks=checks)

        each()
    assert tried > 200
