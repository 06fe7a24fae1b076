"""One reader a data format, each to the tables of `topology.graph`."""
