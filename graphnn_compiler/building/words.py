"""The words of the language that are names of the Python package too: `gnn.sym`, `gnn.same`, `gnn.symmetric`, ..

Not for: what they mean, and which of them are compiled already (the checker says so).
"""

from __future__ import annotations

_RULES = """all same one_to_one random shuffled offset within nearest match pairs hops walks closure top sym group
sources targets levels range units channels"""
_OPTIONS = """per_edge shared per fixed same_as full diagonal scalar glorot he lecun orthogonal zeros normal uniform
row col symmetric per_channel per_unit"""
_ACTIVATIONS = "linear relu leaky_relu elu selu gelu silu softplus softsign tanh sigmoid exp softmax"
_LAYERS = "concat dropout row_normalize layernorm batchnorm mean gru lstm"
_COLUMNS = """node edge src dst abs log sqrt floor ceil default missing min max sum count acyclic degree in_degree
out_degree component depth height"""
_OBJECTIVES = """cross_entropy binary_cross_entropy mse mae huber poisson l1 l2 accuracy
balanced_accuracy f1 auc average_precision r2 pearson spearman"""

WORDS = frozenset(" ".join((_RULES, _OPTIONS, _ACTIVATIONS, _LAYERS, _COLUMNS, _OBJECTIVES)).split())

COLUMN_SCOPES = frozenset({"node", "edge", "src", "dst"})
"""Words whose members are columns, which no set operator joins: `&`, `|` and `~` of them are `and`, `or` and `not`."""

CONDITIONS = frozenset({"missing", "acyclic"})
"""Functions whose value is true or false."""
