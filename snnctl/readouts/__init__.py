"""Read-outs: spikes of the backbone in, predictions out."""

from snnctl.readouts.base import Readout
from snnctl.readouts.linear import FlattenLinear, LastLinear, MeanLinear, VariateLinear

__all__ = ["FlattenLinear", "LastLinear", "MeanLinear", "Readout", "VariateLinear"]
