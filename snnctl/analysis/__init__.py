"""Analysis of positional encodings: statistics of codes, theory, trained networks, figures, a page."""
