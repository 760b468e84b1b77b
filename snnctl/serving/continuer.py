"""A trained network for videos: frames in, the frames that follow out."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import as_warnings
from snnctl.core.files import write_atomically, writing
from snnctl.data.anew import Fitted
from snnctl.engine.runtime import Runtime
from snnctl.recipe import Recipe
from snnctl.report.saving import Tell
from snnctl.serving.files import check_suffix
from snnctl.serving.items import Answered, Passing, Stand, Warn

if TYPE_CHECKING:
    from snnctl.engine.experiment import Network

Frames = NDArray[np.float32]
FORMATS = (".npy", ".npz")


@dataclass(frozen=True)
class Ahead:
    """Frames that follow those of a batch.

    Args:
        names: of the clips.
        seen: [B, F_in, H, W, C] in 0..1, what the network was shown.
        frames: [B, F_out, H, W, C], what follows; values of the read-out, not cut to 0..1.
        spikes: [B] of the whole network.
    """

    names: list[str]
    seen: Frames
    frames: Frames
    spikes: NDArray[np.int64]


@dataclass(frozen=True)
class Continued:
    """Continuations of clips, batch by batch; they can be taken once.

    Args:
        batches: gives them, in order.
        stand: how many clips there were, once all are given.
        how: how the input is read, one line each.
    """

    batches: Callable[[], Iterator[Ahead]]
    stand: Stand
    how: tuple[str, ...]


class Continuer:
    """A trained network that continues videos.

    Args:
        recipe: as it was trained.
        fitted: what it remembers of its data.
        task, network: with the weights, ready to predict.
        runtime: where it runs.
        facts: which weights they are.
        warn: told of what is odd in new videos.
    """

    def __init__(
        self,
        recipe: Recipe,
        fitted: Fitted,
        task: Any,
        network: Network,
        runtime: Runtime,
        facts: dict[str, Any],
        warn: Warn = as_warnings,
    ) -> None:
        self.recipe, self.fitted, self.task, self.facts = recipe, fitted, task, facts
        self.network = network.eval()
        self.passing = Passing(recipe, fitted, task, self.network, runtime, warn)

    @property
    def frames_in(self) -> int:
        """F_in, frames that the network is shown."""
        return self.fitted.input_signal.frames

    @property
    def frames_out(self) -> int:
        """F_out, frames that it gives."""
        return self.fitted.input_signal.ahead

    def predict(self, given: Any, *, skip_bad: bool = False) -> Frames:
        """The frames that follow each clip.

        Args:
            given: a path of a .npy or .npz file, a GIF or a folder of numbered pictures; or an array of clips
                [N, T, H, W] or [N, T, H, W, C], or of one. The last F_in frames of each are seen.
            skip_bad: leave out clips that cannot be read, and say so, rather than refuse all.

        Returns:
            [N, F_out, H, W, C] float32, 0 black and 1 white; the read-out may go beyond.

        Raises:
            DiagnosticError: D1xx and D2xx, a clip cannot be read; D310, its frames are of another shape than those of
                training.
        """
        return np.concatenate([one.frames for one in self.continued(given, skip_bad=skip_bad).batches()])

    def continued(
        self,
        given: Any = None,
        *,
        split: SplitName | None = None,
        skip_bad: bool = False,
        tell: Tell | None = None,
    ) -> Continued:
        """The same, batch by batch; the network runs when the batches are taken.

        Args:
            given: see `predict`; None = `split`.
            split: the clips of a split of the run's own data, by their numbers.
            tell: told how far it is, as a share.

        Raises:
            DiagnosticError: as `predict`; D401 the data is not that of training.
        """
        stand, how = Stand(), ()
        if split is None:
            items = self.passing.read(given)
            answers = self.passing.new(items, stand, skip_bad, tell)
        else:
            answers = self.passing.split(split, stand, tell)
        return Continued(lambda: (self._ahead(one) for one in answers), stand, how)

    def _ahead(self, answered: Answered) -> Ahead:
        grid = self.fitted.input_signal.grid
        assert grid is not None
        seen, frames = answered.batch.inputs.unflatten(2, grid), answered.prediction[:, -self.frames_out :]
        spikes = answered.spikes.numpy().round().astype(np.int64)
        return Ahead(answered.names, seen.cpu().numpy(), frames.unflatten(2, grid).numpy(), spikes)


def write_frames(path: Path, batches: Iterator[Ahead]) -> None:
    """Write frames as .npy, or as .npz with `frames`, `items` and `spikes`, as they come, whole or not at all.

    Raises:
        DiagnosticError: U453, it cannot be written; U505, the suffix is none of `FORMATS`.
    """
    check_suffix(path, FORMATS)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".npy":
            write_atomically(path, lambda temporary: _array(temporary, batches, [], []))
        else:
            write_atomically(path, lambda temporary: _archive(temporary, batches))


def _array(path: Path, batches: Iterator[Ahead], names: list[str], spikes: list[int]) -> None:
    """One array; how many clips there are is written at the end, where the header has left room for it."""
    count, shape = 0, ()
    with path.open("wb") as file:
        for batch in batches:
            frames = np.ascontiguousarray(batch.frames, np.float32)
            if not count:
                shape = frames.shape[1:]
                _header(file, 0, shape)
            file.write(frames.tobytes())
            count += len(frames)
            names += batch.names
            spikes += batch.spikes.tolist()
        file.seek(0)
        _header(file, count, shape)


def _header(file: Any, count: int, shape: tuple[int, ...]) -> None:
    kind = np.lib.format.dtype_to_descr(np.dtype(np.float32))
    header = {"descr": kind, "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)


def _archive(path: Path, batches: Iterator[Ahead]) -> None:
    names: list[str] = []
    spikes: list[int] = []
    beside = path.with_name(path.name + ".frames")
    try:
        _array(beside, batches, names, spikes)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
            archive.write(beside, "frames.npy")
            for name, values in (("items", np.array(names, np.str_)), ("spikes", np.array(spikes, np.int64))):
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, values, allow_pickle=False)
    finally:
        beside.unlink(missing_ok=True)
