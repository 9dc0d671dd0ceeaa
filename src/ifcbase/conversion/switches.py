"""The switches of IfcConvert that existing clients send: which change what we write, which cannot.

A switch at its neutral value asks for nothing and is always accepted, so that a client may send
all of them. Any other value is honoured, or refused by name; none is ignored in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Accepted with any value, because what is written is the same either way: how much a log says
#: and how the work is done, and what we always do.
WITHOUT_EFFECT = frozenset(
    {
        "verbose", "quiet", "cache", "cache_file", "stderr_progress", "yes", "no_progress",
        "log_format", "threads", "no_parallel_mapping", "debug",
        "use_world_coords",  # positions are always given relative to the world's origin
        "reorient_shells",  # faces of closed meshes always point outwards
        "surface_colour",  # colours are always those of surfaces
        "no_normals",  # no normals are written: every reader computes those of flat faces
        "element_hierarchy",  # GLB and DAE always carry the spatial structure
        "svg_xmlns", "svg_poly", "svg_write_poly",  # plans are always polygons in SVG's namespace
        "input_version_id", "input_version_ids", "input_audit_id",  # files are pinned by hash
    }
)  # fmt: skip

#: Switches whose neutral value is not one of None, False, "" and an empty list.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "model": (True,),
    "kernel": ("opencascade", "cgal", "cgal-simple", "hybrid-cgal-simple-opencascade"),
    "include_type": ("entities",),
    "exclude_type": ("entities",),
    "dimensionality": (1,),
}

#: What can be asked of IfcConvert and not of us, with the reason people read.
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "mesher_linear_deflection", "mesher_angular_deflection", "circle_segments",
            "precision", "precision_factor", "disable_boolean_result",
            "disable_opening_subtractions", "merge_boolean_operands", "boolean_attempt_2d",
            "no_wire_intersection_check", "no_wire_intersection_tolerance", "layerset_first",
            "enable_layerset_slicing", "unify_shapes", "sew_shells", "triangulation_type",
            "keep_bounding_boxes", "function_step_type", "function_step_param",
            "iterator_output", "exterior_only", "validate_geometry",
        ),
        "shapes are made once for all checks, openings cut, and cannot be made in another way",
    ),
    **dict.fromkeys(
        ("length_unit", "angle_unit"), "the units are those that the model itself declares"
    ),
    **dict.fromkeys(
        ("plan", "dimensionality", "edge_arrows", "context_ids"),
        "only bodies are converted, not lines of drawings (floor plans: write to .svg)",
    ),
    **dict.fromkeys(
        (
            "building_local_placement", "site_local_placement", "model_offset",
            "model_rotation", "ecef", "center_model_geometry",
        ),
        "models stay where they are, so that several fit together; center_model is there",
    ),
    **dict.fromkeys(
        (
            "include_type", "exclude_type", "include_plus", "include_plus_type", "exclude_plus",
            "exclude_plus_type", "filter_file",
        ),
        "elements are chosen by classes or selectors in include and exclude",
    ),
    **dict.fromkeys(
        (
            "default_material_file", "apply_default_materials", "use_material_names",
            "force_space_transparency", "generate_uvs",
        ),
        "colours are those of the model",
    ),
    **dict.fromkeys(
        (
            "center", "section_ref", "elevation_ref", "elevation_ref_guid", "auto_section",
            "auto_elevation", "draw_storey_heights", "storey_height_line_length",
            "svg_prefilter", "svg_segment_projection", "svg_project", "svg_without_storeys",
            "svg_no_css", "door_arcs", "print_space_names", "print_space_areas",
            "space_name_transform",
        ),
        "floor plans show what is cut at one height per storey, and nothing else",
    ),
    **dict.fromkeys(
        ("base_uri", "wkt_use_section"), "the format that this is about is not written"
    ),
    "kernel": "this geometry library is not known",
    "model": "bodies are what is converted; without them nothing is left",
}  # fmt: skip


def is_neutral(name: str, value: Any) -> bool:
    """True if a switch at this value asks for nothing."""
    if value is None or value is False or value in ("", [], ()):
        return name != "model" or value is not False
    return any(value is each or value == each for each in _NEUTRAL.get(name, ()))


def without_switches(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields that are ours, and a sentence for each switch that cannot be honoured."""
    ours: dict[str, Any] = {}
    problems = []
    for name, value in _renamed(data):
        if name in WITHOUT_EFFECT:
            continue
        if name not in REFUSED:
            ours[name] = value
        elif not is_neutral(name, value):
            problems.append(f"{name}: not supported; {REFUSED[name]}")
    return ours, problems


def _renamed(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        yield ("validate_geometry" if name == "validate" else name), value
