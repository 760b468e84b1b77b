"""One figure per kind of signal."""
