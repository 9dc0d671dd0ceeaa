"""Small files of every kind, made by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

IDS = b"""<?xml version="1.0" encoding="utf-8"?>
<ids xmlns="http://standards.buildingsmart.org/IDS"><info><title>t</title></info></ids>"""


def step(size: int = 0, *, word: bytes = b"x") -> bytes:
    """An IFC file in STEP form of about this size; ``word`` makes it another one."""
    head = b"ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\n"
    tail = b"ENDSEC;\nEND-ISO-10303-21;\n"
    line = b"/* " + word + b" */\n"
    return head + line * (max(0, size - len(head) - len(tail)) // len(line) + 1) + tail


def zipped(members: Mapping[str, bytes], *, pack: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", pack) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
