"""Reports: a page that needs nothing beside itself, one look for figures, tables as CSV, saved whole or not at all."""
