"""The weekly report reaches webhooks once its files are there, whoever was the clock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ifcbase.files.local import LocalFiles
from ifcbase.jobs.schedules import tend_once
from ifcbase.webhooks.deliver import message
from tests.integration.ledger.chains import Chain
from tests.integration.operations.test_retention import ONE, TWO


@pytest.fixture
def told(chain: Chain) -> Chain:
    """A project with a result, an endpoint that wants reports and one that wants none."""
    chain.revise("arc", ["w1", "w2"])
    chain.revise("mep", ["p1", "p2"])
    chain.run([ONE, TWO])
    chain.run([ONE])
    for types in ("report.weekly", "job.failed"):
        chain.world.sql(
            "select core.add_webhook(%s, 'https://example.com/hook', array[%s], null, %s)",
            chain.world.project, types, "whsec_" + "A" * 32,
        )  # fmt: skip
    chain.world.sql(
        "update core.schedules set next_at = now() - interval '1 s' where name = 'report'"
    )
    return chain


def outbox(chain: Chain) -> list[dict[str, object]]:
    rows = chain.world.sql(
        "select e.id, e.type, e.data, e.at, p.name from core.outbox o"
        " join core.events e on e.id = o.event_id join core.projects p on p.id = o.project_id"
        " where e.type = 'report.weekly' order by o.id"
    )
    keys = ("event_id", "type", "data", "at", "project")
    return [json.loads(message(dict(zip(keys, row, strict=True)))) for row in rows]


def test_the_report_is_told_with_its_figures_and_its_files(told: Chain, tmp_path: Path) -> None:
    tend_once(told.world.dsn, LocalFiles(tmp_path / "files"), tmp_path / "reports")
    (document,) = outbox(told)
    data = document["data"]
    assert isinstance(data, dict)
    assert document["type"] == "report.weekly"
    assert [data[name] for name in ("results", "new", "solved", "open", "untested")] == [
        2, 0, 1, 1, 0,
    ]  # fmt: skip
    assert {"discipline", "check_name", "solved"} <= set(data["disciplines"][0])
    written = [Path(each) for each in data["files"]]
    assert [each.suffix for each in written] == [".md", ".html"]
    assert all(each.is_file() and each.parent == tmp_path / "reports" for each in written)
    # Told once, however often a worker looks.
    tend_once(told.world.dsn, LocalFiles(tmp_path / "files"), tmp_path / "reports")
    assert len(outbox(told)) == 1


def test_a_report_that_pg_cron_made_is_told_when_a_worker_wrote_it(
    told: Chain, tmp_path: Path
) -> None:
    # As pg_cron calls it; here the workers are the clock.
    told.world.sql("select core.run_due('worker')")
    assert outbox(told) == []
    tend_once(told.world.dsn, LocalFiles(tmp_path / "files"), tmp_path / "reports")
    (document,) = outbox(told)
    assert document["data"]["solved"] == 1  # type: ignore[index]


def test_nobody_is_told_of_a_report_that_could_not_be_written(told: Chain, tmp_path: Path) -> None:
    blocked = tmp_path / "reports"
    blocked.write_text("not a folder")
    with pytest.raises(FileExistsError):
        tend_once(told.world.dsn, LocalFiles(tmp_path / "files"), blocked)
    assert outbox(told) == []
    blocked.unlink()
    tend_once(told.world.dsn, LocalFiles(tmp_path / "files"), blocked)
    assert len(outbox(told)) == 1
