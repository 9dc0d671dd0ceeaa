"""Models as a report describes them, as files between the child that reads and the parent that records."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.arrays import BROKEN, Array, Arrays
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import MEASURES, Signatures
from ifcbase.ifc.text import is_clean

FORMAT = 1
WORDS = "models.json"
ARRAYS = "models.npz"
#: Budgets of what the parent reads: some dozens of large models fit.
_MAX_WORDS = 2 << 30
_MAX_ARRAYS = 2 << 30
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """What a model contains, under the name the request gave it."""

    name: str
    sha256: str
    inventory: Inventory
    signatures: Signatures | None = None


def write_models(models: Sequence[DescribedModel], folder: Path) -> None:
    """Write two files into an existing folder."""
    arrays: dict[str, Array] = {}
    documents = []
    for number, model in enumerate(models):
        signed = model.signatures
        if signed is not None:
            arrays |= {f"file{number}.{name}": getattr(signed, name) for name in MEASURES}
        documents.append(
            {
                "name": model.name,
                "sha256": model.sha256,
                "inventory": model.inventory.to_document(),
                "signed": signed is not None,
            }
        )
    document = {"format": FORMAT, "models": documents}
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    (folder / WORDS).write_text(text, encoding="ascii")
    with (folder / ARRAYS).open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_models(folder: Path) -> list[DescribedModel]:
    """Read them back. Raises ReportInvalid for anything that does not hold together."""
    documents = _documents(folder / WORDS)
    try:
        with zipfile.ZipFile(folder / ARRAYS) as archive:
            arrays = Arrays(archive, _MAX_ARRAYS)
            found = [_model(each, number, arrays) for number, each in enumerate(documents)]
    except BROKEN as error:
        raise ReportInvalid("the arrays of the models cannot be read", detail=str(error)) from error
    if arrays.unread or len({model.name for model in found}) != len(found):
        raise ReportInvalid("the models do not hold together: something belongs to none of them")
    return found


def read_signatures(inventory: Inventory, prefix: str, arrays: Arrays) -> Signatures:
    """The signatures of an inventory's elements, whose columns have names with this prefix."""
    columns = {
        name: arrays.take(f"{prefix}.{name}", dtype, width)
        for name, (dtype, width) in MEASURES.items()
    }
    return Signatures.of(inventory, columns)


def _documents(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > _MAX_WORDS:
            raise ReportInvalid("what is said of the models is too large")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ReportInvalid(
            "what is said of the models cannot be read", detail=str(error)
        ) from error
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list) or document.get("format") != FORMAT:
        raise ReportInvalid("what is said of the models has an unknown format")
    return models


def _model(document: Any, number: int, arrays: Arrays) -> DescribedModel:
    if not isinstance(document, dict):
        raise ReportInvalid("the models do not hold together: one is no document")
    name, sha256 = document.get("name"), document.get("sha256")
    if not (isinstance(name, str) and 0 < len(name) <= 1024 and is_clean(name)):
        raise ReportInvalid("the models do not hold together: a name")
    if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise ReportInvalid("the models do not hold together: a hash")
    inventory = Inventory.from_document(document.get("inventory"))
    signed = document.get("signed") is True
    signatures = read_signatures(inventory, f"file{number}", arrays) if signed else None
    return DescribedModel(name, sha256, inventory, signatures)
