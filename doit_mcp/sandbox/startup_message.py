"""Startup message of the sandbox: text for users, or one line of JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .accounts import USERS, permission_summary

_TEMPLATE = """DoiT MCP sandbox

  MCP server      {base}/mcp   (older clients: {base}/sse)
  In a browser    {base}/   (how to connect each client)
  Try the tools   {base}/try
  Services        {services}   (identity provider and DoiT API)
  Dashboard       {services}/   (users, tokens and calls, live)
{today}
Sign in as

{users}

Or send an API token as the bearer token

{tokens}

Connect a client

  Claude Code     claude mcp add --transport http doit {base}/mcp
  Codex           codex mcp add doit --url {base}/mcp
  Cursor          {cursor}
                    in .cursor/mcp.json
  VS Code         {code}
                    in .vscode/mcp.json
  Inspector       npx @modelcontextprotocol/inspector --cli {base}/mcp --method tools/list
  Others          npx mcp-remote {base}/mcp
                    for clients that only run local servers
  curl            curl -s {base}/mcp -H 'Authorization: Bearer {token}' \\
                    -H 'Content-Type: application/json' \\
                    -d '{call}'
  ChatGPT         cannot reach this computer. A tunnel does not help, because the server and the identity provider
                    advertise loopback URLs. Deploy the server at a public HTTPS URL instead.

Press Ctrl+C to stop. The sandbox keeps no data."""

_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_cloud_overview"}}


def format_json(base: str, sandbox_url: str) -> str:
    """One JSON object: the URLs of the server and the sandbox, and passwords and API tokens by email address."""
    return json.dumps(
        {
            "mcp": f"{base}/mcp",
            "sse": f"{base}/sse",
            "base": base,
            "services": sandbox_url,
            "api_tokens": {user.email: user.api_token for user in USERS},
            "users": {user.email: user.password for user in USERS},
        }
    )


def format_text(base: str, sandbox_url: str, extra_customers: int = 0, today: str | None = None) -> str:
    """The URLs, the users and their access, and commands to paste; the URLs have no trailing slash.

    *extra_customers* is the number of generated customers, *today* the chosen date, None for the real one.
    """
    extra_line = (
        f"\n  and {extra_customers} more customers, each with a user: {sandbox_url}/sandbox/customers"
        if extra_customers
        else ""
    )
    return _TEMPLATE.format(
        base=base,
        services=sandbox_url,
        today=f"  Today           {today}, at noon UTC when it started\n" if today else "",
        users=_format_rows((user.email, f"password {user.password:<14} {permission_summary(user)}") for user in USERS),
        tokens=_format_rows((user.email, user.api_token) for user in USERS) + extra_line,
        cursor=json.dumps({"mcpServers": {"doit": {"url": f"{base}/mcp"}}}),
        code=json.dumps({"servers": {"doit": {"type": "http", "url": f"{base}/mcp"}}}),
        token=USERS[0].api_token,
        call=json.dumps(_CALL, separators=(",", ":")),
    )


def _format_rows(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<24} {value}" for name, value in rows)
