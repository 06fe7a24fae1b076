"""Syntax tree to checked model: names resolved, defaults filled, rules of the language checked."""
