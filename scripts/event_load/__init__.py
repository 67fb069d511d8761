"""A load test of MCP Events: ``python -m scripts.event_load``."""
