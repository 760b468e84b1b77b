"""Spiking neurons: current over time in, spikes over time out; the state is a value."""

from snnctl.neurons.alif import ALIF
from snnctl.neurons.base import NeuronFactory, SpikingNeuron, State, neuron_factory
from snnctl.neurons.clif import CLIF
from snnctl.neurons.cuba_lif import CubaLIF
from snnctl.neurons.glif import GLIF
from snnctl.neurons.klif import KLIF
from snnctl.neurons.lif import IF, LIF, PLIF
from snnctl.neurons.lm_h import LMH
from snnctl.neurons.norm import TokenNorm
from snnctl.neurons.psn import PSN, MaskedPSN
from snnctl.neurons.resonate_fire import ResonateFire
from snnctl.neurons.shift_lif import ShiftLIF
from snnctl.neurons.stc import STC
from snnctl.neurons.stc_forms import STCLIF, STCLMH, STCPLIF
from snnctl.neurons.surrogate import (
    ATan,
    FastSigmoid,
    Rectangle,
    Sigmoid,
    Surrogate,
    Triangle,
    make_surrogate,
)
from snnctl.neurons.tau_lif import TauLIF
from snnctl.neurons.tc_lif import TCLIF

__all__ = [
    "ALIF",
    "CLIF",
    "GLIF",
    "IF",
    "KLIF",
    "LIF",
    "LMH",
    "PLIF",
    "PSN",
    "STC",
    "STCLIF",
    "STCLMH",
    "STCPLIF",
    "TCLIF",
    "ATan",
    "CubaLIF",
    "FastSigmoid",
    "MaskedPSN",
    "NeuronFactory",
    "Rectangle",
    "ResonateFire",
    "ShiftLIF",
    "Sigmoid",
    "SpikingNeuron",
    "State",
    "Surrogate",
    "TauLIF",
    "TokenNorm",
    "Triangle",
    "make_surrogate",
    "neuron_factory",
]
