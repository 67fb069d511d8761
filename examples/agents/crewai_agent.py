"""Tools for a CrewAI agent (pip install 'crewai-tools[mcp]')."""

import os

from crewai_tools import MCPServerAdapter

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")

server = {"url": URL, "transport": "streamable-http", "headers": {"Authorization": f"Bearer {TOKEN}"}}
with MCPServerAdapter(server) as tools:
    # Pass tools=tools to Agent. This calls a tool without a model.
    print(f"{len(tools)} tools")
    print(tools["cost_trend"].run(months=3))
