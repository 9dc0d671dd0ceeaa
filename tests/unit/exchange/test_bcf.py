"""BCF files are what the schemas ask for, and other programs find in them what we put there."""

from __future__ import annotations

import math
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element as Node

import pytest
from bcf import bcfxml
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ifcbase.exchange.bcf.topics import Version, status_of
from ifcbase.exchange.bcf.views import MAX_COMPONENTS
from ifcbase.exchange.bcf.write import write_bcf
from ifcbase.exchange.report import Element, Finding, Report, Section
from tests.unit.exchange.bcf_rules import faults
from tests.unit.exchange.made import (
    NASTY,
    any_report,
    element,
    finding,
    full_finding,
    global_id,
    report,
)

VERSIONS: list[Version] = ["2.1", "3.0"]


def written(made: Report, folder: Path, version: Version = "2.1", **more: int) -> Path:
    path = folder / "made.bcf"
    write_bcf(made, path, version, **more)
    return path


def documents(path: Path, ending: str) -> list[Node]:
    with zipfile.ZipFile(path) as archive:
        return [
            fromstring(archive.read(name)) for name in archive.namelist() if name.endswith(ending)
        ]


def folders(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name[:-1] for name in archive.namelist() if name.endswith("/")]


def triple(node: Node, path: str) -> list[float]:
    return [float(node.findtext(f"{path}/{axis}") or "nan") for axis in "XYZ"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_topic_is_valid(tmp_path: Path, version: Version) -> None:
    made = report(full_finding(), finding(1), finding(2, elements=(element(2),), point=None))
    assert faults(written(made, tmp_path, version), version) == []


@pytest.mark.parametrize("version", VERSIONS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=any_report())
def test_no_text_of_a_model_breaks_a_file(tmp_path: Path, version: Version, made: Report) -> None:
    path = written(made, tmp_path, version)
    assert faults(path, version) == []
    assert len(documents(path, "markup.bcf")) == made.total


def test_the_rules_find_what_is_wrong(tmp_path: Path) -> None:
    """A validator that lets everything pass would prove nothing."""
    path = written(report(full_finding()), tmp_path, "2.1")
    assert faults(path, "3.0")
    broken = tmp_path / "broken.bcf"
    changes = [
        ("<Title>", "<Titel>"),
        ("Z</CreationDate>", "</CreationDate>"),
        ('Guid="', 'Guid="X'),
        ("<Index>0</Index>", ""),
        ('IfcGuid="', 'IfcGuid="!'),
        ("<FieldOfView>60.0</FieldOfView>", ""),
        ("viewpoint.bcfv</Viewpoint>", "other.bcfv</Viewpoint>"),
    ]
    for old, new in changes:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(broken, "w") as target:
            for info in source.infolist():
                text = source.read(info).decode().replace(old, new)
                target.writestr(info.filename, text.replace("</Title>", f"</{new[1:-1]}>")
                                if old == "<Title>" else text)  # fmt: skip
        # The index is optional everywhere: without it a file is valid still.
        assert bool(faults(broken, "2.1")) == (old != "<Index>0</Index>"), old


@pytest.mark.parametrize("version", VERSIONS)
def test_another_library_reads_what_was_written(tmp_path: Path, version: Version) -> None:
    path = written(report(full_finding(), finding(1)), tmp_path, version)
    loaded: Any = bcfxml.load(path)
    try:
        assert loaded.version.version_id == version
        assert loaded.project.name == "tower"
        assert len(loaded.topics) == 2
        (topic,) = [each for each in loaded.topics.values() if each.comments]
        inner = topic.topic
        assert inner.title == "Wall 7 clashes with Pipe 7"
        assert (inner.topic_type, inner.topic_status) == ("Clash", "In Progress")
        assert (inner.priority, inner.assigned_to) == ("High", "mep@example.org")
        assert inner.due_date.to_datetime().date() == datetime(2026, 12, 1, tzinfo=UTC).date()
        assert inner.creation_date.to_datetime() == datetime(2026, 11, 1, 8, tzinfo=UTC)
        labels = inner.labels if version == "2.1" else inner.labels.label
        assert "Walls vs pipes" in labels
        assert "IfcPipeSegment + IfcWall" in labels
        assert [each.comment for each in topic.comments] == ["Move the pipe.", "Done on Monday."]
        (view,) = topic.viewpoints.values()
        info = view.visualization_info
        ids = [each.ifc_guid for each in info.components.selection.component]
        assert ids == [global_id(7), global_id(1007)]
        assert topic.comments[0].viewpoint.guid == info.guid
        colours = {each.color for each in info.components.coloring.color}
        assert len(colours) == 2
        assert info.components.visibility.default_visibility is True
        files = topic.header.file if version == "2.1" else topic.header.files.file
        assert [each.filename for each in files] == ["arc-2.ifc", "mep.ifc"]
    finally:
        loaded.close()


@pytest.mark.parametrize("version", VERSIONS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    point=st.tuples(*[st.floats(-5e6, 5e6)] * 3),
    distance=st.one_of(st.none(), st.floats(0, 200)),
)
def test_the_camera_looks_at_the_point(
    tmp_path: Path, version: Version, point: tuple[float, float, float], distance: float | None
) -> None:
    """Georeferenced models keep their place: users see the clash, not the origin."""
    path = written(report(finding(1, point=point, distance=distance)), tmp_path, version)
    (view,) = documents(path, ".bcfv")
    eye = triple(view, "PerspectiveCamera/CameraViewPoint")
    forward = triple(view, "PerspectiveCamera/CameraDirection")
    up = triple(view, "PerspectiveCamera/CameraUpVector")
    away = math.dist(eye, point)
    assert 3.9 < away < 61
    aimed = [e + away * f for e, f in zip(eye, forward, strict=True)]
    assert math.dist(aimed, point) < 1e-6
    assert math.isclose(math.hypot(*forward), 1, abs_tol=1e-6)
    assert math.isclose(math.hypot(*up), 1, abs_tol=1e-6)
    assert abs(sum(f * u for f, u in zip(forward, up, strict=True))) < 1e-6
    assert up[2] > 0


def test_a_topic_keeps_its_id_in_every_file_and_version(tmp_path: Path) -> None:
    """Re-importing a file must update topics, not double them."""
    first = folders(written(report(finding(1), finding(2)), tmp_path))
    later = report(finding(2, title="renamed", state="persisting"), finding(3))
    later.created += timedelta(days=7)
    second = folders(written(later, tmp_path, "3.0"))
    assert len(set(first) & set(second)) == 1
    assert first[1] == second[0]


def test_ids_differ_between_installations_and_findings(tmp_path: Path) -> None:
    here = folders(written(report(finding(1)), tmp_path))
    there = folders(written(report(finding(1), namespace="there"), tmp_path))
    assert here != there
    keys = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("1:a", "b")]
    made = report(*[finding(1, key=key) for key in keys])
    assert len(set(folders(written(made, tmp_path)))) == len(keys)


