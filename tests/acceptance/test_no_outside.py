"""Nothing calls home: the acceptance tests of the main job pass where there is no way out at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.stand import ROOT

pytestmark = pytest.mark.long
#: The demo with database and workers; the kept service with its gateway, and a job by HTTP.
MAIN_JOB = (
    "tests/acceptance/test_demo.py::test_the_demo_in_an_empty_home_twice[ourselves]",
    "tests/acceptance/test_over_http.py",
)


def cannot() -> str | None:
    """Why there can be no namespace here."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "network namespaces are Linux's, and `unshare` makes them"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return made.stderr.strip() or "not allowed" if made.returncode else None


@pytest.mark.timeout(1200)
def test_the_main_job_without_any_way_outside(tmp_path: Path) -> None:
    """The counter of the kernel says also what was tried and failed unnoticed."""
    reason = cannot()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "tests.acceptance.without_outside",
         sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-p", "no:cacheprovider",
         "--basetemp", str(tmp_path / "inside"), *MAIN_JOB],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    told = f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    assert done.returncode == 0, told
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["interfaces"] == ["lo"], "the namespace has a way out"
    assert found["refused"] == "ENETUNREACH"
    assert found["noticed"] == 1, "the kernel counts who asks for a way out"
    assert found["attempts"] == 0, f"something wanted to get out: {told}"
    assert " skipped" not in done.stdout, told
