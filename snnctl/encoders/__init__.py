"""Encoders: real-valued data [B, L, C] or tokens [B, L] in, spikes over T simulation steps out."""

from snnctl.encoders.base import Encoder
from snnctl.encoders.coding import Latency, Phase, Rate
from snnctl.encoders.conv import Conv
from snnctl.encoders.direct import Delta, Repeat
from snnctl.encoders.embedding import Embedding
from snnctl.encoders.patch import Patch

__all__ = ["Conv", "Delta", "Embedding", "Encoder", "Latency", "Patch", "Phase", "Rate", "Repeat"]
