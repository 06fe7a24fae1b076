"""One pure vectorised function per connectivity rule, and the algebra of edge sets."""
