"""The compiled loops behind the CSR sparse dot: pure functions of arrays.

Input: contiguous or strided arrays, node-major, and the arrays of one orientation of an `EdgeStructure`. Output: new
arrays. The loops walk the rows of a CSR structure, whose entry k is the edge k from unit `indices[k]` to its row;
`coefficients` (c, one an edge) and `groups` (g, the weight or weight block of each edge) may be None, which means all
ones and the edge's own number. The callers have checked the number of units and of weights; the indices are trusted.
Positions are unsigned (`np.uintp`), since a signed one is tested for counting from the end on every access.
Not for: symbolic variables, gradients.
"""
