"""Labels of list items: what users read, and copies for programs, both bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.writes.change_rows import field_rows
from doit_mcp.catalog.writes.item_labels import MAX_ITEM_BYTES, bounded_item, item_text
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
    copy = bounded_item({"value": value})
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
