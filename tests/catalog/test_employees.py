"""Tools for DoiT employees: the requests they send, and the errors for other users."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.tools.tool import ToolError
from tests.api.recorder import Recorder

from .caller import Caller

SEARCH, CHANGE = employee_tools()


class Employee(Caller):
    """A call that can act for any customer, and remembers the customer if it has a session."""

    def __init__(self, *answers: Any, session: bool = True) -> None:
        super().__init__(Recorder())
        self.other, self.console_api = Recorder(*answers), Recorder(*answers)
        self.session, self.stays, self.asked = session, "", ""
        self.doit = Doit.for_sender(Recorder(AssertionError("the API was asked")), lambda: self.console_api)

    def api_for_customer(self, customer: str) -> Doit | None:
        self.asked = customer
        return Doit.for_sender(self.other, lambda: self.console_api)

    def remember_customer(self, customer: str) -> bool:
        self.stays = customer if self.session else ""
        return self.session


async def search(caller: Employee, **arguments: Any) -> Any:
    coerced = SEARCH.coerce_arguments(arguments)
    assert SEARCH.argument_problems(coerced) == []
    await SEARCH.run(caller, coerced)
    (request,) = caller.console_api.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/customers/v1/customers/search", {})
    return request.body


def filters(**given: Any) -> dict[str, Any]:
    return {"filters": given}


SPEND: dict[str, Any] = {"minMonthlyCloudSpend": 0, "maxMonthlyCloudSpend": 5}
INVOICED: dict[str, Any] = {"fromMonth": "2026-01", "toMonth": "2026-02", "minTotal": 1, "maxTotal": 2}
LISTS: dict[str, Any] = {
    "classification": ["business"],
    "type": ["x"],
    "segment": ["s"],
    "tierPackages": ["t"],
    "domains": ["a.example"],
    "assetPlatforms": ["g-suite"],
}


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({}, filters()),
        *(({name: value}, filters(**{name: value})) for name, value in LISTS.items()),
        (LISTS, filters(**LISTS)),
        ({"hasFlexsave": False, "standalone": "true"}, filters(hasFlexsave=False, standalone=True)),
        (SPEND, filters(spend=SPEND)),
        (
            {f"invoiced{name[0].upper()}{name[1:]}": one for name, one in INVOICED.items()},
            filters(spend={"invoiced": INVOICED}),
        ),
        ({"contractsActive": True}, filters(contracts={"active": True})),
        ({"contractsActive": False}, filters()),
        ({"pageSize": 20, "pageToken": "p"}, {"filters": {}, "pageSize": 20, "pageToken": "p"}),
    ],
)
async def test_search_request_matches_the_console(arguments: dict[str, Any], body: dict[str, Any]) -> None:
    """Filters have the layout of search_customers in the previous server."""
    assert await search(Employee({"customers": []}), **arguments) == body


async def test_console_response_is_passed_on() -> None:
    caller = Employee({"customers": [{"id": "c"}], "pageToken": "n", "total": 1})
    assert await SEARCH.run(caller, {}) == {"customers": [{"id": "c"}], "pageToken": "n", "total": 1}


async def test_search_is_unavailable_without_a_console() -> None:
    with pytest.raises(ToolError, match="Customer search is not available"):
        await SEARCH.run(Caller(Recorder()), {})


async def test_customer_change_is_validated_and_stored() -> None:
    caller = Employee({"domain": "globex.example", "email": "e"})
    result = await CHANGE.run(caller, {"customerContext": "c&d/#"})
    assert result == {"customerContext": "c&d/#", "domain": "globex.example", "remembered": True}
    assert caller.stays == caller.asked == "c&d/#" and caller.other.requests[0].path == "/auth/v1/validate"


async def test_customer_change_without_a_session_explains_the_alternative() -> None:
    result: Any = await CHANGE.run(Employee({"domain": "d"}, session=False), {"customerContext": "c"})
    assert result["remembered"] is False and "pass customerContext" in result["next"]


@pytest.mark.parametrize("kind", ["refused", "forbidden", "missing"])
async def test_unknown_customer_changes_nothing(kind: Any) -> None:
    caller = Employee(ApiError("", kind=kind))
    with pytest.raises(ToolError, match="is not the id of a customer"):
        await CHANGE.run(caller, {"customerContext": "c"})
    assert caller.stays == ""


async def test_other_failures_are_reported_unchanged() -> None:
    caller = Employee(ApiError("", kind="network"))
    with pytest.raises(ApiError):
        await CHANGE.run(caller, {"customerContext": "c"})
    assert caller.stays == ""


@pytest.mark.requirement("C2")
async def test_non_employee_is_rejected_even_by_tool_name() -> None:
    api = Recorder()
    with pytest.raises(ToolError, match="Only DoiT employees"):
        await CHANGE.run(Caller(api), {"customerContext": "c"})
    assert api.requests == []


def test_hints() -> None:
    """The hints are those of the previous server."""
    assert SEARCH.annotations["readOnlyHint"] and SEARCH.annotations["openWorldHint"]
    assert not CHANGE.annotations["readOnlyHint"] and not CHANGE.annotations["destructiveHint"]
    assert CHANGE.annotations["openWorldHint"] and {SEARCH.area, CHANGE.area} == {"employees"}
