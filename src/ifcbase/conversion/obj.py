"""Wavefront OBJ with its material library: one object per element, named, in text.

Text keeps every digit, so that world coordinates are written out; readers that work in single
precision are better served by ``center_model``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from ifcbase.conversion.request import ConversionRequest
from ifcbase.conversion.scene import Y_UP, Scene, label

#: A tenth of a micrometre.
DIGITS = 7


def write(scene: Scene, request: ConversionRequest, path: Path, library: Path, name: str) -> None:
    """Write the objects, and the library that they call ``name``."""
    _write_library(scene, library)
    digits = request.digits or DIGITS
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"# {_word(scene.name)} converted by ifcbase\n")
        stream.write(f"# local origin {' '.join(f'{v:g}' for v in scene.origin)}\n")
        stream.write(f"mtllib {_word(Path(name).name)}\n")
        before = 1
        for i, element in scene.rows():
            vertices, faces = scene.meshes.mesh(i)
            stream.write(f"o {_word(label(element, request))}\n")
            groups = [element.storey or "no-storey", element.ifc_class, element.global_id]
            stream.write(f"g {' '.join(map(_word, groups))}\n")
            _write_vertices(stream, placed(vertices, scene, request), digits)
            first = 0
            for material, count in scene.groups[i]:
                stream.write(f"usemtl {material_name(scene, material)}\n")
                some = faces[first : first + count] + before
                stream.write("f %d %d %d\n" * count % tuple(some.ravel().tolist()))
                first += count
            before += len(vertices)


def placed(
    vertices: npt.NDArray[np.float64], scene: Scene, request: ConversionRequest
) -> npt.NDArray[np.float64]:
    """Vertices where, in which unit and with which axis up the request wants them."""
    found = vertices if request.center_model else vertices + scene.origin
    if request.convert_back_units:
        found = found / scene.unit_scale
    return found @ Y_UP.T if request.y_up else found


def material_name(scene: Scene, number: int) -> str:
    """A name that no other material of the file has."""
    return f"m{number}_{_word(scene.materials[number].name or 'unnamed')}"


def _write_vertices(stream: TextIO, vertices: npt.NDArray[np.float64], digits: int) -> None:
    rounded = np.round(vertices, digits) + 0.0  # no "-0.0"
    line = f"v %.{digits}f %.{digits}f %.{digits}f\n"
    stream.write(line * len(rounded) % tuple(rounded.ravel().tolist()))


def _write_library(scene: Scene, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for i, each in enumerate(scene.materials):
            colour = f"{each.red:g} {each.green:g} {each.blue:g}"
            stream.write(f"newmtl {material_name(scene, i)}\nKd {colour}\nd {each.opacity:g}\n")


def _word(text: str) -> str:
    """A name without what ends a name or a line."""
    return re.sub(r"[\s\x00-\x1f#\\]+", "_", text).strip("_")[:200] or "_"
