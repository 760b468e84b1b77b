"""Data: one folder per kind of signal, and what all share: contract, splits, sets in the cache, table of kinds."""
