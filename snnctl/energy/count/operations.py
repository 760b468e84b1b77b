"""What torch's operations are: products, elementwise work and its cost, reductions, or mere movement of data.

Names are those of the ATen operators that a network dispatches, without overload. What stands in none of these tables
is reported as uncounted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from snnctl.energy.count.counts import Elementwise, Kind


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Views and copies that keep the order of elements.
RESHAPES = _names("view _unsafe_view reshape _reshape_alias flatten unflatten view_as")
SAME_SHAPE = _names(
    "clone detach detach_ alias contiguous _to_copy to lift_fresh lift positive dropout native_dropout view_of _conj"
    " resolve_conj resolve_neg"
)
ZERO_MAKERS = _names("zeros zeros_like new_zeros zero zero_")
# Constants, memory, sizes: nothing is computed from a signal.
MAKERS = _names(
    "empty empty_like empty_strided new_empty new_empty_strided ones ones_like new_ones full full_like new_full arange"
    " eye scalar_tensor fill fill_ rand randn randperm _local_scalar_dense is_nonzero equal linspace triu tril nonzero"
    " resize_ set_"
)
JOINS = _names("cat stack concat where maximum minimum")
# Elements are picked or moved; the result is of the same kind. Zeros may come in (pad).
PICKS = _names(
    "index_select index gather roll flip constant_pad_nd pad unfold as_strided repeat masked_fill masked_fill_"
    " repeat_interleave take scatter index_put index_put_ im2col replication_pad1d replication_pad2d reflection_pad1d"
    " reflection_pad2d sort topk pixel_unshuffle pixel_shuffle channel_shuffle"
)
PRODUCTS = _names("mm addmm bmm baddbmm mv addmv dot linear matmul addbmm")
CONVOLUTIONS = _names("convolution _convolution mkldnn_convolution cudnn_convolution")
COMPARISONS = _names(
    "ge gt le lt eq ne heaviside logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not"
    " bitwise_xor isnan isinf"
)
ADDS = _names("add add_ sub sub_ rsub")
MULS = _names("mul mul_")
DIVS = _names("div div_")
NORMS = _names(
    "native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit batch_norm _batch_norm_no_update"
    " _batch_norm_with_update cudnn_batch_norm"
)
LAYER_NORMS = _names("native_layer_norm native_group_norm layer_norm group_norm rms_norm")
KEEPS_SPIKES = _names(
    "relu relu_ clamp clamp_min clamp_max hardtanh abs max_pool2d_with_indices max_pool1d max_pool2d"
    " max_pool3d_with_indices amax max mkldnn_max_pool2d"
)
REDUCTIONS = _names(
    "sum mean amax amin max min argmax argmin any all var std norm linalg_vector_norm prod logsumexp var_mean"
)

Price = Callable[[int, int], Elementwise]  # elements in, elements out -> operations

_SPECIAL = _names(
    "exp exp2 expm1 log log2 log1p sqrt rsqrt reciprocal sigmoid tanh sin cos erf gelu silu softplus atan pow elu mish"
    " logit hardsigmoid hardswish"
)
_COMPARED = COMPARISONS | _names(
    "relu clamp clamp_min clamp_max hardtanh abs neg sign sgn round floor ceil trunc frac leaky_relu threshold"
    " bitwise_right_shift bitwise_left_shift where maximum minimum"
)
_SOFTMAX = _names("_softmax softmax _log_softmax log_softmax")
_EXTREMES = _names("amax amin max min argmax argmin any all")
_SPREADS = _names("var std var_mean norm linalg_vector_norm")

# What one call costs, by kind of row: i elements in, o elements out.
_WORK: tuple[tuple[Kind, frozenset[str], Price], ...] = (
    ("activation", _SPECIAL, lambda i, o: Elementwise(special=o)),
    ("activation", _COMPARED, lambda i, o: Elementwise(compares=o)),
    ("activation", _SOFTMAX, lambda i, o: Elementwise(adds=o, compares=o, special=2 * o)),
    ("elementwise", ADDS, lambda i, o: Elementwise(adds=o)),
    ("elementwise", MULS | {"square"}, lambda i, o: Elementwise(muls=o)),
    ("elementwise", DIVS, lambda i, o: Elementwise(special=o)),
    ("elementwise", _names("lerp"), lambda i, o: Elementwise(adds=2 * o, muls=o)),
    ("elementwise", _names("addcmul"), lambda i, o: Elementwise(adds=o, muls=2 * o)),
    ("elementwise", _names("addcdiv"), lambda i, o: Elementwise(adds=o, special=o, muls=o)),
    ("norm", NORMS, lambda i, o: Elementwise(adds=o, muls=o)),
    # Mean, difference, square, mean of squares, root per row (left out), scale and shift.
    ("norm", LAYER_NORMS, lambda i, o: Elementwise(adds=4 * o, muls=3 * o)),
    ("reduction", _names("sum"), lambda i, o: Elementwise(adds=max(i - o, 0))),
    ("reduction", _names("cumsum"), lambda i, o: Elementwise(adds=o)),
    ("reduction", _names("prod"), lambda i, o: Elementwise(muls=max(i - o, 0))),
    ("reduction", _names("cumprod"), lambda i, o: Elementwise(muls=o)),
    ("reduction", _names("mean"), lambda i, o: Elementwise(adds=max(i - o, 0), muls=o)),
    ("reduction", _EXTREMES, lambda i, o: Elementwise(compares=max(i - o, 0))),
    ("reduction", _SPREADS, lambda i, o: Elementwise(adds=2 * i, muls=i, special=o)),
    ("reduction", _names("logsumexp"), lambda i, o: Elementwise(adds=i, compares=i, special=i + o)),
)
ELEMENTWISE: dict[str, tuple[Kind, Price]] = {name: (kind, price) for kind, names, price in _WORK for name in names}


def base_name(name: str) -> str:
    """An in-place operator's name without its underscore, if that is a known one."""
    short = name.rstrip("_")
    return short if name.endswith("_") and (short in ELEMENTWISE or short in SAME_SHAPE | PICKS | MAKERS) else name


def pool_cost(name: str, args: Sequence[Any], out: Tensor) -> Elementwise | None:
    """Operations of a pooling layer, or None if `name` is none."""
    if "pool" not in name:
        return None
    # What an adaptive pool runs over is known by how much it leaves, any other by its kernel.
    kernel = args[1] if len(args) > 1 and isinstance(args[1], list) else []
    taps = kernel[0] ** (2 if "2d" in name else 1) if len(kernel) == 1 else math.prod(kernel) if kernel else 0
    merged = float(args[0].numel() - out.numel() if "adaptive" in name else out.numel() * (taps - 1))
    if "max_pool" in name:
        return Elementwise(compares=merged)
    return Elementwise(adds=merged, muls=float(out.numel())) if "avg_pool" in name else None


def averaged_taps(name: str, args: Sequence[Any]) -> int:
    """Over how many neighbours an average pool runs, where all its means have one common quantum; else 0.

    `args` are input, kernel, stride, padding, ceil_mode, count_include_pad, divisor; the last ones may be missing.
    """
    if not name.startswith("avg_pool"):
        return 0
    given = dict(enumerate(args))
    kernel, padding, round_up, divisor = given[1], given.get(3, [0]), given.get(4, False), given.get(6)
    sides = kernel if len(kernel) > 1 else kernel * int(name[8])
    if any(padding) or divisor is not None or (round_up and max(sides) > 2):  # cut windows have divisors of their own
        return 0
    return math.prod(sides)
