#!/usr/bin/env bash
# Call a tool with curl and a DoiT API token. Without settings, it calls the sandbox (scripts/sandbox).
set -euo pipefail
url=${DOIT_MCP_URL:-http://127.0.0.1:8080/mcp}
token=${DOIT_API_KEY:-sandbox-api-token-acme-admin}

curl --fail-with-body --silent --show-error "$url" \
  -H "Authorization: Bearer $token" \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/call",
       "params": {"name": "cost_breakdown", "arguments": {"groupBy": "service"}}}'
echo
