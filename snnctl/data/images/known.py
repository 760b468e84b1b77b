"""Image sets that have a name: what is known of each, and where it may be fetched."""

from __future__ import annotations

from dataclasses import dataclass

_CIFAR = "none stated (collected by Krizhevsky, Nair and Hinton)"


@dataclass(frozen=True)
class KnownImages:
    """One named set.

    Args:
        name: what a recipe writes in `data.source`.
        summary: what it shows.
        torchvision: the class of `torchvision.datasets` that reads and fetches it; "" when the user brings it.
        hub: its id for `datasets.load_dataset`, an alternative source.
        size, channels: of an image.
        classes: how many.
        train, test: items in a genuine copy.
        licence: as its source states it.
        note: what to mind.
    """

    name: str
    summary: str
    torchvision: str
    hub: str
    size: int
    channels: int
    classes: int
    train: int
    test: int
    licence: str
    note: str = ""

    @property
    def command(self) -> str:
        """The command that makes it ready."""
        return f"snnctl data prep {self.name}" + ("" if self.torchvision else " --from FOLDER")


_SETS = (
    KnownImages("cifar10", "photographs of 10 things", "CIFAR10", "uoft-cs/cifar10", 32, 3, 10, 50000, 10000, _CIFAR),
    KnownImages(
        "cifar100", "photographs of 100 things", "CIFAR100", "uoft-cs/cifar100", 32, 3, 100, 50000, 10000, _CIFAR
    ),
    KnownImages("mnist", "handwritten digits", "MNIST", "ylecun/mnist", 28, 1, 10, 60000, 10000, "none stated"),
    KnownImages(
        "fashion_mnist",
        "articles of clothing",
        "FashionMNIST",
        "zalando-datasets/fashion_mnist",
        28,
        1,
        10,
        60000,
        10000,
        "MIT",
    ),
    KnownImages(
        "tiny_imagenet",
        "photographs of 200 things",
        "",
        "zh-plus/tiny-imagenet",
        64,
        3,
        200,
        100000,
        10000,
        "none stated",
        "bring the unpacked tiny-imagenet-200; its own test part has no labels, its val part is the test here",
    ),
)

KNOWN_IMAGES: dict[str, KnownImages] = {entry.name: entry for entry in _SETS}
KNOWN_IMAGE_NAMES = tuple(KNOWN_IMAGES)
