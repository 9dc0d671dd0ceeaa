"""Files are taken in piece by piece, counted and hashed, and leave nothing behind."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import FileTooLarge, IfcTruncated, NotIfc
from ifcbase.files.local import LocalFiles
from ifcbase.files.receive import Receiver, keep
from tests.unit.files import made

MIB = 1 << 20


@given(cuts=st.lists(st.integers(1, 4000), max_size=20))
@settings(deadline=None, max_examples=25)
def test_the_hash_is_that_of_the_whole_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("in")
    content = made.step(20_000)
    with Receiver(folder, kind="ifc", name="a.ifc", limit=MIB) as receiver:
        rest = content
        for cut in cuts:
            receiver.write(rest[:cut])
            rest = rest[cut:]
        receiver.write(rest)
        received = receiver.finish()
        assert received.path.read_bytes() == content
    assert (received.sha256, received.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert not list(folder.iterdir())


def test_a_file_of_another_kind_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    receiving = Receiver(tmp_path, kind="ifc", name="a.ifc", limit=1 << 40)
    with receiving as receiver, pytest.raises(NotIfc):
        receiver.write(b"%PDF" + bytes(MIB))
    assert not list(tmp_path.iterdir())


def test_a_short_file_is_judged_at_its_end(tmp_path: Path) -> None:
    with Receiver(tmp_path, kind="ifc", name="a.ifc", limit=MIB) as receiver:
        receiver.write(b"ISO-10303-21;")
        with pytest.raises(IfcTruncated):
            receiver.finish()


def test_more_than_the_limit_is_refused_as_soon_as_it_comes(tmp_path: Path) -> None:
    with Receiver(tmp_path, kind="other", name="a", limit=MIB) as receiver:
        receiver.write(bytes(MIB))
        with pytest.raises(FileTooLarge):
            receiver.write(b"x")
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """200 MiB pass; the process may grow by what the interpreter does anyway, not by the file."""
    block = made.step(MIB)[:MIB]
    process = psutil.Process()
    with Receiver(tmp_path, kind="ifc", name="a.ifc", limit=1 << 30) as receiver:
        receiver.write(made.step(MIB))
        before = process.memory_info().rss
        for _ in range(200):
            receiver.write(block)
        receiver.write(made.step())
        received = receiver.finish()
        grown = process.memory_info().rss - before
    assert received.size > 200 * MIB
    assert grown < 32 * MIB


def test_a_received_file_moves_into_the_store(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path / "files")
    content = made.step(word=b"one")
    for _ in range(2):
        with Receiver(tmp_path / "in", kind="ifc", name="a.ifc", limit=MIB) as receiver:
            receiver.write(content)
            stored = keep(files, "default", receiver.finish())
    assert files.fetch("default", stored.sha256).read_bytes() == content
    assert not list((tmp_path / "in").iterdir())


def test_an_ifczip_becomes_the_model_inside_under_the_archives_name(tmp_path: Path) -> None:
    model = made.step(50_000)
    with Receiver(tmp_path, kind="ifc", name="Haus.ifcZIP", limit=MIB) as receiver:
        receiver.write(made.zipped({"inner.ifc": model}))
        received = receiver.finish()
        assert received.path.read_bytes() == model
    assert (received.name, received.original) == ("Haus.ifc", "Haus.ifcZIP")
    assert received.sha256 == hashlib.sha256(model).hexdigest()
