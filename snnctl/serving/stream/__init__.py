"""Rows that come one by one, each answered at once."""
