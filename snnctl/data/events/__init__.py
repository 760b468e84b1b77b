"""Spikes over time as data: recordings of spike times, and generators of them."""
