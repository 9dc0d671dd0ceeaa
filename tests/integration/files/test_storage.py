"""Files in Supabase Storage: whole, once, and in spite of what happens on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ifcbase.errors import (
    ConfigError,
    FileMissing,
    FilesDamaged,
    FilesRefused,
    FilesUnavailable,
    FileUnreadable,
    LedgerUnavailable,
)
from ifcbase.files.backend import download_link, file_store
from ifcbase.files.local import LocalFiles
from ifcbase.files.storage import BUCKETS, SupabaseFiles, object_name
from ifcbase.files.storage_http import PART, StorageHttp
from ifcbase.files.store import bucket_of
from ifcbase.jobs.registry import CHECKS
from ifcbase.settings import Settings
from tests.integration.files.standin import KEY, Storage, running

BIG = 2 * PART + 12_345


@pytest.fixture
def service() -> Iterator[Storage]:
    with running() as found:
        yield found


@pytest.fixture
def http(service: Storage) -> Iterator[StorageHttp]:
    found = StorageHttp(service.url, KEY, service.token, pause_s=0.001)
    yield found
    found.close()


@pytest.fixture
def files(http: StorageHttp, tmp_path: Path) -> SupabaseFiles:
    return SupabaseFiles(http, tmp_path / "cache")


@pytest.fixture
def elsewhere(http: StorageHttp, tmp_path: Path) -> SupabaseFiles:
    """The same service seen from another machine, which has no copies."""
    return SupabaseFiles(http, tmp_path / "elsewhere")


def content(size: int) -> bytes:
    """Bytes that repeat nowhere, so that a part in the wrong place is seen."""
    block = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(2048))
    return b"".join(bytes([n % 251]) + block for n in range(size // len(block) + 1))[:size]


def made(tmp_path: Path, size: int) -> Path:
    path = tmp_path / "model.ifc"
    path.write_bytes(content(size))
    return path


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART, BIG])
def test_what_is_stored_is_read_elsewhere(
    files: SupabaseFiles, elsewhere: SupabaseFiles, service: Storage, tmp_path: Path, size: int
) -> None:
    path = made(tmp_path, size)
    stored = files.put("default", path)
    assert (stored.sha256, stored.size) == (hashlib.sha256(path.read_bytes()).hexdigest(), size)
    assert list(service.objects) == [("models", object_name("default", stored.sha256))]
    copy = elsewhere.fetch("default", stored.sha256)
    assert copy.read_bytes() == path.read_bytes()
    assert elsewhere.fetch("default", stored.sha256) == copy
    assert sum(each.startswith("GET") for each in service.asked) == 1


def test_the_same_bytes_are_sent_once(
    files: SupabaseFiles, elsewhere: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    path = made(tmp_path, BIG)
    assert (
        files.put("default", path) == files.put("default", path) == elsewhere.put("default", path)
    )
    assert sum(each.startswith("PATCH") for each in service.asked) == 3
    files.put("other", path)
    assert len(service.objects) == 2


#: What breaks on the way of a big file and of a small one, and heals by itself.
BREAKS = {
    "no answer": ("PATCH", "resumable", "drop"),
    "half a part came": ("PATCH", "resumable", "cut"),
    "a part came, its answer did not": ("PATCH", "resumable", "again"),
    "a gateway's 504": ("PATCH", "resumable", "504"),
    "a lock of the upload is held": ("PATCH", "resumable", "423"),
    "the upload is forgotten": ("PATCH", "resumable", "forget"),
    "the beginning is not answered": ("POST", "resumable", "drop"),
    "the question is not answered": ("HEAD", "authenticated", "drop"),
    "a reset, then an error": ("PATCH", "resumable", "500"),
}


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("times", [1, 3])
def test_an_upload_outlasts_what_breaks_it(
    files: SupabaseFiles, service: Storage, tmp_path: Path, fault: tuple[str, str, str], times: int
) -> None:
    path = made(tmp_path, BIG)
    service.faults += [fault] * times
    stored = files.put("default", path)
    assert service.faults == []
    assert service.objects == {("models", object_name("default", stored.sha256)): path.read_bytes()}


@pytest.mark.parametrize("fault", ["drop", "again", "503", "429", "500"])
def test_a_small_upload_outlasts_what_breaks_it(
    files: SupabaseFiles, service: Storage, tmp_path: Path, fault: str
) -> None:
    path = made(tmp_path, 1000)
    service.faults += [("POST", "/object/models", fault)]
    files.put("default", path)
    assert list(service.objects.values()) == [path.read_bytes()]


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("fault", ["drop", "cut", "502"])
def test_a_download_goes_on_where_it_broke(
    files: SupabaseFiles, elsewhere: SupabaseFiles, service: Storage, tmp_path: Path, fault: str,
    ranges: bool,
) -> None:  # fmt: skip
    path = made(tmp_path, BIG)
    stored = files.put("default", path)
    service.ranges = ranges
    service.faults += [("GET", "authenticated", fault)] * 2
    copy = elsewhere.fetch("default", stored.sha256)
    assert copy.read_bytes() == path.read_bytes()
    assert service.faults == []


def test_a_service_that_stays_away_is_told_as_not_stored_yet(
    files: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    """Workers treat it as they treat a database that is away: they keep the result and try again."""
    service.faults += [("POST", "/object/models", "503")] * 50
    with pytest.raises(FilesUnavailable, match="could not store a file") as caught:
        files.put("default", made(tmp_path, 10))
    assert isinstance(caught.value, LedgerUnavailable)
    assert caught.value.retryable
    service.faults.clear()
    files.put("default", tmp_path / "model.ifc")
    assert len(service.objects) == 1


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    http = StorageHttp("http://127.0.0.1:1", KEY, "t", tries=3, pause_s=0.001)
    with pytest.raises(FilesUnavailable):
        SupabaseFiles(http, tmp_path / "cache").put("default", made(tmp_path, 10))
    http.close()


@pytest.mark.parametrize("size", [2000, BIG])
def test_a_limit_is_told_with_the_setting_that_raises_it(
    files: SupabaseFiles, service: Storage, tmp_path: Path, size: int
) -> None:
    service.limit = 1000
    with pytest.raises(FilesRefused) as caught:
        files.put("default", made(tmp_path, size))
    assert "FILE_SIZE_LIMIT" in caught.value.hint
    assert sum(each.startswith("POST") for each in service.asked) == 1


def test_a_refusal_is_not_tried_again(
    files: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    service.token = "another"
    with pytest.raises(FilesRefused, match="row-level security"):
        files.put("default", made(tmp_path, 10))
    assert sum(each.startswith("POST") for each in service.asked) == 1


def test_other_bytes_under_the_name_are_never_given_out(
    files: SupabaseFiles, elsewhere: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    stored = files.put("default", made(tmp_path, BIG))
    (key,) = service.objects
    service.objects[key] = b"x" + service.objects[key][1:]
    with pytest.raises(FilesDamaged, match="something else"):
        elsewhere.fetch("default", stored.sha256)
    left = [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]
    assert left == []


def test_what_is_not_there_is_missing(elsewhere: SupabaseFiles, service: Storage) -> None:
    with pytest.raises(FileMissing, match="not in Storage"):
        elsewhere.fetch("default", "0" * 64)
    assert len(service.asked) == len(BUCKETS)


def test_outputs_are_found_in_the_bucket_of_their_check(
    files: SupabaseFiles, elsewhere: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    assert {bucket_of(name) for name in CHECKS} | {"models"} == set(BUCKETS)
    stored = files.put("default", made(tmp_path, 10), bucket_of("diff"))
    assert [bucket for bucket, _ in service.objects] == ["diff-results"]
    assert elsewhere.fetch("default", stored.sha256).read_bytes() == content(10)


def test_a_file_that_cannot_be_read_is_told_before_anything_is_sent(
    files: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    with pytest.raises(FileMissing):
        files.put("default", tmp_path / "none.ifc")
    with pytest.raises(FileUnreadable):
        files.put("default", tmp_path)
    assert service.asked == []


@pytest.mark.parametrize(("project", "sha256"), [("../x", "0" * 64), ("a", "x"), ("", "0" * 64)])
def test_names_that_lead_elsewhere_are_refused(project: str, sha256: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        object_name(project, sha256)


def test_a_large_file_goes_through_little_memory(service: Storage, tmp_path: Path) -> None:
    """In a process of its own: the stand-in holds whole files."""
    path = made(tmp_path, 10 * PART)
    program = f"""
