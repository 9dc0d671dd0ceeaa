"""What a diff is asked for; field names are the existing clients'."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from ifcbase.diff.facets import Relationship
from ifcbase.errors import RequestInvalid, SelectorInvalid
from ifcbase.ifc.selectors import check_selector
from ifcbase.ifc.text import is_clean

#: Finer than this, single precision meshes say nothing; coarser than a metre is a typo (metres).
LEAST_TOLERANCE, MOST_TOLERANCE = 1e-6, 1.0
DEFAULT_TOLERANCE = 1e-4

FileName = Annotated[str, Field(min_length=1, max_length=1024)]


class DiffRequest(BaseModel):
    """Two versions of a model. ``tolerance`` is metres of surface and of place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    old_file: FileName
    new_file: FileName
    output_file: Annotated[str | None, Field(max_length=1024)] = None
    #: What to compare; all there is where nothing is said.
    relationships: Annotated[tuple[Relationship, ...], Field(min_length=1)] = tuple(Relationship)
    #: The client's document says which facets changed; with false it also has the values there.
    is_shallow: bool = True
    filter_elements: Annotated[str | None, Field(max_length=10_000)] = None
    tolerance: Annotated[float, Field(ge=LEAST_TOLERANCE, le=MOST_TOLERANCE)] = DEFAULT_TOLERANCE
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 1.0

    @field_validator("relationships", mode="before")
    @classmethod
    def _all_for_none(cls, value: Any) -> Any:
        # An existing client sends null, or an empty list, for what it leaves to the server.
        return tuple(Relationship) if value in (None, [], ()) else value

    @field_validator("relationships")
    @classmethod
    def _each_once(cls, value: tuple[Relationship, ...]) -> tuple[Relationship, ...]:
        return tuple(each for each in Relationship if each in value)

    @field_validator("tolerance", "min_coverage", mode="before")
    @classmethod
    def _no_boolean(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("give a number")  # noqa: TRY004  pydantic reports ValueErrors
        return value

    @field_validator("old_file", "new_file", "output_file")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and not is_clean(value):
            raise ValueError("must not hold control characters or lone surrogates")
        return value

    @field_validator("filter_elements")
    @classmethod
    def _selector(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            check_selector(value)
        except SelectorInvalid as error:
            raise PydanticCustomError(
                SelectorInvalid.code, "{why}", {"why": error.message}
            ) from error
        return value

    def files(self) -> list[str]:
        """The names of the models it reads, each once."""
        return list(dict.fromkeys([self.old_file, self.new_file]))


#: Fields of the predecessor that name a version in its own object store.
_FOREIGN = ("old_version_id", "new_version_id")


def parse_request(data: Any) -> DiffRequest:
    """The request as a client gave it. Raises RequestInvalid or SelectorInvalid, naming the field."""
    if isinstance(data, dict):
        for field in _FOREIGN:
            if data.get(field) is not None:
                raise RequestInvalid(
                    f"{field}: versions are files here, not numbers of an object store",
                    hint="Leave it out and name the file of that version in old_file or new_file.",
                )
        data = {key: value for key, value in data.items() if key not in _FOREIGN}
    try:
        return DiffRequest.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        places = [each["loc"] for each in found]
        # What is wrong inside a list says all: that the list is then too short is no news.
        problems = [
            each
            for each in found
            if not any(
                len(at) > len(each["loc"]) and at[: len(each["loc"])] == each["loc"]
                for at in places
            )
        ]
        sentences = [_sentence(problem) for problem in problems]
        more = f" (and {len(sentences) - 3} more)" if len(sentences) > 3 else ""
        selectors = all(problem["type"] == SelectorInvalid.code for problem in problems)
        raise (SelectorInvalid if selectors else RequestInvalid)(
            "; ".join(dict.fromkeys(sentences[:3])) + more
        ) from error


def _sentence(problem: Any) -> str:
    where = ".".join(map(str, problem["loc"]))
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
