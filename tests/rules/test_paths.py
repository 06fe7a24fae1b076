"""The rules about paths against double loops, powers of matrices, Floyd-Warshall and NetworkX; and their laws."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from edge_sets import assert_canonical, edge_sets, edges_of, keys_of, node_sets, pairs_of
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import canonical, integer_units
from graphnn_compiler.topology.rules import closure as closure_module
from graphnn_compiler.topology.rules import hops as hops_module
from graphnn_compiler.topology.rules import walks as walks_module
from graphnn_compiler.topology.rules.algebra import compose, difference, drop_relations, reverse, sym, union
from graphnn_compiler.topology.rules.closure import closure
from graphnn_compiler.topology.rules.hops import hops
from graphnn_compiler.topology.rules.identity import same
from graphnn_compiler.topology.rules.order import find_cycle, longest_paths, weak_components
from graphnn_compiler.topology.rules.square import distinct, in_neighbours
from graphnn_compiler.topology.rules.walks import walks
from graphnn_compiler.topology.structure import Structure

quick = settings(max_examples=40, deadline=None)


@pytest.fixture(params=["one block", "many blocks"], scope="module", autouse=True)
def working_pairs(request):
    """Every test twice: with the working memory of the package, and with so little that blocks shrink to one row."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "many blocks":
            for module in (closure_module, hops_module, walks_module):
                patch.setattr(module, "WORKING_PAIRS", 3)
        yield request.param


@pytest.fixture
def one_block(working_pairs):
    """For searches of many steps, which row by row would take minutes."""
    if working_pairs != "one block":
        pytest.skip("long searches are tried with the working memory of the package")


@st.composite
def square_sets(draw):
    """Edges from units to themselves: typed or not, with columns, isolated units, self loops; sometimes no units."""
    return draw(edge_sets(draw(st.booleans()), square=True))


def of_pairs(n, pairs):
    units = integer_units(n)
    row, column = np.array([(t, s) for s, t in pairs], dtype=np.int64).reshape(-1, 2).T
    return canonical(units, units, row, column)


def ring(n):
    return of_pairs(n, [(k, (k + 1) % n) for k in range(n)])


def path(n):
    return of_pairs(n, [(k, k + 1) for k in range(n - 1)])


def digraph(edges):
    graph = nx.DiGraph()
    graph.add_nodes_from(keys_of(edges.sources))
    graph.add_edges_from(pairs_of(edges))
    return graph


def adjacency(edges):
    matrix = np.zeros((len(edges.sources), len(edges.targets)), dtype=object)
    matrix[edges.column, edges.row] = 1
    return matrix


def values_by_pair(edges, name):
    assert list(edges.columns) == [name]
    assert edges.columns[name].values.dtype == np.int64
    pairs = [(source, target) for source, target, _ in edges_of(edges)]
    return dict(zip(pairs, edges.columns[name].values.tolist(), strict=True))


def assert_plain(result, edges):
    assert_canonical(result)
    assert result.relations is None
    assert result.sources is edges.sources
    assert result.targets is edges.targets


# ------------------------------------------------------------------ hops


@given(edges=square_sets(), low=st.integers(0, 4), more=st.integers(0, 4))
@quick
def test_hops_are_shortest_distances(edges, low, more):
    result = hops(edges, low, low + more)
    assert_plain(result, edges)
    lengths = dict(nx.all_pairs_shortest_path_length(digraph(edges)))
    expected = {(s, t): k for s, found in lengths.items() for t, k in found.items() if low <= k <= low + more}
    assert values_by_pair(result, "hops") == expected


@given(edges=square_sets())
@quick
def test_hops_obey_the_algebra(edges):
    plain, loops = drop_relations(edges), same(edges.sources, edges.targets)
    assert pairs_of(hops(edges, 0, 0)) == pairs_of(loops)
    assert pairs_of(hops(edges, 1, 1)) == pairs_of(difference(plain, loops))
    two = difference(difference(compose(edges, edges), plain), loops)
    assert pairs_of(hops(edges, 2, 2)) == pairs_of(two)
    everything = union(hops(edges, 0, 0), closure(edges))
    assert pairs_of(hops(edges, 0, 10**9)) == pairs_of(everything)
    assert pairs_of(reverse(hops(edges, 1, 2))) == pairs_of(hops(reverse(edges), 1, 2))


def test_hops_of_a_long_path_take_one_step_at_a_time(one_block):
    result = hops(path(1000), 990, 5000)
    assert len(result) == sum(1000 - k for k in range(990, 1000))
    assert set(result.columns["hops"].values.tolist()) == set(range(990, 1000))


# ------------------------------------------------------------------ walks


