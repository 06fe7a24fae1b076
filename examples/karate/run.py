"""Bind a NetworkX graph, train on the two leaders with plain PyTensor, print who the network puts where.

python run.py [--steps N]
"""

import argparse
from pathlib import Path

import networkx as nx
import pytensor

import graphnn_compiler as gnn

parser = argparse.ArgumentParser(description="Split the karate club.")
parser.add_argument("--steps", type=int, default=100)
steps = parser.parse_args().steps

# The graph in memory takes the place of `read("karate.graphml")`; that file is not opened.
club = nx.karate_club_graph()
net = gnn.build(Path(__file__).parent / "model.gnn", data={"club": club}, seed=0)

pytensor.config.floatX = "float32"
loss = net.loss()  # every input and target has its data: nothing is left to be given
slopes = pytensor.grad(loss, net.trainable)
updates = [(w, w - 0.5 * slope) for w, slope in zip(net.trainable, slopes, strict=True)]
step = pytensor.function([], loss, updates=updates, mode=net.mode)
for count in range(1, steps + 1):
    cost = step()
    if count % 25 == 0:
        print(f"step {count:3}: cost {cost:.3f}")

went = net().argmax(axis=1)
strays = [member for member in club if ["Mr. Hi", "Officer"][went[member]] != club.nodes[member]["club"]]
print(f"agreement {net.evaluate()['agreement']:.3f} over {len(club)} members; on the wrong side: {strays}")
