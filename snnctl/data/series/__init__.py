"""Series: tables over time and where they come from, splits, scaling, windows."""
