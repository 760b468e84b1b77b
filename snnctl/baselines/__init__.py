"""Baselines: what a result has to beat, on the same items, under the same metrics."""
