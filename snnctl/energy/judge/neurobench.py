"""NeuroBench's static and synaptic metrics, by their definitions; no joules.

Source: the definitions of NeuroBench (github.com/NeuroBench/neurobench), restated; the package is not used.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from snnctl.energy.count.counts import Counts, Row, mean, total

_WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase)


def footprint(network: nn.Module) -> int:
    """Bytes of parameters and buffers, zeros included."""
    return sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))


def connection_sparsity(network: nn.Module) -> float:
    """Share of weights that are zero, over linear, convolutional and recurrent layers; four decimals."""
    zeros = whole = 0
    for module in network.modules():
        over_time = hasattr(module, "sparse_kernel")  # convolutions over time have no class of torch's
        if (isinstance(module, _WEIGHTED) or over_time) and not any(True for _ in module.children()):
            for name, parameter in module.named_parameters(recurse=False):
                if "weight" in name or isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
                    zeros += int((parameter == 0).sum())
                    whole += parameter.numel()
    return round(zeros / whole, 4) if whole else 0.0


def synaptic_operations(counts: Counts) -> dict[str, float]:
    """`dense`, `effective_macs` and `effective_acs` per sample.

    Dense: input and weights all ones, without padding. Effective: what is left when zero inputs and zero weights
    vanish; an accumulation where the input is -1, 0 or 1, a multiply-accumulate elsewhere (spikes of several levels
    too). Layers with weights only.
    """

    def adds(row: Row) -> bool:
        return row.source == "spike" and row.products.bits == 1

    layers = [row for row in counts.rows if row.kind == "synapse"]
    return {
        "dense": mean(total(row.products.inside for row in layers)),
        "effective_macs": mean(total(row.products.events for row in layers if not adds(row))),
        "effective_acs": mean(total(row.products.events for row in layers if adds(row))),
    }


def metrics(network: nn.Module, counts: Counts) -> dict[str, Any]:
    """All of them; `activation_sparsity` over the neurons' outputs."""
    spikes = sum(mean(n.spikes) for n in counts.neurons)
    updates = sum(mean(n.updates) for n in counts.neurons)
    return {
        "footprint_bytes": footprint(network),
        "connection_sparsity": connection_sparsity(network),
        "activation_sparsity": 1 - spikes / updates if updates else None,
        "synaptic_operations": synaptic_operations(counts),
    }
