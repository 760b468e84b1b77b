"""What each command does, as functions: typed arguments in, the document of `--json` out; nothing is drawn here."""
