"""Image sets that have a name: what is known of each, and where it may be fetched."""

from __future__ import annotations

from dataclasses import dataclass

from snnctl.data.known import Known


@dataclass(frozen=True, kw_only=True)
class KnownImages(Known):
    """One named set.

    Args:
        name, summary, licence, note: see `Known`.
        torchvision: the class of `torchvision.datasets` that reads and fetches it; "" when the user brings it.
        channels: of an image.
        classes: how many.
        train, test: items in a genuine copy.
    """

    torchvision: str = ""
    channels: int
    classes: int = 10
    train: int
    test: int = 10000

    @property
    def fetchable(self) -> bool:
        """Whether torchvision fetches it."""
        return bool(self.torchvision)


_CIFAR = "none stated (collected by Krizhevsky, Nair and Hinton)"

_SETS = (
    KnownImages("cifar10", "photographs of 10 things", torchvision="CIFAR10", channels=3, train=50000, licence=_CIFAR),
    KnownImages(
        "cifar100",
        "photographs of 100 things",
        torchvision="CIFAR100",
        channels=3,
        classes=100,
        train=50000,
        licence=_CIFAR,
    ),
    KnownImages("mnist", "handwritten digits", torchvision="MNIST", channels=1, train=60000),
    KnownImages(
        "fashion_mnist", "articles of clothing", torchvision="FashionMNIST", channels=1, train=60000, licence="MIT"
    ),
    KnownImages(
        "tiny_imagenet",
        "photographs of 200 things",
        channels=3,
        classes=200,
        train=100000,
        note="bring the unpacked tiny-imagenet-200; its own test part has no labels, its val part is the test here",
    ),
)

KNOWN: dict[str, KnownImages] = {known.name: known for known in _SETS}
