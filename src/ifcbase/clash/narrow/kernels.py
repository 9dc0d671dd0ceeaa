"""Compile the kernels ahead: ``python -m ifcbase.clash.narrow.kernels``.

numba types and lowers every function once; LLVM then links the functions of a group into one
module, optimises it as a whole and writes one object file. The code is for any processor of its
kind, so an image or a wheel can carry it. No compiler is needed besides numba's own.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ifcbase.clash.narrow import native
from ifcbase.errors import FileUnwritable, IfcbaseError, KernelsUnusable
from ifcbase.progress import Progress, silent

MODULE = "ifcbase.clash.narrow.kernels"
PHASE = "preparing the clash kernels (once)"

#: Memory of arrays that kernels make for themselves, where numba's own runtime is not loaded.
#: A block is numba's MemInfo (count of references, destructor, its data, address, size), then data.
RUNTIME = """
declare ptr @malloc(i64)
declare void @free(ptr)
define linkonce_odr ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %wide = zext i32 %align to i64
  %more = add i64 %wide, 64
  %all = add i64 %size, %more
  %block = call ptr @malloc(i64 %all)
  %none = icmp eq ptr %block, null
  br i1 %none, label %fail, label %fill
fill:
  %address = ptrtoint ptr %block to i64
  %past = add i64 %address, %more
  %rest = urem i64 %past, %wide
  %start = sub i64 %past, %rest
  %data = inttoptr i64 %start to ptr
  store i64 1, ptr %block
  %p1 = getelementptr i8, ptr %block, i64 8
  store ptr null, ptr %p1
  %p2 = getelementptr i8, ptr %block, i64 16
  store ptr null, ptr %p2
  %p3 = getelementptr i8, ptr %block, i64 24
  store ptr %data, ptr %p3
  %p4 = getelementptr i8, ptr %block, i64 32
  store i64 %size, ptr %p4
  ret ptr %block
fail:
  ret ptr null
}
define linkonce_odr ptr @NRT_MemInfo_alloc_safe_aligned(i64 %size, i32 %align) {
  %block = call ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align)
  ret ptr %block
}
define linkonce_odr void @NRT_MemInfo_call_dtor(ptr %block) {
  call void @free(ptr %block)
  ret void
}
"""

#: What the machine code may ask of the process: the C library, never Python or numba.
OUTSIDE = frozenset(
    ["malloc", "free", "memcpy", "memset", "memmove", "atan2", "sqrt", "pow", "floor", "ceil"]
)


def _nobody(fraction: float) -> None:
    """Nobody wants to know how far it is."""


def build(progress: Progress = silent, *, into: Path | None = None) -> list[Path]:
    """Compile what is missing, in two processes; returns the files. Raises KernelsUnusable.

    Two builds at once do no harm: each file appears at once and as a whole. Without ``into`` the
    files go to ``native.folder()``. Raises FileUnwritable if that cannot be written.
    """
    place = into or native.folder()
    found = {
        group: None if into else native.find(group) or _existing(group, place)
        for group in native.GROUPS
    }
    missing = [group for group, path in found.items() if path is None]
    if not missing:
        return [path for path in found.values() if path is not None]
    if not is_writable(place):
        raise FileUnwritable(f"{place} cannot be written, so compiled kernels cannot be kept there")
    done = dict.fromkeys(missing, 0.0)
    lock = threading.Lock()

    def tell(group: str, fraction: float) -> None:
        with lock:
            done[group] = fraction
            progress(PHASE, sum(done.values()) / len(done))

    with ThreadPoolExecutor(len(missing)) as pool:
        made = pool.map(lambda g: build_group(g, place, lambda f: tell(g, f)), missing)
        return list(made)


def _existing(group: str, place: Path) -> Path | None:
    path = place / native.file_name(group)
    return path if path.is_file() else None


def is_writable(place: Path) -> bool:
    """Whether files can be put there; the folder is made."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK)


def build_group(group: str, place: Path, tell: Callable[[float], None] = _nobody) -> Path:
    """Compile one group in a process of its own; the file it made. Raises KernelsUnusable."""
    source = str(Path(native.__file__).parents[3])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [source, environment.get("PYTHONPATH", "")])
    )
    environment["NUMBA_OPT"] = "0"  # the whole is optimised once, in the end
    command = [sys.executable, "-m", MODULE, "--group", group, "--into", str(place)]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        errors: list[str] = []
        reader = threading.Thread(target=errors.extend, args=(child.stderr or (),), daemon=True)
        reader.start()
        for line in child.stdout or ():
            tell(float(line))
        reader.join()
    if child.returncode != 0:
        raise KernelsUnusable("the clash kernels could not be compiled", detail="".join(errors))
    return place / native.file_name(group)


