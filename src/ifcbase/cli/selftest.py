"""The engine on a small model whose clashes are known; native code only in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ifcbase.errors import ComputeError
from ifcbase.settings import Settings

_TIMEOUT_S = 600
_SIDES = ("Architecture", "Services")


def found_and_planted(
    folder: Path, settings: Settings
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The pairs the engine finds between two models of a sample building, and those planted there,
    by GlobalId. Raises ComputeError."""
    planted = {(a, b) for a, b in json.loads(_said(["-m", __name__, str(folder)]))}
    models = [str(next(folder.glob(f"*{side}*.ifc"))) for side in _SIDES]
    words = ["-m", "ifcbase", "clash", "--a", models[0], "--b", models[1], "--json"]
    words += ["--engine", settings.clash_engine]
    (document,) = json.loads(_said(words, fine=(0, 1)))
    found = {(c["a_global_id"], c["b_global_id"]) for c in document["clashes"].values()}
    return found, planted


def _said(words: list[str], fine: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode not in fine:
        raise ComputeError(
            "the engine does not run on a small model",
            hint="Install ifcbase again; `ifcbase clash` on a small file shows the error.",
            detail=(done.stdout + done.stderr)[-4000:],
        )
    return done.stdout


def main() -> None:
    """Write the sample into the folder that is named, and print the pairs that clash in it."""
    from ifcbase import samples

    sample = samples.build(Path(sys.argv[1]), storeys=1, bays=(1, 1))
    pairs = [
        (each.global_id_a, each.global_id_b)
        for each in sample.truth
        if each.kind in ("clash", "contained", "duplicate")
        and (each.model_a, each.model_b) == _SIDES
    ]
    sys.stdout.write(json.dumps(pairs))


if __name__ == "__main__":
    main()
