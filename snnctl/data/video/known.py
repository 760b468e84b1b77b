"""Sets of videos that have a name: what is known of each, and where it may be fetched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownVideos:
    """One named set.

    Args:
        name: what a recipe writes in `data.source`.
        summary: what it shows.
        shape: [H, W, C] of a frame as it is published.
        frames: (F_in, F_out) as they are published.
        licence: as its source states it.
        brought: what lies where `--from` points.
        url: where `snnctl data prep` gets it; "" when the user must bring it.
        clips: in a genuine copy, by part; empty where that is not known for certain.
        note: what to mind.
    """

    name: str
    summary: str
    shape: tuple[int, int, int]
    frames: tuple[int, int]
    licence: str
    brought: str
    url: str = ""
    clips: tuple[tuple[str, int], ...] = ()
    note: str = ""

    @property
    def command(self) -> str:
        """The command that makes it ready."""
        return f"snnctl data prep {self.name}" + ("" if self.url else " --from PATH")


_SETS = (
    KnownVideos(
        "moving_mnist",
        "two handwritten digits that move and overlap",
        (64, 64, 1),
        (10, 10),
        "none stated",
        "mnist_test_seq.npy",
        url="http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy",
        clips=(("test", 10000),),
        note="it is a test set; train and val sequences are made of MNIST's train digits: snnctl data prep mnist",
    ),
    KnownVideos(
        "taxibj",
        "taxis that enter and leave districts of Beijing, every 30 minutes",
        (32, 32, 2),
        (4, 4),
        "none stated",
        "dataset.npz with X_train, Y_train, X_test, Y_test",
        clips=(("train", 20461),),
        note="OpenSTL releases the file as taxibj_dataset.zip; errors are those of values in 0..1, not of counts",
    ),
    KnownVideos(
        "kth",
        "people who box, clap, wave, walk, jog and run",
        (128, 128, 1),
        (10, 20),
        "none stated",
        "ACTION/personNN_ACTION_.../image_XXXX.jpg",
        note="OpenSTL releases the frames as kth_action.zip",
    ),
)

KNOWN_VIDEOS: dict[str, KnownVideos] = {entry.name: entry for entry in _SETS}
KNOWN_VIDEO_NAMES = tuple(KNOWN_VIDEOS)