@given(edges=square_sets(), length=st.integers(0, 5))
@quick
def test_walks_are_the_power_of_the_matrix(edges, length):
    result = walks(edges, length)
    assert_plain(result, edges)
    power = np.linalg.matrix_power(adjacency(edges), length) if len(edges.sources) else np.zeros((0, 0))
    keys = keys_of(edges.sources)
    expected = {(keys[s], keys[t]): power[s, t] for s, t in np.argwhere(power > 0)}
    assert values_by_pair(result, "value") == expected


@given(edges=square_sets(), length=st.integers(2, 4))
@quick
def test_pairs_of_walks_are_compositions(edges, length):
    composed = edges
    for _ in range(length - 1):
        composed = compose(composed, edges)
    assert pairs_of(walks(edges, length)) == pairs_of(composed)


def complete(n):
    return of_pairs(n, [(s, t) for s in range(n) for t in range(n)])


@pytest.mark.parametrize("length", [53, 54, 55, 62, 63])
def test_numbers_of_walks_are_exact_up_to_int64(length):
    """On two units that all lead to all there are 2 ** (k - 1) walks of k steps between any two."""
    assert set(walks(complete(2), length).columns["value"].values.tolist()) == {2 ** (length - 1)}


def test_numbers_of_walks_beyond_float64_have_all_their_digits():
    """Fibonacci numbers; the 90th has 61 bits, of which float64 keeps 53."""
    numbers = [0, 1]
    while len(numbers) < 92:
        numbers.append(numbers[-1] + numbers[-2])
    edges = of_pairs(2, [(0, 0), (0, 1), (1, 0)])
    assert values_by_pair(walks(edges, 89), "value")[0, 0] == numbers[90]


@pytest.mark.parametrize("length", [64, 65, 66, 130, 2000])
def test_more_walks_than_int64_holds_are_refused(length):
    """65 and more wrap to zero in 64 bits, 2000 is beyond float64."""
    with pytest.raises(Problem, match="4 pairs of units") as refused:
        walks(complete(2), length)
    assert refused.value.code == "E318"


def test_large_numbers_that_lead_nowhere_are_not_refused(one_block):
    """From unit 0 there are 2 ** 65 walks of 130 steps, and none of 131: the last two units have no edge out."""
    diamonds = [pair for k in range(0, 195, 3) for pair in ((k, k + 1), (k, k + 2), (k + 1, k + 3), (k + 2, k + 3))]
    edges = of_pairs(196, diamonds)
    assert len(walks(edges, 131)) == 0
    with pytest.raises(Problem, match=r"1 pair of units .*`0` -> `195`"):
        walks(edges, 130)
    assert values_by_pair(walks(ring(3), 1000), "value") == {(0, 1): 1, (1, 2): 1, (2, 0): 1}


# ------------------------------------------------------------------ closure


@given(edges=square_sets())
@quick
def test_closure_is_what_floyd_and_warshall_reach(edges):
    result = closure(edges)
    assert_plain(result, edges)
    assert result.columns == {}
    reached = adjacency(edges).astype(bool)
    for k in range(len(reached)):
        reached |= reached[:, [k]] & reached[[k], :]
    assert set(zip(result.column.tolist(), result.row.tolist(), strict=True)) == set(map(tuple, np.argwhere(reached)))


@given(edges=square_sets())
@quick
def test_laws_of_the_closure(edges):
    once = closure(edges)
    assert pairs_of(closure(once)) == pairs_of(once)
    assert pairs_of(compose(once, once)) <= pairs_of(once)
    assert pairs_of(drop_relations(edges)) <= pairs_of(once)
    assert pairs_of(reverse(once)) == pairs_of(closure(reverse(edges)))
    assert pairs_of(once) == pairs_of(edges) | pairs_of(compose(edges, once))


@given(n=st.integers(1, 40), data=st.data())
@settings(max_examples=25, deadline=None)
def test_closure_of_a_larger_graph_is_what_networkx_finds(n, data):
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    edges = of_pairs(n, data.draw(st.lists(pair, unique=True, max_size=2 * n)))
    expected = nx.transitive_closure(digraph(edges), reflexive=False)
    assert pairs_of(closure(edges)) == set(expected.edges)


# ------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("rule", "edges"),
    [
        (closure, path(100_000)),
        (closure, ring(100_000)),
        (lambda e, max_edges: hops(e, 1, 10**6, max_edges=max_edges), ring(5000)),
        (lambda e, max_edges: walks(e, 40, max_edges=max_edges), sym(ring(5000))),
    ],
    ids=["closure of a path", "closure of a ring", "hops", "walks"],
)
def test_a_rule_stops_at_the_limit(rule, edges, one_block):
    with pytest.raises(Problem, match=r"makes at least [\d,]+ edges, above the limit of 60,000") as refused:
        rule(edges, max_edges=60_000)
    assert refused.value.code == "E308"


