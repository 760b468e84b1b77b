"""Backbones: encoded spikes in, spikes of the network's width out."""

from snnctl.backbones.attention import SpikingSelfAttention
from snnctl.backbones.blocks import SpikingConv, SpikingLinear, fold_norms
from snnctl.backbones.ispikformer import ISpikformer
from snnctl.backbones.mlp import SpikingMLP
from snnctl.backbones.qkformer import QKFormer
from snnctl.backbones.spike_driven import SpikeDriven
from snnctl.backbones.spike_gru import SpikeGRU
from snnctl.backbones.spike_rnn import SpikeRNN
from snnctl.backbones.spike_tcn import SpikeTCN
from snnctl.backbones.spikformer import Spikformer

__all__ = [
    "ISpikformer",
    "QKFormer",
    "SpikeDriven",
    "SpikeGRU",
    "SpikeRNN",
    "SpikeTCN",
    "Spikformer",
    "SpikingConv",
    "SpikingLinear",
    "SpikingMLP",
    "SpikingSelfAttention",
    "fold_norms",
]
