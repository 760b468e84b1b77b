"""snnctl: train, evaluate and measure spiking neural networks from one recipe file."""

__version__ = "0.1.0"
