"""The operators on edge sets against dictionaries and double loops, and the laws they obey."""

from __future__ import annotations

import numpy as np
import pytest
from edge_sets import assert_canonical, edge_sets, edges_of, keys_of, make_keys, meaning, node_sets, pairs_of, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, Relations, canonical, integer_units
from graphnn_compiler.topology.rules.algebra import (
    compose,
    difference,
    drop_relations,
    intersection,
    relation,
    restrict,
    reverse,
    sym,
    union,
)
from graphnn_compiler.topology.rules.identity import every_pair, same

quick = settings(max_examples=60, deadline=None)
key_types = pytest.mark.parametrize("strings", [False, True], ids=["int", "string"])


def pair_set(sources, targets, pairs):
    row, column = np.array([(t, s) for s, t in pairs], dtype=np.int64).reshape(-1, 2).T
    return canonical(sources, targets, row, column)


def merged(a, b, name):
    """`name` of edge a if it is an edge of the left operand, else of b; None where that side lacks it."""
    return (b if a is None else a).get(name)


@key_types
@given(data=st.data())
@quick
def test_union_is_both_and_left_attributes_stand(data, strings):
    a, b = data.draw(edge_sets(strings)), data.draw(edge_sets(strings))
    result = union(a, b)
    assert_canonical(result)
    left, right = meaning(a), meaning(b)
    names = list(a.columns) + [name for name in b.columns if name not in a.columns]
    assert list(result.columns) == names
    expected = {e: {n: merged(left.get(e), right.get(e), n) for n in names} for e in left | right}
    assert meaning(result) == expected
    for side in ("sources", "targets"):
        ours, theirs = keys_of(getattr(a, side)), keys_of(getattr(b, side))
        assert keys_of(getattr(result, side)) == ours + [k for k in theirs if k not in ours]
    assert (result.relations is None) == (a.relations is None and b.relations is None)


@key_types
@given(data=st.data())
@quick
def test_intersection_and_difference_filter_the_left(data, strings):
    a, b = data.draw(edge_sets(strings)), data.draw(edge_sets(strings))
    left, right = meaning(a), meaning(b)
    both, only = intersection(a, b), difference(a, b)
    assert meaning(both) == {e: left[e] for e in left if e in right}
    assert meaning(only) == {e: left[e] for e in left if e not in right}
    for result in (both, only):
        assert_canonical(result)
        assert result.sources is a.sources
        assert result.targets is a.targets


@key_types
@given(data=st.data())
@quick
def test_compose_is_the_double_loop(data, strings):
    r, s = data.draw(edge_sets(strings)), data.draw(edge_sets(strings))
    result = compose(r, s)
    assert_canonical(result)
    assert pairs_of(result) == {(a, d) for a, b in pairs_of(r) for c, d in pairs_of(s) if b == c}
    assert result.columns == {}
    assert result.relations is None
    assert (keys_of(result.sources), keys_of(result.targets)) == (keys_of(r.sources), keys_of(s.targets))


@key_types
@given(data=st.data())
@quick
def test_reverse_of_a_composition(data, strings):
    r, s = data.draw(edge_sets(strings)), data.draw(edge_sets(strings))
    assert edges_of(reverse(compose(r, s))) == edges_of(compose(reverse(s), reverse(r)))


@key_types
@given(data=st.data())
@quick
def test_reverse(data, strings):
    a = data.draw(edge_sets(strings))
    turned = reverse(a)
    assert_canonical(turned)
    assert meaning(turned) == {(t, s, rel): columns for (s, t, rel), columns in meaning(a).items()}
    assert meaning(reverse(turned)) == meaning(a)
    assert edges_of(reverse(turned)) == edges_of(a)


@key_types
@given(data=st.data())
@quick
def test_sym_adds_each_missing_reverse_edge_with_its_attributes(data, strings):
    a = data.draw(edge_sets(strings, square=True))
    result = sym(a)
    assert_canonical(result)
    before = meaning(a)
    assert meaning(result) == {(t, s, rel): columns for (s, t, rel), columns in before.items()} | before
    assert meaning(sym(result)) == meaning(result)
    assert result.sources is result.targets


@key_types
@given(data=st.data())
@quick
def test_restrict_by_key(data, strings):
    a = data.draw(edge_sets(strings))
    sources, targets = data.draw(node_sets(strings)), data.draw(node_sets(strings))
    result, left_out = restrict(a, sources, targets)
    assert_canonical(result)
    inside = {e: c for e, c in meaning(a).items() if e[0] in keys_of(sources) and e[1] in keys_of(targets)}
    assert meaning(result) == inside
    assert left_out == len(a) - len(inside)
    assert result.sources is sources
    assert result.targets is targets


@key_types
@given(data=st.data())
@quick
def test_set_laws(data, strings):
    units, others = data.draw(node_sets(strings)), data.draw(node_sets(strings))
    kind = data.draw(st.booleans())
    a, b, c = (data.draw(edge_sets(strings, typed=kind, sources=units, targets=others)) for _ in range(3))
    sets = [set(meaning(x)) for x in (union(a, b), union(b, a), intersection(a, b), intersection(b, a))]
    assert sets[0] == sets[1]
    assert sets[2] == sets[3]
    assert meaning(difference(a, union(b, c))) == meaning(difference(difference(a, b), c))
    assert set(meaning(union(union(a, b), c))) == set(meaning(union(a, union(b, c))))
    assert meaning(union(a, a)) == meaning(a) == meaning(intersection(a, a))
    universe = every_pair(units, others)
    a, b = drop_relations(a), drop_relations(b)
    not_a, not_b = difference(universe, a), difference(universe, b)
    assert pairs_of(difference(universe, union(a, b))) == pairs_of(intersection(not_a, not_b))
    assert pairs_of(difference(universe, intersection(a, b))) == pairs_of(union(not_a, not_b))


