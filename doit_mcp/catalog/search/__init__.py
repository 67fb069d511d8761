"""The tools search and fetch."""
