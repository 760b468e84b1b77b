"""Moving digits: sequences that are drawn when they are asked for."""
