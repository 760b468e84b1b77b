"""Figures of positional encodings. matplotlib is loaded when one is drawn, not before."""
