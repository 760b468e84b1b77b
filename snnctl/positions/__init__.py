"""Positional encodings: they tell a network which position of the sequence a spike belongs to."""

from snnctl.positions.absolute import Learned as Learned
from snnctl.positions.absolute import Random as Random
from snnctl.positions.absolute import Sinusoid as Sinusoid
from snnctl.positions.attention_bias import Gray as Gray
from snnctl.positions.attention_bias import LogDistance as LogDistance
from snnctl.positions.base import NoPosition as NoPosition
from snnctl.positions.base import Place as Place
from snnctl.positions.base import Position as Position
from snnctl.positions.base import PositionFactory as PositionFactory
from snnctl.positions.base import position_factory as position_factory
from snnctl.positions.conv import ConvPosition as ConvPosition
from snnctl.positions.cpg import CPG as CPG
from snnctl.positions.cpg import CPGLinear as CPGLinear
from snnctl.positions.cpg import LearnedCPG as LearnedCPG
