"""What an IDS check is asked for; field names are the existing clients'."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ifcbase.errors import RequestInvalid

FileName = Annotated[str, Field(min_length=1, max_length=1024)]


class ReportType(StrEnum):
    """The report a client wants to download; the JSON document is always made."""

    JSON = "json"
    HTML = "html"
    XLSX = "xlsx"
    BCF = "bcf"


class TesterRequest(BaseModel):
    """One model against one or several IDS files."""

    __test__: ClassVar[bool] = False  # its name makes pytest take it for a test

    model_config = ConfigDict(extra="forbid", frozen=True)

    ifc_filename: FileName
    #: One name, as existing clients send, or several.
    ids_filename: Annotated[tuple[FileName, ...], Field(min_length=1, max_length=100)]
    output_filename: Annotated[str | None, Field(max_length=1024)] = None
    report_type: ReportType = ReportType.JSON
    #: A specification that declares another IFC version than the model's makes the check
    #: inconclusive, instead of only being warned about.
    strict_version: bool = False

    @field_validator("ids_filename", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("ids_filename")
    @classmethod
    def _no_file_twice(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("the same IDS file is named twice")
        return value


def parse_request(document: Any) -> TesterRequest:
    """The request as clients send it. Raises RequestInvalid naming the field that is wrong."""
    if isinstance(document, TesterRequest):
        return document
    try:
        return TesterRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise RequestInvalid(f"{field}: {first['msg']}", detail=str(error)) from error
