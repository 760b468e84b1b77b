"""Counting: every operation that torch dispatches on real samples becomes a row; it begins in `dispatch`."""
