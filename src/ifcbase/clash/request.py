"""What a clash check is asked for; field names are ifcclash's and the existing clients'."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Mode(StrEnum):
    INTERSECTION = "intersection"
    COLLISION = "collision"
    CLEARANCE = "clearance"


class SelectMode(StrEnum):
    ALL = "a"
    INCLUDE = "i"
    EXCLUDE = "e"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ClashFile(_Strict):
    """One model on one side of a clash set."""

    file: Annotated[str, Field(min_length=1, max_length=1024)]
    selector: Annotated[str | None, Field(max_length=10_000)] = None
    mode: SelectMode | None = None

    @model_validator(mode="before")
    @classmethod
    def _selector_means_include(cls, data: Any) -> Any:
        """A selector without a mode includes; an empty selector is none."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        selector = data.get("selector")
        if isinstance(selector, str) and not selector.strip():
            data["selector"] = selector = None
        if data.get("mode") is None:
            data["mode"] = SelectMode.INCLUDE if selector else SelectMode.ALL
        return data

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        if self.mode is not SelectMode.ALL and not self.selector:
            raise ValueError(f"mode '{self.mode}' needs a selector")
        return self
