"""GraphML files written by NetworkX, and files that are refused."""

import math

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import cells, edges, refused

from graphnn_compiler.topology.readers import GraphOptions, graph_from_object, read_graph

NAMES = st.sampled_from(["a", "b", "c & d", "e<f", "ü", "7"])
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "w": st.integers(-9, 9),
        "x": st.floats(allow_nan=False),
        "flag": st.booleans(),
        "note": st.sampled_from(["red", "a & b", " x "]),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, NAMES, ATTRIBUTES), max_size=8), st.booleans(), st.dictionaries(NAMES, ATTRIBUTES))
def test_networkx_writes_what_we_read(tmp_path, pairs, directed, nodes):
    oracle = nx.DiGraph() if directed else nx.Graph()
    oracle.add_nodes_from(nodes.items())
    oracle.add_edges_from(pairs)
    nx.write_graphml(oracle, tmp_path / "g.graphml")
    ids = list(oracle)
    if ids and all(name == "7" for name in ids):
        oracle = nx.relabel_nodes(oracle, int)
        ids = [7]
    both = oracle if directed else oracle.to_directed()
    for graph in (
        read_graph(tmp_path / "g.graphml", "g.graphml", GraphOptions()),
        graph_from_object(oracle, "g", GraphOptions()),
    ):
        assert graph.sources.keys.tolist() == ids
        assert {k: {n: v for n, v in a.items() if v is not None} for k, a in edges(graph).items()} == {
            (s, t): data for s, t, data in both.edges(data=True)
        }
        for name, column in graph.sources.columns.items():
            assert cells(column) == [data.get(name) for _, data in oracle.nodes(data=True)]


HEAD = """<?xml version="1.0"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="k" for="edge" attr.name="w" attr.type="int"><default>5</default></key>
<key id="o" for="node" attr.name="osmid" attr.type="long"/>
<key id="t" for="edge" attr.name="kind" attr.type="string"/>
"""


def write(path, body, head=HEAD):
    path.write_text(head + body)
    return path


def test_defaults_types_keys_and_edges_before_nodes(tmp_path):
    body = """<graph edgedefault="undirected">
      <edge source="n1" target="n0"><data key="t">road</data></edge>
      <edge source="n1" target="n0"><data key="k"> 7 </data></edge>
      <node id="n0"><data key="o">300</data></node><node id="n1"><data key="o">-2</data></node>
    </graph></graphml>"""
    path = write(tmp_path / "g.graphml", body)
    graph = read_graph(path, "g.graphml", GraphOptions(key="osmid", type="kind"))
    assert graph.sources.keys.tolist() == [300, -2]
    assert edges(graph) == {
        (-2, 300, "road"): {"w": 5},
        (300, -2, "road"): {"w": 5},
        (-2, 300, None): {"w": 7},
        (300, -2, None): {"w": 7},
    }
    assert "E217" in refused(lambda: read_graph(path, "g.graphml", GraphOptions(duplicates="sum")))


def test_yed_style_data_is_passed_over(tmp_path):
    body = """<key id="d" for="node" yfiles.type="nodegraphics"/>
    <graph><node id="a"><data key="d"><y:Shape xmlns:y="u"><y:port/>text</y:Shape></data></node></graph></graphml>"""
    graph = read_graph(write(tmp_path / "g.graphml", body), "g.graphml", GraphOptions())
    assert graph.sources.keys.tolist() == ["a"]
    assert set(graph.sources.columns) == {"osmid"}


def test_infinite_and_missing_reals(tmp_path):
    head = '<graphml><key id="k" for="node" attr.name="x" attr.type="double"/>'
    body = '<graph><node id="1"><data key="k">INF</data></node><node id="2"><data key="k"/></node></graph></graphml>'
    graph = read_graph(write(tmp_path / "g.graphml", body, head), "g.graphml", GraphOptions())
    assert graph.sources.keys.tolist() == [1, 2]
    assert cells(graph.sources.columns["x"]) == [math.inf, None]


