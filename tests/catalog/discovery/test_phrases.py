"""Phrases as users say them, and the tools that they mean. They were written before the ranking was changed."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.discovery.ranking import ToolFinder
from doit_mcp.catalog.discovery.tools import DEFAULT_LIMIT
from doit_mcp.catalog.registry import direct_tools

PHRASES: dict[str, str] = {
    "which customers share a payer account": "list_shared_payers list_shared_payer_account_mappings",
    "move this aws account to another customer of the shared payer": "reassign_shared_payer_account",
    "google committed use discount recommendations": "list_gcp_recommendations",
    "which CUDs on our billing account are about to expire": "list_gcp_resource_cuds list_gcp_spend_cuds",
    "what will PerfectScale buy for us on google cloud next": "list_gcp_planned_purchases",
    "gcp billing accounts enrolled in PerfectScale": "list_gcp_billing_accounts",
    "what commitment policies can we choose from": "list_commitment_policies",
    "download everything in a dataset as csv": "export_datahub_dataset_records",
    "upload our anthropic spend report": "import_datahub_provider_records upload_datahub_csv",
    "which slack channels can alerts be posted to": "list_alert_slack_channels",
    "apply a contract template to a customer": "assign_contract_template",
    "explain why this anomaly happened": "explain_anomaly",
    "mark an anomaly as resolved": "update_anomaly_review",
    "show our machine users and bots": "list_service_accounts",
    "make a custom role with read only access": "create_role",
    "let a user only see customers in germany": "update_user_geographic_scope",
    "put some of our customers into a group": "create_customer_group update_customer_group",
    "try out a flow before publishing it": "test_cloudflow",
    "stop a running flow": "stop_cloudflow_run",
    "history of runs of my workflow": "list_cloudflow_runs",
    "run a long report in the background": "start_report_run start_query_run",
    "dashboard widgets": "list_widgets",
    "invite a colleague": "invite_user",
    "my open support cases": "list_tickets",
    "reply to a ticket": "create_ticket_comment",
    "email me when daily spend goes over 1000 dollars": "create_alert",
    "how much of our budget is used up": "get_budget list_budgets",
    "get the latest bill": "list_invoices",
    "who is our account manager": "list_account_team",
    "tag a report": "assign_objects_to_label",
    "savings plan coverage": "commitment_summary get_aws_organization list_aws_savings_plans list_aws_organizations",
    "is there an outage at google right now": "get_cloud_incidents",
    "how close are we to our service limits": "list_service_quotas",
    "connect a new aws account": "create_account_role",
    "share a report with a colleague": "update_resource_permissions",
    "put a note on the chart for the day of the migration": "create_annotation",
    "split shared costs between teams": "create_allocation",
    "diagram of our network": "find_cloud_diagrams search_cloud_diagrams get_cloud_diagrams_stats",
    "rightsizing recommendations": "list_optimization_recommendations",
    "delete old datahub events": "delete_datahub_events_by_filter",
    "what if we buy a 3 year savings plan": "what_if_commitment",
    "would a committed use discount pay off": "what_if_commitment",
    "break-even of an all upfront commitment": "what_if_commitment",
    "what happens to our costs if traffic grows by 20 percent": "forecast_spend",
    "forecast with a migration to another cloud": "forecast_spend",
}
"""Phrases about old and new areas; any of the tools answers them."""
OTHER_PHRASES: dict[str, str] = {
    "add a teammate with read access": "invite_user create_customer_group",
    "which permissions does a role have": "get_role list_roles",
    "rotate the key of a service account": "create_service_account_token update_service_account_token list_service_account_tokens",
    "remove somebody from the company account": "delete_user",
    "warn me when costs jump": "create_alert",
    "show last month's invoice": "list_invoices get_invoice",
    "who can see this dashboard report": "get_resource_permissions",
    "acknowledge a cost spike": "update_anomaly_review",
    "cancel a long query": "cancel_report_run",
    "automation that stops idle machines": "list_cloudflows build_cloud_flow list_cloudflow_templates",
    "send usage of our own product to doit": "send_datahub_events upload_datahub_csv",
    "gcp reservations coverage": "get_gcp_billing_account list_gcp_billing_accounts commitment_summary list_gcp_resource_cuds",
    "how many google workspace licenses do we have": "list_assets",
    "open an urgent support request": "create_ticket",
    "rename a budget": "update_budget",
    "sort reports into a folder": "create_folder update_report list_folders",
    "limit who can sign up by email domain": "update_customer",
    "which resources are idle": "list_optimization_recommendations get_insight_resources",
    "azure service is down": "get_cloud_incidents",
    "countries a customer may be seen from": "get_customer_geographic_scope list_geographic_countries",
    "chargeback by department": "create_allocation list_allocations allocation_coverage",
    "what did the last run of a flow do": "get_cloudflow_run list_cloudflow_runs",
}
"""Phrases for which the ranking was not adapted: they show whether it is general."""


ONCE_MISSED: dict[str, str] = {
    "give a user access to a customer group": "assign_customer_group_user",
    "abort the running workflow": "stop_cloudflow_run",
    "rotate an API key of a robot account": "create_service_account_token update_service_account_token",
    "disable a robot's API key": "update_service_account_token",
    "what rules govern automatic savings plan buying": "list_commitment_policies get_commitment_policy",
    "define a region DACH with Germany, Austria and Switzerland": "create_custom_region",
    "dashboard tile numbers": "list_widgets get_widget",
}
"""Phrases that once did not lead to their tools, and the tools that they mean."""
UNSEEN: dict[str, str] = {
    "kill a workflow that is stuck": "stop_cloudflow_run",
    "take a person out of a customer group": "unassign_customer_group_user",
    "revoke an access token of a bot": "delete_service_account_token update_service_account_token",
    "issue a new credential for our deployment robot": "create_service_account_token",
    "define a role for auditors": "create_role",
    "withdraw an invitation": "cancel_invite",
    "halt a report that runs too long": "cancel_report_run",
    "what did the bot account get permission for": "get_service_account list_service_accounts",
    "set up a monthly spending cap for the data team": "create_budget",
    "who belongs to this customer group": "list_customer_group_users",
    "clone an automation": "import_cloudflow export_cloudflow",
    "rename a region of countries": "update_custom_region",
    "close a support case": "update_ticket",
    "grant a colleague access to a budget": "update_resource_permissions",
    "figures behind a widget": "get_widget list_widgets",
}
"""Phrases written before the ranking was changed."""


@pytest.mark.parametrize(
    ("phrases", "least"),
    [(PHRASES, 43), (OTHER_PHRASES, 17), (ONCE_MISSED, 7), (UNSEEN, 14)],
    ids=["phrases", "others", "once missed", "unseen"],
)
def test_phrases_lead_to_their_tools(phrases: dict[str, str], least: int) -> None:
    finder = ToolFinder(direct_tools())
    unknown = {name for names in phrases.values() for name in names.split()} - {tool.name for tool in finder.tools}
    assert not unknown
    found = {phrase: [tool.name for tool in finder.rank_tools(phrase)[:DEFAULT_LIMIT]] for phrase in phrases}
    missed = {phrase: found[phrase] for phrase, names in phrases.items() if not set(names.split()) & set(found[phrase])}
    assert len(phrases) - len(missed) >= least, missed
