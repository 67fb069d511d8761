"""Peer: fastmcp for Python."""

from __future__ import annotations

import os
from typing import Any

from common import Options, make_fetch, read_options, serve

# Read on import; checking for updates would count as startup time.
os.environ.setdefault("FASTMCP_CHECK_FOR_UPDATES", "off")
os.environ.setdefault("FASTMCP_LOG_LEVEL", "WARNING")


def make_application(options: Options) -> Any:
    """The server as an ASGI application."""
    from fastmcp import FastMCP
    from fastmcp.server.auth.providers.jwt import JWTVerifier
    from fastmcp.tools import Tool
    from fastmcp.tools.base import ToolResult
    from mcp.types import TextContent

    verifier = JWTVerifier(
        public_key=options.public_key,
        algorithm="ES256",
        issuer=options.urls["issuer"],
        audience=options.urls["audience"],
        required_scopes=["mcp:tools"],
    )
    server = FastMCP("bench", version="1.0.0", auth=verifier if options.auth else None)
    fetch = make_fetch(options)

    def text_result(text: str) -> ToolResult:
        return ToolResult(content=[TextContent(type="text", text=text)])

    async def echo(text: str) -> ToolResult:
        return text_result(text)

    async def fetch_report(id: str) -> ToolResult:
        return text_result(await fetch(id))

    async def other() -> ToolResult:
        return text_result("ok")

    functions = {"echo": echo, "fetch_report": fetch_report}
    for definition in options.tools:
        name = definition["name"]
        function = functions.get(name, other)
        # The annotations must be objects, not the strings that the future import above makes.
        function.__annotations__ = {key: str for key in function.__annotations__ if key != "return"}
        tool = Tool.from_function(function, name=name, description=definition["description"], output_schema=None)
        if function is other:
            tool = tool.model_copy(update={"parameters": definition["inputSchema"]})
        server.add_tool(tool)
    if options.legacy:
        return server.http_app(transport="sse", path="/sse")
    return server.http_app(path="/mcp", json_response=not options.sse)


if __name__ == "__main__":
    options = read_options()
    serve(make_application(options), options)
