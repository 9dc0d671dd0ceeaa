"""What is said of a job that was waited for."""

from __future__ import annotations

from typing import Any

import pytest

from ifcbase.cli import waiting
from ifcbase.errors import NativeCrash

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
