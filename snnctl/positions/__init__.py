"""Positional encodings: they tell a network which position of the sequence a spike belongs to."""

from snnctl.positions.absolute import Learned, Random, Sinusoid
from snnctl.positions.attention_bias import Gray, LogDistance
from snnctl.positions.base import NoPosition, Place, Position, PositionFactory, position_factory
from snnctl.positions.conv import ConvPosition
from snnctl.positions.cpg import CPG, CPGLinear, LearnedCPG

__all__ = [
    "CPG",
    "CPGLinear",
    "ConvPosition",
    "Gray",
    "Learned",
    "LearnedCPG",
    "LogDistance",
    "NoPosition",
    "Place",
    "Position",
    "PositionFactory",
    "Random",
    "Sinusoid",
    "position_factory",
]
