"""Topics: title, status, labels, people and comments of a finding as markup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Literal

from ifcbase.exchange.bcf.identity import guid
from ifcbase.exchange.bcf.xml import Node
from ifcbase.exchange.report import Comment, Element, Finding, Model, Report, Section
from ifcbase.exchange.text import cell, line, millimetres

Version = Literal["2.1", "3.0"]

TYPES = {"clash": "Clash", "tester": "IDS", "diff": "Change"}
#: Statuses in the order work goes through them; extensions list them.
STATUSES = ("Open", "Reopened", "In Progress", "Resolved", "Closed")
PRIORITIES = ("High", "Normal", "Low")
#: The file of a viewpoint; readers of BCF 2.1 expect one of this name.
VIEWPOINT_FILE = "viewpoint.bcfv"
_DECIDED = {"reviewed": "In Progress", "approved": "Closed", "ignored": "Closed"}
_SEEN = {"reopened": "Reopened", "resolved": "Resolved", "removed": "Resolved"}
_MAX_TITLE = 250
_MAX_TEXT = 10_000


def type_of(report: Report) -> str:
    """The topic type of a report's findings."""
    return TYPES.get(report.check, "Finding")


def status_of(finding: Finding) -> str:
    """What a decision says wins over what the machine saw; *untested* closes nothing."""
    if finding.review in _DECIDED:
        return _DECIDED[finding.review]
    return _SEEN.get(finding.state or "", "Open")


def labels_of(section: Section, finding: Finding) -> list[str]:
    """Labels to filter by: the series, the classes, kind, states."""
    labels = [section.name, finding.class_pair, finding.kind]
    labels += [f"state: {finding.state}"] if finding.state else []
    if finding.review and finding.review != "open":
        reason = f" ({finding.review_reason})" if finding.review_reason else ""
        labels.append(f"review: {finding.review}{reason}")
    labels += [f"storey: {finding.storey}"] if finding.storey else []
    return [text for text in dict.fromkeys(line(each, 100) for each in labels) if text]


def markup(
    report: Report,
    section: Section,
    finding: Finding,
    identity: str,
    index: int,
    view: str | None,
    version: Version,
) -> Node:
    """The markup document of a topic; ``view`` is the id of its viewpoint, if it has one."""
    node = Node("Markup")
    if header := _header(report.models, finding.elements, version):
        node.append(header)
    topic = node.add(
        "Topic", Guid=identity, TopicType=type_of(report), TopicStatus=status_of(finding)
    )
    topic.add("Title", line(finding.title, _MAX_TITLE) or "(no title)")
    topic.add_if("Priority", finding.priority)
    topic.add("Index", str(index))
    labels = labels_of(section, finding)
    if version == "2.1":
        for label in labels:
            topic.add("Labels", label)
    elif labels:
        holder = topic.add("Labels")
        for label in labels:
            holder.add("Label", label)
    topic.add("CreationDate", stamp(finding.created or report.created))
    topic.add("CreationAuthor", line(report.author) or "ifcbase")
    if finding.due:
        topic.add("DueDate", stamp(finding.due))
    topic.add_if("AssignedTo", line(finding.assigned_to))
    topic.add_if("Description", cell(description(finding), _MAX_TEXT))
    comments = [
        _comment(each, identity, number, view) for number, each in enumerate(finding.comments)
    ]
    if version == "2.1":
        for comment in comments:
            node.append(comment)
        if view:
            _viewpoint(node.add("Viewpoints", Guid=view))
        return node
    if comments:
        holder = topic.add("Comments")
        for comment in comments:
            holder.append(comment)
    if view:
        _viewpoint(topic.add("Viewpoints").add("ViewPoint", Guid=view))
    return node


def description(finding: Finding) -> str:
    """All that is known of a finding in lines, for readers whose program shows nothing else."""
    lines = [finding.details] if finding.details else []
    if finding.distance is not None:
        how = f" ({finding.measured})" if finding.measured else ""
        lines.append(f"{finding.kind}: {millimetres(finding.distance)}{how}")
    for name, word, reason in (
        ("state", finding.state, finding.state_reason),
        ("review", finding.review, finding.review_reason),
    ):
        if word:
            lines.append(f"{name}: {word}" + (f" ({reason})" if reason else ""))
    if finding.point is not None:
        x, y, z = finding.point
        lines.append(f"at {x:.3f} {y:.3f} {z:.3f} m (world)")
    lines += [_element_line(each) for each in finding.elements[:50]]
    if len(finding.elements) > 50:
        lines.append(f"… and {len(finding.elements) - 50} more elements")
    return "\n".join(lines)


def stamp(moment: datetime | date) -> str:
    """An xs:dateTime in UTC; a day is its beginning."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _element_line(element: Element) -> str:
    named = " ".join(part for part in (element.ifc_class, element.name) if part)
    where = f", {element.storey}" if element.storey else ""
    return line(f"{element.model}: {named} [{element.global_id}]{where}", 500)


def _header(models: Sequence[Model], elements: Sequence[Element], version: Version) -> Node | None:
    """The files the elements of a topic are in."""
    used = {each.model for each in elements}
    files = [each for each in models if each.name in used]
    if not files:
        return None
    header = Node("Header")
    holder = header.add("Files") if version == "3.0" else header
    name = "IsExternal" if version == "3.0" else "isExternal"
    for each in files:
        holder.add("File", **{name: "true"}).add("Filename", line(each.file or each.name))
    return header


def _comment(comment: Comment, topic: str, number: int, view: str | None) -> Node:
    node = Node("Comment", Guid=guid("comment", topic, str(number), stamp(comment.created)))
    node.add("Date", stamp(comment.created))
    node.add("Author", line(comment.author) or "unknown")
    node.add("Comment", cell(comment.text, _MAX_TEXT).strip() or "(no text)")
    if view:
        node.add("Viewpoint", Guid=view)
    return node


def _viewpoint(node: Node) -> None:
    node.add("Viewpoint", VIEWPOINT_FILE)
    node.add("Index", "0")
