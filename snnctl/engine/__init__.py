"""Runs an experiment: the loop, evaluation, checkpoints and run directories. Emits events, prints nothing."""
