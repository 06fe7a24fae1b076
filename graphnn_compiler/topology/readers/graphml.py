"""GraphML files as graphs.

Input: a `.graphml` file. Output: a `Graph` whose nodes stand in the order of the file. Not for: XML (`graphml_parser`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graphnn_compiler.topology.graph import Graph, string_array
from graphnn_compiler.topology.readers.declared import Declared, declared_graph, line_places
from graphnn_compiler.topology.readers.files import require_text
from graphnn_compiler.topology.readers.graphml_parser import GraphmlParser
from graphnn_compiler.topology.readers.options import GraphOptions, refuse_options
from graphnn_compiler.topology.readers.text_files import TextFile

_BLOCK = 1 << 16


def read_graphml(path: Path, shown: str, options: GraphOptions) -> Graph:
    """The graph in a GraphML file, directed by the file's own word unless the options say otherwise.

    Node keys are the ids, or the data attribute that `options.key` names. E220 .. E225 are about the file.
    """
    unfit = ("source", "target", "nodes", "rows", "separator", "encoding")
    refuse_options(options, unfit, shown, "a GraphML file")
    file = TextFile(path, shown)
    digest = file.fingerprint()
    require_text(digest, shown, "a GraphML file")
    parser = GraphmlParser(shown)
    with file.open() as stream:
        while block := stream.read(_BLOCK):
            parser.feed(block, final=False)
    parser.feed(b"", final=True)
    found = parser.found
    columns = {
        owner: {name: values.column(n_rows) for name, values in found.columns[owner].items()}
        for owner, n_rows in (("node", len(found.nodes)), ("edge", len(found.edge_lines)))
    }
    declared = Declared(
        shown,
        found.directed,
        ids=string_array(list(found.codes)),
        nodes=np.array(found.nodes, dtype=np.int64),
        ends=np.array(found.ends, dtype=np.int64),
        node_columns=columns["node"],
        edge_columns=columns["edge"],
        node_places=line_places(shown, found.node_lines),
        edge_places=line_places(shown, found.edge_lines),
    )
    return declared_graph(declared, options, digest.sha256, "declare each with `<node>`")
