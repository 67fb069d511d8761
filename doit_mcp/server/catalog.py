"""The catalogs of this server: tools, prompts and resources, server information and instructions for models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from .. import __version__
from ..api.openapi_document import ApiDocument
from ..catalog.discovery.tools import with_discovery
from ..catalog.employees import employee_tools
from ..catalog.prompts.playbooks import PROMPTS
from ..catalog.registry import direct_tools, with_documented_tools
from ..catalog.resources import library
from ..catalog.resources.resource import Resource
from ..catalog.resources.view_resource import view_resource
from ..catalog.skills.collection import SKILLS
from ..catalog.stores.approvals import ConfirmationPolicy
from ..catalog.tools.permissions import with_refused_tools
from ..catalog.tools.tool import Tool
from ..catalog.tools.untested import is_untested
from ..catalog.toolsets import Selection, select_callable_tools, select_listed_tools
from ..catalog.writes.confirmation import with_change_card
from ..catalog.writes.secret_results import has_secrets
from ..protocol.jsonrpc import JsonObject
from .request_context import Catalog

SERVER_INFO: JsonObject = {
    "name": "doit-mcp-server",
    "title": "DoiT Cloud Intelligence",
    "version": __version__,
    "description": "Cloud costs, budgets, anomalies, invoices and support of DoiT customers",
    "websiteUrl": "https://www.doit.com",
}

# Some clients read only the first 512 characters, so those name the data, the tool to start with, and how to find
# unlisted operations.
INSTRUCTIONS = (
    "DoiT Cloud Intelligence: the signed-in customer's cloud costs (AWS, Google Cloud, Azure and others), budgets,"
    " anomalies, invoices, savings and support. Start with get_cloud_overview. Spending: cost_breakdown, cost_trend."
    " Changes: explain_cost_change. Future: forecast_spend. Savings: get_savings_summary. Other cost questions:"
    " run_query. Other operations (AI, unit and untagged cost, users, labels, alerts, contracts, CloudFlow): find them"
    " with find_operation, run them with read_operation or call_operation. The weekly digest is one of them. Methods"
    " (month-end review, anomaly triage, budgets, commitments, savings) and how to write queries: search, then fetch."
    " query_result shows other parts of a large result without a new query. search and fetch find reports, budgets,"
    " anomalies, invoices, tickets and more. Each result states the currency of its amounts; dates are UTC. To get the next"
    " page of a list, pass its pageToken. Ask the user before you call a tool that changes something. If a result has"
    " an approvalToken, nothing has changed yet: show its change to the user, and call confirm_action only if they agree. If you repeat a change with the same arguments within two minutes, it is not made twice."
)
EMPLOYEE_INSTRUCTIONS = (
    " The user is a DoiT employee: search_customers finds customers, and change_customer switches to one of them. A single"
    " call acts for another customer with the additional argument customerContext, which every tool accepts."
)


def make_catalog(
    tools: tuple[Tool, ...], icons: Sequence[JsonObject], view: Resource, selection: Selection, is_employee: bool
) -> Catalog:
    """Return the catalog for one selection. Raise UnknownToolset."""
    all_tools = (*tools, *employee_tools()) if is_employee else tools
    complete = with_discovery(all_tools)
    listed_names = {tool.name for tool in select_listed_tools(complete, selection)}
    # Built from the tools of this selection, so that no other tool can be found or called.
    offered = select_callable_tools(all_tools, selection)
    available = with_discovery(offered, frozenset(tool.name for tool in all_tools if tool not in offered))
    excluded = frozenset(tool.name for tool in complete) - {tool.name for tool in available}
    return Catalog(
        tools=tuple(tool for tool in available if tool.name in listed_names),
        server_info=SERVER_INFO | ({"icons": list(icons)} if icons else {}),
        instructions=INSTRUCTIONS + EMPLOYEE_INSTRUCTIONS if is_employee else INSTRUCTIONS,
        unlisted_tools=tuple(tool for tool in available if tool.name not in listed_names and not is_untested(tool)),
        prompts=PROMPTS,
        resources=(*library.RESOURCES, view),
        resource_templates=library.TEMPLATES,
        skills=SKILLS,
        excluded_writes=excluded,
    )


def catalog_factory(
    icons: Sequence[JsonObject] = (),
    view_domain: str = "",
    *,
    offer_secrets: bool = False,
    confirm_changes: ConfirmationPolicy = "when-destructive",
    document: ApiDocument | None = None,
) -> Callable[[Selection, bool], Catalog]:
    """Return a function that makes the catalog for a selection and for employees or other users.

    Tools whose results have secrets exist only with *offer_secrets*. *icons* are those of the server (Icon, MCP
    2025-11-25). Tools have none of their own, which would make each list several thousand bytes longer: clients show
    the icon of the server. *view_domain* is the origin of the view in hosts that need one. Tools
    whose changes wait for approval with *confirm_changes* have the view.
    """
    tools = tuple(tool for tool in direct_tools() if offer_secrets or not has_secrets(tool))
    offered = with_refused_tools(tools)
    offered = offered if document is None else with_documented_tools(offered, document)
    offered = tuple(with_change_card(tool, confirm_changes) for tool in offered)
    return partial(make_catalog, offered, icons, view_resource(view_domain))
