"""Peers: a minimal server for each SDK, with the benchmark's tools and the same options."""
