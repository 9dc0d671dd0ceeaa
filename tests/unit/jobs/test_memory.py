"""Jobs on one machine start when they fit beside each other; what they need is learned."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.jobs import memory
from ifcbase.jobs.memory import HostMemory, machine_mb


@pytest.fixture
def host(tmp_path: Path) -> HostMemory:
    return HostMemory(tmp_path / "memory", 1000)


def never() -> bool:
    return False


def silent(_: int) -> None:
    return


def until(holds: object) -> None:
    assert callable(holds)
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_fits_starts_side_by_side(host: HostMemory) -> None:
    with (
        host.room(600, ended=never, waiting=silent),
        host.room(400, ended=never, waiting=silent),
    ):
        assert len(list((host.folder / "places").iterdir())) == 2
    assert list((host.folder / "places").iterdir()) == []


def test_what_does_not_fit_waits_until_the_other_is_done(host: HostMemory) -> None:
    told: list[int] = []
    started = threading.Event()

    def second() -> None:
        with host.room(500, ended=never, waiting=told.append):
            started.set()

    with host.room(600, ended=never, waiting=silent):
        thread = threading.Thread(target=second)
        thread.start()
        until(lambda: told)
        assert not started.is_set()
    thread.join(60)
    assert started.is_set()
    assert set(told) == {600}, "it knows what it waits for"


def test_a_job_larger_than_the_machine_starts_when_it_is_alone(host: HostMemory) -> None:
    with host.room(5000, ended=never, waiting=silent):
        assert len(list((host.folder / "places").iterdir())) == 1


def test_who_is_told_to_end_waits_no_longer_and_takes_no_place(host: HostMemory) -> None:
    with (
        host.room(900, ended=never, waiting=silent),
        host.room(900, ended=lambda: True, waiting=silent),
    ):
        assert len(list((host.folder / "places").iterdir())) == 1


def test_an_error_inside_gives_the_room_back(host: HostMemory) -> None:
    with pytest.raises(RuntimeError), host.room(900, ended=never, waiting=silent):
        raise RuntimeError
    assert list((host.folder / "places").iterdir()) == []


HOLD = """
import sys
from pathlib import Path
from ifcbase.jobs.memory import HostMemory
with HostMemory(Path(sys.argv[1]), 1000).room(900, ended=lambda: False, waiting=lambda _: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_place_of_a_worker_that_was_killed_is_free(host: HostMemory) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(host.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    waited: list[int] = []

    def mine() -> None:
        with host.room(900, ended=never, waiting=waited.append):
            pass

    thread = threading.Thread(target=mine)
    thread.start()
    until(lambda: waited)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert holder.stdin is not None
    holder.stdin.close()
    thread.join(60)
    assert not thread.is_alive()
    assert list((host.folder / "places").iterdir()) == []


def test_the_first_job_of_a_kind_is_guessed_by_its_size(host: HostMemory) -> None:
    small, large = (host.expected_mb("clash", mb, 6144) for mb in (1, 50))
    assert memory.BASE_MB < small < large < 6144
    assert host.expected_mb("clash", 10_000, 6144) == 6144, "its budget ends it anyway"


def test_what_was_needed_is_expected_next_time_with_a_margin(host: HostMemory) -> None:
    host.learn("clash", 10, 800)
    assert host.expected_mb("clash", 10, 6144) == 1000
    assert host.expected_mb("clash", 20, 6144) == 2000, "twice the input, twice the memory"
    assert host.expected_mb("clash", 1, 6144) == 1000, "less input may take as much"
    assert host.expected_mb("diff", 10, 6144) != 1000, "each check by itself"
    again = HostMemory(host.folder, 1000)
    assert again.expected_mb("clash", 10, 6144) == 1000, "other workers know it, too"


def test_one_small_job_does_not_make_the_next_large_one_unexpected(host: HostMemory) -> None:
    host.learn("clash", 10, 800)
    host.learn("clash", 10, 100)
    assert 900 < host.expected_mb("clash", 10, 6144) < 1000


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"a": 1}', '{"3": "x"}', "null", "\x00"])
def test_a_broken_note_is_no_note(host: HostMemory, text: str) -> None:
    host.folder.mkdir()
    (host.folder / "clash.json").write_text(text, encoding="utf-8")
    assert host.expected_mb("clash", 1, 6144) == memory.BASE_MB + memory.PER_INPUT_MB
    host.learn("clash", 1, 500)
    assert host.expected_mb("clash", 1, 6144) == 625


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan"), float("inf")])
def test_a_peak_that_was_not_measured_teaches_nothing(host: HostMemory, peak: float) -> None:
    host.learn("clash", 1, peak)
    assert not host.folder.exists()


@settings(deadline=None, max_examples=60)
@given(
    seen=st.lists(st.tuples(st.floats(0, 5000), st.floats(1, 20000)), max_size=4),
    size=st.floats(0, 50_000),
    budget=st.integers(1, 100_000),
)
def test_what_is_expected_is_never_nothing_nor_more_than_the_budget(
    tmp_path_factory: pytest.TempPathFactory,
    seen: list[tuple[float, float]],
    size: float,
    budget: int,
) -> None:
    host = HostMemory(tmp_path_factory.mktemp("memory"), 1000)
    for mb, peak in seen:
        host.learn("clash", mb, peak)
    assert 1 <= host.expected_mb("clash", size, budget) <= budget


def test_the_machine_has_memory() -> None:
    assert 256 < machine_mb() < 2**24
