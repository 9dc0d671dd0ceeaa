from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.calling import Caller

MODEL = "ISO-10303-21;\nHEADER;\nENDSEC;\nDATA;\nENDSEC;\nEND-ISO-10303-21;\n"


@pytest.fixture
def ifcbase(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Caller:
    """`ifcbase` in an empty folder with an empty home."""
    for name in ("DATABASE_URL", "IFCBASE_EMBEDDED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IFCBASE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.chdir(tmp_path)
    return Caller(monkeypatch, capsys)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that looks like a model at first sight."""
    path = tmp_path / "model.ifc"
    path.write_text(MODEL, encoding="ascii")
    return path
