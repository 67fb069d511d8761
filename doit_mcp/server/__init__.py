"""Handles MCP requests, independent of the transport."""