@pytest.mark.parametrize("version", VERSIONS)
def test_two_findings_of_one_key_are_two_topics(tmp_path: Path, version: Version) -> None:
    """A repeated key must not put two topics into one folder, where one would be lost."""
    path = written(report(finding(1), finding(1), finding(1)), tmp_path, version)
    assert len(set(folders(path))) == 3
    assert faults(path, version) == []


def test_bytes_depend_on_the_report_alone(tmp_path: Path) -> None:
    made = report(full_finding(), finding(1))
    for version in VERSIONS:
        one, two = tmp_path / "one.bcf", tmp_path / "two.bcf"
        write_bcf(made, one, version)
        write_bcf(made, two, version)
        assert one.read_bytes() == two.read_bytes()


def test_topics_beyond_the_cap_are_counted_in_the_file(tmp_path: Path) -> None:
    made = report(*[finding(number) for number in range(12)])
    path = tmp_path / "capped.bcf"
    assert write_bcf(made, path, "2.1", max_topics=5) == 5
    titles = [each.findtext("Topic/Title") for each in documents(path, "markup.bcf")]
    assert len(titles) == 6
    assert titles[-1] == "7 more findings are not in this file"
    assert faults(path, "2.1") == []
    assert write_bcf(made, path, "2.1", max_topics=12) == 12
    assert len(documents(path, "markup.bcf")) == 12


def test_elements_without_a_global_id_are_described_but_not_selected(tmp_path: Path) -> None:
    """An invented id would select another element, or make readers refuse the file."""
    unknown = Element("Architecture", "~#17", "IfcWall", "Nameless")
    path = written(report(finding(1, elements=(unknown, element(2)))), tmp_path)
    (view,) = documents(path, ".bcfv")
    assert [each.get("IfcGuid") for each in view.iter("Component")] == [global_id(2)] * 2
    (markup,) = documents(path, "markup.bcf")
    assert "Nameless [~#17]" in (markup.findtext("Topic/Description") or "")
    path = written(report(finding(1, elements=(unknown,))), tmp_path)
    (view,) = documents(path, ".bcfv")
    assert view.find("Components") is None
    assert view.find("PerspectiveCamera") is not None


def test_two_elements_that_share_an_id_are_selected_once(tmp_path: Path) -> None:
    """Federated files may share GlobalIds."""
    twins = (element(1), element(1, "Services"))
    path = written(report(finding(1, elements=twins)), tmp_path)
    (view,) = documents(path, ".bcfv")
    assert len(list(view.iter("Component"))) == 2  # once selected, once coloured
    assert faults(path, "2.1") == []


