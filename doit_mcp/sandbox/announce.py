"""What the sandbox prints when it is up: for people, or one line for programs."""

from __future__ import annotations

import json

from .people import USERS, customer_by_id


def json_line(base: str, world: str) -> str:
    """One JSON object: where the server and the world are, the users' passwords and API tokens by e-mail address."""
    return json.dumps(
        {
            "mcp": f"{base}/mcp",
            "sse": f"{base}/sse",
            "base": base,
            "world": world,
            "api_tokens": {user.email: user.api_token for user in USERS},
            "users": {user.email: user.password for user in USERS},
        }
    )


def text(base: str, world: str) -> str:
    """The addresses, who can sign in, and lines to paste."""
    people = "\n".join(
        f"  {user.email:<24} password {user.password:<14} {_customer(user.customer)}: {user.role}" for user in USERS
    )
    return f"""DoiT MCP sandbox

  MCP server      {base}/mcp   (older clients: {base}/sse)
  In a browser    {base}/
  Its world       {world}   (identity provider and DoiT API)

Sign in as

{people}

Connect a client

  Claude Code     claude mcp add --transport http doit {base}/mcp
  Codex           codex mcp add doit --url {base}/mcp
  Inspector       npx @modelcontextprotocol/inspector --cli {base}/mcp --method tools/list
  curl            curl -s {base}/mcp -H 'Authorization: Bearer {USERS[0].api_token}' \\
                    -H 'Content-Type: application/json' -d '{{"jsonrpc":"2.0","id":1,"method":"tools/list"}}'

Stop with Ctrl+C. Nothing is kept."""


def _customer(identifier: str) -> str:
    customer = customer_by_id(identifier)
    return customer.name if customer is not None else identifier
