"""Selectors: the query language of IfcOpenShell, checked early and applied to an inventory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from ifcbase.errors import SelectorInvalid
from ifcbase.ifc.text import is_clean

if TYPE_CHECKING:
    import ifcopenshell
    import numpy as np
    import numpy.typing as npt
    from lark import Token, Tree

    from ifcbase.ifc.inventory import Inventory

#: The supported schemas, and the names IfcOpenShell has for them.
SCHEMAS = {"IFC2X3": "IFC2X3", "IFC4": "IFC4", "IFC4X3": "IFC4X3_ADD2"}

#: The same classes under the names they have before and since IFC4X3.
_RENAMED = {
    "ifcbuildingelement": "IfcBuiltElement",
    "ifcbuildingelementtype": "IfcBuiltElementType",
    "ifcbuildingsystem": "IfcBuiltSystem",
}
_RENAMED |= {new.lower(): "Ifc" + old[3:] for old, new in list(_RENAMED.items())}

SelectorMode = Literal["a", "i", "e"]


def check_selector(text: str) -> None:
    """Raise SelectorInvalid, saying where and why, unless the text is a selector.

    Needs no model: a class must exist in a supported schema, a regular expression must compile.
    """
    problem = _problem(text)
    if problem:
        raise SelectorInvalid(f"the selector {_quoted(text)} cannot be understood: {problem}")


def select(
    file: ifcopenshell.file, inventory: Inventory, mode: SelectorMode, selector: str | None
) -> npt.NDArray[np.int32]:
    """Inventory indexes of what a side of a clash set takes from a model, ascending.

    Mode "a" is every physical element (IfcElement without openings and other features), "i" what
    the selector matches, "e" every physical element it does not match. Nothing is not an error.
    """
    # Here and not above: whoever only checks a request needs no arrays.
    import numpy as np

    matched = np.zeros(0, np.int32)
    if mode != "a":
        if not selector:
            raise SelectorInvalid(f"mode '{mode}' needs a selector")
        check_selector(selector)
        matched = _matching(file, inventory, selector)
    if mode == "i":
        return matched
    return np.setdiff1d(inventory.physical(), matched).astype(np.int32)


def unknown_classes(schema: str, selector: str) -> list[str]:
    """Classes a selector names that this schema does not have, under no name; they match nothing."""
    names = dict.fromkeys(str(token) for token in _class_tokens(_parse(selector)))
    return [name for name in names if _class_in(schema, name) is None]


# --- inside --------------------------------------------------------------------------------------


@lru_cache(maxsize=1000)
def _problem(text: str) -> str | None:
    import lark

    if not text.strip():
        return "it is empty"
    if not is_clean(text):
        return "it holds control characters or lone surrogates"
    try:
        tree = _parse(text)
    except lark.exceptions.UnexpectedCharacters as error:
        position = (error.pos_in_stream or 0) + 1
        return f"{_quoted(str(error.char))} at position {position} is not expected there"
    except lark.exceptions.UnexpectedInput:
        return "it ends where more is expected"
    for pattern in tree.find_data("regex_string"):
        try:
            re.compile(str(pattern.children[0]))
        except re.error as error:
            return f"/{pattern.children[0]}/ is not a regular expression ({error})"
    for token in _class_tokens(tree):
        if not any(_class_in(schema, str(token)) for schema in SCHEMAS):
            return f"{token} is not a class of {', '.join(SCHEMAS)}"
    return None


def _parse(text: str) -> Tree[Token]:
    from ifcopenshell.util.selector import filter_elements_grammar

    tree: Tree[Token] = filter_elements_grammar.parse(text)
    return tree


def _class_tokens(tree: Tree[Token]) -> Iterator[Token]:
    for node in tree.find_data("ifc_class"):
        yield from node.children  # type: ignore[misc]  # a leaf: its only child is a token


def _class_in(schema: str, name: str) -> str | None:
    """The class under its name in a schema, or None if the schema has no such class."""
    from ifcopenshell import ifcopenshell_wrapper

    declarations = ifcopenshell_wrapper.schema_by_name(SCHEMAS[schema])
    for each in (name, _RENAMED.get(name.lower())):
        if each is None:
            continue
        try:
            declaration = declarations.declaration_by_name(each)
        except RuntimeError:  # how the library says "not found"
            continue
        if declaration.as_entity() is not None:
            return str(declaration.name())
    return None


def _matching(
    file: ifcopenshell.file, inventory: Inventory, selector: str
) -> npt.NDArray[np.int32]:
    import lark
    from ifcopenshell.util.selector import FacetTransformer

    class Facets(FacetTransformer):  # type: ignore[misc]
        """The library looks up one element per GlobalId; a model may hold several with the same."""

        def instance(self, args: list[Any]) -> None:
            self.has_additive_facet_in_current_list = True
            negated = args[0].data != "globalid"
            wanted = str(args[-1].children[0])
            found = {file.by_id(e.step_id) for e in inventory.elements if e.global_id == wanted}
            (self.elements.difference_update if negated else self.elements.update)(found)

    tree = _parse(selector)
    for token_holder in tree.find_data("ifc_class"):
        name = str(token_holder.children[0])
        known = _class_in(str(file.schema), name)
        if known is not None and known.lower() != name.lower():
            token_holder.children[0] = lark.Token("IFC_CLASS", known)
    facets = Facets(file)
    try:
        facets.transform(tree)
    except lark.exceptions.VisitError as error:
        raise SelectorInvalid(
            f"the selector {_quoted(selector)} cannot be applied to this model: {error.orig_exc}",
            detail=repr(error.orig_exc),
        ) from error
    return inventory.indexes_of(element.id() for element in facets.get_results())


def _quoted(text: str) -> str:
    """A selector in a sentence: short, and with what cannot be printed escaped."""
    return repr(text if len(text) <= 200 else text[:200] + "...")
