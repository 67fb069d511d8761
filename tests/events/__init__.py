"""Tests of MCP Events."""
