"""Spiking neurons: current over time in, spikes over time out; the state is a value."""

from snnctl.neurons.base import NeuronFactory, SpikingNeuron, State, neuron_factory
from snnctl.neurons.lif import IF, LIF
from snnctl.neurons.norm import TokenNorm
from snnctl.neurons.surrogate import (
    ATan,
    FastSigmoid,
    Rectangle,
    Sigmoid,
    Surrogate,
    Triangle,
    make_surrogate,
)

__all__ = [
    "IF",
    "LIF",
    "ATan",
    "FastSigmoid",
    "NeuronFactory",
    "Rectangle",
    "Sigmoid",
    "SpikingNeuron",
    "State",
    "Surrogate",
    "TokenNorm",
    "Triangle",
    "make_surrogate",
    "neuron_factory",
]
