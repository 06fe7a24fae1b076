"""Program text to syntax tree: grammar, parser, tree nodes, and a dump of the tree.

`parser.parse` is the entry; `tokens`, `lexical` and `mistakes` explain what is wrong with a text that does not parse.
"""
