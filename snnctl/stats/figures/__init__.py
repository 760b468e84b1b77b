"""Figures of spikes. matplotlib is loaded when one is drawn, not before."""