@pytest.mark.parametrize(("version", "views"), [("2.1", 1), ("3.0", 0)])
def test_without_a_point_no_camera_is_invented(
    tmp_path: Path, version: Version, views: int
) -> None:
    """BCF 2.1 can select elements without a camera; 3.0 asks for one in each viewpoint."""
    path = written(report(finding(1, point=None)), tmp_path, version)
    found = documents(path, ".bcfv")
    assert len(found) == views
    assert all(each.find("PerspectiveCamera") is None for each in found)
    assert faults(path, version) == []
    (markup,) = documents(path, "markup.bcf")
    assert global_id(1) in (markup.findtext("Topic/Description") or "")


def test_a_finding_with_very_many_elements_stays_openable(tmp_path: Path) -> None:
    many = tuple(element(number) for number in range(MAX_COMPONENTS + 20))
    path = written(report(finding(1, elements=many)), tmp_path, "3.0")
    assert faults(path, "3.0") == []
    (view,) = documents(path, ".bcfv")
    assert len(view.findall("Components/Selection/Component")) == MAX_COMPONENTS
    (markup,) = documents(path, "markup.bcf")
    assert "more elements" in (markup.findtext("Topic/Description") or "")


@pytest.mark.parametrize(
    ("state", "review", "status"),
    [
        ("new", "open", "Open"),
        ("persisting", None, "Open"),
        ("untested", "open", "Open"),
        ("reopened", "open", "Reopened"),
        ("resolved", "open", "Resolved"),
        ("removed", "open", "Resolved"),
        ("new", "reviewed", "In Progress"),
        ("new", "approved", "Closed"),
        ("persisting", "ignored", "Closed"),
        ("resolved", "approved", "Closed"),
        (None, None, "Open"),
    ],
)
def test_status_follows_decisions_and_never_closes_what_was_not_tested(
    state: str | None, review: str | None, status: str
) -> None:
    assert status_of(finding(1, state=state, review=review)) == status


@pytest.mark.parametrize("version", VERSIONS)
def test_extensions_list_every_word_in_use(tmp_path: Path, version: Version) -> None:
    path = written(report(full_finding(), finding(1)), tmp_path, version)
    with zipfile.ZipFile(path) as archive:
        name = "extensions.xsd" if version == "2.1" else "extensions.xml"
        root = fromstring(archive.read(name))
    if version == "2.1":
        words = {each.get("value") for each in root.iter() if each.tag.endswith("enumeration")}
    else:
        words = {each.text for each in root.iter()}
        assert {"mep@example.org", "anna", "ben"} <= words
    for markup in documents(path, "markup.bcf"):
        topic = markup.find("Topic")
        assert topic is not None
        used = {topic.get("TopicType"), topic.get("TopicStatus")}
        used |= {each.text for each in topic.iter("Labels" if version == "2.1" else "Label")}
        used |= {topic.findtext("Priority")} - {None}
        assert used <= words


@pytest.mark.parametrize("text", NASTY)
def test_a_title_is_one_printable_line(tmp_path: Path, text: str) -> None:
    path = written(report(finding(1, title=text)), tmp_path, "3.0")
    (markup,) = documents(path, "markup.bcf")
    title = markup.findtext("Topic/Title") or ""
    assert title.strip()
    assert "\n" not in title
    assert len(title) <= 250


def test_an_empty_report_is_a_valid_file(tmp_path: Path) -> None:
    for version in VERSIONS:
        path = written(report(), tmp_path, version)
        assert faults(path, version) == []
        assert folders(path) == []


def test_memory_does_not_grow_with_what_the_topics_say(tmp_path: Path) -> None:
    """Topics are written one by one; only the archive's list of names stays."""
    base = finding(1)

    def peak(size: int) -> int:
        many = [replace(base, key=("many", str(number))) for number in range(size)]
        made = replace(report(), sections=[Section("s", "found", "", many)])
        tracemalloc.start()
        write_bcf(made, tmp_path / "many.bcf")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    small, large = peak(50), peak(450)
    assert (large - small) / 400 < 6_000, (small, large)  # a topic's texts are about 4 kB each


def test_the_rest_is_not_taken_for_a_finding() -> None:
    made = Report("clash", "t", datetime(2026, 1, 1, tzinfo=UTC), "found", [])
    assert made.total == 0
    assert list(made.findings()) == []
    with pytest.raises(ValueError, match="time zone"):
        replace(made, created=datetime(2026, 1, 1))  # noqa: DTZ001


def test_findings_know_their_storey_and_classes() -> None:
    made: Finding = finding(1, elements=(Element("m", "x"), element(2, storey="Roof")))
    assert made.storey == "Roof"
    assert made.class_pair == "IfcWall"
