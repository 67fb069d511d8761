"""The resources and resource templates of the server: API objects, and guides."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, cast

import orjson

from ...api.common_types import DimensionType
from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..currencies import customer_currency
from ..partial_results import gather_partial, make_failures_member
from ..prompts import completions
from ..prompts.prompt import Completer
from ..search.entities import ENTITY_KINDS_BY_NAME
from ..skills.collection import GUIDES, Guide
from ..tools.sanitize import sanitize_json
from ..tools.truncation import truncate_lists
from .resource import Resource, ResourceNotFound, ResourceTemplate

MAX_DOCUMENT_CHARACTERS = 100_000
"""Maximum characters of a document. Lists in a longer one are truncated, with a note."""
MAX_INLINE_BYTES = 256 << 10
"""Maximum size of a document that is built in the event loop; a larger one takes more than 10 ms."""
JSON_MIME_TYPE = "application/json"


async def json_contents(value: JsonObject) -> JsonObject:
    """Return *value* as the contents of a resource."""
    if len(orjson.dumps(value)) <= MAX_INLINE_BYTES:
        return _json_contents(value)
    return await run_in_thread(_json_contents, value)


def _json_contents(value: JsonObject) -> JsonObject:
    document, cuts = truncate_lists(value, MAX_DOCUMENT_CHARACTERS)
    if cuts:
        document = {**document, "cut": cuts}
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    # Checked before sanitizing, which takes long for millions of characters.
    if len(text) > 2 * MAX_DOCUMENT_CHARACTERS:
        raise ResourceNotFound("it is too large to read as one document")
    return {"text": sanitize_json(text)}


async def read_customer(call: Call) -> JsonObject:
    """Return the signed-in user and the customer that the caller acts for."""
    tenant = call.doit.tenant
    requests: dict[str, Awaitable[Any]] = {"user": call.doit.auth.validate_user()}
    if tenant:
        requests["customer"] = call.doit.customers.get_customer()
    parts = await gather_partial(requests)
    if "user" not in parts.results and "customer" not in parts.results:
        raise next(iter(parts.errors.values()))
    user, customer = parts.results.get("user"), parts.results.get("customer")
    members = {
        "id": tenant or None,
        **({} if user is None else {"user": user}),
        "currency": None if customer is None else customer_currency(customer),
        **({} if customer is None else {"customer": customer}),
    }
    return await json_contents(members | make_failures_member(parts.failures))


def guide_resource(guide: Guide) -> Resource:
    """Return the resource for a guide."""

    async def read(call: Call) -> JsonObject:
        return {"text": guide.text}

    return Resource(
        f"doit://guide/{guide.name}",
        f"guide-{guide.name}",
        guide.title,
        guide.description,
        "text/markdown",
        read,
        len(guide.text.encode()),
    )


RESOURCES: tuple[Resource, ...] = (
    Resource(
        "doit://customer",
        "customer",
        "Customer",
        "The signed-in user, the customer whose data all tools show, and its currency.",
        JSON_MIME_TYPE,
        read_customer,
    ),
    *map(guide_resource, GUIDES),
)


def entity_template(kind_name: str, plural: str, title: str, description: str) -> ResourceTemplate:
    """Return the resource template for one kind of object."""
    kind = ENTITY_KINDS_BY_NAME[kind_name]

    async def read(call: Call, variables: Mapping[str, str]) -> JsonObject:
        identifier = variables["id"]
        row = await _read_or_not_found(kind.fetch_by_id(call.doit, identifier))
        return await json_contents({**row, "console": kind.url(call, row, identifier)})

    complete: dict[str, Completer] = {"id": completions.entity_id_completer(kind_name)}
    return ResourceTemplate(f"doit://{plural}/{{id}}", kind_name, title, description, JSON_MIME_TYPE, read, complete)


async def read_dimension(call: Call, variables: Mapping[str, str]) -> JsonObject:
    """Return a dimension with its values."""
    if variables["type"] not in completions.DIMENSION_TYPES:
        raise ResourceNotFound(variables["type"])
    kind = cast(DimensionType, variables["type"])
    return await json_contents(
        await _read_or_not_found(call.doit.dimensions.get_dimension(type=kind, id=variables["id"]))
    )


async def _read_or_not_found(request: Awaitable[JsonObject]) -> JsonObject:
    """Return the response to *request*. Raises ResourceNotFound if the id is invalid or unknown."""
    try:
        return await request
    except ApiError as error:
        if error.kind in ("missing", "argument"):
            raise ResourceNotFound(error.reason) from error
        raise


TEMPLATES: tuple[ResourceTemplate, ...] = (
    entity_template("report", "reports", "Report", "A saved report with its results."),
    entity_template("budget", "budgets", "Budget", "A budget: amount, spend so far, scope, thresholds."),
    entity_template("anomaly", "anomalies", "Anomaly", "A cost anomaly with its SKUs and resources."),
    entity_template("invoice", "invoices", "Invoice", "An invoice with its line items."),
    entity_template("ticket", "tickets", "Ticket", "A support ticket."),
    entity_template(
        "allocation",
        "allocations",
        "Allocation",
        "An allocation: rules that assign costs to teams, products or customers.",
    ),
    entity_template("incident", "incidents", "Cloud incident", "An incident of a cloud provider."),
    ResourceTemplate(
        "doit://dimensions/{type}/{id}",
        "dimension",
        "Dimension",
        "A dimension of the billing data, with its values for filters.",
        JSON_MIME_TYPE,
        read_dimension,
        {"type": completions.values_completer(*completions.DIMENSION_TYPES), "id": completions.complete_dimension_id},
    ),
)
