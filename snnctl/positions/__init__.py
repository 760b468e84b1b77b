"""Positional encodings: they tell a network which position of the sequence a spike belongs to."""

from snnctl.positions.base import Position, PositionFactory, position_factory
from snnctl.positions.cpg import CPG
from snnctl.positions.none import NoPosition
from snnctl.positions.sinusoid import Sinusoid

__all__ = ["CPG", "NoPosition", "Position", "PositionFactory", "Sinusoid", "position_factory"]
