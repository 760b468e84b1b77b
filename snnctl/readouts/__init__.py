"""Read-outs: spikes of the backbone in, predictions out."""

from snnctl.readouts.base import Readout
from snnctl.readouts.linear import FlattenLinear, MeanLinear

__all__ = ["FlattenLinear", "MeanLinear", "Readout"]
