"""Scopes of cost queries, and the check of their values against the sandbox's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.scope import Scope, check_values
from tests.api.recorder import Recorder

from ..caller import Caller

MakeCaller = Callable[[], Caller]


def test_a_scope_limits_a_query() -> None:
    team: Any = {"id": "team", "type": "label", "values": ["ads"]}
    scope = Scope.from_arguments("AWS", [team], include_credits=True)
    cloud = {"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["amazon-web-services"]}
    assert scope.apply({"timeInterval": "month"}) == {
        "timeInterval": "month",
        "filters": [team, cloud],
        "includePromotionalCredits": True,
    }
    assert Scope().apply({"timeInterval": "month"}) == {"timeInterval": "month"}


def make_filter(identifier: str, *values: str, **options: Any) -> Any:
    return {"id": identifier, "type": "fixed", "values": list(values), **options}


@pytest.mark.parametrize(
    ("scope", "hints"),
    [
        (Scope("oracle"), ['cloud: the data has no cloud "oracle"', "amazon-web-services", "google-cloud"]),
        (Scope(filters=(make_filter("cloud_provider", "oracle"),)), ["filters: the data has no cloud", "google-cloud"]),
        (Scope(filters=(make_filter("service_description", "Amazon EC2"),)), ['"Amazon Elastic Compute Cloud"']),
        (Scope(filters=(make_filter("service_description", "bigquery"),)), ['Did you mean "BigQuery"?']),
        (
            Scope(filters=(make_filter("service_description", "BigQuery", "lamda"),)),
            ['service "lamda"', '"AWS Lambda"'],
        ),
        (Scope(filters=(make_filter("project_id", "acme-produktion"),)), ["project", "acme-production"]),
        (Scope(filters=({"id": "Team", "type": "label", "values": ["x"]},)), ['{"id": "team", "type": "label"}']),
        (Scope(filters=(make_filter("team", "x"),)), ['{"id": "team", "type": "label"}']),
        (
            Scope(filters=(make_filter("service_description", "zzz", mode="starts_with"),)),
            ['service "zzz"', "Available"],
        ),
    ],
)
async def test_values_that_do_not_exist_are_named_with_the_nearest(
    scope: Scope, hints: list[str], make_caller: MakeCaller
) -> None:
    with pytest.raises(ApiError) as caught:
        await check_values(make_caller(), scope)
    assert caught.value.kind == "argument"
    for hint in hints:
        assert hint in caught.value.reason


@pytest.mark.parametrize(
    ("scope", "checked"),
    [
        (Scope(), True),
        (Scope("aws"), True),
        (Scope(filters=(make_filter("cloud_provider", "gcp"),)), True),
        (Scope(filters=(make_filter("service_description", "bigquery", caseInsensitive=True),)), True),
        (Scope(filters=(make_filter("service_description", "Amazon", mode="starts_with"),)), True),
        (Scope(filters=(make_filter("service_description", "Query", mode="ends_with"),)), True),
        (Scope(filters=(make_filter("service_description", "uery", mode="contains"),)), True),
        (Scope(filters=(make_filter("service_description", "B.*", mode="regexp"),)), False),
        (Scope(filters=({"id": "year", "type": "datetime", "values": ["1999"]},)), True),
    ],
)
async def test_values_that_exist_pass(scope: Scope, checked: bool, make_caller: MakeCaller) -> None:
    assert await check_values(make_caller(), scope) is checked


async def test_a_dimension_that_cannot_be_listed_is_not_checked() -> None:
    scope = Scope(filters=(make_filter("service_description", "x"),))
    assert await check_values(Caller(Recorder(ApiError("", kind="timeout"))), scope) is False
    with pytest.raises(ApiError) as caught:
        await check_values(Caller(Recorder(ApiError("", kind="credential", status=401))), scope)
    assert caught.value.kind == "credential"


async def test_projects_are_suggested_without_their_names_if_those_are_unknown() -> None:
    answers = [{"values": [{"value": "acme-prod", "cloud": "google-cloud"}]}, ApiError("", kind="timeout")]
    with pytest.raises(ApiError, match='Did you mean "acme-prod"'):
        await check_values(Caller(Recorder(*answers)), Scope(filters=(make_filter("project_id", "acme-prd"),)))


def test_filters_are_checked_and_fixed_by_default() -> None:
    assert Scope.from_arguments(filters=[{"id": "region"}]).filters == ({"type": "fixed", "id": "region"},)
    for malformed, problem in (
        ({"id": "team", "typ": "label"}, r"filters\[0\].typ: is unknown; did you mean type"),
        ({"type": "fixed"}, r"filters\[0\].id: is required"),
        ({"id": "team", "values": "ads"}, r"filters\[0\].values: must be a list"),
    ):
        with pytest.raises(ApiError, match=problem) as caught:
            Scope.from_arguments(filters=[malformed])
        assert caught.value.kind == "argument" and "Example" in caught.value.reason


async def test_a_project_without_a_similar_one_is_answered_with_all() -> None:
    known = {"values": [{"value": "acme-prod", "cloud": "google-cloud"}]}
    scope = Scope(filters=(make_filter("project_id", "xyz"),))
    with pytest.raises(ApiError, match='no project "xyz". Available: "acme-prod"'):
        await check_values(Caller(Recorder(known, ApiError("", kind="rate"))), scope)
    with pytest.raises(ApiError) as caught:
        await check_values(Caller(Recorder(known, ApiError("", kind="credential", status=401))), scope)
    assert caught.value.kind == "credential"
