"""Measuring what networks predict and how they spike: streaming sums, verdicts on health."""
