"""What was read, in one picture: one figure per kind of signal, whatever component or plug-in gives it."""

from snnctl.inspect.data.page import draw

__all__ = ["draw"]
