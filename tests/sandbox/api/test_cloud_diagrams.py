"""Cloud diagrams: components, relations, costs from the billing lines, and history."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api.diagrams import graph
from doit_mcp.sandbox.api.diagrams.history import layers_of
from doit_mcp.sandbox.api.seeds.diagrams import RESOURCE_TYPES

from ..conftest import Clock
from .conftest import GLOBEX, VIEWER, Party
from .test_perfect_scale import call_tool

PATH = "/clouddiagrams/v1"
GET, FIND, SEARCH = f"{PATH}/scheme/get", f"{PATH}/scheme/find", f"{PATH}/scheme/search"
PERIOD: dict[str, Any] = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-24T00:00:00Z"}
DAY = 86_400
KINDS = {"node", "element", "group", "link", "attachment", "combiner", "note"}


async def post(party: Party, path: str, body: object = None, **options: Any) -> Any:
    """The JSON of a response with status 200 to a POST."""
    answer = await party.send("POST", path, body, **options)
    assert answer.status == 200, answer
    return answer.json


async def layer_of(party: Party, name: str = "acme-production") -> str:
    """The id of the layer with this name."""
    schemes = (await post(party, GET))["scheme"].values()
    return next(str(item["ssid"]) for scheme in schemes for item in scheme["statussheet"] if item["name"] == name)


async def export_layer(party: Party, layer: str) -> Any:
    """The export of a layer."""
    return await party.get(f"{PATH}/statussheet/{layer}/export-json")


async def node_of(party: Party, layer: str, icon: str = "instances") -> Any:
    """The first node of a layer with this icon."""
    return next(item for item in (await export_layer(party, layer))["nodes"] if item["icon"] == icon)


async def test_diagrams_contain_the_billing_accounts(party: Party) -> None:
    diagrams = (await post(party, GET, who=VIEWER))["scheme"]
    assert (await post(party, GET, {})) == {"scheme": diagrams}
    names = {item["name"]: [layer["name"] for layer in item["statussheet"]] for item in diagrams.values()}
    assert names["Amazon Web Services"] == ["acme-production", "acme-staging", "acme-launchpad", "acme-sandbox"]
    # One of the two incidents is ongoing.
    alarms = {layer["name"]: layer["alarms_count"] for item in diagrams.values() for layer in item["statussheet"]}
    assert {name for name, number in alarms.items() if number} == {"Acme analytics"}
    quiet = (await post(party, GET, alarms_count="false"))["scheme"].values()
    assert not any(layer["alarms_count"] for item in quiet for layer in item["statussheet"])
    (application,) = (await post(party, GET, type="application"))["scheme"].values()
    assert application["type"] == "application"
    nonempty = (await post(party, GET, skip_empty="true"))["scheme"]
    assert {diagrams[item]["type"] for item in set(diagrams) - set(nonempty)} == {"network"}


async def test_layers_are_loaded_as_requested(party: Party) -> None:
    layer = await layer_of(party)

    async def load(**query: object) -> Any:
        body = await post(party, GET, {"statussheet": [layer, "none"]}, **query)
        (scheme,) = body["scheme"].values()
        assert scheme["name"] == "Amazon Web Services" and list(body["statussheet"]) == [layer]
        return body["statussheet"][layer]

    diagram = await load()
    assert set(diagram) == KINDS | {"statussheet"}
    assert set(await load(components="false", link="true")) == {"link", "statussheet"}
    assert set(diagram) - set(await load(link="false", note="false")) == {"link", "note"}
    assert not any("props" in host or "issues" in host for host in diagram["node"].values())
    hosts = await load(node_type="host")
    assert {host["icon"] for host in hosts["node"].values()} == {"instances", "database"} and not hosts["group"]
    names = {group["name"] for group in diagram["group"].values()}
    assert {group["name"] for group in (await load(exclude_default_vpc="false"))["group"].values()} - names == {
        "default"
    }
    more = (await load(exclude_empty_subnets="false"))["group"]
    assert {group["name"] for group in more.values()} - names == {"public"}
    for groups in (diagram["group"], more):
        items = [item for group in groups.values() for item in group["items"]]
        assert {item["_id"] for item in items if item["type"] == "group"} <= set(groups)


async def test_full_diagrams_templates_and_out_of_range_pages(party: Party) -> None:
    schemes = (await post(party, GET))["scheme"].values()
    item = next(scheme for scheme in schemes if scheme["type"] == "application")
    (layer,) = (part["ssid"] for part in item["statussheet"])
    layers = (await post(party, GET, {"scheme": [item["_id"]]}))["statussheet"][layer]
    beyond = (await post(party, GET, {"scheme": [item["_id"]]}, external="true"))["statussheet"][layer]
    assert layers["node"] == {} and layers["element"] == beyond["element"]
    ends = {link["destination"]["_id"] for link in layers["link"].values() if link["destination"]["ss_id"] != layer}
    assert ends == set(beyond["node"])
    assert set((await export_layer(party, layer))["metadata"]["connections"]) == ends
    (template,) = (await post(party, GET, {"template": "statussheet"}))["template"]
    (other,) = (await post(party, GET, {"template": "component"}))["template"]
    assert template != other
    assert set((await post(party, GET, {"template": [other, layer]}))["template"]) == {other}


async def test_insights_and_diagrams_share_resources(party: Party) -> None:
    layer = await layer_of(party)
    node = await node_of(party, layer)
    (url,) = await post(party, FIND, {"resources": [node["cld_id"], "none"]})
    assert layer in url["diagramUrl"] and url["imageUrl"].startswith(url["diagramUrl"])
    assert await post(party, FIND, {"resources": []}) == []
    assert await post(party, FIND, {"resources": [node["cld_id"]]}, who=GLOBEX) == []
    assert [item["comment"] for item in node["issues"]] == ["Right-size Amazon Elastic Compute Cloud"]
    database = await node_of(party, layer, "database")
    assert "issues" not in database
    insight = {
        "key": "mine",
        "title": "Old engine",
        "shortDescription": "x",
        "cloudProvider": "aws",
        "categories": ["FinOps"],
        "resourceResults": [
            {
                "resourceId": database["cld_id"],
                "resultType": "security_risk",
                "account": "111122223333",
                "cloudProvider": "aws",
                "result": {"high": 1},
            }
        ],
    }
    await party.send("POST", "/insights/v1/results", {"results": [insight]})
    assert [item["comment"] for item in (await node_of(party, layer, "database"))["issues"]] == ["Old engine"]
    body = await post(party, GET, {"statussheet": [layer]}, issues_count="true")
    assert body["statussheet"][layer]["node"][database["_id"]]["issues"]
    await party.send("DELETE", "/insights/v1/results", insightKey="mine")
    assert "issues" not in await node_of(party, layer, "database")


async def test_search_by_names_and_values_is_paginated(party: Party) -> None:
    results = await post(party, SEARCH, {"query": "ACME production"})
    assert [item["name"] for item in results["scheme"]] == ["acme-production"]
    kinds = [item["type"] for item in results["component"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {"node": 6, "group": 1, "element": 1, "note": 1}
    second = await post(party, SEARCH, {"query": "acme production", "from": 1, "size": 2})
    assert second["component"] == results["component"][1:3]
    layer = results["scheme"][0]["ss_id"]
    (hit,) = (await post(party, SEARCH, {"query": "rds::dbinstance", "ss_id": layer}))["prop"]
    assert (hit["name"], hit["props"]) == ("acme-production database", {"service_type": "AWS::RDS::DBInstance"})
    # Of the properties, the document names only service_type, and says that all matching ones are shown.
    hits = (await post(party, SEARCH, {"query": "us-west-2"}, declared=False))["prop"]
    assert hits and all(item["props"] == {"region": "us-west-2"} for item in hits)
    assert not any((await post(party, SEARCH, {"query": "acme"}, who=GLOBEX)).values())
    assert not any((await post(party, SEARCH, {"query": " "})).values())


async def test_selected_components_and_fields(party: Party) -> None:
    layer = await layer_of(party)
    node, path = await node_of(party, layer), f"{PATH}/statussheet/{layer}/get"
    link = (await export_layer(party, layer))["links"][0]
    selection = await post(party, path, {"node": [node["_id"], "none"], "link": [link["_id"]]})
    assert selection == {"node": {node["_id"]: node}, "link": {link["_id"]: link}}
    selection = await post(party, path, {"node": [node["_id"]], "link": [link["_id"]]}, p="name  nothing")
    assert selection["node"][node["_id"]] == {"_id": node["_id"], "name": node["name"]}
    assert set(selection["link"][link["_id"]]) == {"_id", "origin", "destination"}
    wrong: list[dict[str, list[str]]] = [{}, {"node": []}, {"nodes": ["x"]}]
    for body in wrong:
        assert await party.expect_error(400, "POST", path, body)


async def test_relationships_follow_links_and_groups(party: Party) -> None:
    layer = await layer_of(party)
    node = await node_of(party, layer)
    path = f"{PATH}/statussheet/{layer}/resources/{node['_id']}/relationships"
    body = await party.get(path)
    assert body["anchor"]["name"] == "acme-production instances" and not body["truncated"]
    assert {(item["name"].split()[1], item["relation"], item["hops"]) for item in body["relations"]} == {
        (role, "downstream", 1) for role in ("volumes", "database", "bucket", "logs")
    }
    assert (await party.get(path, direction="upstream"))["relations"] == []
    groups = await party.get(path, kind="group_members")
    assert [(item["name"], item["relation"]) for item in groups["relations"]] == [("private", "group_parent")]
    groups = await party.get(path, kind="group_members", depth="transitive")
    assert [item["name"] for item in groups["relations"]] == ["private", "main", "us-east-1", "acme-production"]
    both_directions = await party.get(path, kind="both", depth="transitive")
    assert both_directions["relations"] == body["relations"] + groups["relations"]
    # An application is linked to instances on other diagrams; the traversal stays on its own.
    applications = await layer_of(party, "Production")
    first = (await export_layer(party, applications))["elements"][0]
    path = f"{PATH}/statussheet/{applications}/resources/{first['_id']}/relationships"
    chain = (await party.get(path, depth="transitive"))["relations"]
    assert [item["hops"] for item in chain] == [1, 2, 3, 4, 5] and {item["type"] for item in chain} == {"element"}


async def test_relationships_are_bounded_and_cycles_end(party: Party) -> None:
    layer = layers_of(party.api.tenant(ACME))[await layer_of(party, "Three tiers")]
    web, *_, database = layer["element"]
    link = next(iter(layer["link"].values()))
    end = {**link["origin"], "_id": database}
    layer["link"]["back"] = {**link, "_id": "back", "origin": end, "destination": link["origin"]}
    around = graph.merge_relations(graph.find_linked_resources(layer, web, "both", True))
    assert len(around) == 2 and {item["hops"] for item in around} == {1}
    for number in range(250):
        name = f"element {number}"
        layer["element"][name] = {"_id": name, "name": name}
        layer["link"][name] = {**link, "_id": name, "destination": {**link["destination"], "_id": name}}
    body = await party.get(f"{PATH}/statussheet/{layer['id']}/resources/{web}/relationships")
    assert len(body["relations"]) == 200 and body["truncated"]


async def test_costs_match_reports(party: Party) -> None:
    layer = await layer_of(party)
    path = f"{PATH}/statussheet/{layer}/costs"
    body = await party.get(path, startDate="2026-11-01", endDate="2026-11-20", interval="week")
    cost = await party.cost(
        metrics=[{"type": "basic", "value": "cost"}],
        dataSource="billing",
        timeRange={"mode": "custom"},
        customTimeRange={"from": "2026-11-01T00:00:00Z", "to": "2026-11-20T23:59:59Z"},
        timeInterval="month",
        filters=[
            {"id": "project_id", "type": "fixed", "values": ["111122223333"]},
            {"id": "sku_id", "type": "fixed", "values": [sku for item in RESOURCE_TYPES for sku in item.skus]},
        ],
        includePromotionalCredits=False,
        dimensions=[{"id": "month", "type": "datetime"}],
    )
    assert body["total"] == pytest.approx(cost)
    assert sum(item["amount"] for item in body["byService"]) == pytest.approx(cost) and len(body["topResources"]) == 5
    assert [item["bucketStart"] for item in body["trend"]] == ["2026-W44", "2026-W45", "2026-W46", "2026-W47"]
    assert sum(item["amount"] for item in body["trend"]) == pytest.approx(cost)
    before = await party.get(path, startDate="2026-10-12", endDate="2026-10-31")
    assert body["trendingPct"] == pytest.approx(body["total"] / before["total"] - 1, abs=1e-4)
    assert len(before["trend"]) == 12 and before["trend"][-1]["bucketStart"] == "2026-10-31"
    months = await party.get(path, startDate="0001-01-01", endDate="9999-12-31", interval="month")
    assert [item["bucketStart"] for item in months["trend"]][-1] == "2026-11-01" and months["trendingPct"] is None
    future = await party.get(path, startDate="2027-01-01", endDate="2027-01-02")
    assert (future["total"], future["trend"], future["topResources"]) == (0, [], [])


async def test_costs_of_applications_and_empty_selections(party: Party) -> None:
    days: dict[str, Any] = {"startDate": "2026-11-01", "endDate": "2026-11-20"}
    mine = await party.get(f"{PATH}/statussheet/{await layer_of(party)}/costs", **days)
    body = await party.get(f"{PATH}/statussheet/{await layer_of(party, 'Production')}/costs", **days)
    assert mine["total"] in [pytest.approx(item["amount"]) for item in body["topResources"]]
    empty = await party.get(f"{PATH}/statussheet/{await layer_of(party, 'Draft')}/costs", **days)
    assert (empty["total"], empty["trend"], empty["trendingPct"]) == (0, [], None)


async def test_snapshots_follow_changes(party: Party, clock: Clock) -> None:
    layer = await layer_of(party)
    path = f"{PATH}/statussheet/{layer}/snapshots"
    body = await party.get(path)
    assert len(body) == 10 and body == sorted(body, key=lambda item: item["createdAt"], reverse=True)
    assert await party.get(path, offset=3, limit=2) == body[3:5]
    assert body[0]["prevState"] == body[1]["_id"]
    first = (await party.get(path, sort="createdAt", limit=1))[0]
    assert "prevState" not in first and first["name"].endswith("import")
    assert await party.get(f"{PATH}/statussheet/{layer}/snapshot", snapshot_id=first["_id"]) == first
    groups = await party.get(f"{PATH}/activity", ss_id=layer)
    assert [item["snapshot"] for item in groups] == [item["_id"] for item in body]
    clock.advance(14 * DAY)
    later = await party.get(path)
    assert later[0]["createdAt"] > body[0]["createdAt"] and body[0] in later
    assert await party.get(f"{PATH}/statussheet/{await layer_of(party, 'Draft')}/snapshots") == []


async def test_activity_refers_to_current_components(party: Party) -> None:
    layer = await layer_of(party)
    node = await node_of(party, layer)
    query: dict[str, Any] = {"ss_id": layer, "nodeId": node["_id"]}
    body = await party.get(f"{PATH}/activity/node-activities", **query, limit=1000)
    assert body[-1]["activity"] == "NODE_CREATE"
    changes = [item["metadata"]["changes"]["instance_count"] for item in body[:-1]]
    assert changes[0]["to"] == node["instance_count"]
    assert all(newer["from"] == older["to"] for newer, older in zip(changes, changes[1:]))
    assert await party.get(f"{PATH}/activity/node-activities", **query, offset=1, limit=1) == body[1:2]
    assert await party.get(f"{PATH}/activity/node-activities", ss_id=layer, nodeId="none") == []
    (activity,) = await party.get(f"{PATH}/activity", ss_id=layer, tags="import")
    assert {item["activity"] for item in activity["items"]} == {
        "NODE_CREATE",
        "GROUP_CREATE",
        "LINK_CREATE",
        "ATTACHMENT_CREATE",
    }
    assert await party.get(f"{PATH}/activity", ss_id=layer, tags="none") == []


async def test_stats_count_changes_of_a_period(party: Party) -> None:
    layer = await layer_of(party)
    stats = {row["ss_id"]: row for row in await party.get(f"{PATH}/scheme/stats", **PERIOD)}
    groups = await party.get(f"{PATH}/activity", ss_id=layer)
    within = [row for row in groups if PERIOD["start"] <= row["timestamp"] <= PERIOD["end"]]
    items = [item for row in within for item in row["items"]]
    assert sum(row["count"] for row in stats[layer]["changes"]) == len(items) > 0
    assert (stats[layer]["account_id"], stats[layer]["account_type"]) == ("111122223333", "AWS")
    assert stats[layer]["import"]["syncedAt"] == "2026-11-18T00:00:00Z"
    assert "import" not in stats[await layer_of(party, "Draft")]
    long_ago = await party.get(f"{PATH}/scheme/stats", start="0999-01-01T00:00:00Z", end="9999-12-31T00:00:00Z")
    changed = {row["type"] for entry in long_ago for row in entry["changes"]}
    assert changed == {"NODE_CREATE", "NODE_UPDATE"}


async def test_invalid_requests(party: Party) -> None:
    layer = await layer_of(party)
    sheet = f"{PATH}/statussheet/{layer}"
    for method, path, body, query in (
        ("GET", f"{PATH}/scheme/stats", None, {"start": "x", "end": PERIOD["end"]}),
        ("GET", f"{PATH}/scheme/stats", None, {"end": "2026-11-24", "start": PERIOD["start"]}),
        ("GET", f"{PATH}/scheme/stats", None, {"end": PERIOD["start"], "start": PERIOD["end"]}),
        ("GET", f"{sheet}/costs", None, {"startDate": "2026-11", "endDate": "2026-11-02"}),
        ("GET", f"{sheet}/costs", None, {"endDate": "2026-11-01", "startDate": "2026-11-02"}),
        ("GET", f"{sheet}/costs", None, {"interval": "year", "endDate": "2026-11-02", "startDate": "2026-11-02"}),
        ("GET", f"{sheet}/snapshots", None, {"limit": 0}),
        ("GET", f"{sheet}/snapshots", None, {"offset": -1}),
        ("GET", f"{sheet}/snapshots", None, {"sort": "size"}),
        ("GET", f"{PATH}/activity", None, {"ss_id": ""}),
        ("GET", f"{PATH}/activity/node-activities", None, {"nodeId": "", "ss_id": layer}),
        ("GET", f"{sheet}/snapshot", None, {"snapshot_id": ""}),
        ("GET", f"{sheet}/resources/x/relationships", None, {"depth": "deep"}),
        ("POST", GET, {"statussheet": [layer]}, {"node_type": "x"}),
        ("POST", GET, {}, {"type": "x"}),
        ("POST", GET, {}, {"skip_empty": "x"}),
        ("POST", GET, {}, {"external": "x"}),
        ("POST", GET, {}, {"link": "x"}),
    ):
        message = await party.expect_error(400, method, path, body, **query)
        assert next(iter(query)) in message, (path, query, message)
    assert "start" in await party.expect_error(400, "GET", f"{PATH}/scheme/stats", end=PERIOD["end"])
    assert "query" in await party.expect_error(400, "POST", SEARCH, {})
    assert "size" in await party.expect_error(400, "POST", SEARCH, {"query": "x", "size": 0})
    assert "resources" in await party.expect_error(400, "POST", FIND, {"resources": ["x"] * 501})
    assert "template" in await party.expect_error(400, "POST", GET, {"template": "x"})


async def test_layers_of_other_customers_are_not_found(party: Party) -> None:
    layer = await layer_of(party)
    for item, user in ((layer, GLOBEX), ("none", VIEWER)):
        sheet = f"{PATH}/statussheet/{item}"
        for path in ("export-json", "costs", "snapshots", "snapshot", "resources/x/relationships"):
            assert "does not exist" in await party.expect_error(403, "GET", f"{sheet}/{path}", who=user)
        assert "does not exist" in await party.expect_error(403, "POST", f"{sheet}/get", {"node": ["x"]}, who=user)
        assert "does not exist" in await party.expect_error(403, "GET", f"{PATH}/activity", ss_id=item, who=user)
        path = f"{PATH}/activity/node-activities"
        assert "does not exist" in await party.expect_error(403, "GET", path, ss_id=item, nodeId="x", who=user)
    sheet = f"{PATH}/statussheet/{layer}"
    assert "snapshot" in await party.expect_error(403, "GET", f"{sheet}/snapshot", snapshot_id="none")
    assert "the diagram has no" in await party.expect_error(404, "GET", f"{sheet}/resources/none/relationships")
    assert await post(party, GET, {"statussheet": [layer]}, who=GLOBEX) == {"scheme": {}, "statussheet": {}}
    theirs = {item["ss_id"] for item in await party.get(f"{PATH}/scheme/stats", GLOBEX, **PERIOD)}
    assert not theirs & {item["ss_id"] for item in await party.get(f"{PATH}/scheme/stats", **PERIOD)}


async def test_every_tool_works(party: Party) -> None:
    layer = await layer_of(party)
    node = await node_of(party, layer)
    snapshot = (await party.get(f"{PATH}/statussheet/{layer}/snapshots"))[0]["_id"]
    days: dict[str, Any] = {"startDate": "2026-11-01", "endDate": "2026-11-20"}
    for name, arguments in {
        "find_cloud_diagrams": {"resources": [node["cld_id"]]},
        "get_cloud_diagrams_stats": PERIOD,
        "get_cloud_diagram_components": {"layer_ids": [layer], "include_components": True, "type": ["infrastructure"]},
        "search_cloud_diagrams": {"query": "production", "ss_id": layer, "from": 0, "size": 5},
        "get_statussheet_components": {"id": layer, "node": [node["_id"]], "p": "name"},
        "export_cloud_diagram_json": {"id": layer},
        "get_cloud_diagram_cost_snapshot": {"layerId": layer, **days, "interval": "week"},
        "list_cloud_diagram_layer_snapshots": {"id": layer, "limit": 2, "sort": "-createdAt"},
        "get_cloud_diagram_layer_snapshot": {"id": layer, "snapshot_id": snapshot},
        "get_cloud_diagram_resource_relationships": {"layerId": layer, "resourceId": node["_id"], "kind": "both"},
        "list_cloud_diagram_activity_groups": {"ss_id": layer, "tags": ["import", "scaling"]},
        "list_cloud_diagram_node_activities": {"ss_id": layer, "nodeId": node["_id"], "limit": 3},
    }.items():
        result = await call_tool(party, name, arguments)
        assert not result.get("isError") and result["structuredContent"], (name, result)
    result = await call_tool(party, "export_cloud_diagram_json", {"id": "none"})
    assert result["isError"]
