"""Texts with classes: where they come from, how they are cut and turned into tokens."""
