"""The process that meshes files, one after the other: native code may crash here and only here.

Tasks come as lines of JSON on standard input; answers go as lines of JSON to what was standard
output. Whatever native code prints ends on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ifcbase.errors import ComputeError, IfcbaseError
from ifcbase.ifc.mesh_cache import entry_key, stage, stage_reading, stage_signed
from ifcbase.ifc.meshing.build import default_meshers, engine_facts, mesh_file
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.meshing.mesher import Source, Wanted
from ifcbase.ifc.reading import read_model, reading_key
from ifcbase.ifc.signed import signing_key
from ifcbase.ifc.traits import read_signatures


def serve(tasks: TextIO, answers: TextIO) -> None:
    """Answer tasks until there are no more."""

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    for line in tasks:
        try:
            task = json.loads(line)
            say(event="done", entry=str(_run(task, say)))
        except IfcbaseError as error:
            say(event="error", error=error.to_dict())
        except MemoryError:
            say(event="error", error=ComputeError("meshing ran out of memory").to_dict())
        except Exception as error:  # noqa: BLE001  the border of the process: typed on the other side
            failure = ComputeError("meshing failed unexpectedly", detail=repr(error))
            say(event="error", error=failure.to_dict())


def _run(task: dict[str, Any], say: Any) -> Path | str:
    folder, key = Path(task["stage"]), task["key"]
    source = Source(Path(task["path"]))
    if task["selections"] is None:
        wanted = Wanted(
            np.array(task["step_ids"], np.int64),
            tuple(task["global_ids"]),
            tuple(task["ifc_classes"]),
        )
    else:
        say(event="start", mesher="reading", elements=0)
        selections = [(mode, selector) for mode, selector in task["selections"]]
        read, model = read_model(source.path, task["sha256"], selections)
        source = Source(source.path, model)
        staged = stage_reading(folder, reading_key(task["sha256"], selections), read)
        say(event="read", entry=str(staged))
        wanted = Wanted.of(read.inventory.elements[i] for i in read.union())
        key = entry_key(task["sha256"], wanted, engine_facts(default_meshers()))
        if task["sign"]:
            # After a crash of the fast mesher the shapes are left out: then it is not tried again.
            fast = FastMesher() if FastMesher.name in task["meshers"] else None
            say(event="start", mesher=FastMesher.name, elements=len(read.inventory))
            signatures = read_signatures(model, read.inventory, source, mesher=fast)
            key_of_them = signing_key(task["sha256"], FastMesher().version)
            say(event="signed", entry=str(stage_signed(folder, key_of_them, signatures)))
    if not task["mesh"]:
        return ""
    meshers = [m for m in default_meshers() if m.name in task["meshers"]]
    meshes = mesh_file(
        source,
        wanted,
        meshers=meshers,
        watch=lambda mesher, elements: say(event="start", mesher=mesher, elements=elements),
    )
    return stage(folder, key, meshes)


def main() -> None:
    """Keep the answers apart from what libraries print."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
