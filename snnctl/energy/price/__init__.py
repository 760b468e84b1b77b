"""Pricing: rows become joules by a cost table. They are computed in `joules`."""
