"""Writes series of diffs as workers do, from names: no IFC, the real write API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ifcbase.ledger.interface import Ledger
from tests.integration.world import Job, World, element, inventory, sha, start

#: The facets that are compared unless a run says otherwise.
FACETS = ("attributes", "geometry", "placement", "property")


@dataclass(frozen=True)
class Comparison:
    """An accepted job that compares two revisions, by their numbers."""

    job: Job
    old: int
    new: int


@dataclass
class Diffs:
    """A model in its revisions, and comparisons of any two of them."""

    world: World
    ledger: Ledger
    model: str = "arc"
    #: Of each revision its elements, each with what it is: what differs there is a change.
    revisions: list[Mapping[str, Any]] = field(default_factory=list)
    matched: list[bool] = field(default_factory=list)
    #: Of each revision the model version it is, once it was compared.
    versions: list[int] = field(default_factory=list)

    def revise(self, elements: Mapping[str, Any], *, matched: bool = True) -> None:
        """A new revision with these elements."""
        self.revisions.append(dict(elements))
        self.matched.append(matched)

    def accept(self, old: int = -2, new: int = -1) -> Comparison:
        """A job that compares two revisions."""
        numbers = [range(len(self.revisions))[each] for each in (old, new)]
        self._describe(max(numbers))
        rows = [
            {
                "name": name,
                "sha256": sha(self._file(number)),
                "model_version_id": self.versions[number],
            }
            for name, number in zip(("old.ifc", "new.ifc"), numbers, strict=True)
        ]
        job = Job(self.world.accept("diff", rows), {})
        return Comparison(job, *numbers)

    def run(self, old: int = -2, new: int = -1, **spec: Any) -> int:
        """Compare two revisions; gives the result."""
        return self.finish(self.accept(old, new), **spec)

    def finish(
        self,
        accepted: Comparison,
        *,
        facets: Iterable[str] = FACETS,
        tolerance: float = 0.001,
        unjudged: Iterable[str] = (),
        passed_over: Iterable[str] = (),
        only: str = "",
        document: Any = None,
    ) -> int:
        """Finish a job with what differs between its revisions in the facets, but for elements that
        are passed over, as those are that were taken for others."""
        old, new = (self.revisions[number] for number in (accepted.old, accepted.new))
        left_out = set(unjudged)
        attempt = start(self.ledger, accepted.job)
        rows = [self._row("old", name, "deleted", {}, {}) for name in old if name not in new]
        rows += [self._row("new", name, "added", {}, {}) for name in new if name not in old]
        rows += [
            self._row("new", name, facet, {facet: old[name].get(facet)}, {facet: after})
            for name in sorted({*old, *new})
            if name in old and name in new and name not in left_out
            for facet, after in sorted(new[name].items())
            if facet in facets and old[name].get(facet) != after
        ]
        rows = [row for row in rows if row["global_id"] not in set(passed_over)]
        with self.ledger.writing(attempt.token) as writer:
            result = writer.open_result(
                {
                    "old_file": "old.ifc", "new_file": "new.ifc", "facets": sorted(facets),
                    "settings": {"tolerance": tolerance, "filter_elements": only},
                }
            )  # fmt: skip
            writer.append_rows(result, "changes", rows)
            writer.append_rows(
                result,
                "not_compared",
                [
                    {"side": "new", "global_id": name, "n": 0, "facet": facet, "reason": "odd"}
                    for name in sorted(left_out & set(new))
                    for facet in facets
                ],
            )
            writer.finish_result(
                result,
                {
                    "diff_count": len(rows), "document": document or {"changes": len(rows)},
                    "counts": {}, "facets": {}, "verdict": "changed" if rows else "unchanged",
                    "coverage": 1.0, "warnings": [], "engine": {},
                },
            )  # fmt: skip
            writer.finish_job({}, {})
        return result

    def _file(self, number: int) -> str:
        return f"{self.model} {number}"

    def _describe(self, number: int) -> None:
        """Make the versions up to a revision, in their order, each with its inventory."""
        for each in range(len(self.versions), number + 1):
            version = self.world.version(self.model, self._file(each))
            self.versions.append(version)
            # Any job on the version brings its inventory.
            digest = sha(self._file(each))
            given = {"name": f"{self.model}.ifc", "sha256": digest, "model_version_id": version}
            attempt = start(self.ledger, Job(self.world.accept("clash", [given]), {}))
            with self.ledger.writing(attempt.token) as writer:
                names = sorted(self.revisions[each])
                writer.inventory(version, inventory([element(name) for name in names]))
            self.ledger.fail_attempt(
                attempt.token, outcome="failed", error={}, may_retry=False, facts={}
            )
            if self.matched[each]:
                self.world.sql(
                    "update core.model_versions set matched_at = now() where id = %s", version
                )

    @staticmethod
    def _row(side: str, name: str, facet: str, before: Any, after: Any) -> dict[str, Any]:
        return {
            "side": side, "global_id": name, "n": 0, "facet": facet, "before": before, "after": after,
        }  # fmt: skip

    # --- what the ledger says ---

    def series_id(self) -> int:
        """The series of the model's comparisons with itself."""
        return int(
            self.world.value(
                "select s.id from diff.series s join core.models m on m.id = s.new_model_id"
                " where m.name = %s and m.project_id = %s and s.old_model_id = m.id",
                self.model, self.world.project,
            )
        )  # fmt: skip

    def element(self, name: str) -> int:
        """The id of an element."""
        return int(
            self.world.value(
                "select e.id from core.elements e join core.models m on m.id = e.model_id"
                " where m.name = %s and m.project_id = %s and e.global_id = %s",
                self.model, self.world.project, name,
            )
        )  # fmt: skip

    def states(self) -> dict[str, str]:
        """ "w1 placement": "resolved", by element and facet."""
        return dict(
            self.world.sql(
                "select e.global_id || ' ' || f.facet, t.state || coalesce(': ' || t.reason, '')"
                " from diff.finding_states t join diff.findings f on f.id = t.finding_id"
                " join core.elements e on e.id = f.element_id where t.series_id = %s",
                self.series_id(),
            )
        )

    def differences(self) -> list[tuple[Any, ...]]:
        """What verifying the series finds."""
        with self.world.connection.transaction(force_rollback=True):
            return self.world.sql("select * from diff.verify_series(%s)", self.series_id())
