"""Contracts and ContractTemplates: requests of every tool; the default customer."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS, Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from .calling import capture_request

ONE = {"customerID": "c/1", "contractID": "k 1"}
PATH = "/customers/c%2F1/contracts"
TEMPLATES = "/billing/v1/contract-templates"
TERMS = {
    **{"name": "n", "startDate": "2026-01-01T00:00:00Z", "endDate": None, "renewalPolicy": "auto"},
    **{"invoicesEmail": "a@b.example", "contractUpdatesEmail": "c@d.example", "billingProfile": {"name": "x"}},
    **{"managementAccounts": ["1"], "billingRules": [{"name": "r"}], "priceBooks": [], "customLineItems": [{}]},
}
TEMPLATE = {
    **{"name": "n", "platform": "amazon-web-services", "eligibleFrom": "2026-01-01T00:00:00Z", "structure": ""},
    **{"priceBooks": [{"name": "p", "rules": [{"percentageChange": -5.0, "applyInLine": True}]}]},
}


@pytest.mark.parametrize(
    ("area", "name", "arguments", "answer", "request_"),
    [
        ("contracts", "list_contracts", {"customerID": "c/1"}, [], Request("GET", PATH, {}, None)),
        ("contracts", "get_contract", ONE, {}, Request("GET", f"{PATH}/k%201", {}, None)),
        ("contracts", "create_contract", {"customerID": "c/1", **TERMS}, {}, Request("POST", PATH, {}, TERMS)),
        ("contracts", "update_contract", {**ONE, **TERMS}, {}, Request("POST", f"{PATH}/k%201", {}, TERMS)),
        ("contracts", "activate_contract", ONE, {}, Request("POST", f"{PATH}/k%201/activate", {}, None)),
        ("contracts", "cancel_contract", ONE, {}, Request("POST", f"{PATH}/k%201/cancel", {}, {})),
        (
            "contracts",
            "cancel_contract",
            {**ONE, "reason": "moved"},
            {},
            Request("POST", f"{PATH}/k%201/cancel", {}, {"reason": "moved"}),
        ),
        ("contract_templates", "list_contract_templates", {}, [], Request("GET", TEMPLATES, {}, None)),
        ("contract_templates", "create_contract_template", TEMPLATE, {}, Request("POST", TEMPLATES, {}, TEMPLATE)),
        (
            "contract_templates",
            "get_contract_template",
            {"templateID": "t/1"},
            {},
            Request("GET", f"{TEMPLATES}/t%2F1", {}, None),
        ),
        (
            "contract_templates",
            "update_contract_template",
            {"templateID": "t", **TEMPLATE},
            {},
            Request("PUT", f"{TEMPLATES}/t", {}, TEMPLATE),
        ),
        (
            "contract_templates",
            "archive_contract_template",
            {"templateID": "t"},
            {},
            Request("DELETE", f"{TEMPLATES}/t", {}, None),
        ),
    ],
)
async def test_requests(area: str, name: str, arguments: dict[str, Any], answer: Any, request_: Request) -> None:
    assert await capture_request(area, name, arguments, answer) == request_


class TenantRecorder(Recorder):
    """The API for a caller whose customer is known."""

    tenant = "acme/1"


async def test_customer_defaults_to_the_callers_own() -> None:
    api = TenantRecorder([], {})
    contracts = Doit.for_sender(api).contracts
    await contracts.list_contracts()
    await contracts.get_contract(contractID="k")
    assert [request.path for request in api.requests] == [
        "/customers/acme%2F1/contracts",
        "/customers/acme%2F1/contracts/k",
    ]


async def test_unknown_customer_requires_a_customer_id() -> None:
    with pytest.raises(ApiError, match="customerID is required"):
        await capture_request("contracts", "list_contracts", {})


def test_hints_declare_operations_that_bind_others() -> None:
    rows = {operation.name: operation for operation in AREAS["contracts"].operations}
    assert {name for name, row in rows.items() if row.open_world} == {
        *("update_contract", "activate_contract", "cancel_contract"),
    }
    assert {name for name, row in rows.items() if row.destructive} == {
        *("update_contract", "activate_contract", "cancel_contract"),
    }
