"""The command line: one file per subcommand; each parses, calls below, renders and returns an exit code."""
