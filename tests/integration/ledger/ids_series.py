"""Writes chains of IDS results as workers do, from names: no IFC and no IDS, the real write API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ifcbase.ifc.inventory import Inventory
from ifcbase.ledger.interface import Attempt, JobInput, Ledger
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.record import series_names, write_result
from ifcbase.tester.report import (
    Element,
    IdsFile,
    ModelFile,
    RequirementReport,
    Row,
    SpecificationReport,
    TesterReport,
)
from tests.integration.world import Job, World, element, inventory, sha, start

#: Of a type, which no inventory holds: its GlobalId begins so.
OUTSIDE = "type-"


@dataclass(frozen=True)
class Rule:
    """A specification about elements named by GlobalId; ``fails`` maps requirements to those that
    fail them, each requirement written "subject=asked"."""

    applies: tuple[str, ...] = ()
    fails: Mapping[str, Iterable[str]] = field(default_factory=dict)
    name: str = "Walls"
    identifier: str | None = None
    about: str = "IFCWALL"
    usage: Usage = Usage.OPTIONAL
    #: Elements that could not be judged by a requirement, or (by "") at all.
    unjudged: Mapping[str, Iterable[str]] = field(default_factory=dict)
    ids: int = 0


@dataclass(frozen=True)
class Waiting:
    """An accepted job, with the elements of the model as they were then."""

    job: Job
    elements: frozenset[str]
    file: str


@dataclass
class Series:
    """An IDS asked of a model in its revisions."""

    world: World
    ledger: Ledger
    ids: tuple[str, ...] = ("rules.ids",)
    model: str = "arc"
    present: frozenset[str] = frozenset()
    file: str = ""
    matched: dict[str, bool] = field(default_factory=dict)
    rules_version: str = "1"
    _revisions: int = 0

    def revise(self, elements: Iterable[str], *, matched: bool = True) -> None:
        """A new revision of the model with these elements."""
        self._revisions += 1
        self.present = frozenset(elements)
        self.file = f"{self.model} {self._revisions}"
        self.matched[self.file] = matched

    def accept(self) -> Waiting:
        """A job on the present revision."""
        world = self.world
        version = world.version(self.model, self.file)
        name = f"{self.model}.ifc"
        rows: list[dict[str, Any]] = [
            {"name": name, "sha256": sha(self.file), "model_version_id": version}
        ]
        for ids in self.ids:
            world.sql("select core.add_file(%s, %s, 10, %s)", world.project, sha(ids), ids)
            rows.append({"name": ids, "sha256": sha(ids), "model_version_id": None})
        job = world.accept("tester", rows)
        return Waiting(Job(job, {name: version}), self.present, self.file)

    def run(self, *rules: Rule) -> int:
        """Accept a job and finish it; gives the result."""
        return self.finish(self.accept(), *rules)

    def finish(self, waiting: Waiting, *rules: Rule) -> int:
        """Do an accepted job: inventory, then the result."""
        attempt, report, held = self._prepare(waiting, rules)
        with self.ledger.writing(attempt.token) as writer:
            result = write_result(writer, report, held, "0" * 64, [])
            writer.finish_job({}, {})
        return result

    def begin(self, *rules: Rule) -> Attempt:
        """Accept a job and write all of its result but its end."""
        attempt, report, held = self._prepare(self.accept(), rules)
        with self.ledger.writing(attempt.token) as writer:
            write_result(_Unending(writer), report, held, "0" * 64, [])
        return attempt

    def _prepare(
        self, waiting: Waiting, rules: tuple[Rule, ...]
    ) -> tuple[Attempt, TesterReport, Inventory]:
        attempt = start(self.ledger, waiting.job)
        known = sorted(each for each in waiting.elements if not each.startswith(OUTSIDE))
        held = inventory([element(each, name=each.upper()) for each in known])
        (model,) = (given for given in attempt.inputs if given.model_version_id)
        with self.ledger.writing(attempt.token) as writer:
            if not model.inventoried:
                writer.inventory(waiting.job.versions[model.name], held)
        if self.matched[waiting.file]:
            self.world.sql(
                "update core.model_versions set matched_at = now() where id = %s and matched_at is null",
                model.model_version_id,
            )
        return attempt, self._report(waiting, model, known, rules), held

    def _report(
        self, waiting: Waiting, model: JobInput, known: list[str], rules: tuple[Rule, ...]
    ) -> TesterReport:
        names = known + sorted(waiting.elements.difference(known))
        at = {name: index for index, name in enumerate(names)}
        # As in an inventory: numbered in the order of the file.
        elements = [
            Element(
                index + 1, name, "IfcWallType" if name.startswith(OUTSIDE) else "IfcWall", name=name
            )
            for index, name in enumerate(names)
        ]
        return TesterReport(
            model=ModelFile(model.name, model.sha256, "IFC4"),
            ids=[IdsFile(ids, sha(ids), ids) for ids in self.ids],
            elements=elements,
            specifications=[_specification(rule, at) for rule in rules],
            findings=[],
            strict_version=False,
            engine={"rules": self.rules_version},
        )

    # --- what the ledger says ---

    def series_id(self, number: int = 0) -> int:
        """The id of the series of one IDS."""
        return int(
            self.world.value(
                "select id from tester.series where project_id = %s and name = %s",
                self.world.project, series_names(self.ids)[number],
            )
        )  # fmt: skip

    def states(self) -> dict[str, str]:
        """ "w1 Fire": "untested: no longer selected", by element and specification."""
        rows = self.world.sql(
            """select coalesce(e.global_id, '-') || ' ' || p.name,
                      t.state || coalesce(': ' || t.reason, '')
                 from tester.finding_states t
                 join tester.findings f on f.id = t.finding_id
                 join tester.requirements q on q.id = f.requirement_id
                 join tester.specification_results p
                   on p.specification_id = q.specification_id and p.result_id = t.last_seen
                 left join core.elements e on e.id = f.element_id
                where t.project_id = %s""",
            self.world.project,
        )
        found: dict[str, str] = dict(rows)
        assert len(found) == len(rows), rows
        return found

    def differences(self) -> list[tuple[Any, ...]]:
        """What verifying every series of the project finds."""
        with self.world.connection.transaction(force_rollback=True):
            return [
                row
                for (each,) in self.world.sql(
                    "select id from tester.series where project_id = %s", self.world.project
                )
                for row in self.world.sql("select * from tester.verify_series(%s)", each)
            ]


class _Unending:
    """A writer that never finishes a result."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def finish_result(self, result: int, _: Mapping[str, Any]) -> int:
        return result


