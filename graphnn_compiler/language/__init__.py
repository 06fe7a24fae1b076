"""Program text to syntax tree: grammar, parser, tree nodes."""
