"""Open a model with errors people understand."""

from __future__ import annotations

from pathlib import Path

import ifcopenshell

from ifcbase.errors import FileMissing, IfcUnparsable, NotIfc


def open_model(path: Path, name: str) -> ifcopenshell.file:
    """The model; raises FileMissing, NotIfc or IfcUnparsable."""
    if not path.is_file():
        raise FileMissing(f"There is no file {name}.")
    with path.open("rb") as stream:
        if not stream.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"ISO-10303-21"):
            raise NotIfc(f"{name} is not an IFC model.", hint="Were model and IDS swapped?")
    try:
        return ifcopenshell.open(str(path))
    except (RuntimeError, OSError, ifcopenshell.Error) as error:
        raise IfcUnparsable(f"{name} cannot be parsed.", detail=str(error)) from error
