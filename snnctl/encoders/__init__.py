"""Encoders: real-valued data [B, L, C] or tokens [B, L] in, spikes over T simulation steps out."""

from snnctl.encoders.base import Encoder
from snnctl.encoders.conv import Conv
from snnctl.encoders.delta import Delta
from snnctl.encoders.embedding import Embedding
from snnctl.encoders.latency import Latency
from snnctl.encoders.patch import Patch
from snnctl.encoders.phase import Phase
from snnctl.encoders.rate import Rate
from snnctl.encoders.repeat import Repeat

__all__ = ["Conv", "Delta", "Embedding", "Encoder", "Latency", "Patch", "Phase", "Rate", "Repeat"]
