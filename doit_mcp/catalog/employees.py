"""Tools for DoiT employees: search all customers, and act for one of them."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, TypedDict

from ..api.console import Console
from ..api.errors import ApiError
from ..api.facts import Unconfirmed
from ..api.parameters import PageToken
from ..api.value_kinds import Verbatim
from ..protocol.json_schema import Length, Range
from ..protocol.jsonrpc import JsonObject
from .call import CUSTOMER_ARGUMENT, Call
from .tools.composed import composed_tool
from .tools.tool import Tool, ToolError
from .tools.tool_factory import tool_from_function

AREA = "employees"
MAX_CUSTOMER_CHARACTERS = 256
UNKNOWN_CUSTOMER = (
    f"{CUSTOMER_ARGUMENT}: is not the id of a customer that you can act for. A name or a domain is not an id: "
    "search_customers finds the id."
)

Texts = Annotated[list[str] | None, Length(1, 100)]
Month = Annotated[str | None, "YYYY-MM.", Length(1, 20)]
Amount = Annotated[float | None, Range(0)]


class CustomerPage(TypedDict, total=False):
    """A page of customers."""

    customers: Annotated[list[JsonObject], Verbatim]
    pageToken: str


class CustomerContext(TypedDict, total=False):
    """The customer that later calls act for."""

    customerContext: str
    domain: str
    remembered: Annotated[bool, "Whether later calls in this session also act for the customer."]
    next: Annotated[str, "How to act for the customer."]


@composed_tool(
    area=AREA,
    search_hint="Search DoiT's customers by domain, segment, spend",
    rows_key="customers",
    open_world=True,
    narrow_hint="Use a smaller pageSize or a filter.",
    default_list=True,
    discovery_list=True,
    slow=False,
)
async def search_customers(
    call: Call,
    *,
    classification: list[Literal["business", "strategic", "terminated", "inactive", "suspendedForNonPayment"]]
    | None = None,
    type: Annotated[Texts, "Customer types."] = None,
    segment: Annotated[Texts, "Customer segments."] = None,
    tierPackages: Annotated[Texts, "Tier packages of the customers."] = None,
    domains: Annotated[list[str] | None, "Domains of the customers.", Length(1, 100)] = None,
    assetPlatforms: list[Literal["amazon-web-services", "google-cloud", "g-suite", "office-365", "microsoft-azure"]]
    | None = None,
    hasFlexsave: Annotated[bool | None, "true: only customers with Flexsave."] = None,
    standalone: Annotated[bool | None, "true: only standalone customers."] = None,
    minMonthlyCloudSpend: Annotated[Amount, "Minimum cloud spend per month."] = None,
    maxMonthlyCloudSpend: Annotated[Amount, "Maximum cloud spend per month."] = None,
    invoicedFromMonth: Month = None,
    invoicedToMonth: Month = None,
    invoicedMinTotal: Annotated[Amount, "Minimum total of the invoices."] = None,
    invoicedMaxTotal: Annotated[Amount, "Maximum total of the invoices."] = None,
    contractsActive: Annotated[bool | None, "true: only customers with an active contract."] = None,
    pageSize: Annotated[int | None, "Customers per page.", Range(1, 200)] = None,
    pageToken: PageToken = None,
) -> Annotated[JsonObject, CustomerPage]:
    """Search DoiT's customers by domain, class, segment, platforms, spend, invoices or contracts. For DoiT employees.
    To see a customer's data, use change_customer."""
    filters = {
        "classification": classification,
        "type": type,
        "segment": segment,
        "tierPackages": tierPackages,
        "domains": domains,
        "assetPlatforms": assetPlatforms,
        "hasFlexsave": hasFlexsave,
        "standalone": standalone,
        "contracts": {"active": True} if contractsActive else {},
    }
    invoiced = {
        "fromMonth": invoicedFromMonth,
        "toMonth": invoicedToMonth,
        "minTotal": invoicedMinTotal,
        "maxTotal": invoicedMaxTotal,
    }
    spend = {"minMonthlyCloudSpend": minMonthlyCloudSpend, "maxMonthlyCloudSpend": maxMonthlyCloudSpend}
    filters["spend"] = _without_omitted(spend | {"invoiced": _without_omitted(invoiced)})
    return await _find_console(call).search_customers(_without_omitted(filters), pageSize, pageToken)


def _find_console(call: Call) -> Console:
    # The console serves all customers, so the call needs no customer.
    doit = call.api_for_customer("")
    if doit is None or doit.console is None:
        raise ToolError("Customer search is not available on this server.")
    return doit.console


def _without_omitted(filters: dict[str, Any]) -> JsonObject:
    """Return *filters* without omitted and empty ones."""
    return {name: value for name, value in filters.items() if value is not None and value != {}}


@composed_tool(
    area=AREA,
    search_hint="Act for another customer of DoiT",
    writes=True,
    open_world=True,
    default_list=True,
    discovery_list=True,
    confirm=Unconfirmed("It changes nothing at DoiT, only the customer that later calls act for."),
    verify_with=None,
)
async def change_customer(
    call: Call,
    *,
    customerContext: Annotated[str, "Customer id, from search_customers.", Length(1, MAX_CUSTOMER_CHARACTERS)],
) -> Annotated[JsonObject, CustomerContext]:
    """Act for another DoiT customer, whose data all tools then show. For DoiT employees."""
    doit = call.api_for_customer(customerContext)
    if doit is None:
        raise ToolError("Only DoiT employees can act for another customer.")
    try:
        domain = (await doit.auth.validate_user()).get("domain")
    except ApiError as error:
        if error.kind in ("refused", "forbidden", "missing"):
            raise ToolError(f"{UNKNOWN_CUSTOMER} Nothing was changed.") from error
        raise
    remembered = call.remember_customer(customerContext)
    context: JsonObject = {CUSTOMER_ARGUMENT: customerContext, "domain": domain, "remembered": remembered}
    if not remembered:
        context["next"] = (
            f"The server cannot store the customer for this connection: pass {CUSTOMER_ARGUMENT} to every call."
        )
    return context


@cache
def employee_tools() -> tuple[Tool, ...]:
    """Return the tools for employees, in listing order."""
    return tool_from_function(search_customers), tool_from_function(change_customer)
