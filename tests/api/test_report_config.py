"""Names of clouds in queries."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.change_filter import ChangeFilter
from doit_mcp.api.report_config import (
    PROVIDER_ALIASES,
    normalize_config,
    normalize_provider,
    provider_code,
)
from doit_mcp.protocol.json_schema import schema_of_typed_dict
from doit_mcp.protocol.schema_validator import SchemaValidator


@pytest.mark.parametrize("provider", PROVIDER_ALIASES)
def test_every_name_of_a_cloud_has_its_code(provider: str) -> None:
    for name in (provider, *PROVIDER_ALIASES[provider], f" {provider_code(provider).upper()} "):
        assert provider_code(name) == provider_code(provider) in ("aws", "gcp", "azure")
        assert normalize_provider(name) == provider


def test_unknown_clouds_stay_unchanged() -> None:
    assert provider_code("Snowflake") == normalize_provider("Snowflake") == "Snowflake"


def test_dates_of_a_custom_range_become_whole_days() -> None:
    config = {"timeRange": {"mode": "custom", "customTimeRange": {"from": "2026-10-01", "to": "2026-10-15"}}}
    assert normalize_config(config) == {
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-10-01T00:00:00Z", "to": "2026-10-15T23:59:59Z"},
    }


@pytest.mark.parametrize("span", [{"from": 1, "to": 2}, {"from": None}, {"from": ["2026-10-01"]}])
def test_other_values_of_a_custom_range_reach_the_api_unchanged(span: dict[str, Any]) -> None:
    config = {"timeRange": {"mode": "custom", "customTimeRange": span}}
    assert normalize_config(config)["customTimeRange"] == span


@pytest.mark.parametrize("time_range", ["last_month", {"mode": "custom", "customTimeRange": "x"}])
def test_other_time_ranges_reach_the_api(time_range: Any) -> None:
    assert "customTimeRange" not in normalize_config({"timeRange": time_range})


@pytest.mark.parametrize(
    ("sign", "operator"),
    [(">", "gt"), ("<=", "lte"), ("gt", "gt"), ("b", "b"), ("between", "b"), ("not_between", "nb")],
)
def test_signs_of_operators_are_sent_as_the_api_names_them(sign: str, operator: str) -> None:
    limit = {"operator": sign, "values": [1]}
    assert normalize_config({"limitByChange": limit})["limitByChange"] == {"operator": operator, "values": [1]}


def test_limit_by_change_takes_what_the_api_takes() -> None:
    accepted = schema_of_typed_dict(ChangeFilter, "accepted")
    published = schema_of_typed_dict(ChangeFilter, "published")
    assert published["properties"]["operator"]["enum"] == ["gt", "gte", "lt", "lte", "b", "nb"]
    assert published["required"] == ["metric", "changeType", "operator", "values", "includeIncompleteData"]
    limit = {"metric": {}, "changeType": "absolute", "values": [1], "includeIncompleteData": True}
    validator = SchemaValidator(accepted)
    assert not validator.problems({**limit, "operator": "gt"}) and not validator.problems({**limit, "operator": "<="})
    (problem,) = validator.problems({**limit, "operator": "e"})
    assert "must be one of gt, gte, lt, lte, b, nb" in problem
    assert validator.problems(limit) != []
