"""Data that is made, not read: symbols in some order, XOR over several time scales."""
