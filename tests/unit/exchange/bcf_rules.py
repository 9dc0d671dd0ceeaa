"""What the published BCF schemas ask of a file, written down as rules: order, number and form.

Source: markup.xsd, visinfo.xsd, project.xsd, version.xsd, extensions.xsd and shared-types.xsd of
BCF-XML 2.1 and 3.0. A rule is ``child: (least, most)`` in the order of the sequence.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element as Node

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

MANY = 1_000_000
Children = dict[str, tuple[int, int]]
GUID = re.compile(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}")
IFC_GUID = re.compile(r"[0-9A-Za-z_$]{22}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
COLOUR = re.compile(r"[0-9A-F]{6}([0-9A-F]{2})?")
BOOLEAN = re.compile("true|false")
DOUBLE = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
INTEGER = re.compile(r"\d+")
#: BCF 3.0: not empty once blanks are collapsed.
WORDS = re.compile(r"[\s\S]*\S[\s\S]*")
ANY = re.compile(r"[\s\S]*")


@dataclass(frozen=True)
class Rule:
    """What an element may hold: children in order, attributes (a star: required), its text."""

    children: Children = field(default_factory=dict)
    attributes: dict[str, re.Pattern[str]] = field(default_factory=dict)
    text: re.Pattern[str] | None = None


POINT = Rule({"X": (1, 1), "Y": (1, 1), "Z": (1, 1)})
COMPONENTS = Rule({"Component": (1, MANY)})
HINTS = Rule(attributes=dict.fromkeys(["SpacesVisible", "SpaceBoundariesVisible",
                                       "OpeningsVisible"], BOOLEAN))  # fmt: skip
_CAMERA = {"CameraViewPoint": (1, 1), "CameraDirection": (1, 1), "CameraUpVector": (1, 1),
           "FieldOfView": (1, 1)}  # fmt: skip
_SHARED: dict[str, Rule] = {
    "CameraViewPoint": POINT,
    "CameraDirection": POINT,
    "CameraUpVector": POINT,
    "X": Rule(text=DOUBLE), "Y": Rule(text=DOUBLE), "Z": Rule(text=DOUBLE),
    "FieldOfView": Rule(text=DOUBLE),
    "AspectRatio": Rule(text=DOUBLE),
    "Selection": COMPONENTS,
    "Component": Rule({"OriginatingSystem": (0, 1), "AuthoringToolId": (0, 1)},
                      {"IfcGuid": IFC_GUID}),
    "ViewSetupHints": HINTS,
    "Coloring": Rule({"Color": (1, MANY)}),
    "Index": Rule(text=INTEGER),
    "CreationDate": Rule(text=MOMENT),
    "DueDate": Rule(text=MOMENT),
    "Date": Rule(text=MOMENT),
}  # fmt: skip
_TOPIC: Children = {"Title": (1, 1), "Priority": (0, 1), "Index": (0, 1), "Labels": (0, MANY),
                    "CreationDate": (1, 1), "CreationAuthor": (1, 1), "ModifiedDate": (0, 1),
                    "ModifiedAuthor": (0, 1), "DueDate": (0, 1), "AssignedTo": (0, 1),
                    "Stage": (0, 1), "Description": (0, 1)}  # fmt: skip
_COMMENT: Children = {"Date": (1, 1), "Author": (1, 1), "Comment": (1, 1), "Viewpoint": (0, 1)}
_VIEW: Children = {"Viewpoint": (0, 1), "Snapshot": (0, 1), "Index": (0, 1)}
_IDENTIFIED = {"Guid*": GUID}

#: Rules by the path of the element from its document's root; "*" stands for any path before.
RULES: dict[str, dict[str, Rule]] = {
    "2.1": _SHARED
    | {
        "Version": Rule({"DetailedVersion": (0, 1)}, {"VersionId*": re.compile("2.1")}),
        "DetailedVersion": Rule(text=ANY),
        "ProjectExtension": Rule({"Project": (0, 1), "ExtensionSchema": (1, 1)}),
        "ExtensionSchema": Rule(text=ANY),
        "Project": Rule({"Name": (0, 1)}, {"ProjectId*": WORDS}),
        "Name": Rule(text=ANY),
        "Markup": Rule({"Header": (0, 1), "Topic": (1, 1), "Comment": (0, MANY),
                        "Viewpoints": (0, MANY)}),
        "Header": Rule({"File": (1, MANY)}),
        "File": Rule({"Filename": (0, 1), "Date": (0, 1), "Reference": (0, 1)},
                     {"isExternal": BOOLEAN}),
        "Filename": Rule(text=ANY),
        "Topic": Rule(_TOPIC, _IDENTIFIED | {"TopicType": WORDS, "TopicStatus": WORDS}),
        "Title": Rule(text=WORDS), "Priority": Rule(text=ANY), "Labels": Rule(text=ANY),
        "CreationAuthor": Rule(text=ANY), "AssignedTo": Rule(text=ANY),
        "Description": Rule(text=ANY), "Author": Rule(text=ANY),
        "Markup/Comment": Rule(_COMMENT, _IDENTIFIED),
        "Comment/Comment": Rule(text=ANY),
        "Comment/Viewpoint": Rule(attributes=_IDENTIFIED),
        "Viewpoints": Rule(_VIEW, _IDENTIFIED),
        "Viewpoints/Viewpoint": Rule(text=ANY),
        "VisualizationInfo": Rule({"Components": (0, 1), "OrthogonalCamera": (0, 1),
                                   "PerspectiveCamera": (0, 1)}, _IDENTIFIED),
        "Components": Rule({"ViewSetupHints": (0, 1), "Selection": (0, 1), "Visibility": (1, 1),
                            "Coloring": (0, 1)}),
        "Visibility": Rule({"Exceptions": (0, 1)}, {"DefaultVisibility": BOOLEAN}),
        "Color": Rule({"Component": (1, MANY)}, {"Color": COLOUR}),
        "PerspectiveCamera": Rule(_CAMERA),
    },
    "3.0": _SHARED
    | {
        "Version": Rule({}, {"VersionId*": re.compile("3.0")}),
        "ProjectInfo": Rule({"Project": (1, 1)}),
        "Project": Rule({"Name": (0, 1)}, {"ProjectId*": WORDS}),
        "Name": Rule(text=WORDS),
        "Extensions": Rule(dict.fromkeys(
            ["TopicTypes", "TopicStatuses", "Priorities", "TopicLabels", "Users", "SnippetTypes",
             "Stages"], (1, 1))),
        "TopicTypes": Rule({"TopicType": (0, MANY)}), "TopicType": Rule(text=WORDS),
        "TopicStatuses": Rule({"TopicStatus": (0, MANY)}), "TopicStatus": Rule(text=WORDS),
        "Priorities": Rule({"Priority": (0, MANY)}), "Priority": Rule(text=WORDS),
        "TopicLabels": Rule({"TopicLabel": (0, MANY)}), "TopicLabel": Rule(text=WORDS),
        "Users": Rule({"User": (0, MANY)}), "User": Rule(text=WORDS),
        "SnippetTypes": Rule({}), "Stages": Rule({}),
        "Markup": Rule({"Header": (0, 1), "Topic": (1, 1)}),
        "Header": Rule({"Files": (0, 1)}),
        "Files": Rule({"File": (0, MANY)}),
        "File": Rule({"Filename": (0, 1), "Date": (0, 1), "Reference": (0, 1)},
                     {"IsExternal": BOOLEAN}),
        "Filename": Rule(text=WORDS),
        "Topic": Rule(_TOPIC | {"Labels": (0, 1), "Comments": (0, 1), "Viewpoints": (0, 1)},
                      _IDENTIFIED | {"TopicType*": WORDS, "TopicStatus*": WORDS}),
        "Title": Rule(text=WORDS), "Labels": Rule({"Label": (0, MANY)}), "Label": Rule(text=WORDS),
        "CreationAuthor": Rule(text=WORDS), "AssignedTo": Rule(text=WORDS),
        "Description": Rule(text=WORDS), "Author": Rule(text=WORDS),
        "Comments": Rule({"Comment": (0, MANY)}),
        "Comments/Comment": Rule(_COMMENT, _IDENTIFIED),
        "Comment/Comment": Rule(text=WORDS),
        "Comment/Viewpoint": Rule(attributes=_IDENTIFIED),
        "Viewpoints": Rule({"ViewPoint": (0, MANY)}),
        "ViewPoint": Rule(_VIEW, _IDENTIFIED),
        "ViewPoint/Viewpoint": Rule(text=WORDS),
        "VisualizationInfo": Rule({"Components": (0, 1), "PerspectiveCamera": (1, 1)}, _IDENTIFIED),
        "VisualizationInfo/Components": Rule({"Selection": (0, 1), "Visibility": (1, 1),
                                              "Coloring": (0, 1)}),
        "Color/Components": COMPONENTS,
        "Visibility": Rule({"ViewSetupHints": (0, 1), "Exceptions": (0, 1)},
                           {"DefaultVisibility": BOOLEAN}),
        "Color": Rule({"Components": (1, 1)}, {"Color*": COLOUR}),
        "PerspectiveCamera": Rule(_CAMERA | {"AspectRatio": (1, 1)}),
    },
}  # fmt: skip


def faults(path: Path, version: str) -> list[str]:
    """Everything in a BCF file that its schema does not allow."""
    found: list[str] = []
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            found.append("a file is in the archive twice")
        if archive.testzip() is not None:
            found.append("a file of the archive is damaged")
        for name in names:
            if name.endswith("/") or name == "extensions.xsd":
                continue
            root = fromstring(archive.read(name))
            found += [f"{name}: {each}" for each in _element_faults(root, "", RULES[version])]
        found += _reference_faults(archive, set(names))
    return found


def _element_faults(node: Node, parent: str, rules: dict[str, Rule]) -> list[str]:
    rule = rules.get(f"{parent}/{node.tag}") or rules.get(node.tag)
    if rule is None:
        return [f"{parent}/{node.tag} is not known"]
    order = list(rule.children)
    tags = [child.tag for child in node]
    found = [f"{node.tag} may not hold {tag}" for tag in tags if tag not in order]
    known = [order.index(tag) for tag in tags if tag in order]
    if known != sorted(known):
        found.append(f"{node.tag} holds its children in the wrong order: {tags}")
    for tag, (least, most) in rule.children.items():
        if not least <= tags.count(tag) <= most:
            found.append(f"{node.tag} holds {tags.count(tag)} {tag}")
    required = {name[:-1] for name in rule.attributes if name.endswith("*")}
    patterns = {name.rstrip("*"): pattern for name, pattern in rule.attributes.items()}
    found += [f"{node.tag} has no {name}" for name in required - set(node.attrib)]
    for name, value in node.attrib.items():
        if name not in patterns:
            found.append(f"{node.tag} may not have {name}")
        elif not patterns[name].fullmatch(value):
            found.append(f"{node.tag}'s {name} is {value!r}")
    text = node.text or ""
    if rule.text is not None and not rule.text.fullmatch(text):
        found.append(f"{node.tag} says {text!r}")
    if rule.text is None and text.strip():
        found.append(f"{node.tag} may not hold text")
    for child in node:
        found += _element_faults(child, node.tag, rules)
    return found


def _reference_faults(archive: zipfile.ZipFile, names: set[str]) -> list[str]:
    """Topics lie in folders of their ids; viewpoints that are named are there, and no others."""
    found, wanted = [], set()
    for name in names:
        if not name.endswith("/markup.bcf"):
            continue
        folder = name.split("/")[0]
        root = fromstring(archive.read(name))
        topic = root.find("Topic")
        if topic is None or topic.get("Guid") != folder:
            found.append(f"{name} lies in another folder than its topic's")
        if folder + "/" not in names:
            found.append(f"{folder} has no entry")
        for view in [*root.iter("ViewPoint"), *root.findall("Viewpoints")]:
            if file := view.findtext("Viewpoint"):
                wanted.add(f"{folder}/{file}")
                if f"{folder}/{file}" in names:
                    shown = fromstring(archive.read(f"{folder}/{file}"))
                    if shown.get("Guid") != view.get("Guid"):
                        found.append(f"{folder}/{file} has another id than the markup says")
    there = {name for name in names if name.endswith(".bcfv")}
    return found + [f"{name} is missing or not named" for name in wanted ^ there]
