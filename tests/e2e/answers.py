"""Expected results for every client: the same calls, compared with the sandbox's DoiT API."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

ADMIN = "admin@acme.example"
CALLED = ("validate_user", "list_budgets", "cost_breakdown", "refine_cloudflow")
# At least these are listed; refine_cloudflow is called by name without being listed.
TOOLS = frozenset(
    "validate_user list_budgets get_budget list_reports get_report_results run_query cost_breakdown get_anomalies"
    " list_invoices get_invoice list_tickets create_ticket find_operation".split()
)
HINTS = ("readOnlyHint", "destructiveHint", "openWorldHint")
COSTS = {
    "config": {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": 1, "includeCurrent": True, "unit": "month"},
        "group": [{"id": "service_description", "type": "fixed"}],
    }
}


@dataclass(frozen=True, slots=True)
class ExpectedResults:
    """What the sandbox's DoiT API returns when asked directly, without our server."""

    user: Mapping[str, Any]
    budgets: Sequence[Mapping[str, Any]]
    services: Mapping[str, float]
    flow: str

    @property
    def calls(self) -> dict[str, dict[str, Any]]:
        """Return the arguments of every call a client makes, by tool.

        Each access asks for a different step, because a change that the same user repeats within two minutes is not
        made again.
        """
        refine = {"flowId": self.flow, "question": f"Add a step that posts the cost to Slack channel {token_hex(4)}"}
        return {
            "validate_user": {},
            "list_budgets": {},
            "cost_breakdown": {"groupBy": "service"},
            "refine_cloudflow": refine,
        }


def ask(services: str, path: str, token: str, body: object = None) -> Any:
    """Send a request directly to the DoiT API at *services*."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(services + path, data, headers), timeout=10) as answer:
        return json.load(answer)


def by_service(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the cost of each service in a query result of the API or a tool, summed over its periods."""
    columns = [column["name"] for column in result.get("schema") or result["columns"]]
    service, cost = columns.index("service_description"), columns.index("cost")
    totals: dict[str, float] = {}
    for row in result["rows"]:
        totals[row[service]] = totals.get(row[service], 0.0) + row[cost]
    return totals


def expected_results(services: str, token: str) -> ExpectedResults:
    """Ask the API at *services* what the tools should return to the owner of *token*."""
    flows = ask(services, "/cloudflow/v1/flows", token)
    user = ask(services, "/auth/v1/validate", token)
    return ExpectedResults(
        user={**user, "id": f"{user['domain']}/{user['email']}"},
        budgets=ask(services, "/analytics/v1/budgets", token)["budgets"],
        services=by_service(ask(services, "/analytics/v1/reports/query", token, COSTS)["result"]),
        flow=next(iter(flows.values()))[0]["id"],
    )


def read_structured(result: Mapping[str, Any]) -> Any:
    """Return the structured content of a tool result on the wire; its one text block must contain the same JSON."""
    assert not result.get("isError"), result
    assert [block["type"] for block in result["content"]] == ["text"], result
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return result["structuredContent"]


def check_listed(names: Sequence[str]) -> None:
    """Check the *names* in a tools/list result: ours are included, and none is repeated."""
    assert len(set(names)) == len(names)
    assert set(names) >= TOOLS, f"not listed: {sorted(TOOLS - set(names))}"


def check_tools(tools: Sequence[Mapping[str, Any]], *, stripped: bool = False) -> None:
    """Check that every tool has what clients expect: title, hints, schemas, and security schemes, also in _meta.

    *stripped*: the client shows only the members in the specification.
    """
    check_listed([tool["name"] for tool in tools])
    for tool in tools:
        name = tool["name"]
        assert tool["title"].strip() and tool["description"].strip(), name
        assert all(isinstance(tool["annotations"][hint], bool) for hint in HINTS), (name, tool["annotations"])
        assert tool["inputSchema"]["type"] == "object", name
        assert tool["outputSchema"]["type"] == "object", name
        schemes = tool["_meta"]["securitySchemes"]
        assert schemes and (stripped or tool["securitySchemes"] == schemes), name
        assert all(scheme["type"] == "oauth2" and scheme["scopes"] for scheme in schemes), name
        for status in ("openai/toolInvocation/invoking", "openai/toolInvocation/invoked"):
            assert 0 < len(tool["_meta"][status]) <= 64, (name, status)


def check_costs(answer: Mapping[str, Any], services: Mapping[str, float]) -> None:
    """Check a breakdown by service against the API: the cost of each service it names, and the order."""
    costs = by_service(answer)
    assert answer["rowCount"] == len(answer["rows"]) > 3
    assert list(costs.values()) == sorted(costs.values(), reverse=True)
    named = {service: cost for service, cost in costs.items() if service in services}
    assert len(named) >= min(10, len(services)), costs
    assert all(abs(cost - services[service]) < 0.01 for service, cost in named.items()), (named, services)
    assert max(services, key=lambda service: services[service]) == next(iter(costs))
    assert 0 < sum(costs.values()) <= sum(services.values()) + 0.01


def read_user(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what validate_user says about the user; what it says about refused tools is not the API's."""
    answer = read_structured(result)
    assert answer["refusedToolsNote"]
    return {name: value for name, value in answer.items() if not name.startswith("refusedTools")}


def check_results(results: Mapping[str, Mapping[str, Any]], expected: ExpectedResults) -> None:
    """Check the results of all CALLED tools, by tool, as received over the wire."""
    user = read_user(results["validate_user"])
    assert user == expected.user
    identity = {name: value for name, value in user.items() if name != "permissions"}
    assert identity == {"domain": "acme.example", "email": ADMIN, "id": f"acme.example/{ADMIN}"}
    budgets = read_structured(results["list_budgets"])["budgets"]
    assert [budget["id"] for budget in budgets] == [budget["id"] for budget in expected.budgets] != []
    assert [budget["amount"] for budget in budgets] == [budget["amount"] for budget in expected.budgets]
    check_costs(read_structured(results["cost_breakdown"]), expected.services)
    refined = read_structured(results["refine_cloudflow"])
    assert len(refined["answer"]) > 20 and refined["conversationId"]


def check_progress(steps: Sequence[Mapping[str, Any]]) -> None:
    """Check the progress notifications of one call: at least one, increasing, and some with a message."""
    assert steps, "no progress was reported"
    values = [step["progress"] for step in steps]
    assert values == sorted(set(values)), values
    assert any(step.get("message") for step in steps), steps
