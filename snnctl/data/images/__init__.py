"""Labelled pictures: where they come from, decoded arrays on disk, batches, augmentation; whole or pixel by pixel."""
