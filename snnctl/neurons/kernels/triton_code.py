"""The LIF scan in Triton's language: what runs on a GPU. `lif_triton` launches it.

The equations are those of `equation_ir`, where their derivation is.
"""

from __future__ import annotations

from typing import Any

try:
    import triton  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import triton.language as tl  # type: ignore[import-untyped,import-not-found,unused-ignore]
except (ImportError, OSError):
    triton = None

__all__ = ["backward_kernel", "forward_kernel", "triton"]


def _jit(function: Any) -> Any:
    """`triton.jit` where there is Triton. Capitals in a kernel are fixed when it is compiled."""
    return function if triton is None else triton.jit(function)


@_jit
def _charge(x, v, tau, rate, leak, gain, CHARGE: tl.constexpr):  # type: ignore[no-untyped-def]
    if CHARGE == "divide":
        h = v + tl.div_rn(x - v, tau)
    elif CHARGE == "multiply":
        h = v + (x - v) * rate
    else:
        h = v * leak + x * gain
    return h


@_jit
def _fire(h, threshold, LEVELS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Spikes, distance from the nearest threshold, and which threshold that is."""
    if LEVELS == 1:
        u = h - threshold
        nearest = tl.full(h.shape, 1.0, tl.float32)
        fired = tl.where(u >= 0.0, 1.0, 0.0)
    else:
        ratio = tl.div_rn(h, threshold)
        inside = tl.clamp(ratio, 1.0, LEVELS * 1.0, propagate_nan=tl.PropagateNan.ALL)
        nearest = (inside + 12582912.0) - 12582912.0  # 1.5 * 2^23: rounds, halves to even
        u = h - nearest * threshold
        fired = tl.where(u >= 0.0, nearest, nearest - 1.0)
    return fired, u, nearest


@_jit
def _reset(h, fired, threshold, SOFT: tl.constexpr):  # type: ignore[no-untyped-def]
    # Hard is a product, so that NaN stays NaN as in the definition.
    return h - fired * threshold if SOFT else h * tl.where(fired > 0.0, 0.0, 1.0)


@_jit
def _slope(u, first, second, SURROGATE: tl.constexpr):  # type: ignore[no-untyped-def]
    """The surrogate's derivative."""
    if SURROGATE == "atan":
        z = u * first
        slope = second / (z * z + 1.0)
    elif SURROGATE == "sigmoid":
        decay = tl.exp(0.0 - tl.abs(u * first))
        slope = first * decay / ((decay + 1.0) * (decay + 1.0))
    elif SURROGATE == "fast_sigmoid":
        below = tl.abs(u) * first + 1.0
        slope = 1.0 / (below * below)
    elif SURROGATE == "rectangle":
        slope = tl.where(tl.abs(u) < first, second, 0.0)
    else:
        left = 1.0 - tl.abs(u * first)
        slope = tl.where(left > 0.0, left, 0.0) * first
    return slope


@_jit
def _block(leak, gain, threshold, channels, elements, PER_CHANNEL: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """First neuron of this program, its lanes, which of them are neurons, and their parameters."""
    first_element = tl.program_id(0).to(tl.int64) * BLOCK  # T * N may be beyond 32 bits
    lane = tl.arange(0, BLOCK)
    neuron = first_element + lane
    mask = neuron < elements
    if PER_CHANNEL:  # numbers otherwise
        channel = neuron % channels
        leak = tl.load(leak + channel)
        gain = tl.load(gain + channel)
        threshold = tl.load(threshold + channel)
    return first_element, lane, mask, leak, gain, threshold


@_jit
def _given(values, neuron, mask, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """One value per neuron; zeros where there are none."""
    found = tl.zeros((BLOCK,), tl.float32)
    if values is not None:
        found = tl.load(values + neuron, mask=mask, other=0.0)
    return found


@_jit
def _run(  # type: ignore[no-untyped-def]
    x,
    membrane,
    kept,
    first_element,
    lane,
    mask,
    leak,
    gain,
    threshold,
    tau,
    rate,
    elements,
    steps,
    x_stride,
    CHARGE: tl.constexpr,
    SOFT: tl.constexpr,
    LEVELS: tl.constexpr,
    POTENTIALS: tl.constexpr,
):
    """All steps, spikes or potentials written to `kept`; the last membrane, and the rows behind the last."""
    row = first_element
    x_row = first_element
    for _ in range(steps):
        current = tl.load(x + x_row + lane, mask=mask, other=0.0).to(tl.float32)
        h = _charge(current, membrane, tau, rate, leak, gain, CHARGE)
        fired, _u, _nearest = _fire(h, threshold, LEVELS)
        tl.store(kept + row + lane, h if POTENTIALS else fired, mask=mask)
        membrane = _reset(h, fired, threshold, SOFT)
        row += elements
        x_row += x_stride
    return membrane, row, x_row


@_jit
def forward_kernel(  # type: ignore[no-untyped-def]
    x,
    v,
    spikes,
    v_last,
    leak,
    gain,
    threshold,
    tau,
    rate,
    channels,
    elements,
    steps,
    x_stride,
    PER_CHANNEL: tl.constexpr,
    CHARGE: tl.constexpr,
    SOFT: tl.constexpr,
    LEVELS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    first_element, lane, mask, leak, gain, threshold = _block(
        leak, gain, threshold, channels, elements, PER_CHANNEL, BLOCK
    )
    neuron = first_element + lane
    start = _given(v, neuron, mask, BLOCK)
    where, own = (first_element, lane, mask), (leak, gain, threshold, tau, rate)
    membrane, _row, _x_row = _run(
        x, start, spikes, *where, *own, elements, steps, x_stride, CHARGE, SOFT, LEVELS, POTENTIALS=False
    )
    if v_last is not None:
        tl.store(v_last + neuron, membrane, mask=mask)


@_jit
def backward_kernel(  # type: ignore[no-untyped-def]
    x,
    v,
    grad_spikes,
    grad_v_last,
    potentials,
    grad_x,
    grad_v,
    grad_leak,
    grad_gain,
    grad_threshold,
    leak,
    gain,
    threshold,
    tau,
    rate,
    first,
    second,
    channels,
    elements,
    steps,
    x_stride,
    PER_CHANNEL: tl.constexpr,
    CHARGE: tl.constexpr,
    SOFT: tl.constexpr,
    LEVELS: tl.constexpr,
    DETACH: tl.constexpr,
    SURROGATE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    first_element, lane, mask, leak, gain, threshold = _block(
        leak, gain, threshold, channels, elements, PER_CHANNEL, BLOCK
    )
    neuron = first_element + lane
    start = _given(v, neuron, mask, BLOCK)
    where, own = (first_element, lane, mask), (leak, gain, threshold, tau, rate)
    _membrane, row, x_row = _run(
        x, start, potentials, *where, *own, elements, steps, x_stride, CHARGE, SOFT, LEVELS, POTENTIALS=True
    )
    tl.debug_barrier()  # what one thread has written, another may read

    carried = _given(grad_v_last, neuron, mask, BLOCK)  # the gradient of the membrane
    sum_leak = tl.zeros((BLOCK,), tl.float32)
    sum_gain = tl.zeros((BLOCK,), tl.float32)
    sum_threshold = tl.zeros((BLOCK,), tl.float32)
    for done in range(steps):
        row -= elements
        x_row -= x_stride
        h = tl.load(potentials + row + lane, mask=mask, other=0.0)
        fired, u, nearest = _fire(h, threshold, LEVELS)
        slope = _slope(u, first, second, SURROGATE)
        grad_s = tl.load(grad_spikes + row + lane, mask=mask, other=0.0).to(tl.float32)
        if not DETACH:  # by a hard reset, a spike beyond the first changes nothing
            fall = threshold if SOFT else tl.where(fired > 1.0, 0.0, h)
            grad_s = grad_s - fall * carried
        if grad_threshold is not None:
            sum_threshold -= grad_s * slope * nearest
            if SOFT:
                sum_threshold -= fired * carried
        through = carried if SOFT else _reset(carried, fired, threshold, SOFT)
        grad_h = grad_s * slope + through
        if grad_gain is not None:
            current = tl.load(x + x_row + lane, mask=mask, other=0.0).to(tl.float32)
            sum_gain += grad_h * current
        if grad_leak is not None:  # the membrane that this step started from
            has_earlier = done < steps - 1
            h_earlier = tl.load(potentials + (row - elements) + lane, mask=mask & has_earlier, other=0.0)
            fired_earlier, _u, _nearest = _fire(h_earlier, threshold, LEVELS)
            before = tl.where(has_earlier, _reset(h_earlier, fired_earlier, threshold, SOFT), start)
            sum_leak += grad_h * before
        if CHARGE == "linear":
            grad_current = grad_h * gain
            carried = grad_h * leak
        else:
            grad_current = grad_h * rate
            carried = grad_h - grad_current
        if grad_x is not None:
            tl.store(grad_x + row + lane, grad_current, mask=mask)
    if grad_v is not None:
        tl.store(grad_v + neuron, carried, mask=mask)
    if grad_leak is not None:
        tl.store(grad_leak + neuron, sum_leak, mask=mask)
    if grad_gain is not None:
        tl.store(grad_gain + neuron, sum_gain, mask=mask)
    if grad_threshold is not None:
        tl.store(grad_threshold + neuron, sum_threshold, mask=mask)
