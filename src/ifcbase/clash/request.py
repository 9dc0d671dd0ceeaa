"""What a clash check is asked for; field names are ifcclash's and the existing clients'."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ifcbase.errors import RequestInvalid, SelectorInvalid
from ifcbase.ifc.selectors import check_selector
from ifcbase.ifc.text import is_clean

#: Sets and files beyond these are a mistake or an attack, not a coordination.
MAX_SETS = 500
MAX_FILES = 1000
#: No tolerance or clearance in a building is wider (metres); a typo in millimetres is.
MAX_DISTANCE = 100.0
UNNAMED = "Unnamed"

ENGINES = ("solid", "reference")


class Mode(StrEnum):
    INTERSECTION = "intersection"
    COLLISION = "collision"
    CLEARANCE = "clearance"


class SelectMode(StrEnum):
    ALL = "a"
    INCLUDE = "i"
    EXCLUDE = "e"


def _no_boolean(value: Any) -> Any:
    """JSON's true is not 1.0 metres."""
    if isinstance(value, bool):
        raise ValueError("give a number")  # noqa: TRY004  pydantic reports ValueErrors
    return value


def _printable(value: str) -> str:
    if not is_clean(value):
        raise ValueError("must not hold control characters or lone surrogates")
    return value


def _no_negative_zero(value: float) -> float:
    return value + 0.0


Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
Metres = Annotated[
    float,
    BeforeValidator(_no_boolean),
    Field(ge=0, le=MAX_DISTANCE),
    AfterValidator(_no_negative_zero),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ClashFile(_Strict):
    """One model on one side of a clash set."""

    file: Annotated[str, Field(min_length=1, max_length=1024)]
    selector: Annotated[str | None, Field(max_length=10_000)] = None
    mode: SelectMode = SelectMode.ALL

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

    @field_validator("file")
    @classmethod
    def _file_is_printable(cls, value: str) -> str:
        return _printable(value)

    @field_validator("selector")
    @classmethod
    def _selector_is_understood(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_selector(value)
            except SelectorInvalid as error:
                # The braces keep pydantic from reading the message as a template.
                raise PydanticCustomError(
                    SelectorInvalid.code, "{message}", {"message": error.message}
                ) from error
        return value

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        if self.mode is not SelectMode.ALL and not self.selector:
            raise ValueError(f"mode '{self.mode}' needs a selector")
        return self


class ClashSet(_Strict):
    """A named rule: group a against group b, or against itself where b is empty. Metres."""

    name: Annotated[str, Field(min_length=1, max_length=255)] = UNNAMED
    a: Annotated[tuple[ClashFile, ...], Field(min_length=1, max_length=MAX_FILES)]
    b: Annotated[tuple[ClashFile, ...], Field(max_length=MAX_FILES)] = ()
    mode: Mode = Mode.INTERSECTION
    tolerance: Metres = 0.01
    clearance: Metres = 0.0
    check_all: bool = False
    allow_touching: bool = False
    include_related: bool = False
    #: The longest list of clashes wanted; of more the worst are kept, and the rest is untested.
    max_clashes: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _absent_is_default(cls, data: Any) -> Any:
        """A null is an absent value; results that a report of ifcclash carries are not a rule."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None and key != "clashes"}

    @field_validator("name", mode="before")
    @classmethod
    def _name_is_something(cls, value: Any) -> Any:
        return (value.strip() or UNNAMED) if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _name_is_printable(cls, value: str) -> str:
        return _printable(value)

    @model_validator(mode="after")
    def _clearance_is_positive(self) -> Self:
        if self.mode is Mode.CLEARANCE and self.clearance <= 0:
            raise ValueError("clearance must be more than 0 in mode 'clearance'")
        return self

    @property
    def is_self_clash(self) -> bool:
        return not self.b

    def files(self) -> list[str]:
        """The files of both sides in order of first use, each once."""
        return list(dict.fromkeys(source.file for source in self.a + self.b))

    def warnings(self) -> list[str]:
        """What the request says that has no effect."""
        return [
            f"side {side}: the selector {source.selector!r} of {source.file} is not used, "
            "because mode 'a' takes all elements"
            for side, sources in (("a", self.a), ("b", self.b))
            for source in sources
            if source.mode is SelectMode.ALL and source.selector
        ]

    def definition(self, models: Mapping[str, str] | None = None) -> str:
        """Canonical JSON of what decides the set's results; the ledger versions sets by it.

        File names are not in it, for they change with every revision; ``models`` (file name to
        the name of its model) puts the lasting names in. Values another mode uses are left out.
        """

        def side(sources: tuple[ClashFile, ...]) -> list[dict[str, str | None]]:
            rows: list[dict[str, str | None]] = []
            for source in sources:
                used = source.selector if source.mode is not SelectMode.ALL else None
                row: dict[str, str | None] = {"mode": source.mode.value, "selector": used}
                if models is not None:
                    row["model"] = models.get(source.file, source.file)
                rows.append(row)
            distinct = {_canonical(row): row for row in rows}
            return [distinct[key] for key in sorted(distinct)]

        document: dict[str, Any] = {
            "format": 1,
            "mode": self.mode.value,
            "a": side(self.a),
            "b": side(self.b),
            "include_related": self.include_related,
        }
        if self.mode is Mode.INTERSECTION:
            document |= {"tolerance": self.tolerance, "check_all": self.check_all}
        elif self.mode is Mode.COLLISION:
            document |= {"allow_touching": self.allow_touching}
        else:
            document |= {"clearance": self.clearance, "check_all": self.check_all}
        return _canonical(document)

    def definition_hash(self, models: Mapping[str, str] | None = None) -> str:
        """SHA-256 of ``definition`` as hex."""
        return hashlib.sha256(self.definition(models).encode()).hexdigest()


def _canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


#: What a request says once for all its sets; a set's own value wins.
_SHARED = (
    "mode", "tolerance", "clearance", "check_all", "allow_touching", "include_related", "max_clashes",
)  # fmt: skip


class ClashRequest(_Strict):
    """Clash sets to run, and values for those sets that do not name their own.

    Accepts the request of the existing HTTP clients and ifcclash's own file, a list of sets.
    """

    clash_sets: Annotated[tuple[ClashSet, ...], Field(min_length=1, max_length=MAX_SETS)]
    output_filename: Annotated[str | None, Field(max_length=1024)] = None
    mode: Mode = Mode.INTERSECTION
    tolerance: Metres = 0.01
    clearance: Metres = 0.0
    check_all: bool = False
    allow_touching: bool = False
    include_related: bool = False
    max_clashes: Count | None = None
    smart_grouping: bool = False
    max_cluster_distance: Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, le=10_000)] = (
        5.0
    )
    min_coverage: Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1)] = 1.0
    #: Whether the other files are tested where one is broken; sets that lack one are inconclusive
    #: unless they find something.
    keep_going: bool = False
    # Existing clients pin versions of files with these; here a file is pinned by its hash.
    input_version_id: str | None = None
    input_version_ids: dict[str, str] | None = None
    input_audit_id: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _sets_inherit(cls, data: Any) -> Any:
        if isinstance(data, list | tuple):
            data = {"clash_sets": list(data)}
        if not isinstance(data, dict):
            return data
        optional = {"output_filename", "input_version_id", "input_version_ids", "input_audit_id"}
        data = {k: v for k, v in data.items() if v is not None or k in optional}
        sets = data.get("clash_sets")
        if not isinstance(sets, list | tuple):
            return data
        shared = {key: data[key] for key in _SHARED if key in data}
        filled = []
        for each in sets:
            values = each.model_dump() if isinstance(each, ClashSet) else each
            if isinstance(values, dict):
                values = shared | {k: v for k, v in values.items() if v is not None}
            filled.append(values)
        data["clash_sets"] = _named(filled)
        return data

    @field_validator("output_filename")
    @classmethod
    def _output_is_printable(cls, value: str | None) -> str | None:
        return None if value is None else _printable(value)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        seen: set[str] = set()
        for each in self.clash_sets:
            if each.name in seen:
                raise ValueError(
                    f"two clash sets are named '{each.name}'; results are kept by this name"
                )
            seen.add(each.name)
        return self

    def files(self) -> list[str]:
        """All files of all sets in order of first use, each once."""
        return list(dict.fromkeys(name for each in self.clash_sets for name in each.files()))


def _named(sets: list[Any]) -> list[Any]:
    """Give sets without a name one that no other set has."""

    def needs_name(each: Any) -> bool:
        if not isinstance(each, dict):
            return False
        name = each.get("name")
        return name is None or (isinstance(name, str) and not name.strip())

    taken = {
        each["name"].strip()
        for each in sets
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    }
    free = (name for name in _unnamed() if name not in taken)
    return [each | {"name": next(free)} if needs_name(each) else each for each in sets]


def _unnamed() -> Iterator[str]:
    yield UNNAMED
    for number in itertools.count(2):
        yield f"{UNNAMED} {number}"


def parse_request(
    data: Any, name_of: Callable[[tuple[int | str, ...]], str] | None = None
) -> ClashRequest:
    """The request as given by a client. Raises RequestInvalid or SelectorInvalid naming the field,
    in JSON's words or in those of ``name_of``."""
    try:
        return ClashRequest.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        inner = [problem["loc"] for problem in problems]
        # A list whose item is wrong is also reported as too short: say only what is wrong.
        problems = [
            problem
            for problem in problems
            if problem["type"] != "too_short"
            or not any(_is_within(loc, problem["loc"]) for loc in inner)
        ]
        named = name_of or _field
        sentences = list(dict.fromkeys(_sentence(problem, named) for problem in problems))
        more = f" (and {len(sentences) - 3} more)" if len(sentences) > 3 else ""
        message = "; ".join(sentences[:3]) + more
        selectors = all(problem["type"] == SelectorInvalid.code for problem in problems)
        raise (SelectorInvalid if selectors else RequestInvalid)(message) from error


def _is_within(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _sentence(problem: Mapping[str, Any], name_of: Callable[[tuple[int | str, ...]], str]) -> str:
    """ "clash_sets[0].tolerance: Input should be ..." from pydantic's description."""
    where = name_of(problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _field(location: tuple[int | str, ...]) -> str:
    """ "clash_sets[0].tolerance"."""
    where = ""
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f"{'.' if where else ''}{part}"
    return where
