"""The view in a browser: a host page around the official bridge of MCP Apps shows results of the sandbox."""
