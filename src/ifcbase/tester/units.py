"""From the units of a model to those of IDS: SI, with kilograms, radians and kelvins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import ifcopenshell
import ifcopenshell.util.unit

_KELVIN_OF_ZERO_CELSIUS: Final = 273.15


@lru_cache(maxsize=256)
def project_unit(model: ifcopenshell.file, data_type: str) -> Any:
    """The project's unit for values of a data type (IfcLengthMeasure), None if it declares none.

    Cached, and holds the model: call ``project_unit.cache_clear`` after use.
    """
    if not model.by_type("IfcProject"):
        return None  # not a valid model, but no reason to leave its texts unchecked
    kind = ifcopenshell.util.unit.get_measure_unit_type(data_type)
    if kind == "USERDEFINED":
        return (
            None  # what IfcOpenShell calls plain numbers; a project may have such units of its own
        )
    return ifcopenshell.util.unit.get_project_unit(model, kind)


def to_si(value: float, unit: Any) -> float:
    """A value in a unit of the model as SI; units without a scale (money, own units) keep theirs.

    IfcOpenShell's table of named units rounds (a pound is 0.454 kg there), beyond the tolerance of
    IDS; the model's own conversion factors do not.
    """
    scale, offset = _linear(unit)
    return value * scale + offset


def _linear(unit: Any) -> tuple[float, float]:
    """Scale and offset: SI = value * scale + offset."""
    if unit.is_a("IfcDerivedUnit"):
        scale = 1.0
        for element in unit.Elements:
            scale *= _linear(element.Unit)[0] ** element.Exponent
        return scale, 0.0
    if unit.is_a("IfcConversionBasedUnit"):
        factor = unit.ConversionFactor
        scale = factor.ValueComponent.wrappedValue * _linear(factor.UnitComponent)[0]
        return scale, float(getattr(unit, "ConversionOffset", None) or 0.0)
    if not unit.is_a("IfcSIUnit"):
        return 1.0, 0.0
    scale = ifcopenshell.util.unit.get_named_unit_scale(unit)
    if unit.Name == "GRAM":
        return scale * 1e-3, 0.0
    if unit.Name == "DEGREE_CELSIUS":
        return scale, _KELVIN_OF_ZERO_CELSIUS
    return scale, 0.0
