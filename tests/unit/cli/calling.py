"""Calling `ifcbase` within the test's own process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from ifcbase.cli import main
from ifcbase.settings import get_settings


@dataclass(frozen=True)
class Called:
    """What a command did."""

    code: int
    out: str
    err: str


class Caller:
    """`ifcbase` as its entry point runs it; without a database unless the test names one."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch = patch
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Called:
        get_settings.cache_clear()
        self.patch.setattr(sys, "argv", ["ifcbase", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        get_settings.cache_clear()
        told = self._capsys.readouterr()
        code = ended.value.code
        return Called(code if isinstance(code, int) else 0, told.out, told.err)
