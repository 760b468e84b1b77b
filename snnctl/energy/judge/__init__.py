"""Judging: what published thresholds and other definitions say of the count."""
