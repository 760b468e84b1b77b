"""Many runs at once: a queue of `snnctl train` processes, the points of a grid, and a search."""
