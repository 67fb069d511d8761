"""The view of MCP Apps: the HTML document in which hosts show the results of tools."""