def _specification(rule: Rule, at: Mapping[str, int]) -> SpecificationReport:
    applies = [at[name] for name in rule.applies]
    prohibited = rule.usage is Usage.PROHIBITED
    return SpecificationReport(
        ids=rule.ids,
        name=rule.name,
        usage=rule.usage,
        ifc_versions=["IFC4"],
        version_matches=True,
        identifier=rule.identifier,
        applicability=[rule.about],
        content=[{"name": rule.about}],
        elements=applies,
        requirements=[] if prohibited else [_requirement(rule, text, at) for text in rule.fails],
        unjudged=[Row(at[name], "odd") for name in rule.unjudged.get("", ())],
        failures=[Row(index, "should not be there") for index in applies] if prohibited else [],
    )


def _requirement(rule: Rule, text: str, at: Mapping[str, int]) -> RequirementReport:
    subject, _, asked = text.partition("=")
    unjudged = [Row(at[name], "odd") for name in rule.unjudged.get(text, ())]
    return RequirementReport(
        facet="Attribute",
        label=subject,
        value=asked,
        description=f"{subject} shall be {asked}",
        cardinality="required",
        instructions=None,
        metadata={"name": subject, "value": asked},
        evaluated=len(rule.applies) - len(unjudged),
        failures=[Row(at[name], f"{subject} is not {asked}") for name in rule.fails[text]],
        unjudged=unjudged,
    )
