"""MCP without I/O: bytes and values; imports nothing of the other layers."""
