"""Routes of the MCP endpoints, in the canonical spelling of their paths."""

from __future__ import annotations

from ...protocol.endpoint_urls import MCP_PATH, SSE_PATH

TOOLSETS_PATTERN = r"{toolsets:[a-z0-9_,% -]{1,500}}"
MCP_PATHS = (
    MCP_PATH,
    f"{MCP_PATH}/readonly",
    f"{MCP_PATH}/x/{TOOLSETS_PATTERN}",
    f"{MCP_PATH}/x/{TOOLSETS_PATTERN}/readonly",
)
# The endpoints that clients request tokens for, so each has metadata.
RESOURCE_PATHS = (*MCP_PATHS, SSE_PATH)
