"""The peers: a minimal server for each, with the tools of the benchmark, started with the same options."""
