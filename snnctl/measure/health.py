"""Health verdicts: layers that cannot learn or carry nothing, each with what to try."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from snnctl.core.diagnostic import Diagnostic
from snnctl.measure.circuits import FLOAT16_MAX, LayerCircuits
from snnctl.measure.gradients import LayerGradients
from snnctl.measure.inputs import Inputs
from snnctl.measure.spikes import LayerSpikes

SILENT_CHANNELS = 0.9
SATURATED_CHANNELS = 0.5
NEARLY_SILENT = 0.005  # the neuron after attention is seen healthy down to about this rate
BLOCKED_CHANNELS = 0.9
MANY_EMPTY = 0.5  # of the items; a network that is silent on nothing is well

_MORE_SPIKES = "raise `model.norm_gain` (try twice as much) or lower `model.neuron.v_threshold` (try half of it)"
_FEWER_SPIKES = "lower `model.norm_gain` or raise `model.neuron.v_threshold`"
_WIDER_SURROGATE = (
    "take a `model.neuron.surrogate` without hard edges (atan, sigmoid, fast_sigmoid) or a wider one, "
    "or raise `model.norm_gain` so that the membrane comes near `model.neuron.v_threshold`"
)
_SMALLER_MEMBRANES = (
    "stay with `train.precision` fp32; a host that leaks (`model.neuron` stc_plif, or stc with `host: lif`), fewer "
    "steps or `circuit: spatial` keep them small"
)


_SEE_THE_DATA = (
    "the data, not the network, is to blame: `snnctl data info RECIPE` shows what was read (units, ranges, times of "
    "events)"
)


def verdicts(
    layers: Sequence[LayerSpikes],
    gradients: Iterable[LayerGradients] | None = None,
    circuits: Iterable[LayerCircuits] = (),
    inputs: Iterable[Inputs] = (),
) -> list[Diagnostic]:
    """Warnings about ill layers, spikes first, then gradients, then membranes; empty when all are well.

    E501 silent, E502 saturated, E503 no gradient gets through, E504 nearly silent, E505 a membrane that is too large.
    E506 instead of the first four where what goes in is all zero, or the same everywhere: no layer is to blame for it.

    Args:
        layers: from `SpikeMeter.summary`.
        gradients: from `GradientMeter.summary` of one training step.
        circuits: from `CircuitMeter.summary`.
        inputs: from `InputMeter.summary`, of all that these were measured on.
    """
    given = [one for one in inputs if one.items]
    found = [_blank(one) for one in given if one.blank][:1]
    if not found:
        found = [verdict for layer in layers if (verdict := _firing(layer)) is not None]
        empty = max((one.empty for one in given), default=0.0)
        if empty > MANY_EMPTY:
            found = [_data_first(one, empty) if one.code in ("E501", "E504") else one for one in found]
        found += [verdict for layer in gradients or () if (verdict := _gradient(layer)) is not None]
    found += [verdict for circuit in circuits if (verdict := _membrane(circuit)) is not None]
    return found


def _blank(given: Inputs) -> Diagnostic:
    what = "the same value everywhere" if given.nonzero else "all zero"
    return _warning(
        "E506", "data", f"what goes into the network is {what}, in all {given.items:,} items", _SEE_THE_DATA
    )


def _data_first(found: Diagnostic, empty: float) -> Diagnostic:
    said = f"look at the data first: {empty:.0%} of the items that go in are all zero; then {found.help}"
    return replace(found, help=said)


def _firing(layer: LayerSpikes) -> Diagnostic | None:
    if not layer.neuron_steps:
        return None
    if layer.rate == 0.0:
        return _warning("E501", layer.name, f"layer `{layer.name}` is silent: it never fired", _MORE_SPIKES)
    if layer.silent_share > SILENT_CHANNELS:
        message = f"layer `{layer.name}` is silent: {layer.silent_share:.0%} of its channels never fired"
        return _warning("E501", layer.name, message, _MORE_SPIKES)
    if layer.saturated_share > SATURATED_CHANNELS:
        share = f"{layer.saturated_share:.0%} of its channels"
        message = f"layer `{layer.name}` is saturated: {share} fire all the time"
        return _warning("E502", layer.name, message, _FEWER_SPIKES)
    if layer.rate < NEARLY_SILENT:
        message = f"layer `{layer.name}` is nearly silent: {layer.rate:.2%} spikes per neuron and step"
        return _warning("E504", layer.name, message, _MORE_SPIKES)
    return None


def _gradient(layer: LayerGradients) -> Diagnostic | None:
    if layer.zero_share <= BLOCKED_CHANNELS:
        return None
    share = f"{layer.zero_share:.0%} of its channels"
    if layer.zero_share_above < layer.zero_share:
        message = f"the surrogate of layer `{layer.name}` is never active: no gradient passes {share}"
        return _warning("E503", layer.name, message, _WIDER_SURROGATE)
    message = f"no gradient reaches layer `{layer.name}`: {share} get exactly zero"
    help_text = f"a later layer blocks it, look there first (E501, E503); {_WIDER_SURROGATE}"
    return _warning("E503", layer.name, message, help_text)


def _membrane(layer: LayerCircuits) -> Diagnostic | None:
    if layer.largest_membrane <= FLOAT16_MAX:
        return None
    size = f"max |u| {layer.largest_membrane:.3g}, above {FLOAT16_MAX:.0f}, the largest float16"
    return _warning("E505", layer.name, f"membranes of layer `{layer.name}` run away: {size}", _SMALLER_MEMBRANES)


def _warning(code: str, path: str, message: str, help_text: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, severity="warning", path=path, help=help_text)
