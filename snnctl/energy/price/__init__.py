"""Pricing: rows become joules by a cost table."""
