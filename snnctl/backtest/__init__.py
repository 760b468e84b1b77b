"""Rolling origins: what a forecaster would have said at each cutoff, beside what anyone would take instead."""
