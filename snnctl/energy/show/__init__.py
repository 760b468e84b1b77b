"""Showing: the estimate as document, tables, figures, page."""
