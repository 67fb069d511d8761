"""DoiT MCP: a remote MCP server for DoiT Cloud Intelligence."""

__version__ = "0.1.0"
