"""Graphs of the Neuromorphic Intermediate Representation: made, rewritten, run, and read by other simulators."""
