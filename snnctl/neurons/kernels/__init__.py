"""Kernels behind one function each, so that neurons and layers do not know which one runs."""

from snnctl.neurons.kernels.choice import Kernel, can_be_fast, first_gradients_only, use_kernel
from snnctl.neurons.kernels.dispatch import available_kernels, lif_norm_scan, lif_scan, why_not_fused
from snnctl.neurons.kernels.products import pack_spikes, spike_linear, unpack_spikes
from snnctl.neurons.kernels.reference import AnyReset, BatchNorm, Dynamics, Reset

__all__ = [
    "AnyReset",
    "BatchNorm",
    "Dynamics",
    "Kernel",
    "Reset",
    "available_kernels",
    "can_be_fast",
    "first_gradients_only",
    "lif_norm_scan",
    "lif_scan",
    "pack_spikes",
    "spike_linear",
    "unpack_spikes",
    "use_kernel",
    "why_not_fused",
]
