"""Phrases that the ranking was not adapted to one by one: those of a reviewer, and others written before it changed."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.discovery.ranking import ToolFinder
from doit_mcp.catalog.discovery.tools import DEFAULT_LIMIT
from doit_mcp.catalog.registry import direct_tools

REPORTED: dict[str, str] = {
    "give a user access to a customer group": "assign_customer_group_user",
    "abort the running workflow": "stop_cloudflow_run",
    "rotate an API key of a robot account": "create_service_account_token update_service_account_token",
    "disable a robot's API key": "update_service_account_token",
    "what rules govern automatic savings plan buying": "list_commitment_policies get_commitment_policy",
    "define a region DACH with Germany, Austria and Switzerland": "create_custom_region",
    "dashboard tile numbers": "list_widgets get_widget",
}
"""Phrases that did not lead to their tools, and the tools that they mean."""
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


@pytest.mark.parametrize(("phrases", "least"), [(REPORTED, 7), (UNSEEN, 14)], ids=["reported", "unseen"])
def test_phrases_lead_to_their_tools(phrases: dict[str, str], least: int) -> None:
    finder = ToolFinder(direct_tools())
    unknown = {name for names in phrases.values() for name in names.split()} - {tool.name for tool in finder.tools}
    assert not unknown
    found = {phrase: [tool.name for tool in finder.rank_tools(phrase)[:DEFAULT_LIMIT]] for phrase in phrases}
    missed = {phrase: found[phrase] for phrase, names in phrases.items() if not set(names.split()) & set(found[phrase])}
    assert len(phrases) - len(missed) >= least, missed
