"""What do its spikes look like? Rates, silent and saturated neurons, rasters."""
