"""A model as a document of JSON, for reports handed from a child process to its parent."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import MEASURES, Signatures
from ifcbase.ifc.text import is_clean

_HEX = frozenset("0123456789abcdef")


def model_document(
    name: str, sha256: str, inventory: Inventory, signatures: Signatures | None
) -> dict[str, Any]:
    """What is handed over of a model: its name and bytes' hash, elements and signatures."""
    return {
        "name": name,
        "sha256": sha256,
        "inventory": inventory.to_document(),
        "signatures": None if signatures is None else signature_columns(signatures),
    }


def read_model_document(document: Any) -> tuple[str, str, Inventory, Signatures | None]:
    """Name, SHA-256, inventory and signatures of what ``model_document`` gave.

    Trusts nothing: raises ReportInvalid for whatever does not hold together.
    """
    if not isinstance(document, dict):
        raise ReportInvalid("a model of the report is not a document")
    name, sha256 = document.get("name"), document.get("sha256")
    if not (isinstance(name, str) and 0 < len(name) <= 1024 and is_clean(name)):
        raise ReportInvalid("a model of the report has no name")
    if not (isinstance(sha256, str) and len(sha256) == 64 and set(sha256) <= _HEX):
        raise ReportInvalid("a model of the report has no hash")
    inventory = Inventory.from_document(document.get("inventory"))
    columns = document.get("signatures")
    if columns is None:
        return name, sha256, inventory, None
    return name, sha256, inventory, read_signature_columns(inventory, columns)


def signature_columns(signatures: Signatures) -> dict[str, str]:
    """The columns' bytes: exact, also where there is no number."""
    return {
        name: base64.b64encode(
            np.ascontiguousarray(getattr(signatures, name), np.dtype(kind)).tobytes()
        ).decode("ascii")
        for name, (kind, _) in MEASURES.items()
    }


def read_signature_columns(inventory: Inventory, columns: Any) -> Signatures:
    """What ``signature_columns`` gave. Raises ReportInvalid for whatever does not hold together."""
    if not isinstance(columns, dict) or columns.keys() != MEASURES.keys():
        raise ReportInvalid("signatures do not hold together: columns")
    found: dict[str, npt.NDArray[Any]] = {}
    for name, (kind, width) in MEASURES.items():
        try:
            raw = base64.b64decode(columns[name], validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise ReportInvalid("signatures do not hold together: " + name) from error
        if len(raw) != len(inventory) * width * np.dtype(kind).itemsize:
            raise ReportInvalid("signatures do not hold together: length of " + name)
        column: npt.NDArray[Any] = np.frombuffer(raw, kind).copy()
        found[name] = column.reshape(-1, width) if width > 1 else column
    return Signatures.of(inventory, found)
