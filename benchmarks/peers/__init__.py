"""The benchmark of speed: problems, workers, peers and the report. `benchmarks/speed.py` is its command."""
