"""Comparison of trained runs over paired seeds: groups, differences, figures and a page."""
