"""Kernels behind one function each, so that neurons and layers do not know which one runs."""

from snnctl.neurons.kernels.choice import Kernel as Kernel
from snnctl.neurons.kernels.choice import can_be_fast as can_be_fast
from snnctl.neurons.kernels.choice import first_gradients_only as first_gradients_only
from snnctl.neurons.kernels.choice import use_kernel as use_kernel
from snnctl.neurons.kernels.dispatch import available_kernels as available_kernels
from snnctl.neurons.kernels.dispatch import lif_scan as lif_scan
from snnctl.neurons.kernels.dispatch import takes_lif as takes_lif
from snnctl.neurons.kernels.dispatch import why_not_fused as why_not_fused
from snnctl.neurons.kernels.products import pack_spikes as pack_spikes
from snnctl.neurons.kernels.products import spike_linear as spike_linear
from snnctl.neurons.kernels.products import unpack_spikes as unpack_spikes
from snnctl.neurons.kernels.reference import AnyReset as AnyReset
from snnctl.neurons.kernels.reference import BatchNorm as BatchNorm
from snnctl.neurons.kernels.reference import Dynamics as Dynamics
from snnctl.neurons.kernels.reference import Reset as Reset
