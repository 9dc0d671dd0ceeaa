"""Fixtures of the whole suite: where the real models and cases are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests have homes of their own; machine code is compiled once for all of them.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path("~/.ifcbase/cache").expanduser()))

ROOT = Path(__file__).resolve().parent.parent
#: What stands around the main job: these suites are `make test-long`'s, beside the tests marked long.
AROUND = tuple(
    str(ROOT / "tests" / "integration" / name)
    for name in ("backup", "gateway", "monitoring", "operations", "webhooks")
)


def _shared(variable: str, default: str) -> Path:
    """A folder of test data that users do not have: skip without it, but never in CI."""
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / default)
    if not folder.is_dir():
        reason = f"needs test data: set {variable} to its folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """Real IFC federations."""
    return _shared("IFCBASE_MODELS", "models")


@pytest.fixture(scope="session")
def ids_cases_folder() -> Path:
    """The official IDS test cases."""
    return _shared("IFCBASE_IDS_CASES", "ids-testcases")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suites that `make test` leaves to `make test-long`."""
    for item in items:
        if str(item.path).startswith(AROUND):
            item.add_marker(pytest.mark.long)
