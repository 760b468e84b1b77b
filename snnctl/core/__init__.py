"""What every room shares: registries, diagnostics, signals, events, seeds. Imports no torch."""
