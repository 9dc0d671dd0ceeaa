"""The second stage: the IDS schema (the XSD that IfcTester ships), decoded into plain dictionaries."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

from xmlschema import XMLResource, XMLSchema
from xmlschema.validators.exceptions import XMLSchemaValidationError

from ifcbase.tester.ids.finding import Finding
from ifcbase.tester.ids.xml import NAMESPACE

#: Findings listed per file; one misplaced element can cause a hundred.
MAX_FINDINGS = 25

CODE = "ids-schema"
SENTENCE = "The XML does not follow the IDS 1.0 schema."


def decode(data: bytes, name: str) -> tuple[dict[str, Any], list[Finding]]:
    """The IDS as nested dictionaries, or nothing and what is wrong with it.

    Nothing is fetched: locations named in the file are not followed.
    """
    # The bytes were read and bounded by the XML stage; "none" forbids every access beyond them.
    resource = XMLResource(BytesIO(data), allow="none", defuse="always")
    decoded: Any = ids_schema().decode(
        resource, strip_namespaces=True, namespaces={"": NAMESPACE}, validation="lax"
    )
    document, errors = decoded
    if errors:
        return {}, [_finding(error, name) for error in errors[:MAX_FINDINGS]]
    if not isinstance(document, dict):
        raise TypeError(f"the schema decoded an IDS into {type(document).__name__}")
    return document, []


@cache
def ids_schema() -> XMLSchema:
    """The compiled IDS schema; compiled once per process.

    The package's own file is no stranger: it is neither searched for entities nor validated itself.
    """
    path = str(files("ifctester") / "ids.xsd")
    return XMLSchema(path, allow="local", defuse="never", validation="skip")


def _finding(error: XMLSchemaValidationError, name: str) -> Finding:
    reason = " ".join(str(error.reason or error.message).split())
    return Finding(CODE, f"{SENTENCE} {reason[:400]}", ids=name, place=error.path or "/")
