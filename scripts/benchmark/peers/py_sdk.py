"""Peer: the official Python SDK (package mcp), with its high-level interface or, with --low, its low-level one."""

from __future__ import annotations

from typing import Any

from common import Options, make_fetch, read_options, serve


def auth_arguments(options: Options) -> dict[str, Any]:
    """The arguments that make a server verify tokens as ours does, on each request."""
    if not options.auth:
        return {}
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from mcp.server.auth.provider import AccessToken
    from mcp.server.auth.settings import AuthSettings

    key: Any = load_pem_public_key(options.public_key.encode())
    issuer, audience = options.urls["issuer"], options.urls["audience"]

    class Verifier:
        """A token verifier with one key."""

        async def verify_token(self, token: str) -> AccessToken | None:
            """The verified token, or None for an invalid one."""
            try:
                claims = jwt.decode(token, key, ["ES256"], audience=audience, issuer=issuer)
            except jwt.InvalidTokenError:
                return None
            return AccessToken(
                token=token,
                client_id=claims["client_id"],
                scopes=claims["scope"].split(),
                expires_at=claims["exp"],
                subject=claims["sub"],
                claims=claims,
            )

    settings = AuthSettings.model_validate(
        {
            "issuer_url": "https://issuer.example",
            "resource_server_url": "https://mcp.example",
            "required_scopes": ["mcp:tools"],
            "validate_token_resource": False,
        }
    )
    return {"auth": settings, "token_verifier": Verifier()}


def high_level_server(options: Options) -> Any:
    """A server whose tools are functions."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench", version="1.0.0", log_level="WARNING", **auth_arguments(options))
    fetch = make_fetch(options)

    @server.tool(description=options.tools[0]["description"], structured_output=False)
    async def echo(text: str) -> str:
        return text

    @server.tool(description=options.tools[1]["description"], structured_output=False)
    async def fetch_report(id: str) -> str:
        return await fetch(id)

    async def other() -> str:
        return "ok"

    for tool in options.tools[2:]:
        server.add_tool(other, name=tool["name"], description=tool["description"], structured_output=False)
        # The SDK derives schemas from signatures; replace them with those that all servers list.
        server._tool_manager.get_tool(tool["name"]).parameters = tool["inputSchema"]
    if options.legacy:
        return server.sse_app()
    return server.streamable_http_app(json_response=not options.sse)


def low_level_server(options: Options) -> Any:
    """A server with two handlers; the tool list is created once."""
    import mcp_types as types
    from mcp.server.lowlevel.server import Server

    fetch = make_fetch(options)
    tool_list = types.ListToolsResult(
        tools=[
            types.Tool(name=tool["name"], description=tool["description"], input_schema=tool["inputSchema"])
            for tool in options.tools
        ]
    )
    schemas = {tool["name"]: tool["inputSchema"] for tool in options.tools}

    async def on_list(context: Any, params: Any) -> types.ListToolsResult:
        return tool_list

    async def on_call(context: Any, params: Any) -> types.CallToolResult:
        arguments = params.arguments or {}
        text = await fetch(arguments["id"]) if params.name == "fetch_report" else arguments["text"]
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])

    server = Server(
        "bench", version="1.0.0", on_list_tools=on_list, on_call_tool=on_call, get_tool_input_schema=schemas.get
    )
    return server.streamable_http_app(json_response=not options.sse, **auth_arguments(options))


if __name__ == "__main__":
    options = read_options()
    serve(low_level_server(options) if options.low else high_level_server(options), options)
