"""The metrics of MCP requests, tool calls and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..observability.trace import OperationFields


class CallMetrics(Protocol):
    """Counts MCP requests and tool calls."""

    def count_operation(self, fields: OperationFields, seconds: float) -> None:
        """Count an MCP request or notification."""

    def count_tool_call(
        self,
        tool: str,
        client_info: Mapping[str, Any],
        failed: bool,
        seconds: float,
        characters: int | None = None,
        truncated: bool = False,
    ) -> None:
        """Count a call of a tool by a client; *characters* is the length of its result, None without one."""


class NullMetrics:
    """Counts nothing."""

    def count_operation(self, *_: object, **__: object) -> None:
        """Do nothing."""

    count_tool_call = count_operation


NULL_METRICS = NullMetrics()
