"""Everything that rich draws: live progress, tables, diagnostics."""
