"""Binary glTF 2.0: one node per element below its spatial structure, float32 about the origin.

Node names are labels, ``extras`` the keys (GlobalId, class, name, storey). No normals are written:
by the standard, readers then shade the faces flat, which is what buildings are.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ifcbase.conversion.request import ConversionRequest
from ifcbase.conversion.scene import Scene, label
from ifcbase.conversion.styles import Material

MAGIC, VERSION = 0x46546C67, 2
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
FLOAT, UNSIGNED_INT = 5126, 5125
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
#: A quarter turn about x: z upwards becomes y upwards, as the standard wants it.
QUARTER = 0.5**0.5


def write(scene: Scene, request: ConversionRequest, path: Path) -> None:
    """Write the scene. Raises nothing of its own; an empty scene is a valid file."""
    positions = scene.meshes.vertices.astype("<f4")
    indices = scene.meshes.faces.astype("<u4")
    binary = positions.tobytes() + indices.tobytes()
    document = _document(scene, request, positions, len(binary))
    words = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = words.encode("utf-8")
    text += b" " * (-len(text) % 4)
    chunks = [struct.pack("<II", len(text), JSON_CHUNK), text]
    if binary:
        chunks += [struct.pack("<II", len(binary), BINARY_CHUNK), binary]
    with path.open("wb") as stream:
        total = 12 + sum(map(len, chunks))
        stream.write(struct.pack("<III", MAGIC, VERSION, total))
        stream.writelines(chunks)


def _document(
    scene: Scene, request: ConversionRequest, positions: Any, size: int
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "asset": {
            "version": "2.0",
            "generator": "ifcbase",
            "extras": {
                "source": scene.name,
                "schema": scene.schema,
                "local_origin": scene.origin.tolist(),
            },
        },
        "scene": 0,
        "scenes": [{}],
    }
    if not len(scene):
        return document
    document["scenes"] = [{"nodes": [0]}]
    document["nodes"] = _nodes(scene, request)
    document["accessors"], document["meshes"] = _accessors(scene, positions)
    document["materials"] = [_material(each) for each in scene.materials]
    document["bufferViews"] = [
        {
            "buffer": 0, "byteOffset": 0, "byteLength": positions.nbytes,
            "byteStride": 12, "target": ARRAY_BUFFER,
        },
        {
            "buffer": 0, "byteOffset": positions.nbytes, "byteLength": size - positions.nbytes,
            "target": ELEMENT_ARRAY_BUFFER,
        },
    ]  # fmt: skip
    document["buffers"] = [{"byteLength": size}]
    return document


def _accessors(scene: Scene, positions: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Accessors and meshes: the parts of an element share its positions, each has a colour."""
    meshes = scene.meshes
    # Readers compare with the float32 values: bounds are taken after rounding.
    least = np.minimum.reduceat(positions, meshes.vertex_offset[:-1], axis=0).tolist()
    most = np.maximum.reduceat(positions, meshes.vertex_offset[:-1], axis=0).tolist()
    found: list[dict[str, Any]] = []
    made = []
    vertices, faces = meshes.vertex_offset.tolist(), meshes.face_offset.tolist()
    for i in range(len(meshes)):
        corners = len(found)
        found.append(
            {
                "bufferView": 0, "byteOffset": 12 * vertices[i], "componentType": FLOAT,
                "count": vertices[i + 1] - vertices[i], "type": "VEC3",
                "min": least[i], "max": most[i],
            }
        )  # fmt: skip
        parts = []
        first = faces[i]
        for material, count in scene.groups[i]:
            parts.append(
                {
                    "attributes": {"POSITION": corners},
                    "indices": len(found),
                    "material": material,
                }
            )
            found.append(
                {
                    "bufferView": 1, "byteOffset": 12 * first, "componentType": UNSIGNED_INT,
                    "count": 3 * count, "type": "SCALAR",
                }
            )  # fmt: skip
            first += count
        made.append({"primitives": parts})
    return found, made


def _nodes(scene: Scene, request: ConversionRequest) -> list[dict[str, Any]]:
    """The root, which turns and moves, then the places that hold something, then the elements."""
    root: dict[str, Any] = {
        "name": scene.name,
        "rotation": [-QUARTER, 0.0, 0.0, QUARTER],
        "children": [],
    }
    if not request.center_model and scene.origin.any():
        x, y, z = scene.origin.tolist()
        root["translation"] = [x, z, -y + 0.0]
    nodes = [root]
    places = scene.structure.places
    used: set[int] = set()
    for i in range(len(scene)):
        place = scene.place(i)
        while place >= 0 and place not in used:
            used.add(place)
            place = places[place].parent
    node_of = {-1: 0}
    for number in sorted(used):  # parents come before children
        place_ = places[number]
        node_of[number] = len(nodes)
        extras: dict[str, Any] = {"global_id": place_.global_id, "ifc_class": place_.ifc_class}
        if place_.elevation is not None:
            extras["elevation"] = place_.elevation
        nodes.append({"name": place_.name or place_.ifc_class, "children": [], "extras": extras})
        nodes[node_of[place_.parent]]["children"].append(node_of[number])
    for i, element in scene.rows():
        nodes[node_of[scene.place(i)]]["children"].append(len(nodes))
        nodes.append(
            {
                "name": label(element, request),
                "mesh": i,
                "extras": {
                    "global_id": element.global_id,
                    "n": element.n,
                    "ifc_class": element.ifc_class,
                    "name": element.name,
                    "storey": element.storey,
                    "step_id": element.step_id,
                },
            }
        )
    return nodes


def _material(material: Material) -> dict[str, Any]:
    colour = [_linear(c) for c in (material.red, material.green, material.blue)]
    found: dict[str, Any] = {
        "name": material.name,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*colour, material.opacity],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.8,
        },
        "doubleSided": True,  # some elements are surfaces
    }
    if material.opacity < 1.0:
        found["alphaMode"] = "BLEND"
    return found


def _linear(channel: float) -> float:
    """From sRGB to the linear scale of the standard (IEC 61966-2-1)."""
    if channel <= 0.04045:
        return round(channel / 12.92, 6)
    return float(round(((channel + 0.055) / 1.055) ** 2.4, 6))
