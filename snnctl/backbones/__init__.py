"""Backbones: encoded spikes in, spikes of the network's width out."""

from snnctl.backbones.delay_mlp import DelayMLP
from snnctl.backbones.ispikformer import ISpikformer
from snnctl.backbones.parts.attention import SpikingSelfAttention
from snnctl.backbones.parts.layers import SpikingConv, SpikingLinear, fold_norms
from snnctl.backbones.parts.transformer import SpikingMLP
from snnctl.backbones.qkformer import QKFormer
from snnctl.backbones.qkformer_stages import QKFormerStages
from snnctl.backbones.spike_driven import SpikeDriven
from snnctl.backbones.spike_gru import SpikeGRU
from snnctl.backbones.spike_resnet import SpikeResNet
from snnctl.backbones.spike_rnn import SpikeRNN
from snnctl.backbones.spike_tcn import SpikeTCN
from snnctl.backbones.spike_vgg import SpikeVGG
from snnctl.backbones.spikformer import Spikformer
from snnctl.backbones.temporal_conv import TemporalConv

__all__ = [
    "DelayMLP",
    "ISpikformer",
    "QKFormer",
    "QKFormerStages",
    "SpikeDriven",
    "SpikeGRU",
    "SpikeRNN",
    "SpikeResNet",
    "SpikeTCN",
    "SpikeVGG",
    "Spikformer",
    "SpikingConv",
    "SpikingLinear",
    "SpikingMLP",
    "SpikingSelfAttention",
    "TemporalConv",
    "fold_norms",
]
