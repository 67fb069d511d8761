"""Library: what has an address of its own here; single things of the API, and guides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import orjson

from ...api.common_types import DimensionType
from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from ..call import Call
from ..currencies import own_currency
from ..partial_results import together
from ..prompts import completions
from ..prompts.prompt import Complete
from ..search.entities import KIND_NAMED
from ..tools.sanitize import visible
from ..tools.truncation import cut
from .guides import QUERIES, TERMS
from .resource import NoResource, Resource, Template

MOST = 100_000
"""Characters of a document; longer lists in it are cut and it says so."""
MAX_IN_PLACE_BYTES = 256 << 10
"""Of a document that is made in place; a larger one takes more than 10 ms."""
JSON = "application/json"


async def as_json(value: JsonObject) -> JsonObject:
    """*value* as a resource's contents."""
    if len(orjson.dumps(value)) <= MAX_IN_PLACE_BYTES:
        return _as_json(value)
    return await in_thread(_as_json, value)


def _as_json(value: JsonObject) -> JsonObject:
    shown, cuts = cut(value, MOST)
    if cuts:
        shown = {**shown, "cut": cuts}
    text = orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
    # First, because millions of characters take long to be made visible.
    if len(text) > 2 * MOST:
        raise NoResource("it is too large to be read as one document")
    return {"text": visible(text)}


async def customer(call: Call) -> JsonObject:
    """Whom the caller acts for."""
    tenant = call.doit.tenant
    work: dict[str, Awaitable[Any]] = {
        "user": call.doit.auth.validate_user(),
        "currency": own_currency(call.doit),
    }
    if tenant:
        work["customer"] = call.doit.customers.get_customer()
    parts = await together(work)
    if "user" not in parts.found and "customer" not in parts.found:
        raise next(iter(parts.failed.values()))
    return await as_json({"id": tenant or None, **parts.found} | ({"failed": parts.failures} if parts.failed else {}))


def guide(text: str) -> Callable[[Call], Awaitable[JsonObject]]:
    """A reader of a fixed text."""

    async def read(call: Call) -> JsonObject:
        return {"text": text}

    return read


RESOURCES: tuple[Resource, ...] = (
    Resource(
        "doit://customer",
        "customer",
        "Customer",
        "The signed-in user, and the customer whose data all tools show, with its currency.",
        JSON,
        customer,
    ),
    Resource(
        "doit://guide/queries",
        "guide-queries",
        "How to write queries",
        "How run_query's periods, groups, filters, metrics and forecasts are written, with examples.",
        "text/markdown",
        guide(QUERIES),
        len(QUERIES.encode()),
    ),
    Resource(
        "doit://guide/terms",
        "guide-terms",
        "What the words mean",
        "What allocations, anomalies, commitments, budgets and metrics are in DoiT Cloud Intelligence.",
        "text/markdown",
        guide(TERMS),
        len(TERMS.encode()),
    ),
)


def of_kind(kind_name: str, plural: str, title: str, description: str) -> Template:
    """The address template of one kind of things."""
    kind = KIND_NAMED[kind_name]

    async def read(call: Call, variables: Mapping[str, str]) -> JsonObject:
        identifier = variables["id"]
        row = await _or_nothing(kind.one(call, identifier))
        return await as_json({**row, "console": kind.url(call, row, identifier)})

    complete: dict[str, Complete] = {"id": completions.thing(kind_name)}
    return Template(f"doit://{plural}/{{id}}", kind_name, title, description, JSON, read, complete)


async def dimension(call: Call, variables: Mapping[str, str]) -> JsonObject:
    """A dimension with its values."""
    if variables["type"] not in completions.DIMENSION_TYPES:
        raise NoResource(variables["type"])
    kind = cast(DimensionType, variables["type"])
    return await as_json(await _or_nothing(call.doit.dimensions.get_dimension(type=kind, id=variables["id"])))


async def _or_nothing(work: Awaitable[JsonObject]) -> JsonObject:
    """What *work* gives; NoResource for an id that is none, or leads nowhere."""
    try:
        return await work
    except ApiError as error:
        if error.kind in ("missing", "argument"):
            raise NoResource(error.reason) from error
        raise


TEMPLATES: tuple[Template, ...] = (
    of_kind("report", "reports", "Report", "A saved report with its results."),
    of_kind("budget", "budgets", "Budget", "A budget: amount, spent so far, what it covers, thresholds."),
    of_kind("anomaly", "anomalies", "Anomaly", "A cost anomaly with its SKUs and resources."),
    of_kind("invoice", "invoices", "Invoice", "An invoice with its line items."),
    of_kind("ticket", "tickets", "Ticket", "A support ticket."),
    of_kind("allocation", "allocations", "Allocation", "An allocation: the rules that say which costs are whose."),
    of_kind("incident", "incidents", "Cloud incident", "An incident of a cloud provider."),
    Template(
        "doit://dimensions/{type}/{id}",
        "dimension",
        "Dimension",
        "A dimension of the billing data with the values that filters can use.",
        JSON,
        dimension,
        {"type": completions.of(*completions.DIMENSION_TYPES), "id": completions.dimension_id},
    ),
)
