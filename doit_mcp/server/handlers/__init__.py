"""Handlers of MCP methods, one module per family of methods."""
