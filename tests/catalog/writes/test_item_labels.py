"""Labels of list items: what users read, and copies for programs, both bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.writes.change_rows import field_rows
from doit_mcp.catalog.writes.item_labels import MAX_ITEM_BYTES, item_text, limit_item
from doit_mcp.catalog.writes.value_diff import value_lines

EC2 = {"id": "service_description", "type": "fixed", "mode": "is", "values": ["EC2", "RDS"]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=30), inner, max_size=30),
)


@pytest.mark.parametrize(
    ("item", "label"),
    [
        ({"percentage": 80}, "Alert at 80 %"),
        ({"percentage": 87.5}, "Alert at 87.5 %"),
        (EC2, "service_description is EC2, RDS"),
        ({**EC2, "inverse": True, "includeNull": True}, "service_description is not EC2, RDS, or no value"),
        ({**EC2, "mode": "contains", "caseInsensitive": True}, "service_description contains EC2, RDS, ignoring case"),
        ({"key": "team", "type": "label", "values": []}, "team is no value"),
        ({"startDate": "2026-01-01", "endDate": "2026-03-31"}, "2026-01-01 to 2026-03-31"),
        ({"user": "ann@acme.example", "role": "viewer"}, "ann@acme.example (viewer)"),
        ({"id": "l1", "name": "Quarter"}, "Quarter (id l1)"),
        (
            {"name": "Standard", "rules": [{"name": "Discount", "percentageChange": -3}, {"name": "Base"}]},
            "name: Standard, rules: ((name: Discount, percentageChange: -3); (name: Base))",
        ),
        # A text cannot look like another member.
        ({"name": "x, role: admin", "note": "plain"}, 'name: "x, role: admin", note: plain'),
        ({"id": "t", "values": ["a, b", "c"]}, 't is "a, b", c'),
        ({}, "none"),
    ],
)
def test_items_read_as_text(item: Any, label: str) -> None:
    assert item_text(item) == label


@given(JSON)
def test_labels_and_copies_are_short_and_on_one_line(value: Any) -> None:
    label = item_text(value)
    assert len(label) < 220 and "\n" not in label
    copy = limit_item({"value": value})
    assert copy is None or len(orjson.dumps(copy)) <= MAX_ITEM_BYTES


def rows(before: Any, after: Any) -> list[dict[str, Any]]:
    return field_rows(value_lines("scopes", after, before), {}, is_known=True, readable=None)


def test_rows_have_labels_and_copies() -> None:
    other = {**EC2, "values": ["S3"]}
    assert rows([EC2], [other]) == [
        {
            "field": "scopes",
            "added": ["service_description is S3"],
            "removed": ["service_description is EC2, RDS"],
            "addedItems": [other],
            "removedItems": [EC2],
        }
    ]
    # A list that does not fit on a line is compared item by item, and secrets are hidden in labels and copies.
    many = [{**EC2, "values": [f"service {number}"]} for number in range(5)]
    (row,) = rows(many, [*many[1:], {"id": "login", "password": "hunter2"}])
    assert row["removedItems"] == many[:1] and row["added"] == ["id: login, password: (not shown)"]
    assert row["addedItems"] == [{"id": "login", "password": "(not shown)"}] and "hunter2" not in str(row)


def services(*numbers: int, **members: Any) -> dict[str, Any]:
    return {**EC2, "values": [f"service {number}" for number in numbers], **members}


def test_a_condition_that_changes_shows_its_values_that_do() -> None:
    provider = {"id": "cloud_provider", "type": "fixed", "values": ["aws"]}
    before = services(*range(51))
    changed: dict[str, Any] = {"field": "scopes[0].values", "added": ["service 51"], "removed": ["service 0"]}
    assert rows([before], [services(*range(1, 52))]) == [changed]
    # Members with their defaults are the same as none.
    after = services(*range(51), inverse=False, includeNull=True)
    assert rows([before, provider], [provider, after]) == [
        {"field": "scopes[1].includeNull", "before": False, "after": True}
    ]
    # One value less fits on a line, and one more does not.
    assert rows([services(1)], [services(*range(1, 30))])[0]["added"] == [f"service {n}" for n in range(2, 30)]
    for other in ({"inverse": True}, {"mode": "contains"}, {"type": "attribution"}, {"id": "sku"}):
        (row,) = rows([before], [services(*range(52), **other)])
        assert row["field"] == "scopes" and len(row["added"]) == len(row["removed"]) == 1
        assert row["removed"][0].startswith("service_description is any of 51 values: service 0, service 1")
        assert "any of 52 values: service 0, " in row["added"][0] and len(row["added"][0]) <= 160
        # A copy is complete or missing.
        assert row["removedItems"] == [before]
    (row,) = rows([before], [services(*range(300), inverse=True)])
    assert row["addedItems"] == [None]
    # Those with the same identity are matched in their order.
    twice = rows([before, services(99)], [before, services(98)])
    assert twice == [{"field": "scopes[1].values", "added": ["service 98"], "removed": ["service 99"]}]


def test_a_list_in_another_order_shows_both() -> None:
    rules = [{"id": f"r{number}", "name": f"Rule {number}", "formula": "A" * 40} for number in range(5)]
    order = ", ".join(rule["name"] for rule in rules)
    reverse = ", ".join(rule["name"] for rule in rules[::-1])
    assert rows(rules, rules[::-1]) == [{"field": "scopes", "before": order, "after": reverse}]
    labels = [f"Rule {number} (id r{number})" for number in range(30)]
    (row,) = rows(labels, [labels[1], labels[0], *labels[2:]])
    assert row["before"].startswith("Rule 0 (id r0), Rule 1") and row["after"].startswith("Rule 1 (id r1), Rule 0")
    assert row["after"].endswith(labels[-1])


def test_lists_of_numbers_and_with_repeats_are_whole() -> None:
    for before, after in (([1, 2, 3, 4], [1, 1, 2, 2]), ([5] * 30, [5] * 29), (["a", "a", "b"], ["a", "b"])):
        texts = [", ".join(map(str, items)) for items in (before, after)]
        assert rows(before, after) == [{"field": "scopes", "before": texts[0], "after": texts[1]}]
    # Long ones show the positions that change.
    many = list(range(100))
    changed = {"field": "scopes[99]", "before": 99, "after": 7}
    assert rows(many, [*many[:99], 7, 8]) == [changed, {"field": "scopes[100]", "before": None, "after": 8}]
    names = [f"service {number}" for number in range(40)]
    assert rows([*names, *names], names) == [{"field": "scopes", "added": [], "removed": names}]
