"""The product's offer: its tools, prompts and resources, and what clients are told about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .. import __version__
from ..catalog.discovery.tools import with_discovery
from ..catalog.employees import employee_tools
from ..catalog.prompts.playbooks import PROMPTS
from ..catalog.registry import own_tools
from ..catalog.resources import library
from ..catalog.tools.tool import Tool
from ..catalog.toolsets import Selection, runs, shows
from ..protocol.jsonrpc import JsonObject
from .request_context import Offer

SERVER_INFO: JsonObject = {
    "name": "doit-mcp-server",
    "title": "DoiT Cloud Intelligence",
    "version": __version__,
    "description": "Cloud costs, budgets, anomalies, invoices and support of DoiT customers",
    "websiteUrl": "https://www.doit.com",
}

# Some clients read no more than the first 512 characters, so those say what there is, where to begin, and how to reach
# what is not listed.
INSTRUCTIONS = (
    "DoiT Cloud Intelligence: the signed-in customer's cloud costs (AWS, Google Cloud, Azure, others), budgets,"
    " anomalies, invoices, reports, savings, support. Start: get_cloud_overview. Spend: cost_breakdown, cost_trend,"
    " compare_spend; why it changed: explain_cost_change; where it goes: forecast_spend; savings: get_savings_summary;"
    " anything else about costs: run_query. All other operations (users, labels, alerts, contracts, CloudFlow): find"
    " with find_operation, run with read_operation or call_operation. "
    "query_result looks into a large answer again without a new query. search and fetch find reports, budgets,"
    " anomalies, invoices, tickets and more. Amounts are in the currency that the answer states; dates are UTC. Lists"
    " come in pages: pass pageToken on. Before a tool that changes something ask the user; a change that is called"
    " again with the same arguments within two minutes is not made twice."
)
FOR_EMPLOYEES = (
    " You serve an employee of DoiT: search_customers finds customers, change_customer acts for one of them. Any single"
    " call can act for another customer by one more argument, customerContext, whatever its schema says."
)


def make_offer(tools: tuple[Tool, ...], selection: Selection, employee: bool) -> Offer:
    """The offer for one selection. Raises UnknownToolset."""
    known = (*tools, *employee_tools()) if employee else tools
    named = {tool.name for tool in shows(with_discovery(known), selection)}
    # Made from what this path runs, so that nothing else can be found or called.
    running = with_discovery(runs(known, selection))
    return Offer(
        tools=tuple(tool for tool in running if tool.name in named),
        server_info=SERVER_INFO,
        instructions=INSTRUCTIONS + FOR_EMPLOYEES if employee else INSTRUCTIONS,
        unlisted=tuple(tool for tool in running if tool.name not in named),
        prompts=PROMPTS,
        resources=library.RESOURCES,
        templates=library.TEMPLATES,
    )


def product() -> Callable[[Selection, bool], Offer]:
    """What the server offers, by selection and by whether an employee asks."""
    return partial(make_offer, own_tools())
