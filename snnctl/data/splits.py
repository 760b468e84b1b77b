"""The three splits of all data, and what they are called in the wild."""

from __future__ import annotations

from snnctl.core.choices import SplitName

SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")
SPLIT_WORDS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
