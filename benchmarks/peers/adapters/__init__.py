"""One module for each peer: its formulations of the same sparse layer, each on a layout that suits it."""
