"""The data component `moving_digits`: digits that move over a canvas, drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from snnctl.core.catalog import DATA
from snnctl.core.registry import SourcePath
from snnctl.core.seeds import run_seed
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import Cutting, Share
from snnctl.data.pictures import spelled
from snnctl.data.prepare import Prepared
from snnctl.data.problems import data_error
from snnctl.data.video.clips import VideoSet
from snnctl.data.video.known import KNOWN
from snnctl.data.video.moving.dataset import MovingData
from snnctl.data.video.moving.digits import BUILTIN, KNOWN_DIGITS, Pools, make_pools, picture_set, scaled_digits
from snnctl.data.video.moving.motion import MotionRule
from snnctl.data.video.prepare import PLAIN, local_videos, named_videos, prepare

Side = Annotated[int, Ge(2), Le(1024)]
MOVING_MNIST = "moving_mnist"


@DATA.register("moving_digits")
class MovingDigits(DataSource):
    """Digits that move over a black canvas, bounce off its edges and overlap: Moving MNIST, drawn on the fly.

    The images of the source are cut into three pools, one for each split, and no image is in two of them. Validation
    and test sequences are fixed by `split_seed`, for all runs alike. With digits other than MNIST's train images and
    test sequences other than the published file, numbers do not compare with published ones.

    Equation:
        for each digit: x, y ~ U(0, 1), direction ~ U(0, 2 pi), image ~ U(pool)
        each frame: (x, y) += 0.1 (cos, sin); where 0 or 1 is reached, stop there and flip the velocity of that axis
        column = floor((canvas - size) x), row = floor((canvas - size) y);   pixel = max over digits

    Args:
        source: builtin = 2,000 digits that snnctl draws; mnist or fashion_mnist; or a path with labelled pictures as
            `image` reads it (IDX files of MNIST's layout, folders, arrays).
        canvas: rows and columns, or [rows, columns] (64 as published).
        digit_size: side that digits are scaled to, by the mean over areas; null takes them as they are (28 of MNIST and
            builtin).
        digits: in each sequence, >= 1; an image may come twice.
        frames_in: F_in, frames that are seen, >= 1.
        frames_out: F_out, frames that are predicted, >= 1.
        train: sequences of an epoch, >= 1 (10000 as published).
        val: sequences that validate, >= 1.
        test: sequences that test, >= 1; of no effect with `test_file`.
        fresh: whether every epoch has train sequences of its own, a function of seed, epoch and index (as published);
            else they are fixed by `split_seed` too.
        val_digits: share of the train images, or how many, that val sequences are made of.
        test_digits: the same of all images for test, where the source has no test part.
        split_seed: of pools and fixed sequences; the run's own seed does not touch them.
        test_file: moving_mnist, or a path to a file in its layout [20, N, rows, columns], that tests instead; null =
            test sequences are drawn.

    Shape:
        frames [B, F_in + F_out, H * W, 1] float32 in 0..1.

    Raises:
        DiagnosticError: from `probe` and `load`; R331, a digit that does not fit the canvas; see
            `snnctl.data.problems`.

    Source: Srivastava et al. 2015, "Unsupervised learning of video representations using LSTMs", arXiv 1502.04681.
    """

    gives: ClassVar[Literal["video"]] = "video"

    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=(BUILTIN, *KNOWN_DIGITS))] = BUILTIN,
        canvas: Side | Annotated[list[Side], MinLen(2), MaxLen(2)] = 64,
        digit_size: Annotated[int, Ge(1)] | None = None,
        digits: Annotated[int, Ge(1)] = 2,
        frames_in: Annotated[int, Ge(1)] = 10,
        frames_out: Annotated[int, Ge(1)] = 10,
        train: Annotated[int, Ge(1)] = 10000,
        val: Annotated[int, Ge(1)] = 1000,
        test: Annotated[int, Ge(1)] = 1000,
        fresh: bool = True,
        val_digits: Share = 0.1,
        test_digits: Share = 0.2,
        split_seed: Annotated[int, Ge(0)] = 0,
        test_file: Annotated[str | None, SourcePath(known=(MOVING_MNIST,))] = None,
    ) -> None:
        self.source, self.digit_size, self.test_file = source, digit_size, test_file
        self.canvas = (canvas, canvas) if isinstance(canvas, int) else (canvas[0], canvas[1])
        self.rule = MotionRule(self.canvas, digits, frames_in + frames_out)
        self.seen, self.sizes = frames_in, {"train": train, "val": val, "test": test}
        self.fresh = run_seed() if fresh else None
        self.cutting = Cutting(val_digits, test_digits, split_seed)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Digits have room to move."""
        canvas, size = knobs["canvas"], knobs["digit_size"]
        if size is not None and min(canvas if isinstance(canvas, list | tuple) else (canvas,)) <= size:
            yield "digit_size", "`digit_size` must be smaller than `canvas`, or the digits cannot move"

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """The decoded digits, fetched or brought if need be, and a named test file."""
        found = () if self.source == BUILTIN else picture_set(self.source).prepare(progress, brought)
        if self.test_file not in KNOWN:
            return found
        return (*found, replace(prepare(self.test_file, brought, progress=progress), name=""))

    def load(self) -> MovingData:
        """Pools of digits; sequences are drawn when they are asked for.

        Raises:
            DiagnosticError: D101 a named set is not there, R320 an empty pool, R331 a digit that does not fit.
        """
        pools = make_pools(self.source, self.cutting)
        if self.digit_size is not None:
            images = {name: scaled_digits(found, self.digit_size) for name, found in pools.images.items()}
            pools = replace(pools, images=images)
        size = pools.images["train"].shape[1:]
        if any(own >= side for own, side in zip(size, self.canvas, strict=True)):
            message = f"digits of {spelled(size)} cannot move on a canvas of {spelled(self.canvas)}"
            help = "enlarge `data.canvas`, or scale the digits with `data.digit_size`"
            raise data_error("R331", message, file=pools.origin, path="data.canvas", help=help)
        tested, leaks = self._tested(pools)
        return MovingData(pools, self.rule, self.sizes, self.seen, self.cutting.split_seed, self.fresh, tested, leaks)

    def _tested(self, pools: Pools) -> tuple[VideoSet | None, tuple[str, ...]]:
        """The sequences of `test_file`, and what has to be said of them."""
        if self.test_file is None:
            return None, ()
        if self.test_file == MOVING_MNIST:
            found = named_videos(MOVING_MNIST)
        else:
            found = local_videos(self.test_file, "tnhw", PLAIN)
        frames = int(next(iter(found.parts.values())).lengths.max())
        if found.shape != (*self.canvas, 1) or frames < self.rule.frames:
            message = (
                f"its sequences are {frames} frames of {spelled(found.shape)}; the recipe's are"
                f" {self.rule.frames} of {spelled((*self.canvas, 1))}"
            )
            raise data_error("R330", message, file=found.origin, path="data.test_file")
        leak = "digits of the test file may be among those of train: the source does not say which are test"
        return found, () if pools.parted or self.source == BUILTIN else (leak,)
