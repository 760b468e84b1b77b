"""SimVP: frames are encoded one by one, translated as a whole, decoded one by one. It does not spike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnctl.backbones.base import Backbone, Count, Depth
from snnctl.backbones.parts.video import video_grid
from snnctl.core.catalog import BACKBONES
from snnctl.core.shapes import ShapeError, SignalSpec


class _ConvNorm(nn.Sequential):
    """Convolution, GroupNorm, SiLU on images [N, C, H, W]."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        groups = next(size for size in (4, 2, 1) if outputs % size == 0)
        super().__init__(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(groups, outputs), nn.SiLU(inplace=True))


class _Mixer(nn.Module):
    """One block of the translator: a wide kernel within channels, then a mix of channels, each beside a shortcut."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.space_norm, self.channel_norm = nn.GroupNorm(1, channels), nn.GroupNorm(1, channels)
        self.space = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.mix = nn.Sequential(nn.Conv2d(channels, 2 * channels, 1), nn.GELU(), nn.Conv2d(2 * channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.space(self.space_norm(x))
        return x + self.mix(self.channel_norm(x))


@BACKBONES.register("sim_vp")
class SimVP(Backbone):
    """Encoder, translator and decoder of plain convolutions: the frame of comparison for video prediction.

    All frames that are seen become channels of one map, and the translator makes the channels of as many later frames
    of them. More are made by going on from those. The stages are SimVP's; the translator's blocks are ours, of the
    modern kind (wide kernel within channels, then a mix of channels).

    Equation:
        z[t] = encoder(x[t])                            two strides of 2
        z' = z + translator(z[1..seen] as channels)
        y[t] = decoder(z'[t], first features of the last seen frame)

    Args:
        signal: frames [T, B, H W, C] on a grid of H x W, and how many are to follow.
        dim: channels of encoder and decoder (16, ours; 64 as published).
        hidden: channels of the translator (128, ours; 512 as published).
        depth: blocks of the translator, >= 1 (4, ours).
        kernel: of those blocks, odd (7, ours).

    Shape: [T, B, L, C] -> [ahead, B, L, C]; frames after those that are seen are not looked at.

    Raises:
        ShapeError: the signal is no video to be continued, its frames cannot be halved twice, or `kernel` is even.

    Source: Gao et al. 2022, "SimVP: Simpler yet better video prediction", arXiv 2206.05099.
    """

    makes_frames = True

    def __init__(
        self, signal: SignalSpec, *, dim: Count = 16, hidden: Count = 128, depth: Depth = 4, kernel: Count = 7
    ) -> None:
        super().__init__()
        self.grid = video_grid(signal, kernel, "sim_vp")
        rows, columns = self.grid
        if rows % 4 or columns % 4:
            raise ShapeError(f"sim_vp halves frames twice, and {rows} x {columns} cannot be", knob="type")
        self.seen, self.ahead, self.dim = signal.steps, signal.ahead, dim
        pixels = signal.features
        self.first = _ConvNorm(pixels, dim)
        self.down = nn.Sequential(_ConvNorm(dim, dim, 2), _ConvNorm(dim, dim), _ConvNorm(dim, dim, 2))
        self.to_hidden = nn.Conv2d(self.seen * dim, hidden, 1)
        self.mixers = nn.Sequential(*(_Mixer(hidden, kernel) for _ in range(depth)))
        self.from_hidden = nn.Conv2d(hidden, self.seen * dim, 1)
        self.up = nn.Sequential(
            _ConvNorm(dim, 4 * dim), nn.PixelShuffle(2), _ConvNorm(dim, 4 * dim), nn.PixelShuffle(2)
        )
        self.last = nn.Sequential(_ConvNorm(2 * dim, dim), nn.Conv2d(dim, pixels, 1))
        self.output = signal.replace(steps=self.ahead, ahead=0, kind="real", levels=1)

    def forward(self, x: Tensor) -> Tensor:
        frames = x[: self.seen].unflatten(2, self.grid).permute(0, 1, 4, 2, 3)
        made: list[Tensor] = []
        while sum(map(len, made)) < self.ahead:
            frames = self._following(frames)
            made.append(frames)
        return torch.cat(made)[: self.ahead].permute(0, 1, 3, 4, 2).flatten(2, 3)

    def _following(self, frames: Tensor) -> Tensor:
        """As many frames [T, B, C, H, W] as are given, those that come next."""
        steps, batch = frames.shape[:2]
        features = self.first(frames.flatten(0, 1))
        codes = self.down(features).unflatten(0, (steps, batch))
        together = codes.transpose(0, 1).flatten(1, 2)  # [B, T D, h, w]
        moved = self.from_hidden(self.mixers(self.to_hidden(together)))
        codes = codes + moved.unflatten(1, (steps, self.dim)).transpose(0, 1)
        skip = features.unflatten(0, (steps, batch))[-1:].expand(steps, -1, -1, -1, -1)
        joined = torch.cat((self.up(codes.flatten(0, 1)), skip.flatten(0, 1)), dim=1)
        return self.last(joined).unflatten(0, (steps, batch))
