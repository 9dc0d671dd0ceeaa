"""COLLADA 1.4.1: one node per element below its spatial structure, colours as Lambert effects."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TextIO

import numpy as np

from ifcbase.conversion.obj import placed
from ifcbase.conversion.request import ConversionRequest
from ifcbase.conversion.scene import Scene, label
from ifcbase.conversion.styles import Material
from ifcbase.ifc.inventory import Element
from ifcbase.ifc.text import clean

NAMESPACE = "http://www.collada.org/2005/11/COLLADASchema"
DIGITS = 7


def write(scene: Scene, request: ConversionRequest, path: Path) -> None:
    """Write the scene; the dates the format demands are the model's own."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n')
        stream.write(f'<COLLADA xmlns="{NAMESPACE}" version="1.4.1">\n')
        _write_asset(stream, scene, request)
        _write_materials(stream, scene)
        stream.write("<library_geometries>\n")
        for i in range(len(scene)):
            _write_geometry(stream, scene, request, i)
        stream.write("</library_geometries>\n")
        stream.write('<library_visual_scenes>\n<visual_scene id="scene">\n')
        _write_nodes(stream, scene, request)
        stream.write("</visual_scene>\n</library_visual_scenes>\n")
        stream.write('<scene><instance_visual_scene url="#scene"/></scene>\n</COLLADA>\n')


def _write_asset(stream: TextIO, scene: Scene, request: ConversionRequest) -> None:
    metres = scene.unit_scale if request.convert_back_units else 1.0
    origin = " ".join(f"{v:g}" for v in scene.origin)
    stream.write(
        "<asset><contributor><authoring_tool>ifcbase</authoring_tool>"
        f"<comments>local origin {origin}</comments>"
        f"<source_data>{_text(scene.name.replace(' ', '%20'))}</source_data></contributor>"
        f"<created>{scene.when}</created><modified>{scene.when}</modified>"
        f'<unit name="{"metre" if metres == 1.0 else "unit"}" meter="{metres:g}"/>'
        f"<up_axis>{'Y_UP' if request.y_up else 'Z_UP'}</up_axis></asset>\n"
    )


def _write_materials(stream: TextIO, scene: Scene) -> None:
    if not scene.materials:
        return
    stream.write("<library_effects>\n")
    for i, each in enumerate(scene.materials):
        stream.write(_effect(i, each))
    stream.write("</library_effects>\n<library_materials>\n")
    for i, each in enumerate(scene.materials):
        name = _text(each.name)
        stream.write(
            f'<material id="m{i}" name="{name}"><instance_effect url="#e{i}"/></material>\n'
        )
    stream.write("</library_materials>\n")


def _effect(number: int, material: Material) -> str:
    colour = f"{material.red:g} {material.green:g} {material.blue:g} 1"
    transparent = ""
    if material.opacity < 1.0:
        transparent = (
            '<transparent opaque="A_ONE"><color>1 1 1 1</color></transparent>'
            f"<transparency><float>{material.opacity:g}</float></transparency>"
        )
    return (
        f'<effect id="e{number}"><profile_COMMON><technique sid="common"><lambert>'
        f"<diffuse><color>{colour}</color></diffuse>{transparent}"
        "</lambert></technique></profile_COMMON></effect>\n"
    )


def _write_geometry(stream: TextIO, scene: Scene, request: ConversionRequest, i: int) -> None:
    vertices, faces = scene.meshes.mesh(i)
    digits = request.digits or DIGITS
    rounded = np.round(placed(vertices, scene, request), digits) + 0.0
    numbers = " ".join([f"%.{digits}f"] * rounded.size) % tuple(rounded.ravel().tolist())
    parts, first = "", 0
    for material, count in scene.groups[i]:
        corners = " ".join(map(str, faces[first : first + count].ravel().tolist()))
        parts += (
            f'<triangles material="m{material}" count="{count}">'
            f'<input semantic="VERTEX" source="#g{i}-v" offset="0"/><p>{corners}</p></triangles>'
        )
        first += count
    stream.write(
        f'<geometry id="g{i}" name="{_text(scene.elements[i].global_id)}"><mesh>'
        f'<source id="g{i}-p"><float_array id="g{i}-a" count="{rounded.size}">{numbers}'
        "</float_array><technique_common>"
        f'<accessor source="#g{i}-a" count="{len(rounded)}" stride="3">'
        '<param name="X" type="float"/><param name="Y" type="float"/>'
        '<param name="Z" type="float"/></accessor></technique_common></source>'
        f'<vertices id="g{i}-v"><input semantic="POSITION" source="#g{i}-p"/></vertices>'
        f"{parts}</mesh></geometry>\n"
    )


def _write_nodes(stream: TextIO, scene: Scene, request: ConversionRequest) -> None:
    places = scene.structure.places
    inside: dict[int, list[int]] = {}
    for i in range(len(scene)):
        inside.setdefault(scene.place(i), []).append(i)
    used = set(inside) - {-1}
    for place in sorted(used, reverse=True):
        while places[place].parent >= 0 and places[place].parent not in used:
            place = places[place].parent
            used.add(place)
    open_places: list[int] = []  # the way down to where we are: places come parents first
    for number in sorted(used):
        while open_places and open_places[-1] != places[number].parent:
            open_places.pop()
            stream.write("</node>\n")
        open_places.append(number)
        each = places[number]
        name = _text(each.name or each.ifc_class)
        stream.write(f'<node id="p{number}" name="{name}">\n')
        for i in inside.get(number, ()):
            stream.write(_node(scene, request, i))
    stream.write("</node>\n" * len(open_places))
    for i in inside.get(-1, ()):
        stream.write(_node(scene, request, i))
    if not inside:
        # A visual scene must hold a node.
        stream.write('<node id="nothing"/>\n')


def _node(scene: Scene, request: ConversionRequest, i: int) -> str:
    element = scene.elements[i]
    bound = "".join(
        f'<instance_material symbol="m{number}" target="#m{number}"/>'
        for number, _ in scene.groups[i]
    )
    return (
        f'<node id="n{i}" name="{_text(label(element, request))}">'
        f'<instance_geometry url="#g{i}"><bind_material><technique_common>'
        f"{bound}</technique_common></bind_material></instance_geometry>"
        f'<extra><technique profile="ifcbase">{_facts(element)}</technique></extra></node>\n'
    )


def _facts(element: Element) -> str:
    facts = {
        "global_id": element.global_id,
        "n": element.n,
        "ifc_class": element.ifc_class,
        "name": element.name,
        "storey": element.storey,
        "step_id": element.step_id,
    }
    return "".join(
        f"<{key}>{_text(str(value))}</{key}>" for key, value in facts.items() if value is not None
    )


def _text(value: str) -> str:
    return escape(clean(value), quote=True)
