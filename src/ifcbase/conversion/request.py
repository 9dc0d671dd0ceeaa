"""What a conversion is asked for; field names are the existing clients'."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ifcbase.conversion.switches import without_switches
from ifcbase.errors import OutputUnsupported, RequestInvalid, SelectorInvalid
from ifcbase.ifc.selectors import check_selector
from ifcbase.ifc.text import is_clean

FileName = Annotated[str, Field(min_length=1, max_length=1024)]
#: Paper sizes and plans beyond this are a mistake (pixels; "1:n").
LARGEST = 100_000


class Format(StrEnum):
    """What is written; the value is the output's extension."""

    GLB = "glb"
    OBJ = "obj"
    DAE = "dae"
    SVG = "svg"
    XLSX = "xlsx"
    CSV = "csv"

    @property
    def has_shapes(self) -> bool:
        """True if elements without a mesh cannot be in it."""
        return self not in {Format.XLSX, Format.CSV}


#: Fields that only some formats look at; elsewhere they would be ignored in silence.
ONLY_FOR: dict[str, frozenset[Format]] = {
    **dict.fromkeys(("bounds", "scale", "section_height"), frozenset({Format.SVG})),
    "section_height_from_storeys": frozenset({Format.SVG}),
    "convert_back_units": frozenset({Format.OBJ, Format.DAE}),
    "y_up": frozenset({Format.GLB, Format.OBJ, Format.DAE}),
    "digits": frozenset({Format.OBJ, Format.DAE}),
    "weld_vertices": frozenset({Format.GLB, Format.OBJ, Format.DAE}),
    "center_model": frozenset({Format.GLB, Format.OBJ, Format.DAE}),
    **dict.fromkeys(
        ("use_element_names", "use_element_guids", "use_element_step_ids", "use_element_types"),
        frozenset({Format.GLB, Format.OBJ, Format.DAE}),
    ),
}
_NAMINGS = ("use_element_names", "use_element_guids", "use_element_step_ids", "use_element_types")
_ATTRIBUTES = {"GlobalId", "Name", "Description", "ObjectType", "Tag"}


class ConversionRequest(BaseModel):
    """One model, one output file whose extension says the format.

    ``include`` and ``exclude`` are classes, GlobalIds or selectors (a list is read as one selector
    with commas), or IfcConvert's ``attribute Name pattern…``. Heights are metres.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input_filename: FileName
    output_filename: FileName
    log_file: FileName | None = None
    include: str | None = None
    exclude: str | None = None
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 1.0
    #: Positions about the model's local origin, which is given beside them.
    center_model: bool = False
    weld_vertices: bool = False
    #: Lengths in the model's own unit instead of metres.
    convert_back_units: bool = False
    y_up: bool = False
    digits: Annotated[int, Field(ge=1, le=15)] | None = None
    use_element_names: bool = False
    use_element_guids: bool = False
    use_element_step_ids: bool = False
    use_element_types: bool = False
    bounds: str | None = None
    scale: str | None = None
    #: With section_height_from_storeys (or alone: absolute) the height of the cut.
    section_height: Annotated[float, Field(ge=-10_000, le=10_000)] | None = None
    section_height_from_storeys: bool = False

    @model_validator(mode="before")
    @classmethod
    def _switches(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        ours, problems = without_switches(data)
        if problems:
            raise _refusal(RequestInvalid.code, "; ".join(problems))
        booleans = {name for name, field in cls.model_fields.items() if field.annotation is bool}
        return {k: v for k, v in ours.items() if v is not None or k not in booleans}

    @field_validator("include", "exclude", mode="before")
    @classmethod
    def _one_selector(cls, value: Any) -> Any:
        return selector_of(value) if isinstance(value, list | tuple) else value or None

    @field_validator("include", "exclude")
    @classmethod
    def _selector_is_understood(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        if len(value) > 10_000:
            raise ValueError("longer than 10000 characters")
        try:
            check_selector(value)
        except SelectorInvalid as error:
            raise _refusal(SelectorInvalid.code, error.message) from error
        return value

    @field_validator("output_filename", "log_file")
    @classmethod
    def _stays_inside(cls, value: str | None) -> str | None:
        return None if value is None else _inside(value)

    @field_validator("output_filename")
    @classmethod
    def _is_written(cls, value: str) -> str:
        suffix = PurePosixPath(value).suffix
        if suffix.lower().removeprefix(".") not in set(Format):
            known = ", ".join(f".{each}" for each in Format)
            what = f"{suffix} files are" if suffix else "files without an extension are"
            raise _refusal(OutputUnsupported.code, f"{what} not written, only {known}")
        return value

    @field_validator("bounds", "scale", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return value or None

    @field_validator("bounds")
    @classmethod
    def _bounds_are_two_numbers(cls, value: str | None) -> str | None:
        if value is not None:
            match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", value)
            if not match or max(map(int, match.groups())) > LARGEST:
                raise ValueError("write WIDTHxHEIGHT in pixels, as in 1024x768")
        return value

    @field_validator("scale")
    @classmethod
    def _scale_is_one_to_n(cls, value: str | None) -> str | None:
        if value is not None:
            match = re.fullmatch(r"1(?::|/)([1-9]\d{0,5})", value)
            if not match or int(match[1]) > LARGEST:
                raise ValueError("write 1:N, as in 1:100")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, formats in ONLY_FOR.items():
            asked = getattr(self, name)
            if asked is not None and asked is not False and self.format not in formats:
                where = ", ".join(f".{each}" for each in Format if each in formats)
                text = f"has no effect on .{self.format}, only on {where}"
                raise PydanticCustomError(
                    "idle_field", "{field} {text}", {"field": name, "text": text}
                )
        if self.bounds and self.scale:
            raise ValueError("bounds and scale contradict each other; give one of them")
        if sum(getattr(self, name) for name in _NAMINGS) > 1:
            raise ValueError(f"only one of {', '.join(_NAMINGS)} can be")
        if self.log_file and self.log_file in {self.output_filename, self.side_file}:
            raise ValueError("log_file is the output file; name another")
        return self

    @property
    def format(self) -> Format:
        return Format(PurePosixPath(self.output_filename).suffix.lower().removeprefix("."))

    @property
    def side_file(self) -> str | None:
        """The material library beside an OBJ."""
        if self.format is not Format.OBJ:
            return None
        return str(PurePosixPath(self.output_filename).with_suffix(".mtl"))

    def options(self) -> dict[str, Any]:
        """What differs from the defaults, without the names of files."""
        names = {"input_filename", "output_filename", "log_file"}
        return self.model_dump(mode="json", exclude=names, exclude_defaults=True)


def selector_of(words: Sequence[Any]) -> Any:
    """A list of IfcConvert's as a selector: classes, or ``attribute NAME PATTERN...``."""
    if not all(isinstance(word, str) for word in words):
        return words  # pydantic says what is wrong with it
    stripped = [word.strip() for word in words if word.strip()]
    # The program's own command line has blanks between the words, some clients keep them.
    first = stripped[0].split() if stripped else []
    if first and first[0] in {"entities", "attribute", "arg", "layers"}:
        stripped[:1] = first
    match stripped:
        case []:
            return None
        case ["entities", *classes]:
            return ", ".join(classes) or None
        case ["attribute" | "arg" as kind, name, *patterns] if patterns:
            if name not in _ATTRIBUTES:
                raise ValueError(f"'{kind} {name}': known are {', '.join(sorted(_ATTRIBUTES))}")
            return " + ".join(f"IfcElement, {name}={_pattern(each)}" for each in patterns)
        case ["attribute" | "arg" | "layers" as kind, *_]:
            raise ValueError(f"'{kind}' is not supported; use a selector, as in IfcWall, Name=X")
        case _:
            return ", ".join(stripped)


