"""Nobody imports upward: the order of the rooms, enforced."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src" / "ifcbase"

#: A room may import rooms of a smaller number only. Modules named here are rooms of their own.
LEVELS = {
    "ifcbase": 0,
    "ifcbase.errors": 0,
    "ifcbase.defaults": 0,
    "ifcbase.progress": 0,
    "ifcbase.loglines": 0,
    "ifcbase.sqlfiles": 1,
    "ifcbase.settings": 1,
    "ifcbase.ifc": 2,
    "ifcbase.files": 2,
    "ifcbase.samples": 2,
    "ifcbase.stack": 2,
    "ifcbase.clash": 3,
    "ifcbase.conversion": 3,
    "ifcbase.tester": 3,
    "ifcbase.diff": 3,
    "ifcbase.ledger": 4,
    "ifcbase.exchange": 4,
    "ifcbase.exchange.recorded": 5,
    "ifcbase.clash.record": 5,
    "ifcbase.conversion.record": 5,
    "ifcbase.tester.record": 5,
    "ifcbase.diff.record": 5,
    "ifcbase.webhooks": 5,
    "ifcbase.client": 2,
    "ifcbase.supabase_client": 5,
    "ifcbase.jobs": 6,
    "ifcbase.gateway": 7,
    "ifcbase.cli": 8,
    "ifcbase.__main__": 9,
}
#: Rooms that know nothing of the rest but errors and settings.
ALONE = {"ifcbase.stack", "ifcbase.samples", "ifcbase.files", "ifcbase.client"}


def room_of(module: str) -> str:
    """The most specific room a module lies in."""
    while module not in LEVELS:
        module, _, _ = module.rpartition(".")
        assert module, "a module outside of every room"
    return module


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                inner = SOURCE.parent / Path(*node.module.split(".")) / alias.name
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                found.add(f"{node.module}.{alias.name}" if is_module else node.module)
    return {name for name in found if name.split(".")[0] == "ifcbase"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_module_imports_upward(path: Path) -> None:
    me = name_of(path)
    mine = room_of(me)
    for other in imports_of(path):
        theirs = room_of(other)
        if theirs == mine or other == me:
            continue
        assert LEVELS[theirs] < LEVELS[mine], f"{me} imports {other}"
        if mine in ALONE:
            assert LEVELS[theirs] < 2, f"{me} imports {other}; {mine} stands alone"


def test_the_checker_sees_imports(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from ifcbase.jobs import worker\n    import ifcbase.errors\n")
    assert imports_of(file) == {"ifcbase.jobs.worker", "ifcbase.errors"}


def test_the_parent_of_the_sandbox_never_loads_native_libraries() -> None:
    """Workers and the command line must survive what IfcOpenShell does to a process."""
    native = {"ifcopenshell", "ifcfast", "manifold3d"}
    for path in modules():
        if room_of(name_of(path)) not in {"ifcbase.jobs", "ifcbase.ledger", "ifcbase.clash.record"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            assert not native & {name.split(".")[0] for name in names}, path