# --- in the child --------------------------------------------------------------------------------


def compile_group(group: str, place: Path) -> None:
    """Compile one group here and put its file in place; prints the fraction done."""
    import gc

    from ifcbase.clash.narrow._doors import DOORS

    gc.disable()  # compiling makes millions of objects and few of them ever go
    doors = DOORS[group]
    _without_machine_code()
    texts = []
    for k, (name, (function, signature)) in enumerate(doors.items()):
        texts.append((name, *_lower(function, signature)))
        _say((k + 1) / (len(doors) + 1))
    code = _object_file(texts)
    data = native.pack({name: _flat(signature) for name, (_, signature) in doors.items()}, code)
    path = place / native.file_name(group)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _say(1.0)


def _flat(signature: str) -> str:
    """The signature with ``S`` written out."""
    from ifcbase.clash.narrow.layout import COLUMN_TYPES

    solids = " ".join(f"{dtype}:{n}" for dtype, n in COLUMN_TYPES)
    return " ".join(solids if word == "S" else word for word in signature.split())


def _without_machine_code() -> None:
    """Have numba stop at LLVM's form in this process: it would compile every function alone."""
    from numba.core.cpu import CPUContext
    from numba.core.registry import cpu_target

    class Context(CPUContext):  # type: ignore[misc]
        def get_executable(self, library: Any, fndesc: Any, env: Any) -> Any:  # noqa: ARG002
            return [].append  # one builtin for each, which nobody calls

    context = Context(cpu_target.typing_context, "cpu").with_aot_codegen("kernels")
    cpu_target._toplevel_target_context = context


def _lower(function: Any, signature: str) -> tuple[str, bytes]:
    """LLVM's form of a door with all it calls, and the name it has there."""
    from numba import types
    from numba.core.compiler_lock import global_compiler_lock

    from ifcbase.clash.narrow.layout import COLUMN_TYPES, Pieces

    scalars = {
        "f8": types.float64,
        "i8": types.int64,
        "i4": types.int32,
        "u1": types.uint8,
    }

    def of(word: str) -> Any:
        if word == "S":
            return types.NamedTuple([of(f"{dtype}:{n}") for dtype, n in COLUMN_TYPES], Pieces)
        dtype, _, dimensions = word.partition(":")
        return types.Array(scalars[dtype], int(dimensions), "C") if dimensions else scalars[dtype]

    arguments = tuple(of(word) for word in signature.split())
    function.compile(arguments)
    made = function.overloads[arguments]
    with global_compiler_lock:
        return made.fndesc.llvm_func_name, made.library.emit_bitcode()


def _object_file(texts: list[tuple[str, str, bytes]]) -> bytes:
    """One optimised object file of all doors; everything else in it is private."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_bitcode(texts[0][2])
    for _, _, text in texts[1:]:
        module.link_in(llvm.parse_bitcode(text))
    module.link_in(llvm.parse_assembly(RUNTIME))
    names = {inside: native.symbol(name) for name, inside, _ in texts}
    for function in module.functions:
        if function.name in names:
            function.name = names[function.name]
            function.linkage = "external"
        elif not function.is_declaration:
            function.linkage = "internal"
    target = llvm.Target.from_default_triple()
    x86 = target.name.startswith("x86")
    machine = target.create_target_machine(
        opt=2, reloc="static" if x86 else "default", codemodel="jitdefault", jit=True
    )
    # First inlining, which brings counting references up and down together; then what cancels out.
    for level in (1, 2):
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = False
        options.slp_vectorization = False
        builder = llvm.create_pass_builder(machine, options)
        passes = builder.getModulePassManager()
        if level == 2:
            passes.add_refprune_pass()
        passes.run(module, builder)
    asked = {f.name for f in module.functions if f.is_declaration}
    strange = {n for n in asked if n not in OUTSIDE and not n.startswith("llvm.")}
    if strange:
        raise KernelsUnusable("the clash kernels need more than they may", detail=str(strange))
    code: bytes = machine.emit_object(module)
    return code


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ifcbase.clash.narrow.kernels")
    parser.description = "Compile the clash kernels ahead, so that no first run waits for it."
    parser.add_argument("--into", type=Path, help="folder of the files")
    parser.add_argument(
        "--package", action="store_true", help="beside the program: for images and wheels"
    )
    parser.add_argument("--group", choices=native.GROUPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.group:
        compile_group(options.group, options.into)
        return 0

    def show(phase: str, fraction: float, note: str = "") -> None:
        _say(f"{phase}: {fraction:.0%} {note}".rstrip())

    try:
        into = native.package_folder() if options.package else options.into
        for path in build(show, into=into):
            _say(path)
    except IfcbaseError as error:
        sys.stderr.write(f"{error.message}. {error.hint}\n{error.detail or ''}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
