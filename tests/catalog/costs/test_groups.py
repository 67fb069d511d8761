"""What groupBy accepts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.groups import GroupDimension, resolve_groups
from tests.api.recorder import Recorder

from ..caller import Caller

MakeCaller = Callable[[], Caller]


@pytest.mark.parametrize(
    ("argument", "group"),
    [
        ("service", GroupDimension("service", "service_description", "fixed", "service_description")),
        (" Project ", GroupDimension("project", "project_id", "fixed", "project_id")),
        ("sku", GroupDimension("sku", "sku_id", "fixed", "sku_id")),
        ("sku_description", GroupDimension("sku_description", "sku_description", "fixed", "sku_description")),
        ("Pricing_Unit", GroupDimension("pricing_unit", "pricing_unit", "fixed", "pricing_unit")),
        ("fixed:cost_type", GroupDimension("cost_type", "cost_type", "fixed", "cost_type")),
        ("project_id", GroupDimension("project", "project_id", "fixed", "project_id")),
        ("team", GroupDimension("label:team", "team", "label", "team")),
        ("gke:k8s-namespace", GroupDimension("gke:k8s-namespace", "k8s-namespace", "gke", "k8s-namespace")),
        ("k8s-namespace", GroupDimension("gke:k8s-namespace", "k8s-namespace", "gke", "k8s-namespace")),
        # The key of a tag may have colons of its own.
        ("aws:eks:namespace", GroupDimension("tag:aws:eks:namespace", "aws:eks:namespace", "tag", "aws:eks:namespace")),
        ("label:team", GroupDimension("label:team", "team", "label", "team")),
        ("Label: Team", GroupDimension("label:team", "team", "label", "team")),
    ],
)
async def test_each_form_names_a_dimension(argument: str, group: GroupDimension, make_caller: MakeCaller) -> None:
    assert await resolve_groups(make_caller(), argument) == [group]


async def test_projects_are_grouped_with_their_names(make_caller: MakeCaller) -> None:
    service, project = await resolve_groups(make_caller(), ["service", "project"])
    assert service.as_groups == [{"id": "service_description", "type": "fixed"}]
    assert project.as_groups == [{"id": "project_id", "type": "fixed"}, {"id": "project_name", "type": "fixed"}]
    assert await resolve_groups(make_caller(), None) == []


async def test_skus_are_grouped_with_their_names_and_what_tells_the_usual_one(make_caller: MakeCaller) -> None:
    (sku,) = await resolve_groups(make_caller(), "SKU")
    assert [group["id"] for group in sku.as_groups] == ["sku_id", "sku_description", "cost_type"]


async def test_an_id_of_several_dimensions_needs_its_type() -> None:
    dimensions = [{"id": "team", "type": type_} for type_ in ("label", "tag")]
    call = Caller(Recorder({"dimensions": dimensions}))
    with pytest.raises(ApiError, match="Use one of label:team, tag:team"):
        await resolve_groups(call, "team")


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("servce", "Did you mean service?"),
        ("teem", "Did you mean label:team?"),
        ("account", "Did you mean project?"),
        ("provider", "Did you mean cloud?"),
        ("k8s-namespaces", "Did you mean gke:k8s-namespace"),
        ("month", "For costs by month, use cost_trend"),
        ("label:", "label:KEY"),
        ("label:teem", '"label:team"'),
        ("tag:team", '"label:team"'),
        ("allocation:nosuch thing at all", "Available: "),
    ],
)
async def test_an_unknown_dimension_is_refused_with_the_nearest(
    argument: str, hint: str, make_caller: MakeCaller
) -> None:
    with pytest.raises(ApiError) as caught:
        await resolve_groups(make_caller(), argument, "by")
    assert caught.value.kind == "argument"
    assert caught.value.reason.startswith("by: ") and hint in caught.value.reason


async def test_an_allocation_is_found_by_its_name_or_id(make_caller: MakeCaller) -> None:
    call = make_caller()
    rows = (await call.doit.allocations.list_allocations())["allocations"]
    group = next(row for row in rows if row["allocationType"] == "group")
    for name in (group["name"], group["name"].upper(), group["id"]):
        (found,) = await resolve_groups(call, f"allocation:{name}")
        assert (found.id, found.type) == (group["id"], "attribution_group")
    single = next(row for row in rows if row["allocationType"] == "single")
    with pytest.raises(ApiError, match="is not a group of allocations") as caught:
        await resolve_groups(call, f"allocation:{single['name']}")
    assert single["id"] in caught.value.reason


async def test_at_most_two_different_dimensions(make_caller: MakeCaller) -> None:
    with pytest.raises(ApiError, match="at most 2"):
        await resolve_groups(make_caller(), ["service", "project", "cloud"])
    with pytest.raises(ApiError, match='"Service" is named twice'):
        await resolve_groups(make_caller(), ["service", "Service"])


async def test_labels_are_remembered_and_read_again_before_one_is_refused() -> None:
    api = Recorder({"dimensions": [{"id": "team", "type": "label"}, {"id": "x", "type": "fixed"}]})
    call = Caller(api)
    for _ in range(3):
        await resolve_groups(call, "label:team")
    assert len(api.requests) == 1
    with pytest.raises(ApiError):
        await resolve_groups(call, "label:env")
    assert len(api.requests) == 2


async def test_a_list_may_come_as_text() -> None:
    call = Caller(Recorder())
    assert [group.argument for group in await resolve_groups(call, ' ["service", "cloud"]')] == ["service", "cloud"]
    for odd in ("[service", "[1]", '["x"]'):
        with pytest.raises(ApiError, match="is not one of service, project"):
            await resolve_groups(call, odd)
