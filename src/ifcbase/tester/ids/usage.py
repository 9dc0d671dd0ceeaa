"""What a specification says about the elements it applies to; no native library is needed to know."""

from __future__ import annotations

from enum import StrEnum


class Usage(StrEnum):
    """What a specification says about the elements it applies to."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    PROHIBITED = "prohibited"
