"""What torch's operations are: products, elementwise work, reductions, or mere movement of data.

Names are those of the ATen operators that a network dispatches, without overload. What stands in none of these tables
is reported as uncounted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from snnctl.energy.count.counts import Elementwise, Kind

# Views and copies that keep the order of elements.
RESHAPES = frozenset({"view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "view_as"})
SAME_SHAPE = frozenset(
    {
        "clone",
        "detach",
        "detach_",
        "alias",
        "contiguous",
        "_to_copy",
        "to",
        "lift_fresh",
        "lift",
        "positive",
        "dropout",
        "native_dropout",
        "view_of",
        "_conj",
        "resolve_conj",
        "resolve_neg",
    }
)
ZERO_MAKERS = frozenset({"zeros", "zeros_like", "new_zeros", "zero", "zero_"})
# Constants, memory, sizes: nothing is computed from a signal.
MAKERS = frozenset(
    {
        "empty",
        "empty_like",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "ones",
        "ones_like",
        "new_ones",
        "full",
        "full_like",
        "new_full",
        "arange",
        "eye",
        "scalar_tensor",
        "fill",
        "fill_",
        "rand",
        "randn",
        "randperm",
        "_local_scalar_dense",
        "is_nonzero",
        "equal",
        "linspace",
        "triu",
        "tril",
        "nonzero",
        "resize_",
        "set_",
    }
)
JOINS = frozenset({"cat", "stack", "concat", "where", "maximum", "minimum"})
# Elements are picked or moved; the result is of the same kind. Zeros may come in (pad).
PICKS = frozenset(
    {
        "index_select",
        "index",
        "gather",
        "roll",
        "flip",
        "constant_pad_nd",
        "pad",
        "unfold",
        "as_strided",
        "repeat",
        "masked_fill",
        "masked_fill_",
        "repeat_interleave",
        "take",
        "scatter",
        "index_put",
        "index_put_",
        "im2col",
        "replication_pad1d",
        "replication_pad2d",
        "reflection_pad1d",
        "reflection_pad2d",
        "sort",
        "topk",
        "pixel_unshuffle",
        "pixel_shuffle",
        "channel_shuffle",
    }
)
PRODUCTS = frozenset({"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "linear", "matmul", "addbmm"})
CONVOLUTIONS = frozenset({"convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution"})
COMPARISONS = frozenset(
    {
        "ge",
        "gt",
        "le",
        "lt",
        "eq",
        "ne",
        "heaviside",
        "logical_and",
        "logical_or",
        "logical_not",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_not",
        "bitwise_xor",
        "isnan",
        "isinf",
    }
)
ADDS = frozenset({"add", "add_", "sub", "sub_", "rsub"})
MULS = frozenset({"mul", "mul_"})
DIVS = frozenset({"div", "div_"})
NORMS = frozenset(
    {
        "native_batch_norm",
        "_native_batch_norm_legit_no_training",
        "_native_batch_norm_legit",
        "batch_norm",
        "_batch_norm_no_update",
        "_batch_norm_with_update",
        "cudnn_batch_norm",
    }
)
LAYER_NORMS = frozenset({"native_layer_norm", "native_group_norm", "layer_norm", "group_norm", "rms_norm"})
KEEPS_SPIKES = frozenset(
    {
        "relu",
        "relu_",
        "clamp",
        "clamp_min",
        "clamp_max",
        "hardtanh",
        "abs",
        "max_pool2d_with_indices",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d_with_indices",
        "amax",
        "max",
        "mkldnn_max_pool2d",
    }
)
REDUCTIONS = frozenset(
    {
        "sum",
        "mean",
        "amax",
        "amin",
        "max",
        "min",
        "argmax",
        "argmin",
        "any",
        "all",
        "var",
        "std",
        "norm",
        "linalg_vector_norm",
        "prod",
        "logsumexp",
        "var_mean",
    }
)

Price = Callable[[int, int], Elementwise]  # elements in, elements out -> operations

_SPECIAL = (
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log1p",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "sigmoid",
    "tanh",
    "sin",
    "cos",
    "erf",
    "gelu",
    "silu",
    "softplus",
    "atan",
    "pow",
    "elu",
    "mish",
    "logit",
    "hardsigmoid",
    "hardswish",
)
_COMPARED = (
    "relu",
    "clamp",
    "clamp_min",
    "clamp_max",
    "hardtanh",
    "abs",
    "neg",
    "sign",
    "sgn",
    "round",
    "floor",
    "bitwise_right_shift",
    "bitwise_left_shift",
    "ceil",
    "trunc",
    "frac",
    "leaky_relu",
    "threshold",
    "where",
    "maximum",
    "minimum",
)


def _table() -> dict[str, tuple[Kind, Price]]:
    found: dict[str, tuple[Kind, Price]] = {}
    for name in _SPECIAL:
        found[name] = ("activation", lambda i, o: Elementwise(special=o))
    for name in _COMPARED:
        found[name] = ("activation", lambda i, o: Elementwise(compares=o))
    for name in COMPARISONS:
        found[name] = ("activation", lambda i, o: Elementwise(compares=o))
    for name in ADDS:
        found[name] = ("elementwise", lambda i, o: Elementwise(adds=o))
    for name in MULS:
        found[name] = ("elementwise", lambda i, o: Elementwise(muls=o))
    for name in DIVS:
        found[name] = ("elementwise", lambda i, o: Elementwise(special=o))
    for name in NORMS:
        found[name] = ("norm", lambda i, o: Elementwise(adds=o, muls=o))
    for name in LAYER_NORMS:
        # Mean, difference, square, mean of squares, root per row (left out), scale and shift.
        found[name] = ("norm", lambda i, o: Elementwise(adds=4 * o, muls=3 * o))
    found["square"] = ("elementwise", lambda i, o: Elementwise(muls=o))
    found["lerp"] = ("elementwise", lambda i, o: Elementwise(adds=2 * o, muls=o))
    found["addcmul"] = ("elementwise", lambda i, o: Elementwise(adds=o, muls=2 * o))
    found["addcdiv"] = ("elementwise", lambda i, o: Elementwise(adds=o, special=o, muls=o))
    found["sum"] = ("reduction", lambda i, o: Elementwise(adds=max(i - o, 0)))
    found["cumsum"] = ("reduction", lambda i, o: Elementwise(adds=o))
    found["prod"] = ("reduction", lambda i, o: Elementwise(muls=max(i - o, 0)))
    found["cumprod"] = ("reduction", lambda i, o: Elementwise(muls=o))
    found["mean"] = ("reduction", lambda i, o: Elementwise(adds=max(i - o, 0), muls=o))
    for name in ("amax", "amin", "max", "min", "argmax", "argmin", "any", "all"):
        found[name] = ("reduction", lambda i, o: Elementwise(compares=max(i - o, 0)))
    for name in ("var", "std", "var_mean", "norm", "linalg_vector_norm"):
        found[name] = ("reduction", lambda i, o: Elementwise(adds=2 * i, muls=i, special=o))
    for name in ("_softmax", "softmax", "_log_softmax", "log_softmax"):
        found[name] = ("activation", lambda i, o: Elementwise(adds=o, compares=o, special=2 * o))
    found["logsumexp"] = ("reduction", lambda i, o: Elementwise(adds=i, compares=i, special=i + o))
    return found


ELEMENTWISE: dict[str, tuple[Kind, Price]] = _table()


def base_name(name: str) -> str:
    """An in-place operator's name without its underscore, if that is a known one."""
    short = name.rstrip("_")
    return short if name.endswith("_") and (short in ELEMENTWISE or short in SAME_SHAPE | PICKS | MAKERS) else name


