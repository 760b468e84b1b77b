"""What the spikes of a trained run look like: activity, rasters, membranes, figures, a page."""
