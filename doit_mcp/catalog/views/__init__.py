"""The view of MCP Apps: the HTML document that draws the results of tools in hosts that show it."""
