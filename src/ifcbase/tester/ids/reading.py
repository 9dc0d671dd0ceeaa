"""Read an IDS through all stages, or refuse it with every reason that was found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ifcbase.errors import IdsInvalid
from ifcbase.tester.ids.audit import audit
from ifcbase.tester.ids.document import IdsDocument
from ifcbase.tester.ids.finding import Finding, Severity
from ifcbase.tester.ids.schema import decode
from ifcbase.tester.ids.xml import read_xml


def read(path: Path, name: str | None = None) -> tuple[IdsDocument | None, list[Finding]]:
    """The IDS and its findings; no IDS if the schema stage already fails.

    ``name`` is what messages call the file. Raises the errors of the XML stage (``read_xml``).
    """
    name = name or path.name
    data = read_xml(path, name)
    decoded, findings = decode(data, name)
    if findings:
        return None, findings
    document = IdsDocument(name, hashlib.sha256(data).hexdigest(), decoded)
    return document, audit(document)


def read_valid(
    paths: Sequence[Path], names: Sequence[str] | None = None
) -> tuple[list[IdsDocument], list[Finding]]:
    """All IDS files and the warnings about them; raises IdsInvalid with all errors of all files.

    ``names`` are what messages call the files, in the same order.
    """
    documents: list[IdsDocument] = []
    findings: list[Finding] = []
    for path, name in zip(paths, names or [path.name for path in paths], strict=True):
        document, found = read(path, name)
        findings.extend(found)
        if document is not None:
            documents.append(document)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise IdsInvalid(f"{errors[0]}{more}", detail="\n".join(map(str, errors)))
    return documents, findings
