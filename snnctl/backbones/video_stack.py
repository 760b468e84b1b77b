"""Video stack: recurrent cells over maps of patches, fed with frames as long as there are, then with its own."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from snnctl.backbones.base import Count, Depth, Layered
from snnctl.backbones.parts.hierarchy import Hierarchy
from snnctl.backbones.parts.recurrence import goes_on
from snnctl.backbones.parts.video import (
    CellNorm,
    FrameHead,
    LSTMCell,
    Sampling,
    SpikingCell,
    drawn,
    from_patches,
    patch_grid,
    to_patches,
    video_grid,
)
from snnctl.core.catalog import BACKBONES
from snnctl.core.registry import Slot
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.neurons.base import NeuronFactory, neuron_factory


@BACKBONES.register("video_stack")
class VideoStack(Layered):
    """Convolutional spiking cells on top of each other that predict the next frame from each frame.

    One frame is one simulation step. Patches enter the first cell as they are; those above get the spikes of the cell
    below at the same step. After the frames that are seen, each prediction is the next input; while training, it may be
    the true frame instead, see `sampling`. In evaluation it never is.

    Equation:
        x[t] = patches of frame t                            t < seen, or where sampling shows the truth
        x[t] = y[t-1]                                        else
        S_l[t] = neuron_l(GN(W_l * S_{l-1}[t])),  S_0 = x    l = 1..layers
        y[t] = W_y S_layers[t]                               frame t + 1, a 1 x 1 convolution without bias

    Args:
        signal: frames [T, B, H W, C] on a grid of H x W, and how many are to follow.
        patch: pixels along the sides of a patch, a divisor of H and W (2 as published for 64 x 64 pixels; 4, ours).
        dim: channels of every cell (256 as published; 64, ours).
        layers: cells, >= 1 (3 as published).
        kernel: of the cells' convolutions, odd (5 as published).
        norm: group, statistics of one frame of one sample (as published), or none.
        norm_groups: of the cells' norms, a divisor of `dim` (16 as published).
        neuron: of every cell; the published ones are stc_lif and its kin.
        hierarchy: time constants over depth, cell by cell; null leaves the neuron's.
        sampling: how long training shows true frames in place of predicted ones.
        spiking: false builds the non-spiking twin, with convolutional LSTM cells; `norm` then is of no concern to it.

    Shape: [T, B, L, C] -> [seen + ahead - 1, B, L, C], T = seen, or seen + ahead with the true frames that training
        may show.

    Raises:
        ShapeError: the signal is no video to be continued, patches do not fill its frames, `kernel` is even, or the
            neuron keeps no state from step to step.

    Source: Wang and Yu 2024, arXiv 2406.00405, and its code, stclif, github.com/wangtianyi1874/stclif, on OpenSTL's
        recurrent stack. Frames need not be square; that is ours.
    """

    makes_frames = True

    def __init__(
        self,
        signal: SignalSpec,
        *,
        patch: Count = 4,
        dim: Count = 64,
        layers: Depth = 3,
        kernel: Count = 5,
        norm: CellNorm = "group",
        norm_groups: Count = 16,
        neuron: Annotated[str | NeuronFactory, Slot("neuron", factory=True)] = "lif",
        hierarchy: Hierarchy | None = None,
        sampling: Sampling = Sampling(),
        spiking: bool = True,
    ) -> None:
        super().__init__()
        self.grid, self.patch, self.sampling = video_grid(signal, kernel, "video_stack"), patch, sampling
        patch_grid(self.grid, patch)
        self.seen, self.ahead = signal.steps, signal.ahead
        pixels = patch * patch * signal.features
        sizes = [pixels, *[dim] * layers]
        made = neuron_factory(neuron)

        def cell(inputs: int) -> Any:
            if not spiking:
                return LSTMCell(inputs, dim, kernel=kernel)
            return SpikingCell(inputs, dim, made, kernel=kernel, norm=norm, norm_groups=norm_groups)

        self.cells = nn.ModuleList(cell(inputs) for inputs in sizes[:-1])
        if spiking and not goes_on(self.cells[0].neuron):  # type: ignore[arg-type]
            kind = type(self.cells[0].neuron).__name__
            message = f"{kind} keeps no state from step to step, so it cannot go on from its own frames"
            raise ShapeError(message, knob="neuron", help="take a neuron with a membrane, such as lif")
        self.head = FrameHead(dim, pixels)
        self.eta = 0.0  # nobody is shown the truth unless a training loop says how far it is
        self.output = signal.replace(steps=self.seen + self.ahead - 1, ahead=0, kind="real", levels=1)
        self.impose(hierarchy, signal)

    @property
    def stages(self) -> list[nn.Module]:
        return [*self.cells]

    def training_step_progress(self, share: float) -> None:
        """How much of training is done, 0 to 1; see `Sampling`."""
        self.eta = self.sampling.eta(share)

    def forward(self, x: Tensor) -> Tensor:
        maps = to_patches(x, self.grid, self.patch)
        true = maps[self.seen :] if self.training else maps[:0]
        shown = drawn(self.eta, x.shape[1], self.ahead - 1).to(x.device) if len(true) else None
        # The frames that are seen depend on no output: each cell takes them all at once.
        y, states = self._run(maps[: self.seen], [None] * len(self.cells))
        made = [y]
        for step in range(self.ahead - 1):
            following = made[-1][-1]
            if shown is not None:
                following = torch.where(shown[step].view(-1, 1, 1, 1), true[step], following)
            y, states = self._run(following[None], states)
            made.append(y)
        return from_patches(torch.cat(made), self.patch)

    def _run(self, x: Tensor, states: list[Any]) -> tuple[Tensor, list[Any]]:
        """Outputs of the head for inputs [T, B, h, w, pixels], and the states of the cells after the last one."""
        after = []
        for cell, state in zip(self.cells, states, strict=True):
            x, state = cell(x, state)
            after.append(state)
        return self.head(x), after
