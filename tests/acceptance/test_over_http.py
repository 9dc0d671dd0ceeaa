"""From files to a result with nothing but the HTTP API: how n8n, CI and Python scripts work."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifcbase import samples
from ifcbase.client import Client
from tests.acceptance.stand import Stand
from tests.acceptance.test_up import up

pytestmark = pytest.mark.long


def test_a_federation_goes_in_and_its_clashes_come_out(
    embedded: Stand, sample: samples.Sample, tmp_path: Path
) -> None:
    with up(embedded) as running:
        address, key = running.after("HTTP API at "), running.after("shown this once: ")
        assert address is not None
        assert key is not None
        with Client(address, key=key) as client:
            one, other = (
                client.add_version(name, sample.files[name])
                for name in ("Architecture", "Services")
            )
            job = client.clash("A x S", [one], [other], mode="intersection", tolerance=0.01)
            done = client.wait(job)
            assert done.outcome is not None
            assert done.outcome["verdict"] == "found"
            pairs = list(client.pairs("A x S", state="new"))
            assert len(pairs) == done.outcome["clash_count"] > 0
            (report,) = [client.download(path, tmp_path) for path in done.outputs]
            assert report.stat().st_size > 0
