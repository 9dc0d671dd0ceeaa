"""The Python client against a gateway that serves and a worker that works."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from ifcbase.client import Client
from ifcbase.errors import Forbidden, NotFound, PreconditionFailed, Unauthenticated
from tests.integration.gateway.conftest import Served

PATIENCE_S = 240.0


def client_of(served: Served, who: str = "editor") -> Client:
    return Client(str(served.client.base_url), served.keys[who], timeout_s=60)


@pytest.mark.usefixtures("worker")
def test_from_files_to_decisions(served: Served, building: Path, tmp_path: Path) -> None:
    name = f"set {secrets.token_hex(4)}"
    with client_of(served, "other") as client:
        walls = client.add_version("Client: walls", building / "walls.ifc")
        pipes = client.add_version("Client: pipes", building / "pipes.ifc")
        assert (walls.number, walls.is_new) == (1, True)
        # The same bytes are not sent again and are no new version.
        again = client.add_version("Client: walls", building / "walls.ifc")
        assert (again.number, again.is_new) == (1, False)

        job = client.clash(
            name, [walls], [{"file": pipes, "selector": "IfcPipeSegment", "mode": "i"}]
        )
        done = client.wait(job, timeout_s=PATIENCE_S, poll_s=0.2)
        assert done.outcome is not None
        assert done.outcome["clash_count"] == 1
        (path,) = done.outputs
        report = client.download(path, tmp_path)
        assert report.stat().st_size > 0
        assert path in {each["path"] for each in client.files("output/clash/")}

        (result,) = client.results("clash", job=job)
        assert [each["kind"] for each in client.rows("clash", result["id"], "contacts")]
        assert client.document("clash", result["id"])[0]["name"] == name
        (pair,) = client.pairs(name, state="new")
        finding = client.finding(pair["pair_id"])
        client.decide(finding, "reviewed", comment="seen by a script")
        with pytest.raises(PreconditionFailed):
            client.decide(finding, "approved")
        client.decide(pair["pair_id"], "approved")
        assert client.finding(finding.id).document["review"] == "approved"
        with pytest.raises(NotFound):
            list(client.pairs("no such set"))


def test_who_may_not_is_told_so(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a;b")
    with client_of(served, "viewer") as client, pytest.raises(Forbidden):
        client.upload(file)
    with client_of(served, "wrong") as client, pytest.raises(Unauthenticated):
        client.job("0b2d3f6e-9a57-4b0e-8a68-5a1a2f3c4d5e")


def test_it_listens(served: Served) -> None:
    with client_of(served, "other") as client:
        events = client.events("job.queued")
        position = served.sql("select pg_current_snapshot()::text")[0][0]
        served.sql(
            "insert into core.events (project_id, type, data) values (%s, 'job.queued', '{\"n\": 1}')",
            served.projects["beta"],
        )
        events = client.events("job.queued", last=position)
        assert next(events).data == {"n": 1}
        events.close()  # type: ignore[attr-defined]  # a generator
