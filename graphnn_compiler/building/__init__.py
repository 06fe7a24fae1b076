"""Programs written in Python: expressions and declarations that are recorded, printed as `.gnn`, and compiled as text.

Not for: checking. What is wrong with such a program is said by the ordinary stages, about the printed text.
"""
