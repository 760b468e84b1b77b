"""Sets of videos that have a name: what is known of each, and where it may be fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnctl.data.known import Known


@dataclass(frozen=True, kw_only=True)
class KnownVideos(Known):
    """One named set.

    Args:
        name, summary, licence, note, url, brought: see `Known`.
        frames: (F_in, F_out) as they are published.
        clips: in a genuine copy, by part; empty where that is not known for certain.
    """

    asks: ClassVar[str] = "PATH"

    frames: tuple[int, int]
    clips: tuple[tuple[str, int], ...] = ()


_SETS = (
    KnownVideos(
        "moving_mnist",
        "two handwritten digits that move and overlap",
        frames=(10, 10),
        brought="mnist_test_seq.npy",
        url="http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy",
        clips=(("test", 10000),),
        note="it is a test set; train and val sequences are made of MNIST's train digits: snnctl data prep mnist",
    ),
    KnownVideos(
        "taxibj",
        "taxis that enter and leave districts of Beijing, every 30 minutes",
        frames=(4, 4),
        brought="dataset.npz with X_train, Y_train, X_test, Y_test",
        clips=(("train", 20461),),
        note="OpenSTL releases the file as taxibj_dataset.zip; errors are those of values in 0..1, not of counts",
    ),
    KnownVideos(
        "kth",
        "people who box, clap, wave, walk, jog and run",
        frames=(10, 20),
        brought="ACTION/personNN_ACTION_.../image_XXXX.jpg",
        note="OpenSTL releases the frames as kth_action.zip",
    ),
)

KNOWN: dict[str, KnownVideos] = {known.name: known for known in _SETS}