def _pattern(text: str) -> str:
    """A name with IfcConvert's * and ? as a value of a selector."""
    if "*" in text or "?" in text:
        inner = fnmatch.translate(text).removeprefix("(?s:").removesuffix(r")\Z")
        inner = inner.removesuffix(r")\z").replace("/", r"\x2f")
        return f"/{inner}$/"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inside(value: str) -> str:
    """A name of a file below the output folder, with forward slashes."""
    path = PurePosixPath(value)
    outside = (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in value
        or ":" in value
        or not path.name
        or path.name.startswith(".")
        or not is_clean(value)
        or not value.isprintable()
    )
    if outside:
        raise _refusal(
            OutputUnsupported.code,
            "name a file in the output folder: no absolute path, drive, backslash or '..'",
        )
    return str(path)


def _refusal(code: str, message: str) -> PydanticCustomError:
    # The braces keep pydantic from reading the message as a template.
    return PydanticCustomError(code, "{message}", {"message": message})


_ERRORS = {each.code: each for each in (OutputUnsupported, SelectorInvalid)}


def parse_request(data: Any, name_of: Callable[[str], str] | None = None) -> ConversionRequest:
    """The request as given by a client. Raises RequestInvalid, OutputUnsupported or SelectorInvalid
    naming the field, in JSON's words or in those of ``name_of``."""
    try:
        return ConversionRequest.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        sentences = [_sentence(dict(problem), name_of) for problem in problems[:5]]
        cls = _ERRORS.get(str(problems[0]["type"]), RequestInvalid)
        raise cls("; ".join(sentences), detail=str(error)) from error


def _sentence(problem: dict[str, Any], name_of: Callable[[str], str] | None) -> str:
    """ "bounds: write WIDTHxHEIGHT" from pydantic's description."""
    where = str(problem["loc"][0]) if problem["loc"] else ""
    where = name_of(where) if where and name_of else where
    text = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        text = "there is no such option"
    if problem["type"] == "idle_field":
        field = str(problem["ctx"]["field"])
        return f"{name_of(field) if name_of else field} {problem['ctx']['text']}"
    return f"{where}: {text}" if where else text
