"""From a trained non-spiking network to a spiking one with the same weights."""