@given(edges=square_sets(), low=st.integers(0, 2))
@quick
def test_the_limit_is_the_number_of_edges(edges, low):
    for rule in (
        lambda limit: closure(edges, max_edges=limit),
        lambda limit: hops(edges, low, 3, max_edges=limit),
        lambda limit: walks(edges, low, max_edges=limit),
    ):
        n = len(rule(None))
        assert len(rule(n)) == n
        if n:
            with pytest.raises(Problem, match="above the limit"):
                rule(n - 1)


@given(data=st.data(), strings=st.booleans())
@quick
def test_different_sides_are_refused(data, strings):
    sources, targets = data.draw(node_sets(strings)), data.draw(node_sets(strings))
    edges = data.draw(edge_sets(strings, sources=sources, targets=targets))
    if sources.same_units(targets):
        return
    for rule in (closure, lambda e: hops(e, 1, 2), lambda e: walks(e, 2)):
        with pytest.raises(Problem, match="needs edges from units to the same units") as refused:
            rule(edges)
        assert refused.value.code == "E316"


# ------------------------------------------------------------------ components, depth, height, cycles


@given(edges=square_sets())
@quick
def test_components_are_those_of_networkx(edges):
    found = Structure(edges, "it").column("component")
    keys = keys_of(edges.targets)
    number = {}
    for members in nx.weakly_connected_components(digraph(edges)):
        number |= dict.fromkeys(members, min(keys.index(key) for key in members))
    order = sorted(set(number.values()))
    assert found.tolist() == [order.index(number[key]) for key in keys]


def longest(graph, key):
    return max((1 + longest(graph, before) for before in graph.predecessors(key)), default=0)


@given(edges=square_sets())
@quick
def test_depth_and_height_are_the_longest_paths(edges):
    graph, structure = digraph(edges), Structure(edges, "it")
    if nx.is_directed_acyclic_graph(graph):
        assert structure.cycle is None
        keys = keys_of(edges.targets)
        assert structure.column("depth").tolist() == [longest(graph, key) for key in keys]
        assert structure.column("height").tolist() == [longest(graph.reverse(), key) for key in keys]
        if len(edges):
            assert structure.column("depth").max() == nx.dag_longest_path_length(graph)
        return
    for name in ("depth", "height"):
        with pytest.raises(Problem, match="without cycles") as refused:
            structure.column(name)
        assert refused.value.code == "E321"
        assert refused.value.notes == (f"a cycle: {structure.cycle}",)


@given(edges=square_sets())
@quick
def test_a_cycle_is_found_where_there_is_one(edges):
    found = find_cycle(in_neighbours(edges, "it"))  # of the reverse edges
    assert (found is None) == nx.is_directed_acyclic_graph(digraph(edges))
    if found is not None:
        keys = edges.targets.keys[found].tolist()
        assert len(set(keys)) == len(keys)
        assert {(after, before) for before, after in zip(keys, keys[1:] + keys[:1], strict=True)} <= pairs_of(edges)


def test_long_cycles_are_shown_in_part():
    assert Structure(ring(1000), "it").cycle == "`0` -> `1` -> `2` -> `3` -> `4` -> .. (995 more) -> `0`"


@pytest.mark.parametrize("width", [1, 5, 40])
def test_depth_of_long_graphs(width):
    """`width` paths side by side, each unit also leading one path on; taken unit by unit where they are few."""
    n = 500
    pairs = [
        (k * width + i, (k + 1) * width + j % width) for k in range(n - 1) for i in range(width) for j in (i, i + 1)
    ]
    edges = of_pairs(n * width, sorted(set(pairs)))
    structure = Structure(edges, "it")
    assert np.array_equal(structure.column("depth"), np.repeat(np.arange(n), width))
    assert np.array_equal(structure.column("height"), np.repeat(np.arange(n)[::-1], width))


def test_depth_behind_a_cycle_is_not_told():
    following = in_neighbours(reverse(of_pairs(5, [(0, 1), (1, 2), (2, 1), (2, 3), (0, 4)])), "it")
    assert longest_paths(following).tolist() == [0, -1, -1, -1, 1]
    assert weak_components(following).tolist() == [0] * 5


@given(codes=st.lists(st.integers(0, 99)), more=st.integers(0, 10_000))
@quick
def test_distinct_values_rise(codes, more):
    assert distinct(np.array(codes, dtype=np.int64), 100 + more).tolist() == sorted(set(codes))
