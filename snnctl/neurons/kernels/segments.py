"""Work over [rows, neurons] cut into segments that stay in the caches, and segments dealt out to threads.

One half of this writes the loops that every kernel begins with; the other plans them at run time.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snnctl.neurons.kernels.jit import Compiled
from snnctl.neurons.kernels.vector_ir import I64, VECTOR_BYTES, Emitter

REAL_TYPES = {"float32": torch.float32, "float64": torch.float64}
REALS = {torch.float32: "float32", torch.float64: "float64", torch.bfloat16: "bfloat16"}

# Arguments that every kernel begins with.
COMMON = (
    "next_chunk",
    "next_worker",
    "chunks",
    "chunk_segments",
    "segment",
    "elements",
    "steps",
    "scratch",
    "scratch_stride",
    "padded",
)

# Neurons per segment: their membranes (and, backward, the potentials of all steps) stay in the first caches.
_SEGMENT, _SMALLEST_SEGMENT, _POTENTIALS = 2048, 64, 65536
# Units of work: a fixed number, so that sums come out the same whatever the number of threads.
_CHUNKS = 32
# Less work than this (values read and written) is done sooner by one thread than others are woken.
_WORTH_THREADS = 1 << 16

_scratch = threading.local()


@contextmanager
def segments(emit: Emitter) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Chunk, first element, elements and scratch of every segment of every chunk that this thread takes."""
    builder = emit.builder
    worker = emit.take_ticket("next_worker")
    offset = builder.mul(worker, emit.number("scratch_stride"))
    scratch = builder.gep(emit.pointer("scratch"), [offset], source_etype=emit.scalar)
    segment, elements, each = (emit.number(name) for name in ("segment", "elements", "chunk_segments"))
    with emit.shared_work() as chunk:
        first = builder.mul(chunk, each)
        with emit.loop(I64(0), each) as number:
            base = builder.mul(builder.add(first, number), segment)
            with builder.if_then(builder.icmp_signed("<", base, elements)):
                yield chunk, base, emit.smaller(segment, builder.sub(elements, base)), scratch


class Plan(NamedTuple):
    segment: int
    padded: int
    chunks: int
    chunk_segments: int
    repeats: int
    threads: int


def planned(elements: int, passes: int, channels: int, rows_kept: int, real: torch.dtype, threads: int) -> Plan:
    """Cut `elements` neurons, each costing `passes` reads and writes, into segments of whole channel rows, and those
    into chunks."""
    target = _SEGMENT if rows_kept <= 1 else min(max(_POTENTIALS // rows_kept, _SMALLEST_SEGMENT), _SEGMENT)
    if channels == 1:  # few neurons over many steps: still a segment for every thread
        while target > _SMALLEST_SEGMENT and elements < target * 2 * threads:
            target //= 2
    lanes = VECTOR_BYTES // real.itemsize
    repeats = max(min(target, elements) // channels, 1)
    segment = repeats * channels
    padded = -(-segment // lanes) * lanes
    segments = -(-elements // segment)
    chunk_segments = max(-(-segments // _CHUNKS), 1)
    chunks = -(-segments // chunk_segments)
    if elements * passes < _WORTH_THREADS:
        threads = 1
    return Plan(segment, padded, chunks, chunk_segments, repeats, min(threads, chunks))


class Launch:
    """A kernel with all that does not change between calls of one shape; only addresses are left to fill in.

    Args:
        rows_kept: rows of a segment that the scratch memory holds besides the membranes.
        given: values of some of the arguments, which are named by `slots`.
        held: kept alive as long as the launch.
    """

    def __init__(
        self,
        kernel: Compiled,
        slots: tuple[str, ...],
        plan: Plan,
        real: torch.dtype,
        rows_kept: int,
        given: dict[str, int],
        held: Any = None,
    ) -> None:
        self.kernel, self.plan, self.real, self.held = kernel, plan, real, held
        stride = (rows_kept + 1) * plan.padded
        self.scratch = stride * plan.threads
        values = {**plan._asdict(), "scratch_stride": stride, **given}
        self._kind = ctypes.c_int64 * len(slots)
        self._template = bytes(self._kind(*(values.get(slot, 0) for slot in slots)))
        self.places = {slot: place for place, slot in enumerate(slots)}

    def array(self) -> Any:
        """The arguments, with zeros where tensors and scratch memory go."""
        return self._kind.from_buffer_copy(self._template)

    def run(self, tensors: Mapping[str, Tensor | None]) -> Any:
        """Run it with these tensors in its slots; the arguments as it left them."""
        array = self.array()
        array[self.places["scratch"]] = scratch_of(self.scratch, self.real)
        for slot, tensor in tensors.items():
            if tensor is not None:
                array[self.places[slot]] = tensor.data_ptr()
        self.kernel(array, self.plan.threads)
        return array


def scratch_of(needed: int, real: torch.dtype) -> int:
    """Address of `needed` values that belong to this Python thread until the next call."""
    name = "float32" if real == torch.float32 else "float64"
    scratch: Tensor | None = getattr(_scratch, name, None)
    if scratch is None or scratch.numel() < needed:
        scratch = torch.empty(needed, dtype=real)
        setattr(_scratch, name, scratch)
    return scratch.data_ptr()


@lru_cache(maxsize=256)
def c_numbers(values: tuple[float, ...], real: torch.dtype) -> ctypes.Array[Any]:
    """Numbers where kernels can read them."""
    return ((ctypes.c_float if real == torch.float32 else ctypes.c_double) * len(values))(*values)


def tiled(plan: Plan, *values: Tensor | None) -> list[Tensor | None]:
    """Per-channel values repeated over the rows of a segment, padded to whole vectors; all of one dtype."""
    present = [value for value in values if value is not None]
    if not present or (plan.repeats == 1 and plan.padded == present[0].numel()):
        return list(values)
    made = present[0].new_ones(len(present), plan.padded)
    made[:, : plan.segment].view(len(present), plan.repeats, -1).copy_(torch.stack(present).unsqueeze(1))
    rows = iter(made)
    return [None if value is None else next(rows) for value in values]


def per_channel(plan: Plan, sums: Tensor) -> Tensor:
    """[kinds, chunks, padded] -> [kinds, C], always in the same order."""
    rows = sums[..., : plan.segment].unflatten(-1, (plan.repeats, -1))
    return rows.sum(dim=(1, 2), dtype=torch.float64)
