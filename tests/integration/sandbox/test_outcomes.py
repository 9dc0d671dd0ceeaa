"""Every way in which a child can end gives its result or one typed error with the facts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ifcbase.errors import (
    ComputeError,
    NativeCrash,
    NotIfc,
    OutOfMemoryBudget,
    OutOfTimeBudget,
    ReportInvalid,
)
from ifcbase.jobs import process
from ifcbase.jobs.sandbox import Sandbox, SandboxJob
from tests.integration.sandbox.conftest import RUNS, job, result_of


def test_a_normal_job_leaves_its_result_and_reports_progress(
    sandbox: Sandbox, folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.ifc"
    model.write_text("ISO-10303-21;", encoding="utf-8")
    heard: list[tuple[str, float, str]] = []

    def listen(phase: str, fraction: float, note: str = "") -> None:
        heard.append((phase, fraction, note))

    result = sandbox.run(job("normal", folder, inputs={"model": model}, n=7), on_progress=listen)

    found = result_of(folder)
    assert found["text"] == "ISO-10303-21;"
    assert found["request"] == 7
    assert found["pid"] == result.pid
    assert heard == [("reading", 0.1, "one file"), ("testing", 0.5, ""), ("testing", 1.0, "done")]
    assert 0 < result.seconds < 30
    assert 0 <= result.cpu_seconds < 30
    assert 5 < result.peak_memory_mb < 512


def test_relative_paths_mean_the_parents_folder(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.ifc").write_text("here", encoding="utf-8")
    sandbox.run(job("normal", Path("out"), inputs={"model": Path("model.ifc")}))
    assert result_of(tmp_path / "out")["text"] == "here"


def test_progress_is_thinned_but_its_end_is_heard(sandbox: Sandbox, folder: Path) -> None:
    fractions: list[float] = []
    notes: list[str] = []

    def listen(phase: str, fraction: float, note: str = "") -> None:
        fractions.append(fraction)
        notes.append(note)

    sandbox.run(job("chatty_progress", folder), on_progress=listen)
    assert len(fractions) < 200
    assert fractions[-1] == 1.0
    assert max(len(note) for note in notes) == 200


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_database_refuses_does_not_come_out_of_a_child(
    sandbox: Sandbox, folder: Path, fails: bool
) -> None:
    heard: list[str] = []

    def listen(phase: str, fraction: float, note: str = "") -> None:
        heard.extend((phase, str(fraction), note))

    if fails:
        with pytest.raises(NotIfc) as caught:
            sandbox.run(job("unclean", folder, fails=True), on_progress=listen)
        assert (caught.value.message, caught.value.detail) == ("no \ufffd model", "half a \ufffd")
        assert caught.value.facts is not None
        tail = caught.value.facts.stderr_tail
    else:
        tail = sandbox.run(job("unclean", folder, fails=False), on_progress=listen).stderr_tail
    assert "before \ufffd after" in tail
    assert heard[:3] == ["a \ufffd", "0.5", "half a \ufffd"]


def test_progress_from_several_threads_does_not_mix_lines(sandbox: Sandbox, folder: Path) -> None:
    phases: set[str] = set()

    def listen(phase: str, fraction: float, note: str = "") -> None:
        phases.add(phase)
        assert note == "y" * 150

    sandbox.run(job("threads", folder), on_progress=listen)
    assert {"a199", "b199", "c199", "d199"} <= phases


def test_a_large_request_and_much_noise_do_not_block_the_pipe(
    sandbox: Sandbox, folder: Path
) -> None:
    result = sandbox.run(job("noise", folder, big="é" * 1_500_000))
    assert result_of(folder)["size"] > 1_500_000
    assert "noise" in result.stderr_tail
    assert len(result.stderr_tail) <= 8 << 10


def test_an_endless_log_does_not_fill_the_disk(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STDERR_MAX", 4 << 20)
    result = sandbox.run(job("endless_log", folder))
    assert result_of(folder)["size"] < 50 << 20
    assert result.stderr_tail.endswith("last words")


def test_native_code_reads_nothing_from_the_job_pipe(sandbox: Sandbox, folder: Path) -> None:
    sandbox.run(job("read_stdin", folder))
    assert result_of(folder)["read"] == ""


@pytest.mark.parametrize(
    ("name", "signal_name"),
    [("segfault", "SIGSEGV"), ("kill_self", "SIGKILL"), ("abort", "SIGABRT")],
)
def test_a_signal_is_a_native_crash_that_names_it(
    sandbox: Sandbox, folder: Path, name: str, signal_name: str
) -> None:
    with pytest.raises(NativeCrash, match=signal_name) as caught:
        sandbox.run(job(name, folder))
    facts = caught.value.facts
    assert facts is not None
    assert facts.signal == signal_name
    assert facts.exit_code is None
    assert facts.peak_memory_mb >= 0
    assert facts.seconds > 0
    assert caught.value.retryable
    if signal_name != "SIGKILL":
        # The stack of the crash, by faulthandler.
        assert f"in {name}" in facts.stderr_tail
        assert caught.value.detail is not None
        assert f"in {name}" in caught.value.detail


@pytest.mark.parametrize("code", [0, 3, 255])
def test_an_exit_without_a_result_is_an_error(sandbox: Sandbox, folder: Path, code: int) -> None:
    with pytest.raises(NativeCrash) as caught:
        sandbox.run(job("leave_with", folder, code=code))
    assert caught.value.facts is not None
    assert caught.value.facts.exit_code == code
    assert caught.value.facts.signal is None


def test_sys_exit_inside_a_check_is_no_success(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(NativeCrash, match="exit code 3"):
        sandbox.run(job("sys_exit", folder))


def test_a_typed_error_crosses_the_border_whole(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(NotIfc) as caught:
        sandbox.run(job("typed_error", folder))
    assert caught.value.message == "house.ifc is a picture of a house"
    assert caught.value.hint == "Export it again."
    assert caught.value.detail == "GIF89a"
    assert caught.value.facts is not None
    assert caught.value.facts.exit_code == 1


def test_an_untyped_error_keeps_its_traceback_for_the_log(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(
        ComputeError, match="ZeroDivisionError: the wall has no thickness"
    ) as caught:
        sandbox.run(job("untyped_error", folder))
    assert type(caught.value) is ComputeError
    assert caught.value.detail is not None
    assert "untyped_error" in caught.value.detail
    assert "Traceback" not in caught.value.message


def test_a_run_function_that_does_not_exist_is_a_compute_error(
    sandbox: Sandbox, folder: Path
) -> None:
    with pytest.raises(ComputeError, match="AttributeError"):
        sandbox.run(job("no_such_function", folder))
    with pytest.raises(ComputeError, match="ModuleNotFoundError"):
        sandbox.run(SandboxJob("no.such:run", {}, {}, folder, 60, 512))


@pytest.mark.parametrize("name", ["hang", "hang_in_c", "hang_ignoring_sigterm"])
def test_a_hanging_child_is_ended_by_the_jobs_own_deadline(
    sandbox: Sandbox, folder: Path, name: str
) -> None:
    started = time.monotonic()
    with pytest.raises(OutOfTimeBudget, match=r"within 0\.5 s") as caught:
        sandbox.run(job(name, folder, timeout_s=0.5))
    assert time.monotonic() - started < 15
    facts = caught.value.facts
    assert facts is not None
    assert 0.5 <= facts.seconds < 5
    if name != "hang_ignoring_sigterm":
        # It shows where it hung, even when the interpreter is stuck.
        assert f"in {name}" in facts.stderr_tail


def test_cpu_seconds_count_the_work_but_not_the_preparation(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(OutOfTimeBudget) as caught:
        sandbox.run(job("hang", folder, timeout_s=0.5))
    idle = caught.value.facts
    with pytest.raises(OutOfTimeBudget) as caught:
        sandbox.run(job("hang_in_c", folder, timeout_s=1.0))
    busy = caught.value.facts
    assert idle is not None
    assert busy is not None
    assert idle.cpu_seconds < 0.2 < busy.cpu_seconds < 2.0


@pytest.mark.parametrize("name", ["hog", "hog_in_grandchild"])
def test_the_memory_budget_counts_the_whole_group(
    sandbox: Sandbox, folder: Path, name: str
) -> None:
    with pytest.raises(OutOfMemoryBudget, match="100 allowed") as caught:
        sandbox.run(job(name, folder, memory_mb=100))
    facts = caught.value.facts
    assert facts is not None
    assert 100 < facts.peak_memory_mb < 400
    assert facts.seconds < 20


@pytest.mark.parametrize("name", ["bad_alloc", "swig_bad_alloc", "hog_address_space"])
def test_a_failed_allocation_is_lack_of_memory_not_a_crash(
    sandbox: Sandbox, folder: Path, name: str
) -> None:
    with pytest.raises(OutOfMemoryBudget) as caught:
        sandbox.run(job(name, folder))
    assert caught.value.facts is not None
    assert caught.value.detail


@pytest.mark.parametrize(
    "line",
    [
        "not json\n",
        "\udcff\udcfe\n",
        "[" * 100_000 + "\n",
        "[]\n",
        "{}\n",
        '{"type": 3}\n',
        '{"type": "ready"}\n',
        '{"type": "surprise"}\n',
        '{"type": "error", "error": "text"}\n',
        '{"type": "error"}\n',
        '{"type": "ok", "peak_memory_mb": "much"}\n',
        '{"type": "progress", "phase": "x", "fraction": NaN, "note": ""}\n',
        '{"type": "progress", "phase": "x", "fraction": 1' + "0" * 400 + ', "note": ""}\n',
        '{"type": "progress", "phase": 1, "fraction": 0.5, "note": ""}\n',
    ],
)
def test_garbage_on_the_pipe_is_a_report_invalid(sandbox: Sandbox, folder: Path, line: str) -> None:
    with pytest.raises(ReportInvalid) as caught:
        sandbox.run(job("garbage", folder, line=line))
    assert caught.value.facts is not None
    assert caught.value.detail


def test_a_line_without_end_cannot_fill_the_parents_memory(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(ReportInvalid, match="without end"):
        sandbox.run(job("endless_line", folder))


def test_a_child_that_closes_its_pipe_and_goes_on_is_ended(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(ReportInvalid, match="closed its pipe"):
        sandbox.run(job("deaf", folder))


def test_a_module_that_cannot_be_imported_is_the_reason_given(work: Path, folder: Path) -> None:
    with (
        Sandbox(["tests.integration.sandbox.broken"], work_folder=work, memory_mb=512) as sandbox,
        pytest.raises(ComputeError, match="a library is missing on purpose") as caught,
    ):
        sandbox.run(job("normal", folder))
    assert "broken.py" in (caught.value.detail or "")
    assert caught.value.facts is not None


def test_a_child_that_dies_while_preparing_is_no_endless_loop(work: Path, folder: Path) -> None:
    with (
        Sandbox(["tests.integration.sandbox.crashing"], work_folder=work, memory_mb=512) as sandbox,
        pytest.raises(ComputeError, match=r"before it was prepared \(SIGSEGV\)"),
    ):
        sandbox.run(job("normal", folder))


def test_a_request_that_is_not_json_costs_no_child(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(TypeError):
        sandbox.run(SandboxJob(f"{RUNS}:normal", {"path": Path()}, {}, folder, 60, 512))
    assert not folder.exists()
