"""What writers of shapes write: elements with their meshes, colours and places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ifcbase.conversion.request import ConversionRequest
from ifcbase.conversion.structure import Structure
from ifcbase.conversion.styles import Material
from ifcbase.ifc.inventory import Element
from ifcbase.ifc.meshset import MeshSet

#: From z upwards, as IFC has it, to y upwards.
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(slots=True)
class Scene:
    """Row i of ``meshes`` is ``elements[i]``, in order of key; metres about ``origin``, z upwards.

    ``materials`` are numbered; ``groups[i]`` is the material and the number of faces of each part of
    element i, in the order of its faces. ``place`` indexes the structure's places, -1 for none.
    """

    name: str
    schema: str
    unit_scale: float  # metres per length unit of the model
    when: str  # the model's own date, ISO 8601, or the epoch
    elements: list[Element]
    meshes: MeshSet
    origin: npt.NDArray[np.float64]  # (3,) world metres
    groups: list[list[tuple[int, int]]]
    materials: list[Material]
    structure: Structure

    def __len__(self) -> int:
        return len(self.elements)

    def rows(self) -> Iterator[tuple[int, Element]]:
        return enumerate(self.elements)

    def place(self, i: int) -> int:
        return self.structure.place_of.get(self.elements[i].step_id, -1)


def label(element: Element, request: ConversionRequest) -> str:
    """What an element is called in the output: its name, unless the request says otherwise."""
    key = element.global_id if not element.n else f"{element.global_id}#{element.n + 1}"
    if request.use_element_guids:
        return key
    if request.use_element_step_ids:
        return str(element.step_id)
    if request.use_element_types:
        return element.ifc_class
    return element.name or (key if request.use_element_names else element.ifc_class)


def welded(meshes: MeshSet) -> MeshSet:
    """Each element's vertices at exactly the same place as one, in their order."""
    parts = []
    for i in range(len(meshes)):
        vertices, faces = meshes.mesh(i)
        _, first, inverse = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        parts.append((vertices[first[order]], rank[inverse.reshape(-1)][faces]))
    return MeshSet.from_meshes(parts, meshes.closed)
