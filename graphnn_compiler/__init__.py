"""graphnn_compiler: from a `.gnn` file to a network with graph-wired sparse layers."""
