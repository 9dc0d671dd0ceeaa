"""What is said of a job that was waited for."""

from __future__ import annotations

from typing import Any

import pytest

from ifcbase.cli import context, waiting
from ifcbase.errors import LedgerUnavailable, NativeCrash, NotFound
from ifcbase.settings import Settings

JOB = "0123abcd-0000-4000-8000-000000000000"


def job(*sets: dict[str, Any], warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    verdicts = [each["verdict"] for each in sets]
    worst = next((v for v in ("found", "inconclusive") if v in verdicts), "clean")
    outcome = {"verdict": worst, "sets": list(sets), "warnings": list(warnings)}
    outcome |= {"db_ids": [each["id"] for each in sets]}
    return {
        "id": JOB, "check": "clash", "state": "finished", "error": None, "outcome": outcome
    }  # fmt: skip


def one(
    number: int, name: str, clashes: int, verdict: str, coverage: float = 1.0
) -> dict[str, Any]:
    return {"id": number, "name": name, "clash_count": clashes, "verdict": verdict,
            "coverage": coverage}  # fmt: skip


def test_every_set_has_its_own_line_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    sets = [one(13, "arc", 1, "found"), one(14, "mep", 0, "inconclusive", 0.9996)]
    assert waiting.report(job(*sets, warnings=("mep: no pipe is closed", "arc: x"))) == 1
    assert capsys.readouterr().out.splitlines() == [
        "job 0123abcd is finished: results 13, 14",
        "arc: 1 clash, found",
        "warning: x",
        "see `ifcbase results show 13`",
        "mep: 0 clashes, inconclusive",
        "warning: no pipe is closed",
        "only 99.9 % of the elements with geometry were tested",
        "see `ifcbase results show 14`",
    ]


def test_one_result_is_not_several(capsys: pytest.CaptureFixture[str]) -> None:
    assert waiting.report(job(one(13, "arc", 0, "inconclusive"))) == 3
    told = capsys.readouterr().out
    assert "is finished: result 13\n" in told
    assert "no element that could be tested" in told


def test_a_failed_job_looks_like_every_other_failure(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {
        "id": JOB,
        "state": "failed",
        "error": NativeCrash("it crashed", hint="Look.").to_dict(),
    }
    assert waiting.report(failed) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: job 0123abcd is failed: it crashed",
        "hint: Look.",
    ]
    assert waiting.report(failed | {"state": "cancelled", "error": None}) == 2
    assert capsys.readouterr().err.startswith("error: job 0123abcd is cancelled\nhint: See ")


def test_nothing_is_said_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert waiting.report(job(one(13, "arc", 2, "found")), quiet=True) == 1
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_ends_the_waiting_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "show_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        waiting.wait_for(object(), JOB)  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert "job 0123abcd goes on: `ifcbase jobs wait 0123abcd` or `ifcbase jobs cancel" in told


# --- a database that goes away ---


class Away:
    """A ledger that does not answer for a while; ``connected`` counts new connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, shown: int, refused: int) -> None:
        self.shown, self.refused, self.connected, self.closed = shown, refused, 0, 0
        monkeypatch.setattr(waiting, "show_job", self.show)
        monkeypatch.setattr(waiting, "connect", self.connect)
        monkeypatch.setattr(context, "revive", lambda _: False)
        monkeypatch.setattr(context, "database", lambda _: "dsn")
        monkeypatch.setattr("time.sleep", lambda _: None)

    def show(self, connection: object, job_id: str) -> dict[str, Any]:
        if connection is not self:
            self.shown -= 1
            if self.shown < 0:
                raise LedgerUnavailable("the connection was lost: restart")
            return {"state": "running", "progress": None}
        return {"state": "finished", "id": job_id}

    def connect(self, _: str) -> Away:
        self.refused -= 1
        if self.refused >= 0:
            raise LedgerUnavailable("the database cannot be reached: it starts up")
        self.connected += 1
        return self

    def close(self) -> None:
        self.closed += 1


def test_a_restart_of_the_database_does_not_end_the_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = Away(monkeypatch, shown=2, refused=3)
    assert waiting.wait_for(object(), JOB, settings=Settings())["id"] == JOB  # type: ignore[arg-type]
    assert (away.connected, away.closed) == (1, 1)


def test_who_gives_up_on_the_database_names_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json its id was printed nowhere, and the job could not be found again."""
    away = Away(monkeypatch, shown=0, refused=10**9)
    with pytest.raises(LedgerUnavailable, match="job 0123abcd is submitted") as raised:
        waiting.wait_for(object(), JOB, settings=Settings(), patience_s=0.05)  # type: ignore[arg-type]
    assert raised.value.to_dict()["job_id"] == JOB
    assert "ifcbase jobs wait 0123abcd" in raised.value.hint
    assert away.connected == 0


def test_a_job_that_is_not_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> dict[str, Any]:
        raise NotFound("there is no job")

    monkeypatch.setattr(waiting, "show_job", gone)
    with pytest.raises(NotFound, match="there is no job"):
        waiting.wait_for(object(), JOB)  # type: ignore[arg-type]


def test_an_interrupted_demo_does_not_say_that_its_job_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "show_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        waiting.wait_for(object(), JOB, goes_on=False)  # type: ignore[arg-type]
    assert capsys.readouterr() == ("", "")