GRAPH = '<graph edgedefault="directed"><node id="a"/><node id="b"/>\n'
BAD = {
    "E220: `g.graphml` is not well-formed XML\n--> g.graphml:7: mismatched tag here": (HEAD + GRAPH + "</graphml>", {}),
    "E221: `g.graphml` declares a document type, which is refused\n--> g.graphml:2: the declaration begins here\n"
    "help: remove `<!DOCTYPE ..>`: GraphML needs none, and entities can be made to fill the memory": (
        '<?xml version="1.0"?>\n<!DOCTYPE g [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>\n<graphml>&b;</graphml>',
        {},
    ),
    "E222: `g.graphml` holds a hyperedge, which is not supported\n--> g.graphml:7: a hyperedge stands here\n"
    "help: write one flat graph of nodes and edges": (HEAD + GRAPH + "<hyperedge/></graph></graphml>", {}),
    "E222: `g.graphml` holds a nested graph, which is not supported\n--> g.graphml:7: a nested graph stands here\n"
    "help: write one flat graph of nodes and edges": (
        HEAD + GRAPH + '<node id="c"><graph/></node></graph></graphml>',
        {},
    ),
    "E222: `g.graphml` holds a port, which is not supported\n--> g.graphml:7: a port stands here\n"
    "help: write one flat graph of nodes and edges": (
        HEAD + GRAPH + '<edge source="a" target="b" sourceport="p"/></graph></graphml>',
        {},
    ),
    "E222: `g.graphml` is XML but not GraphML\n--> g.graphml:1: the root element is `<html>`": ("<html/>", {}),
    "E222: `g.graphml` holds no graph\n--> g.graphml: no `<graph>` in this file\n"
    "help: a GraphML file is `<graphml>` around one `<graph>`": ("<graphml/>", {}),
    "E223: edges of `g.graphml` name 1 node that the file does not declare: `z`\n--> g.graphml:7: `z` is no node\n"
    "help: declare each with `<node>`": (HEAD + GRAPH + '<edge source="a" target="z"/></graph></graphml>', {}),
    "E224: `g.graphml` gives `much` for the key `k`, declared int\n--> g.graphml:7: the value stands here\n"
    "help: correct the value, or declare the key as string": (
        HEAD + GRAPH + '<edge source="a" target="b"><data key="k">much</data></edge></graph></graphml>',
        {},
    ),
    "E224: `g.graphml` gives data for the key `kk`, which it does not declare\n--> g.graphml:7: the data stands here\n"
    "help: did you mean `k`?": (
        HEAD + GRAPH + '<edge source="a" target="b"><data key="kk"/></edge></graph></graphml>',
        {},
    ),
    'E225: an edge of `g.graphml` says `directed="false"`, but the graph is directed\n'
    "--> g.graphml:7: from `a` to `b`\nhelp: a graph is either directed or undirected: write every edge so": (
        HEAD + GRAPH + '<edge source="a" target="b" directed="false"/></graph></graphml>',
        {},
    ),
    "E214: `g.graphml` gives 1 key to more than one node: `a`\n--> g.graphml:6: the key `a` stands here\n"
    "--> g.graphml:7: and again here\nhelp: give every node one row and a key of its own": (
        HEAD + GRAPH + '<node id="a"/></graph></graphml>',
        {},
    ),
    "E212: 2 nodes of `g.graphml` have no `osmid`, which `key =` makes the key\n--> g.graphml:6: no `osmid` here\n"
    "--> g.graphml:6: no `osmid` here\n"
    "help: give each of these nodes a value, or use the ids by leaving `key =` out": (
        HEAD + GRAPH + "</graph></graphml>",
        {"key": "osmid"},
    ),
    "E210: the nodes of `g.graphml` have no attribute `osm`, which `key =` names\n--> g.graphml: this file\n"
    "help: did you mean `osmid`?\nnote: the node attributes are `osmid`": (
        HEAD + GRAPH + "</graph></graphml>",
        {"key": "osm"},
    ),
    "E213: `g.graphml` has 2 keys that are no integer, where integers are asked for: `a`, `b`\n"
    "--> g.graphml:6: `a` is no integer\n--> g.graphml:6: `b` is no integer\n"
    "help: an integer key is plain decimal text, without a leading zero or `+`": (
        HEAD + GRAPH + "</graph></graphml>",
        {"key_type": "int"},
    ),
    "E218: `source =` does not apply to a GraphML file\n--> g.graphml: this is a GraphML file\nhelp: remove 1 option": (
        HEAD + GRAPH + "</graph></graphml>",
        {"source": "a"},
    ),
}


@pytest.mark.parametrize("expected", BAD, ids=lambda text: text[:40])
def test_refused(tmp_path, expected):
    text, options = BAD[expected]
    (tmp_path / "g.graphml").write_text(text)
    assert refused(lambda: read_graph(tmp_path / "g.graphml", "g.graphml", GraphOptions(**options))) == expected