import resource, sys
from pathlib import Path
from ifcbase.files.storage import SupabaseFiles
from ifcbase.files.storage_http import StorageHttp
http = StorageHttp({service.url!r}, {KEY!r}, {service.token!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stored = SupabaseFiles(http, Path({str(tmp_path / "one")!r})).put("default", Path({str(path)!r}))
copy = SupabaseFiles(http, Path({str(tmp_path / "two")!r})).fetch("default", stored.sha256)
print(copy.stat().st_size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    size, grown_mb = done.stdout.split()
    assert int(size) == 10 * PART
    assert float(grown_mb) < 40


def test_copies_used_longest_ago_go_first(
    http: StorageHttp, service: Storage, tmp_path: Path
) -> None:
    files = SupabaseFiles(http, tmp_path / "cache", cache_mb=1, spare_s=3600)
    stored = []
    for number in range(4):
        path = tmp_path / f"{number}.ifc"
        path.write_bytes(bytes([number]) * 400_000)
        stored.append(files.put("default", path))
    copies = sorted((tmp_path / "cache").rglob("*"))
    held = [path for path in copies if path.is_file()]
    assert len(held) == 4, "a running job may be reading them"
    for age, each in enumerate(stored):
        os.utime(LocalFiles(tmp_path / "cache").fetch("default", each.sha256), (age, age))
    files.fetch("default", stored[0].sha256)  # used: the newest now
    path = tmp_path / "more.ifc"
    path.write_bytes(b"more")
    files.put("default", path)
    left = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert {stored[0].sha256, stored[3].sha256} <= left
    assert not {stored[1].sha256, stored[2].sha256} & left
    assert files.fetch("default", stored[1].sha256).read_bytes() == bytes([1]) * 400_000


# --- links ----------------------------------------------------------------------------------------


def test_a_signed_link_downloads_without_a_key(
    files: SupabaseFiles, service: Storage, tmp_path: Path
) -> None:
    stored = files.put("default", made(tmp_path, 5000), "clash-results")
    path = files.link(
        "default", stored.sha256, "Bericht Ä & 1.json", bucket="clash-results", seconds=60
    )
    answer = httpx.get(service.url + path, timeout=30)
    assert answer.content == content(5000)
    assert "attachment" in answer.headers["Content-Disposition"]
    over = files.link("default", stored.sha256, "x", bucket="clash-results", seconds=-5)
    assert httpx.get(service.url + over, timeout=30).status_code == 400
    with pytest.raises(FileMissing):
        files.link("default", stored.sha256, "x", bucket="models")


# --- settings -------------------------------------------------------------------------------------


def settings(tmp_path: Path, **given: str) -> Settings:
    secret = {"supabase_service_key", "supabase_worker_jwt", "supabase_anon_key"}
    values = {k: SecretStr(v) if k in secret else v for k, v in given.items()}
    return Settings.model_validate({"home": tmp_path / "home", **values})


def test_settings_choose_the_backend(service: Storage, tmp_path: Path) -> None:
    assert isinstance(file_store(settings(tmp_path)), LocalFiles)
    chosen = settings(
        tmp_path, files_backend="supabase", supabase_url=service.url, supabase_anon_key=KEY,
        supabase_worker_jwt=service.token, supabase_service_key="not used",
        supabase_public_url="https://db.example.org/",
    )  # fmt: skip
    files = file_store(chosen)
    assert isinstance(files, SupabaseFiles)
    stored = files.put("default", made(tmp_path, 10))
    files.close()
    assert len(service.objects) == 1
    address = download_link(chosen, "default", stored.sha256, "a.ifc", bucket="models")
    assert address.startswith("https://db.example.org/storage/v1/object/sign/models/default/")


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, "SUPABASE_URL"), ({"supabase_url": "http://x"}, "needs a key"),
     ({"supabase_url": "http://x", "supabase_worker_jwt": "t"}, "needs a key")],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path: Path, given: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        file_store(settings(tmp_path, files_backend="supabase", **given))


def test_an_opaque_key_is_no_token(service: Storage) -> None:
    """Supabase's gateway puts a token in its place; sent as one it would be refused."""
    http = StorageHttp(service.url, "sb_secret_x", pause_s=0.001)
    assert "Authorization" not in http._client.headers
    http.close()
