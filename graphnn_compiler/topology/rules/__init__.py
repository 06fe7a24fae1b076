"""Connectivity rules: one pure, vectorised function each, from node sets and edge sets to an edge set.

Every result is in canonical order. A refusal is a `Problem`; the stage that called adds the place in the program.
Not for: reading data, the syntax of rules, CSR layout.
"""
