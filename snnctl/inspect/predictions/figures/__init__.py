"""Figures of what a network says of single items, by kind of item."""
