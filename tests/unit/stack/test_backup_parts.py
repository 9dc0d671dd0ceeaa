"""Encryption, retention and the folder of backups, without a database."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import BackupDamaged, BackupMissing, ConfigError
from ifcbase.stack.backup.crypt import Key
from ifcbase.stack.backup.facts import differences
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.retaining import Keep, obsolete

KEY = Key("a passphrase", b"0" * 16)
OTHER = Key("another", b"0" * 16)
PIECE = 1024 * 1024


def encrypted(content: bytes, size: int = 70_000) -> bytes:
    pieces = (content[i : i + size] for i in range(0, len(content), size))
    return b"".join(KEY.encrypted(pieces))


def decrypted(content: bytes, key: Key = KEY) -> bytes:
    return b"".join(key.decrypted(io.BytesIO(content), "x"))


@pytest.mark.parametrize(
    "length", [0, 1, 4096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 5]
)
def test_what_was_encrypted_comes_back(length: int) -> None:
    content = bytes(i * 7 % 251 for i in range(length))
    sealed = encrypted(content)
    assert decrypted(sealed) == content
    assert content[:100] not in sealed or length < 16
    with pytest.raises(BackupDamaged, match="passphrase"):
        decrypted(sealed, OTHER)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.data())
def test_nothing_that_was_changed_is_taken(data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=2000))
    sealed = encrypted(content)
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    cut = sealed[:at]
    for wrong in (changed, cut, sealed + b"x"):
        with pytest.raises(BackupDamaged):
            decrypted(wrong)


def test_pieces_cannot_change_places_or_be_left_out() -> None:
    content = bytes(PIECE) + b"1" * PIECE + b"2"
    sealed = encrypted(content)
    head, size = sealed[:24], PIECE + 16
    first, second, last = (
        sealed[24 : 24 + size],
        sealed[24 + size : 24 + 2 * size],
        sealed[24 + 2 * size :],
    )
    assert decrypted(head + first + second + last) == content
    for wrong in (first + last, second + first + last, first + second, second + last, first):
        with pytest.raises(BackupDamaged):
            decrypted(head + wrong)


def test_the_same_content_is_never_encrypted_the_same_way() -> None:
    assert encrypted(b"content") != encrypted(b"content")


def name(moment: datetime) -> str:
    return f"ifcbase-{moment:%Y%m%dT%H%M%SZ}"


def test_daily_backups_of_a_year_are_thinned() -> None:
    start = datetime(2026, 1, 1, 2, tzinfo=UTC)
    kept: list[str] = []
    for day in range(400):
        kept.append(name(start + timedelta(days=day)))
        gone = obsolete(kept, Keep(7, 5, 12))
        kept = [each for each in kept if each not in gone]
    # Seven days; the ends of the weeks and months before them; some are both.
    assert kept[-7:] == [name(start + timedelta(days=d)) for d in range(393, 400)]
    assert len(kept) == 20
    months = {each[8:14] for each in kept}
    assert len(months) == 12


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.sets(st.integers(0, 2000), min_size=1, max_size=60),
    st.tuples(st.integers(1, 8), st.integers(0, 6), st.integers(0, 6)),
)
def test_the_newest_and_the_newest_verified_always_stay(
    hours: set[int], counts: tuple[int, int, int]
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    names = [name(start + timedelta(hours=each)) for each in sorted(hours)]
    trusted = names[:1]
    gone = obsolete(names, Keep(*counts), trusted)
    assert names[-1] not in gone
    assert names[0] not in gone
    assert len(names) - len(gone) <= sum(counts) + 2
    # Thinning what was thinned removes nothing more.
    assert obsolete([each for each in names if each not in gone], Keep(*counts), trusted) == []


def test_an_empty_folder_has_no_newest(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "none")
    assert folder.names() == []
    with pytest.raises(BackupMissing):
        folder.newest()
    with pytest.raises(BackupMissing):
        folder.read("../../etc")
    with pytest.raises(ConfigError, match="passphrase"):
        folder.key()


def test_differences_say_what_happened() -> None:
    before = {"rows a.b": "3 1 2", "view x": "1", "policy y": "1", "same": "1"}
    after = {"rows a.b": "2 1 1", "view x": "2", "new z": "1", "same": "1"}
    assert differences(before, after) == [
        "new z: was not there before",
        "policy y: is missing",
        "rows a.b: 3 rows became 2, or others",
        "view x: differs",
    ]
