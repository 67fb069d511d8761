"""Which permission a tool needs, where the API's document says so: the API itself answers a bare 403."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from .tool import ContentResult, Tool

PERMISSION_BY_AREA: Mapping[str, str] = {
    "contract_templates": "ContractTemplatesAdmin, and the entitlement to contract templates",
    "contracts": "to contracts (contractsViewer or contractsReadOnly to read), as a partner's user",
}
PERMISSION_BY_TOOL: Mapping[str, str] = {
    **dict.fromkeys(("create_custom_theme", "update_theme", "delete_custom_theme"), "Cloud Analytics Admin"),
    **dict.fromkeys(("resend_invite", "cancel_invite"), "Users Manager"),
    **dict.fromkeys(
        (
            *("list_billing_transfer_end_customers", "list_reseller_end_customers"),
            *("list_billing_transfer_reseller_accounts", "list_billing_transfer_reseller_tenants"),
        ),
        "BillingTransferAdmin",
    ),
    "get_customer": "Settings",
    "update_customer": "Settings (for allowedInviteDomains also Users Manager)",
}


def required_permission(tool: Tool) -> str:
    """The permission that *tool* needs; "" where the document does not say."""
    return PERMISSION_BY_TOOL.get(tool.name) or PERMISSION_BY_AREA.get(tool.area, "")


def with_permission_hint(tool: Tool) -> Tool:
    """*tool*, which names what the user lacks when the API forbids it without a reason."""
    permission = required_permission(tool)
    if not permission:
        return tool

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        try:
            return await tool.run(call, arguments)
        except ApiError as error:
            if error.kind == "forbidden" and not error.reason:
                error.reason = f"this requires the permission {permission}"
            raise

    return replace(tool, run=run)
