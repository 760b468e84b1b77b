"""How fast and how hungry: snnctl beside its own definition and beside other libraries, measured side by side."""
