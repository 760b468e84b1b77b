"""Where labelled texts come from: one file, a folder, the hub."""
