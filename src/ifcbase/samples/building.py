"""Building a sample: plan it, shake it if asked, write its models, hand over its truth."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from ifcbase.errors import RequestInvalid
from ifcbase.samples.fabric import services, structure
from ifcbase.samples.finishes import architecture
from ifcbase.samples.ifc_frame import Style
from ifcbase.samples.plan import MODELS, Contact, Edit, Opening, Part, Plan
from ifcbase.samples.planted import plant
from ifcbase.samples.shapes import Vector, shaken, shifted
from ifcbase.samples.truth import Change, Planted, Revision, Sample, Schema, Unit
from ifcbase.samples.writing import write

#: Jitter beyond this would bring elements nearer to each other than ``APART_M``.
MOST_JITTER_MM = 2.0


def build(
    folder: Path,
    *,
    storeys: int = 2,
    bays: tuple[int, int] = (3, 2),
    unit: Unit = "m",
    georeferenced: bool = False,
    rotation: float = 0.0,
    schema: Schema = "IFC4",
    revision: Revision = "A",
    seed: int = 0,
    reissue_ids: bool = False,
    jitter_mm: float = 0.0,
) -> Sample:
    """Write ``Sample_<model>_rev-<revision>.ifc`` for the three models of a sample building.

    ``bays`` counts the fields of 6 x 5 m along x and y; ``rotation`` turns the site, in degrees;
    ``georeferenced`` puts it at (500 000, 6 600 000, 100) m. GlobalIds depend on ``seed`` only.
    ``reissue_ids`` gives every entity another one; ``jitter_mm`` moves every corner by up to that.
    Raises RequestInvalid for a building that cannot be made.
    """
    if storeys < 1 or min(bays) < 1:
        raise RequestInvalid("A sample building has at least one storey and one bay each way.")
    if not 0 <= jitter_mm <= MOST_JITTER_MM:
        raise RequestInvalid(f"jitter_mm lies between 0 and {MOST_JITTER_MM:g}.")
    plan = Plan(storeys, bays, revision)
    structure(plan)
    architecture(plan)
    services(plan)
    plant(plan)

    style = Style(schema, unit, georeferenced, rotation, seed, "reissued" if reissue_ids else "")
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    for model in MODELS:
        parts = [part for part in plan.parts.values() if part.model == model]
        if jitter_mm:
            parts = [_jittered(part, jitter_mm / 1000, seed) for part in parts]
        files[model] = folder / f"Sample_{model}_rev-{revision}.ifc"
        write(files[model], model, parts, storeys, style)
    return Sample(
        files,
        [_planted(contact, style) for contact in plan.contacts],
        [_change(edit, style) for edit in plan.edits],
        within_m=max(1e-6, 2 * jitter_mm / 1000),
        reissued=_reissued(plan, style) if reissue_ids else {},
    )


def _planted(contact: Contact, style: Style) -> Planted:
    a, b = contact.a, contact.b
    return Planted(
        contact.kind,
        a.model,
        style.global_id(a.model, a.role),
        b.model,
        style.global_id(b.model, b.role),
        contact.metres,
        contact.note,
    )


def _change(edit: Edit, style: Style) -> Change:
    part = edit.part
    return Change(
        edit.kind,
        part.model,
        style.global_id(part.model, part.role),
        part.name,
        edit.what,
        edit.before,
        edit.after,
        edit.moved_by,
    )


def _reissued(plan: Plan, style: Style) -> dict[str, dict[str, str]]:
    """Per model the GlobalId an element has without ``reissue_ids`` and the one it has now."""
    first = replace(style, salt="")
    mapping: dict[str, dict[str, str]] = {model: {} for model in MODELS}
    for part in plan.parts.values():
        fillings = [opening.filling for opening in part.openings if opening.filling]
        for one in (part, *fillings):
            now = style.global_id(one.model, one.role)
            mapping[one.model][first.global_id(one.model, one.role)] = now
    return mapping


def _jittered(part: Part, reach: float, seed: int) -> Part:
    """The part with its placement and its corners each moved by at most half of ``reach``."""
    half = reach / 2
    own = random.Random(f"{seed}/{part.model}/{part.role}")  # noqa: S311
    # A shape that its type shares is shaken alike for all of them.
    shared = random.Random(f"{seed}/{part.model}/{part.kind}")  # noqa: S311
    return replace(
        part,
        at=shifted(part.at, _nudge(own, half)),
        shape=shaken(part.shape, shared if part.mapped else own, half),
        openings=tuple(_jittered_opening(opening, own, reach, seed) for opening in part.openings),
    )


def _jittered_opening(opening: Opening, rng: random.Random, reach: float, seed: int) -> Opening:
    filling = opening.filling
    return Opening(
        shifted(opening.lo, _nudge(rng, reach)),
        shifted(opening.hi, _nudge(rng, reach)),
        _jittered(filling, reach, seed) if filling else None,
    )


def _nudge(rng: random.Random, reach: float) -> Vector:
    step = reach / 3**0.5
    return (rng.uniform(-step, step), rng.uniform(-step, step), rng.uniform(-step, step))
