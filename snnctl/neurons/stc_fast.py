"""When the compiled steps can stand in for those of STC's definition, and what they are handed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from snnctl.neurons.base import Host
from snnctl.neurons.integrate_fire import IntegrateAndFire
from snnctl.neurons.kernels import can_be_fast, why_not_fused
from snnctl.neurons.stc_circuit import EPS, Circuit

if TYPE_CHECKING:
    from snnctl.neurons.kernels.circuits import Circuits, Take

FEWEST_POSITIONS = 16  # below, what is done once per sample is most of the work


def fast_scan(
    host: Host,
    temporal: Circuit | None,
    spatial: Circuit | None,
    x: Tensor,
    state: Any,
    *,
    detach: bool,
    take: Take | None,
) -> tuple[Tensor, tuple[Tensor, Tensor]] | None:
    """The scan of an STC neuron by compiled steps, or None where its definition has to run.

    The equations are the definition's; sums are taken in another order, so that factors differ in the last places
    and a spike may come or not where a membrane lies that close to the threshold.
    """
    if not isinstance(host, IntegrateAndFire) or not host.one_equation or host.spike.emit != "code":
        return None
    circuits = [circuit for circuit in (temporal, spatial) if circuit is not None]
    groups, axes = circuits[0].groups, circuits[0].axes
    if not axes or not can_be_fast(x) or x.dim() < axes + 3 or not x.numel():
        return None
    watched = any(circuit._forward_hooks or circuit._forward_pre_hooks for circuit in circuits)
    if watched or x.shape[-1 - axes : -1].numel() < FEWEST_POSITIONS:
        return None
    v, s = state
    from snnctl.neurons.kernels import circuits as kernels  # LLVM is loaded at the first use

    dynamics = host.dynamics()
    if v.dtype != x.dtype or s.dtype != x.dtype or why_not_fused(x, v, dynamics):
        return None
    if not kernels.has_kernel(x.shape[-1], groups, x.dtype):
        return None
    circuits[0].laid_out(s)  # refuses what the definition refuses
    merged = together(temporal, spatial, x.dtype)
    spikes, last = kernels.scan(x, v, s, dynamics, merged, detach=detach, take=take)
    return spikes, (last, spikes.squeeze(0) if len(x) == 1 else spikes[-1])


def together(temporal: Circuit | None, spatial: Circuit | None, dtype: torch.dtype) -> Circuits:
    """Both circuits as one whose outputs lie group by group, temporal before spatial; or one as it is."""
    from snnctl.neurons.kernels.circuits import Circuits

    present = [circuit for circuit in (temporal, spatial) if circuit is not None]
    first = present[0]

    def merged(parts: list[Tensor]) -> Tensor:
        grouped = [part.to(dtype).unflatten(0, (first.groups, -1)) for part in parts]
        return torch.stack(grouped, 1).flatten(0, 2)

    weight = merged([circuit.weight for circuit in present])
    gains = [circuit.gain for circuit in present if circuit.gain is not None]
    return Circuits(
        weight=weight.unsqueeze(2) if first.axes == 1 else weight,
        gain=merged(gains) if gains else None,  # type: ignore[arg-type]
        shift=merged([circuit.shift for circuit in present]),
        temporal=temporal is not None,
        spatial=spatial is not None,
        groups=first.groups,
        norm_groups=first.norm_groups,
        eps=EPS,
        axes=first.axes,
    )
