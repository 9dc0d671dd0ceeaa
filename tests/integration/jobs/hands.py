"""What tests of queue engines share: a worker's hands, a worker in a thread, waiting for something."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ifcbase.jobs.engine import Engine
from tests.integration.world import World

QUEUE = "ifcclash"


class Hands:
    """A worker's handle: notes the ids it gets, and can be held."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.busy = threading.Event()

    def __call__(self, job_id: str) -> None:
        self.busy.set()
        assert self.free.wait(30)
        self.got.append(job_id)


@contextmanager
def working(
    engine: Engine, hands: Hands, name: str = "w", queue: str = QUEUE
) -> Iterator[threading.Event]:
    """A worker in a thread; stopped at the end, and its failure is ours."""
    stop, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            engine.work([queue], hands, stop, name)
        except BaseException as error:  # noqa: BLE001 (handed to the test's thread)
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        hands.free.set()
        thread.join(30)
        assert not thread.is_alive()
        assert not failures


def until(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def deliver(world: World, engine: Engine, *ids: str, queue: str = QUEUE) -> None:
    with world.connection.transaction():
        for each in ids:
            engine.deliver(world.connection, queue, each)
    engine.committed(world.connection)


def some(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]
