"""Following the gradients of untrained neurons back in time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.inspect.gradients.collect import Setting, parse_neurons, study
from snnctl.inspect.gradients.page import report
from snnctl.report.saving import prepare, write


def analyze_neuron(
    neurons: Sequence[str] = (),
    setting: Setting = Setting(),  # noqa: B008  # a frozen value
    *,
    out: Path = Path("lags"),
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Products of dU[t+1]/dU[t] against the lag, under noise.

    Args:
        neurons: `stc_lif`, `stc_lif: {circuit: temporal}` and so on; none: LIF, IF and STC.
        setting: what the neurons are put under.
        out: where files go.

    Returns:
        See `snnctl.inspect.gradients.page`.

    Raises:
        DiagnosticError: as `parse_neurons` and `study`; U453, `out` cannot be written.
    """
    wanted, notes = parse_neurons(neurons)
    prepare(out)
    with listener.work() as tell:
        return write(report(study(wanted, setting, notes, tell)), out, listener.call, tell)
