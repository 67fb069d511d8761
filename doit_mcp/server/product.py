"""The product's offer: its tools, prompts and resources, and what clients are told about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .. import __version__
from ..catalogue.core import CORE
from ..catalogue.library import RESOURCES, TEMPLATES
from ..catalogue.playbooks import PROMPTS
from ..catalogue.registry import all_tools
from ..catalogue.selection import Selection, runs, shows
from ..catalogue.tools import Tool
from ..protocol.jsonrpc import JsonObject
from .context import Offer

SERVER_INFO: JsonObject = {
    "name": "doit-mcp-server",
    "title": "DoiT Cloud Intelligence",
    "version": __version__,
    "description": "Cloud costs, budgets, anomalies, invoices and support of DoiT customers",
    "websiteUrl": "https://www.doit.com",
}

# Some clients read no more than the first 512 characters.
INSTRUCTIONS = (
    "DoiT Cloud Intelligence: the signed-in customer's cloud costs (AWS, Google Cloud, Azure and others), budgets,"
    " reports, anomalies, invoices and support tickets. Start with get_cloud_overview; cost_breakdown and cost_trend"
    " show what is spent on what, explain_cost_change why it changed, forecast_spend where it goes, get_savings_summary"
    " what could be saved. run_query answers any other question about costs; query_result looks into a large answer"
    " again without a new query. search and fetch find reports, budgets, anomalies, invoices, tickets and more."
    " Amounts are in the currency that the answer states; dates are UTC. Lists come in pages: pass pageToken on."
    " Tools that change something say so; ask the user before you call them."
)


def make_offer(tools: tuple[Tool, ...], core: frozenset[str], selection: Selection, employee: bool) -> Offer:
    """The offer for one selection. Raises UnknownToolset."""
    shown = shows(tools, core, selection)
    named = {tool.name for tool in shown}
    unlisted = tuple(tool for tool in runs(tools, selection) if tool.name not in named)
    return Offer(
        tools=shown,
        server_info=SERVER_INFO,
        instructions=INSTRUCTIONS,
        unlisted=unlisted,
        prompts=PROMPTS,
        resources=RESOURCES,
        templates=TEMPLATES,
    )


def product() -> Callable[[Selection, bool], Offer]:
    """What the server offers, by selection and by whether an employee asks."""
    return partial(make_offer, all_tools(), CORE)
