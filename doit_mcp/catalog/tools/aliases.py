"""Old names of tools: they are not listed, but a call by one of them reaches the tool."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TOOL_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "datahub_events_csv_file": "upload_datahub_csv",
        "get_billing_transfer_program_management_accounts_status": "get_billing_transfer_account_status",
        "id_of_asset": "update_asset",
        "list_billing_transfer_end_customers_by_reseller": "list_reseller_end_customers",
        "list_billing_transfer_program_management_accounts": "list_billing_transfer_accounts",
        "list_billing_transfer_reseller_accounts_with_tenants": "list_billing_transfer_reseller_tenants",
    }
)
"""A tool's name by its old name."""
