"""LLVM IR to machine code in this process, kept on disk, run on torch's own threads.

No compiler is needed: LLVM comes as a wheel. Code is kept under the user's cache folder by what it was made
from (IR, processor, LLVM), so a second process loads it.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import torch

from snnctl.core.files import home, write_bytes

log = logging.getLogger("snnctl.kernels")

_LOCK = threading.Lock()


class Compiled:
    """A compiled `void f(i64*)`.

    Args:
        name: its symbol.
        text: LLVM IR that defines it, or what writes that.
        made_from: all that `text` is made from, where it is quicker to say than the text; empty: the text itself.
    """

    def __init__(self, name: str, text: str | Callable[[], str], made_from: str = "") -> None:
        self.name = name
        begun = perf_counter()
        with _LOCK:
            self._engine, self.address, self.from_disk = _compile(name, text, made_from)
        self.seconds = perf_counter() - begun
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.address)
        log.debug("kernel %s: %s in %.3f s", name, "loaded" if self.from_disk else "compiled", self.seconds)

    def __call__(self, array: Any, threads: int) -> None:
        """Run on `threads` threads at once, each with the same array of 64-bit arguments."""
        if threads <= 1:
            self._call(array)
        else:
            _on_threads()(self, array, threads)


@cache
def host() -> tuple[Any, str, str]:
    """LLVM's target of this processor, the processor's name, and what it can do."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    flags = llvm.get_host_cpu_features().flatten()
    triple = llvm.get_default_triple()
    if triple.startswith(("x86_64", "i686")):
        flags += ",-prefer-256-bit"  # LLVM would halve our vectors where wide ones once lowered the clock
    return llvm.Target.from_triple(triple), llvm.get_host_cpu_name(), flags


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or (home() / ".cache")
    return Path(base) / "snnctl" / "kernels"


def _compile(name: str, text: str | Callable[[], str], made_from: str) -> tuple[Any, int, bool]:
    target, processor, flags = host()
    machine = target.create_target_machine(cpu=processor, features=flags, opt=3, jit=True)  # the engine will own it
    versions = f"{llvmlite.__version__} {llvm.llvm_version_info} {processor} {flags}"
    if not made_from:
        made_from = text = text if isinstance(text, str) else text()
    key = hashlib.sha256(f"{versions}\n{made_from}".encode()).hexdigest()[:32]
    kept = cache_folder() / f"{name}-{key}.o"
    loaded = _read(kept)
    if loaded is not None:
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(loaded))
        engine.finalize_object()
        return engine, engine.get_function_address(name), True
    module = llvm.parse_assembly(text if isinstance(text, str) else text())
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    llvm.create_pass_builder(machine, options).getModulePassManager().run(
        module, llvm.create_pass_builder(machine, options)
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.set_object_cache(notify_func=lambda _module, code: _write(kept, code))
    engine.finalize_object()
    return engine, engine.get_function_address(name), False


@cache
def sources_digest(*names: str) -> str:
    """A digest of modules of this room: of what writes the code that is kept."""
    found = hashlib.sha256()
    for name in names:
        found.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return found.hexdigest()


def _read(file: Path) -> bytes | None:
    """What was kept: a digest of 32 bytes, then the code; None if absent or damaged."""
    try:
        found = file.read_bytes()
    except OSError:
        return None
    digest, code = found[:32], found[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(file: Path, code: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, hashlib.sha256(code).digest() + code)
    except OSError as error:  # a cache that cannot be written costs time, nothing else
        log.debug("kernel not kept on disk: %s", error)


def describe() -> str:
    """What the compiled code is made for, how it runs, and where it is kept."""
    _, processor, flags = host()
    wide = "AVX-512" if "+avx512f" in flags else "AVX2" if "+avx2" in flags else "NEON" if "+neon" in flags else "plain"
    threads = "torch's OpenMP threads" if openmp() is not None else "a thread pool of its own"
    return (
        f"LLVM {'.'.join(map(str, llvm.llvm_version_info))} for {processor} ({wide}), {torch.get_num_threads()} of"
        f" {threads}, kept in {cache_folder()}"
    )


# threads


@cache
def _on_threads() -> Callable[[Compiled, Any, int], None]:
    return _run_in_openmp if openmp() is not None else _run_in_pool


@cache
def openmp() -> Any:
    """`GOMP_parallel` of the OpenMP library that torch itself has loaded, or None where torch uses another.

    Sharing torch's threads matters: a pool of our own would compete with torch's, which spin for a while
    after each of its operations.
    """
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:
            paths = {line.split()[-1] for line in maps if "libgomp" in line}
        beside = [path for path in paths if path.startswith(str(Path(torch.__file__).parent))] or sorted(paths)
        if len(beside) != 1:
            return None
        found = ctypes.CDLL(beside[0]).GOMP_parallel
    except (OSError, AttributeError):
        return None
    found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    found.restype = None
    return found


def _run_in_openmp(kernel: Compiled, array: Any, threads: int) -> None:
    openmp()(kernel.address, array, threads, 0)


_POOL: list[Any] = [0, None]  # process that owns it, and the pool: a forked child makes its own


def _run_in_pool(kernel: Compiled, array: Any, threads: int) -> None:
    with _LOCK:
        if _POOL[0] != os.getpid():
            workers = max((os.cpu_count() or 1) - 1, 1)
            _POOL[:] = [os.getpid(), ThreadPoolExecutor(workers, thread_name_prefix="snnctl-kernel")]
        pool: ThreadPoolExecutor = _POOL[1]
    others: list[Future[None]] = [pool.submit(kernel._call, array) for _ in range(threads - 1)]
    kernel._call(array)
    for other in others:
        other.result()
