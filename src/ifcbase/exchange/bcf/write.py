"""Writing a BCF file: version, project, the words in use, one folder per topic."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ifcbase.exchange.archive import Archive, archive
from ifcbase.exchange.bcf.identity import TopicIds, guid
from ifcbase.exchange.bcf.topics import (
    PRIORITIES,
    STATUSES,
    VIEWPOINT_FILE,
    Version,
    labels_of,
    markup,
    type_of,
)
from ifcbase.exchange.bcf.views import viewpoint
from ifcbase.exchange.bcf.xml import Node
from ifcbase.exchange.report import Finding, Report, Section
from ifcbase.exchange.text import line

#: No program that reads BCF works with more topics; the file says what is not in it.
MAX_TOPICS = 5000

Topic = tuple[Section, Finding]


def write_bcf(
    report: Report, path: Path, version: Version = "2.1", max_topics: int = MAX_TOPICS
) -> int:
    """Write a BCF file and give the number of findings that have a topic in it.

    Beyond ``max_topics`` the last topic says how many findings are missing.
    """
    topics = list(islice(report.findings(), max_topics))
    missing = report.total - len(topics)
    ids = TopicIds(report.namespace)
    with archive(path) as out:
        out.add("bcf.version", _version(version).document())
        out.add("project.bcfp", _project(report, version).document())
        said = [*topics, (Section("", "", ""), _rest(report, missing))] if missing else topics
        _add_extensions(out, report, said, version)
        for index, (section, finding) in enumerate(said):
            _add_topic(out, report, section, finding, ids.take(finding), index, version)
    return len(topics)


def _add_topic(
    out: Archive,
    report: Report,
    section: Section,
    finding: Finding,
    identity: str,
    index: int,
    version: Version,
) -> None:
    view = guid("viewpoint", identity)
    shown = viewpoint(finding, view, version)
    document = markup(
        report, section, finding, identity, index, view if shown else None, version
    ).document()
    out.add_folder(identity)
    out.add(f"{identity}/markup.bcf", document)
    if shown:
        out.add(f"{identity}/{VIEWPOINT_FILE}", shown.document())


def _rest(report: Report, missing: int) -> Finding:
    return Finding(
        key=("rest", report.check, report.title),
        title=f"{missing} more findings are not in this file",
        kind="notice",
        elements=(),
        details=(
            f"The report has {report.total} findings; this file holds the first "
            f"{report.total - missing}, because programs that read BCF cannot work with more. "
            "The spreadsheet has all of them."
        ),
        priority="High",
    )


def _version(version: Version) -> Node:
    node = Node("Version", VersionId=version)
    if version == "2.1":
        node.add("DetailedVersion", version)
    return node


def _project(report: Report, version: Version) -> Node:
    name = line(report.project or report.title, 250) or "ifcbase"
    identity = guid("project", report.namespace, report.project)
    node = Node("ProjectInfo" if version == "3.0" else "ProjectExtension")
    node.add("Project", ProjectId=identity).add("Name", name)
    if version == "2.1":
        node.add("ExtensionSchema", "extensions.xsd")
    return node


def _add_extensions(out: Archive, report: Report, topics: list[Topic], version: Version) -> None:
    """Every value the topics use, so that readers offer the same words."""
    labels = sorted({label for section, finding in topics for label in labels_of(section, finding)})
    users = {line(finding.assigned_to) for _, finding in topics if finding.assigned_to}
    users |= {line(c.author) for _, finding in topics for c in finding.comments}
    users.add(line(report.author) or "ifcbase")
    lists = {
        "TopicType": [type_of(report)],
        "TopicStatus": list(STATUSES),
        "Priority": list(PRIORITIES),
        "TopicLabel": labels,
        "User": sorted(user for user in users if user),
        "SnippetType": [],
        "Stage": [],
    }
    if version == "3.0":
        out.add("extensions.xml", _extensions(lists).document())
    else:
        out.add("extensions.xsd", _extension_schema(lists).document())


def _extensions(lists: dict[str, list[str]]) -> Node:
    plural = {"TopicStatus": "TopicStatuses", "Priority": "Priorities"}
    node = Node("Extensions")
    for name, values in lists.items():
        holder = node.add(plural.get(name, name + "s"))
        for value in values:
            holder.add(name, value)
    return node


def _extension_schema(lists: dict[str, list[str]]) -> Node:
    """BCF 2.1 narrows the types of its markup schema instead. Users stay open: mail addresses of
    people who are not in this file are no mistake."""
    node = Node("schema", xmlns="http://www.w3.org/2001/XMLSchema")
    inner = node.add("redefine", schemaLocation="markup.xsd")
    for name in ("TopicType", "TopicStatus", "TopicLabel", "Priority"):
        restriction = inner.add("simpleType", name=name).add("restriction", base=name)
        for value in lists[name]:
            restriction.add("enumeration", value=value)
    return node
