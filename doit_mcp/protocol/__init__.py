"""The MCP protocol without I/O: parsing, validation and serialization. Imports no other package of the server."""
