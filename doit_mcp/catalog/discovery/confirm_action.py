"""confirm_action: applies a change that another tool prepared, once the user has approved it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from ...api.facts import Unconfirmed
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..stores.approvals import Approval
from ..tools.composed import composed_tool
from ..tools.tool import Tool, ToolError, ToolResult
from ..tools.tool_factory import tool_from_function
from ..writes.cancellation import with_cancellation

AREA = "discovery"
UNAVAILABLE = "Nothing was changed: {} is not available at this URL. Prepare the change at the URL that applies it."


def make_confirm_tool(tools_by_name: Mapping[str, Tool]) -> Tool:
    """Return confirm_action, which runs one of these tools."""

    def approved_call(approval: Approval, given: JsonObject) -> tuple[Tool, JsonObject]:
        tool = tools_by_name.get(approval.tool)
        if tool is None:
            raise ToolError(UNAVAILABLE.format(approval.tool))
        return with_cancellation(tool) if given.get("cancel") else tool, approval.arguments

    @composed_tool(
        area=AREA,
        search_hint="Apply a prepared change",
        writes=True,
        destructive=True,
        open_world=True,
        default_list=True,
        discovery_list=True,
        always_loaded=True,
        confirm=Unconfirmed("Its token proves that the change was shown before."),
        preview_with=None,
        view=True,
    )
    async def confirm_action(
        call: Call,
        *,
        approvalToken: Annotated[str, "Token of that change."],
        cancel: Annotated[bool, "Discard it."] = False,
    ) -> ToolResult:
        """Apply a change that returned approval_required, once the user saw it and agreed."""
        tool, arguments = approved_call(await call.approvals.find(approvalToken), {"cancel": cancel})
        return await tool.run(call, arguments)

    return replace(tool_from_function(confirm_action), resolve_approval=approved_call)