def pool_cost(name: str, x: Tensor, out: Tensor, kernel: list[int] | None) -> Elementwise | None:
    """Operations of a pooling layer, or None if `name` is none."""
    taps = math.prod(kernel) if kernel else 0
    if kernel and len(kernel) == 1:
        taps = kernel[0] ** (2 if "2d" in name else 1)
    if "max_pool" in name and "adaptive" not in name:
        return Elementwise(compares=float(out.numel() * (taps - 1)))
    if "avg_pool" in name and "adaptive" not in name:
        return Elementwise(adds=float(out.numel() * (taps - 1)), muls=float(out.numel()))
    if "adaptive_avg_pool" in name:
        return Elementwise(adds=float(x.numel() - out.numel()), muls=float(out.numel()))
    if "adaptive_max_pool" in name:
        return Elementwise(compares=float(x.numel() - out.numel()))
    return None


def averaged_taps(name: str, args: Sequence[Any]) -> int:
    """Over how many neighbours an average pool runs, where all its means have one common quantum; else 0.

    Args:
        args: input, kernel, stride, padding, ceil_mode, count_include_pad, divisor; the last ones may be missing.
    """
    if not name.startswith("avg_pool"):
        return 0
    given = dict(enumerate(args))
    kernel, padding, round_up, divisor = given[1], given.get(3, [0]), given.get(4, False), given.get(6)
    sides = kernel if len(kernel) > 1 else kernel * int(name[8])
    if any(padding) or divisor is not None or (round_up and max(sides) > 2):  # cut windows have divisors of their own
        return 0
    return math.prod(sides)