@key_types
@given(data=st.data())
@quick
def test_relations(data, strings):
    a = data.draw(edge_sets(strings, typed=True))
    by_edge = meaning(a)
    for name in a.relations.names:
        assert meaning(relation(a, name)) == {e: c for e, c in by_edge.items() if e[2] == name}
    first = {}
    for edge in edges_of(a):
        first.setdefault((edge[0], edge[1], None), by_edge[edge])
    dropped = drop_relations(a)
    assert dropped.relations is None
    assert meaning(dropped) == first


def test_union_reaches_isolated_units():
    units = integer_units(4)
    result = union(sym(pair_set(units, units, [(0, 1)])), same(units, units))
    assert edges_of(result) == [(s, t, None) for s, t in [(0, 0), (1, 0), (0, 1), (1, 1), (2, 2), (3, 3)]]


def test_untyped_edges_are_of_the_type_missing():
    units = integer_units(2)
    row = np.array([0, 1])
    knows = EdgeSet(units, units, row, row, relations=Relations(np.array([0, -1], dtype=np.int32), ("knows",)))
    loops = same(units, units)
    assert edges_of(union(knows, loops)) == [(0, 0, None), (0, 0, "knows"), (1, 1, None)]
    assert edges_of(difference(knows, loops)) == [(0, 0, "knows")]
    assert edges_of(intersection(knows, loops)) == [(1, 1, None)]


def test_union_of_node_columns_follows_the_units():
    left = NodeSet(make_keys([0, 1], True), {"size": Column(np.array([1, 2])), "kind": Column(make_keys([4, 5], True))})
    right = NodeSet(
        make_keys([2, 1], True), {"size": Column(np.array([0.5, 9.0])), "age": Column(np.array([True, True]))}
    )
    units = union(same(left, left), same(right, right)).sources
    assert keys_of(units) == ["ab", "b", ""]
    assert {name: values_of(column) for name, column in units.columns.items()} == {
        "size": [1.0, 2.0, 0.5],
        "kind": ["10", "9", None],
        "age": [None, None, True],
    }
    assert units.columns["size"].values.dtype == np.float64


def test_composition_counts_no_paths():
    """256 paths between one pair must not become 0 in some narrow counter."""
    one, many = integer_units(1), integer_units(256)
    assert edges_of(compose(every_pair(one, many), every_pair(many, one))) == [(0, 0, None)]


def problem(code, function, *arguments, **options):
    with pytest.raises(Problem) as caught:
        function(*arguments, **options)
    assert caught.value.code == code
    return caught.value


def test_size_of_a_composition_is_foreseen():
    one, many = integer_units(1), integer_units(5000)
    out, back = every_pair(one, many), every_pair(many, one)
    error = problem("E308", compose, back, out, max_edges=1_000_000)
    assert error.message == "`@` may make up to 25,000,000 edges, above the limit of 1,000,000"
    assert len(compose(out, back, max_edges=1)) == 1


def test_key_types_do_not_mix():
    strings, integers = NodeSet(make_keys([0, 1], True)), integer_units(2)
    a, b = same(strings, strings), same(integers, integers)
    for function in (union, intersection, difference, compose):
        error = problem("E300", function, a, b)
        assert "`ab`" in error.message
        assert "`0`" in error.message
        assert "key_type" in error.help
    problem("E300", restrict, a, integers, strings)
    problem("E300", same, strings, integers)


def test_an_empty_set_has_no_key_type():
    nothing = same(integer_units(0), integer_units(0))
    a = same(NodeSet(make_keys([0], True)), NodeSet(make_keys([0], True)))
    assert meaning(union(nothing, a)) == meaning(union(a, nothing)) == meaning(a)


def test_sym_needs_the_same_units():
    error = problem("E309", sym, every_pair(integer_units(2), integer_units(5)))
    assert "2 units (0, 1) to 5 units (0, 1, 2 and 2 more)" in error.message


def test_relation_errors():
    units = integer_units(1)
    plain = same(units, units)
    problem("E311", relation, plain, "is")
    typed = EdgeSet(units, units, plain.row, plain.column, {}, Relations(np.zeros(1, np.int32), ("part_of",)))
    assert problem("E310", relation, typed, "part of").help == "did you mean `part_of`?"
    assert problem("E310", relation, typed, "x").help == "the relations are part_of"


def test_columns_of_two_types():
    units = integer_units(1)
    plain = same(units, units)
    a = EdgeSet(units, units, plain.row, plain.column, {"w": Column(np.array([1]))})
    b = EdgeSet(units, units, plain.row, plain.column, {"w": Column(make_keys([0], True))})
    assert problem("E312", union, a, b).message == "column `w` is int on the left of `|` and string on the right"
