"""The `gnnc` command: arguments, files, exit codes; the only place that prints."""
