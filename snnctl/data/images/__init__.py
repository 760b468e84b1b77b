"""Images and event frames: sources, decoded arrays on disk, splits, augmentation."""
