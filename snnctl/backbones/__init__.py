"""Backbones: encoded spikes in, spikes of the network's width out."""

from snnctl.backbones.delay_mlp import DelayMLP as DelayMLP
from snnctl.backbones.ispikformer import ISpikformer as ISpikformer
from snnctl.backbones.parts.attention import SpikingSelfAttention as SpikingSelfAttention
from snnctl.backbones.parts.layers import SpikingConv as SpikingConv
from snnctl.backbones.parts.layers import SpikingLinear as SpikingLinear
from snnctl.backbones.parts.layers import fold_norms as fold_norms
from snnctl.backbones.parts.transformer import SpikingMLP as SpikingMLP
from snnctl.backbones.qkformer import QKFormer as QKFormer
from snnctl.backbones.qkformer_stages import QKFormerStages as QKFormerStages
from snnctl.backbones.spike_driven import SpikeDriven as SpikeDriven
from snnctl.backbones.spike_gru import SpikeGRU as SpikeGRU
from snnctl.backbones.spike_resnet import SpikeResNet as SpikeResNet
from snnctl.backbones.spike_rnn import SpikeRNN as SpikeRNN
from snnctl.backbones.spike_tcn import SpikeTCN as SpikeTCN
from snnctl.backbones.spike_vgg import SpikeVGG as SpikeVGG
from snnctl.backbones.spikformer import Spikformer as Spikformer
from snnctl.backbones.temporal_conv import TemporalConv as TemporalConv
