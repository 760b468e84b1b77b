"""Backbones: encoded spikes in, spikes of the network's width out."""

from snnctl.backbones.attention import SpikingSelfAttention
from snnctl.backbones.blocks import SpikingConv, SpikingLinear, fold_norms
from snnctl.backbones.mlp import SpikingMLP
from snnctl.backbones.spikformer import Spikformer

__all__ = ["Spikformer", "SpikingConv", "SpikingLinear", "SpikingMLP", "SpikingSelfAttention", "fold_norms"]
