"""Read-outs: spikes of the backbone in, predictions out."""

from snnctl.readouts.base import Readout
from snnctl.readouts.linear import FlattenLinear, LastLinear, MeanLinear
from snnctl.readouts.variate import VariateLinear

__all__ = ["FlattenLinear", "LastLinear", "MeanLinear", "Readout", "VariateLinear"]
