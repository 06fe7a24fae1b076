"""Write the data of this example: karate.graphml and one_hot.npy. Needs NetworkX.

    python make_data.py [-o FOLDER]

The graph is that of W. W. Zachary, "An information flow model for conflict and fission in small groups", Journal of
Anthropological Research 33 (1977), as NetworkX ships it: node attribute `club`, edge attribute `weight`.
"""

import argparse
from pathlib import Path

import networkx as nx
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description="Write karate.graphml and one_hot.npy.")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    folder = parser.parse_args().output
    graph = nx.karate_club_graph()
    del graph.graph["name"]
    nx.write_graphml_xml(graph, folder / "karate.graphml")
    np.save(folder / "one_hot.npy", np.eye(len(graph), dtype=np.float32))


if __name__ == "__main__":
    main()
