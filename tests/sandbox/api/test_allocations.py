"""Allocations: create, update, nest, group; and the costs they select."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.api.costs.formula import MAX_DEPTH, parse_formula
from doit_mcp.sandbox.api.responses import ApiError

from .conftest import ADMIN, Party

PATH = "/analytics/v1/allocations"
YEAR: dict[str, Any] = {"timeInterval": "year", "timeRange": {"mode": "current", "unit": "year"}}


def component(key: str, *values: str, type: str = "fixed", **more: object) -> dict[str, Any]:
    """A component of a rule."""
    return {"key": key, "type": type, "values": list(values), "mode": "is", **more}


def rule(*components: dict[str, Any], formula: str = "A") -> dict[str, Any]:
    """A rule."""
    return {"components": list(components), "formula": formula}


GOOGLE = component("cloud_provider", "google-cloud")
PRODUCTION = component("env", "production", type="label")


def make_nested_rule(*identifiers: str) -> dict[str, Any]:
    """A rule that refers to others."""
    return rule(component("allocation_rule", *identifiers, type="allocation_rule"))


async def create(party: Party, status: int = 200, **body: object) -> Any:
    """The response to the creation of an allocation."""
    answer = await party.send("POST", PATH, {"name": "Mine", "description": "", **body})
    assert answer.status == status, answer
    return answer.json


async def single(party: Party, *components: dict[str, Any], formula: str = "A", **body: object) -> Any:
    """A single allocation."""
    return await create(party, rule=rule(*components, formula=formula), **body)


def by_rule(*identifiers: str, **more: object) -> dict[str, Any]:
    """A filter on rules."""
    return {"type": "allocation_rule", "id": "allocation_rule", "values": list(identifiers), **more}


async def test_allocation_lifecycle(party: Party) -> None:
    before = await party.get(PATH)
    allocation = await single(party, {**GOOGLE, "inverse": True}, anomalyDetection=True, name="No Google")
    path = f"{PATH}/{allocation['id']}"
    assert (allocation["type"], allocation["allocationType"], allocation["anomalyDetection"]) == (
        "custom",
        "single",
        True,
    )
    assert allocation["rule"]["components"][0]["inverse"] is True
    listed = (await party.get(PATH))["allocations"]
    assert (listed[0]["id"], listed[0]["owner"], listed[1:]) == (allocation["id"], ADMIN.email, before["allocations"])
    changed = (await party.send("PATCH", path, {"name": "Else", "description": None, "anomalyDetection": None})).json
    assert changed == {**allocation, "name": "Else"} == await party.get(path)
    response = await party.send("DELETE", path)
    assert (response.status, response.json) == (200, {})
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert "not found" in await party.expect_error(404, method, path, body)
    assert await party.get(PATH) == before


async def test_group_is_created_updated_and_allocates_all_costs(party: Party) -> None:
    chosen = await single(party, GOOGLE, name="Google")
    members = [
        {"action": "create", "name": "Production", "components": [PRODUCTION], "formula": "A"},
        {"action": "select", "id": chosen["id"]},
    ]
    group = await create(party, name="All", rules=members, unallocatedCosts="The rest")
    assert [item["name"] for item in group["rules"]] == ["Production", "Google"]
    assert "rule" not in group and group["rules"][0]["id"] in {
        item["id"] for item in (await party.get(PATH, filter="type:custom"))["allocations"]
    }
    dimension = {"type": "allocation", "id": group["id"]}
    total = await party.cost(**YEAR)
    rows = (await party.query(group=[dimension], **YEAR))["rows"]
    costs = {row[0]: row[2] for row in rows}
    assert set(costs) == {"Production", "Google", "The rest"} and sum(costs.values()) == pytest.approx(total, abs=0.01)
    # Lines selected by both rules belong to the first one.
    filters = [{"type": "label", "id": "env", "values": ["production"]}]
    assert costs["Production"] == pytest.approx(await party.cost(filters=filters, **YEAR), abs=0.01)
    for name, cost in costs.items():
        filtered = await party.cost(filters=[{**dimension, "values": [name]}], **YEAR)
        inverse = await party.cost(filters=[{**dimension, "values": [name], "inverse": True}], **YEAR)
        assert (filtered, filtered + inverse) == (pytest.approx(cost, abs=0.01), pytest.approx(total, abs=0.01))
    values = (await party.get("/analytics/v1/dimension", type="allocation", id=group["id"]))["values"]
    assert [item["value"] for item in values] == ["Production", "Google", "The rest"]
    update = {
        "action": "update",
        "id": group["rules"][0]["id"],
        "name": "Prod",
        "components": [PRODUCTION],
        "formula": "NOT A",
    }
    changed = (await party.send("PATCH", f"{PATH}/{group['id']}", {"rules": [update]})).json
    assert [(item["name"], item["formula"]) for item in changed["rules"]] == [("Prod", "NOT A")]
    assert (await party.get(f"{PATH}/{update['id']}"))["name"] == "Prod"


async def test_rules_follow_their_formula(party: Party) -> None:
    google = [{"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}]
    production = [{"type": "label", "id": "env", "values": ["production"]}]
    of_google, of_production, intersection, total = [
        await party.cost(filters=item, **YEAR) for item in (google, production, [*google, *production], [])
    ]
    for formula, expected in (
        ("A", of_google),
        ("A AND B", intersection),
        ("A OR B", of_google + of_production - intersection),
        ("NOT (A OR B)", total - of_google - of_production + intersection),
        ("A AND NOT B", of_google - intersection),
    ):
        allocation = await single(party, GOOGLE, PRODUCTION, formula=formula, name=formula)
        assert await party.cost(filters=[by_rule(allocation["id"])], **YEAR) == pytest.approx(expected, abs=0.01), (
            formula
        )
        outer = await create(party, name=f"outer {formula}", rule=make_nested_rule(allocation["id"]))
        assert await party.cost(filters=[by_rule(outer["id"])], **YEAR) == pytest.approx(expected, abs=0.01)
        budget = await party.send("POST", "/analytics/v1/budgets", {"amount": 1, "scopes": [by_rule(allocation["id"])]})
        month = {"timeInterval": "month", "timeRange": {"mode": "current", "unit": "month"}}
        spent = await party.cost(filters=[by_rule(allocation["id"])], **month)
        assert budget.json["currentUtilization"] == pytest.approx(spent, abs=0.01)


async def test_grouping_by_rules(party: Party) -> None:
    first, second = await single(party, GOOGLE, name="First"), await single(party, PRODUCTION, name="Second")
    by_rules = [{"type": "attribution", "id": "attribution"}]
    result = await party.query(group=by_rules, **YEAR)
    assert sum(row[2] for row in result["rows"]) == pytest.approx(await party.cost(**YEAR), abs=0.01)
    chosen = await party.query(group=by_rules, filters=[by_rule(second["id"], first["id"])], **YEAR)
    assert {row[0] for row in chosen["rows"]} == {"First", "Second"}
    item = await party.query(group=by_rules, filters=[by_rule(second["id"])], **YEAR)
    assert [row[0] for row in item["rows"]] == ["Second"]
    groups = [by_rule("Second"), by_rule(first["id"], inverse=True)]
    assert await party.cost(filters=groups, **YEAR) < await party.cost(filters=groups[:1], **YEAR)


async def test_allocation_in_use_cannot_be_deleted(party: Party) -> None:
    allocation = await single(party, GOOGLE)
    inner = {"rules": [{"action": "select", "id": allocation["id"]}], "unallocatedCosts": "x"}
    group = await create(party, name="Group", **inner)
    outer = await create(party, name="Outer", rule=make_nested_rule(allocation["id"]))
    config = {"filters": [by_rule(allocation["id"])]}
    cost = {"type": "basic", "value": "cost"}
    alert = {"metric": cost, "timeInterval": "day", "value": 1, "operator": "gt", "scopes": [by_rule(allocation["id"])]}
    users = {
        "reports": ("/analytics/v1/reports", {"name": "Report", "config": config}),
        "budgets": ("/analytics/v1/budgets", {"name": "Budget", "amount": 1, "scopes": [by_rule(allocation["id"])]}),
        "alerts": ("/analytics/v1/alerts", {"name": "Alert", "config": alert}),
    }
    ids = {}
    for kind, (path, body) in users.items():
        answer = (await party.send("POST", path, body)).json
        ids[kind] = answer["id"]
        scopes = {"reports": ("config", "filters"), "alerts": ("config", "scopes"), "budgets": ("scopes",)}[kind]
        for name in scopes:
            answer = answer[name]
        assert answer[0]["type"] == "attribution", "responses use another field name"
    refused = await party.send("DELETE", f"{PATH}/{allocation['id']}")
    assert refused.status == 409
    (blocker,) = refused.json
    dependents = {kind: [item["id"] for item in uses] for kind, uses in blocker["resources"].items()}
    assert dependents == {"allocations": [group["id"], outer["id"]], **{kind: [item] for kind, item in ids.items()}}
    report = await party.send(
        "POST",
        "/analytics/v1/reports",
        {
            "name": "By group",
            "config": {"group": [{"type": "allocation", "id": group["id"]}]},
        },
    )
    refused = await party.send("DELETE", f"{PATH}/{group['id']}")
    assert [list(item["resources"]) for item in refused.json] == [["reports"]]
    assert report.json["config"]["group"] == [{"type": "attribution_group", "id": group["id"]}]
    using = [f"{users[kind][0]}/{item}" for kind, item in ids.items()] + [f"{users['reports'][0]}/{report.json['id']}"]
    for path in (*using, f"{PATH}/{group['id']}", f"{PATH}/{outer['id']}", f"{PATH}/{allocation['id']}"):
        assert (await party.send("DELETE", path)).status == 200, path


async def test_nested_rules_are_bounded(party: Party) -> None:
    first = await single(party, GOOGLE)
    second = await create(party, rule=make_nested_rule(first["id"]))
    third = await create(party, rule=make_nested_rule(second["id"]))
    assert "deep" in await party.expect_error(
        400, "POST", PATH, {"name": "x", "description": "", "rule": make_nested_rule(third["id"])}
    )
    for target in (first, second, third):
        body = {"rule": make_nested_rule(target["id"])}
        assert "circle" in await party.expect_error(400, "PATCH", f"{PATH}/{first['id']}", body)
    other = await single(party, GOOGLE)
    body = {"rule": make_nested_rule(other["id"])}
    assert "deep" in await party.expect_error(400, "PATCH", f"{PATH}/{first['id']}", body), "third would be too deep"
    assert (await party.send("PATCH", f"{PATH}/{second['id']}", body)).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rule"),
        ({"rule": None}, "rule"),
        ({"rule": rule(GOOGLE), "rules": []}, "rule"),
        ({"rule": rule()}, "rule.components"),
        ({"rule": rule(GOOGLE, formula="B")}, "rule.formula"),
        ({"rule": rule(GOOGLE, formula="A AND")}, "rule.formula"),
        ({"rule": rule(GOOGLE, formula="A A")}, "rule.formula"),
        ({"rule": rule(GOOGLE, formula="(A")}, "rule.formula"),
        ({"rule": rule(GOOGLE, formula="a + b")}, "rule.formula"),
        ({"rule": rule(component("nothing", "x"))}, "nothing"),
        ({"rule": rule(component("cloud_provider"))}, "values"),
        ({"rule": rule({**GOOGLE, "caseInsensitive": True})}, "caseInsensitive"),
        ({"rule": rule(component("year", "2026", type="datetime"))}, "rule.components[0]"),
        ({"rule": rule(component("x", "y", type="allocation"))}, "type"),
        ({"rule": make_nested_rule("nothing")}, "nothing"),
        ({"rule": make_nested_rule()}, "values"),
        ({"rule": rule({**make_nested_rule("x")["components"][0], "mode": "regexp"})}, "mode"),
        ({"rule": rule({**make_nested_rule("x")["components"][0], "key": "x"})}, "key"),
        ({"rules": [], "unallocatedCosts": "x"}, "rules"),
        ({"rules": [{"action": "select"}], "unallocatedCosts": "x"}, "rules[0].id"),
        (
            {"rules": [{"action": "create", "components": [GOOGLE], "formula": "A"}], "unallocatedCosts": "x"},
            "rules[0].name",
        ),
        ({"rules": [{"action": "create", "name": "x", "components": [GOOGLE], "formula": "A"}]}, "unallocatedCosts"),
        (
            {"rules": [{"action": "select", "id": "x"}], "unallocatedCosts": "x", "anomalyDetection": True},
            "anomalyDetection",
        ),
        ({"rule": rule(GOOGLE), "folderId": "nowhere"}, "folderId"),
    ],
)
async def test_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    before = await party.get(PATH)
    assert field in await party.expect_error(400, "POST", PATH, {"name": "x", "description": "", **body})
    assert await party.get(PATH) == before, "no partial update"


async def test_single_and_group_types_are_fixed(party: Party) -> None:
    allocation = await single(party, GOOGLE)
    twice = [{"action": "select", "id": allocation["id"]}] * 2
    assert "rules" in await party.expect_error(400, "PATCH", f"{PATH}/{allocation['id']}", {"rules": twice})
    group = await create(party, rules=twice[:1], unallocatedCosts="x")
    assert "rule" in await party.expect_error(400, "PATCH", f"{PATH}/{group['id']}", {"rule": rule(GOOGLE)})
    assert "rules[1].id" in await party.expect_error(400, "PATCH", f"{PATH}/{group['id']}", {"rules": twice})
    assert (await party.send("PATCH", f"{PATH}/{group['id']}", {"unallocatedCosts": "y"})).json == {
        **group,
        "unallocatedCosts": "y",
    }


async def test_lists_are_filtered_sorted_and_paginated(party: Party) -> None:
    ids = [(await single(party, GOOGLE, name=f"Team {letter}"))["id"] for letter in "ACB"]

    async def list_ids(**query: object) -> list[str]:
        return [item["id"] for item in (await party.get(PATH, **query))["allocations"]]

    assert await list_ids(filter="name:Team A|name:Team C") == [ids[1], ids[0]]
    assert (await list_ids(nameContains="tEAm "))[:3] == ids[::-1]
    assert set(ids) <= set(await list_ids(filter=f"owner:{ADMIN.email}|folderId:root"))
    all_ids = await list_ids()
    assert await list_ids(sortOrder="asc") == all_ids[::-1]
    for field in ("id", "name", "owner", "description", "type", "createTime", "updateTime"):
        rows = (await party.get(PATH, sortBy=field, sortOrder="desc"))["allocations"]
        assert [item[field] for item in rows] == sorted((item[field] for item in rows), reverse=True)
    assert [item["id"] for item in await party.walk(PATH, "allocations", 3)] == all_ids
    for query in ({"sortBy": "colour"}, {"filter": "colour:red"}, {"maxResults": 0}, {"sortOrder": "up"}):
        assert next(iter(query)) in await party.expect_error(400, "GET", PATH, **query)


letters = st.sampled_from("ABC")
formulas = st.recursive(
    letters,
    lambda inner: st.one_of(
        inner.map(lambda item: f"NOT ({item})"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda parts: "({}) {} ({})".format(*parts)),
    ),
    max_leaves=8,
)


@given(formulas)
def test_formulas_follow_boolean_logic(text: str) -> None:
    sets = [frozenset({1, 4, 5, 7}), frozenset({2, 4, 6, 7}), frozenset({3, 5, 6, 7})]
    everything = frozenset(range(8))
    python = text.replace("NOT", "not").replace("AND", "and").replace("OR", "or")
    expected = {
        item
        for item in everything
        if eval(python, {}, {letter: item in part for letter, part in zip("ABC", sets)})  # built by this test
    }
    assert parse_formula(text, 3).evaluate(sets, everything) == expected


@given(st.text(alphabet="AB()NOTRD \t", max_size=60) | st.text(max_size=20))
def test_any_text_is_a_formula_or_rejected(text: str) -> None:
    try:
        formula = parse_formula(text, 2)
    except ApiError as refusal:
        assert refusal.status == 400
    else:
        assert formula.evaluate([frozenset({1}), frozenset({2})], frozenset({1, 2, 3})) <= {1, 2, 3}


def test_formulas_are_bounded() -> None:
    for text in ("(" * 400 + "A" + ")" * 400, "NOT " * (MAX_DEPTH + 1) + "A", "A" + " OR A" * 200):
        with pytest.raises(ApiError):
            parse_formula(text, 1)
    assert parse_formula("NOT " * MAX_DEPTH + "A", 1)


FIRST_HALF, SECOND_HALF = {"endDate": "2026-06-30"}, {"startDate": "2026-07-01"}
BY_TEAM = {"sources": [{"type": "label", "key": "team"}], "fallback": "other"}


async def test_rules_keep_their_periods_and_extracted_values(party: Party) -> None:
    periods = [FIRST_HALF, SECOND_HALF]
    single = await create(party, name="One", description="", rule={**rule(GOOGLE), "validityPeriods": periods})
    assert single["rule"]["validityPeriods"] == periods
    members = [
        {"action": "create", "name": "By team", **rule(GOOGLE), "valueExtraction": BY_TEAM},
        {"action": "select", "id": single["id"]},
    ]
    group = await create(party, name="Both", description="", rules=members, unallocatedCosts="Rest")
    assert group["rules"][0]["valueExtraction"] == BY_TEAM and group["rules"][1]["validityPeriods"] == periods


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"validityPeriods": [SECOND_HALF, FIRST_HALF]}, "only the first can lack startDate"),
        ({"validityPeriods": [FIRST_HALF, {"startDate": "2026-06-30"}]}, "overlaps"),
        ({"validityPeriods": [{"startDate": "2026-02-01", "endDate": "2026-01-01"}]}, "before startDate"),
        ({"valueExtraction": {"sources": BY_TEAM["sources"]}}, "fallback"),
        ({"valueExtraction": {**BY_TEAM, "onMissing": "nextRule"}}, "fallback"),
    ],
)
async def test_periods_and_extracted_values_are_checked(party: Party, members: dict[str, Any], reason: str) -> None:
    new = {"action": "create", "name": "New", **rule(GOOGLE), **members}
    body = {"name": "Both", "description": "", "rules": [new], "unallocatedCosts": "Rest"}
    assert reason in await party.expect_error(400, "POST", PATH, body)
