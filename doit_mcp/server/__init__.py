"""Answers MCP requests; knows no HTTP."""
