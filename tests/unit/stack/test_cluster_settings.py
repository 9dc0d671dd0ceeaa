"""Starting a server on a disk that takes nothing more."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from ifcbase.errors import StackError
from ifcbase.stack.cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    binaries: Any = None
    found = Cluster(binaries, tmp_path, "pg-18", None)
    found.data.mkdir()
    found.log.mkdir()
    return found


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EROFS, "can be written"),
    ],
)
@pytest.mark.parametrize("method", ["write_text", "touch"])
def test_a_full_disk_ended_whoever_started_the_server(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, number: int, hint: str, method: str
) -> None:
    """An OSError ended the thread that keeps the lease; it is an error of ours."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(Path, method, refused)
    with pytest.raises(StackError, match=r"settings .* could not be written") as raised:
        cluster.start(20000, timeout_s=1)
    assert hint in raised.value.hint
