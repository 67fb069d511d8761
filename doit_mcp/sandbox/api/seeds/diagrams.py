"""Initial cloud diagrams: a layer for each account from its billing lines, and drawn diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from ..costs.calendar_days import DAY_SECONDS
from ..costs.estate_types import AWS, AZURE, GOOGLE
from ..responses import JsonObject
from ..tenants import Tenant
from .customer_account import CLOUD_NAMES
from .insights import SOURCE, seed_insights

KINDS = ("node", "element", "group", "link", "attachment", "combiner", "note")
DIAGRAM_CLOUDS = {AWS: ("AWS", "#ff9900"), GOOGLE: ("GCP", "#4285f4"), AZURE: ("AZURE", "#0078d4")}
ACCOUNT_GROUP_TYPES = {AWS: "account", GOOGLE: "project", AZURE: "azure_subscription"}  # group types of accounts
DEFAULT_COLOR = "#6b7280"
DRAWN_DAYS_AGO = 100  # before the sandbox started
COLUMNS = (
    "cloud_provider",
    "project_id",
    "project_name",
    "region",
    "service_description",
    "sku_id",
    "label_team",
    "label_env",
)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type by its billed SKU; *has_instances* says that its usage is instance hours."""

    role: str
    type: str
    skus: tuple[str, ...]
    has_instances: bool = False


RESOURCE_TYPES = (
    ResourceType("instances", "AWS::EC2::Instance", ("BoxUsage:m6i.xlarge",), True),
    ResourceType("volumes", "AWS::EC2::Volume", ("EBS:VolumeUsage.gp3",)),
    ResourceType("database", "AWS::RDS::DBInstance", ("InstanceUsage:db.r7g.large", "RDS:GP3-Storage"), True),
    ResourceType("bucket", "AWS::S3::Bucket", ("TimedStorage-ByteHrs", "Requests-Tier1")),
    ResourceType("functions", "AWS::Lambda::Function", ("Lambda-GB-Second",)),
    ResourceType("logs", "AWS::Logs::LogGroup", ("DataProcessing-Bytes",)),
    ResourceType("instances", "compute.googleapis.com/Instance", ("CF4E-A0C7-E3BF",), True),
    ResourceType("disks", "compute.googleapis.com/Disk", ("D973-5D65-BAB2",)),
    ResourceType("warehouse", "bigquery.googleapis.com/Dataset", ("3362-E469-6BEF", "A2D9-5C11-F7E2")),
    ResourceType("bucket", "storage.googleapis.com/Bucket", ("E5F0-6A5D-7BAD",)),
    ResourceType("cluster", "container.googleapis.com/Cluster", ("6B92-A835-08AB",), True),
    ResourceType("instances", "Microsoft.Compute/virtualMachines", ("D4s-v5",), True),
    ResourceType("bucket", "Microsoft.Storage/storageAccounts", ("hot-lrs", "hot-write")),
    ResourceType("database", "Microsoft.Sql/servers/databases", ("gp-vcore",), True),
)
RESOURCE_LINKS = (
    ("cluster", "instances"),
    ("instances", "volumes"),
    ("instances", "disks"),
    ("instances", "database"),
    ("instances", "bucket"),
    ("instances", "warehouse"),
    ("instances", "logs"),
    ("functions", "database"),
    ("functions", "bucket"),
    ("functions", "logs"),
)


def seed_diagrams(tenant: Tenant) -> Iterator[JsonObject]:
    """A diagram for each cloud, one of applications, templates, and an empty one."""
    for cloud in sorted({row["cloud_provider"] for row in _list_billed_names(tenant)}):
        yield _make_diagram(tenant, CLOUD_NAMES[cloud], "infrastructure", DIAGRAM_CLOUDS[cloud][1])
    for name, type_ in (("Applications", "application"), ("Templates", "template"), ("Network plan", "network")):
        yield _make_diagram(tenant, name, type_, DEFAULT_COLOR)


def seed_layers(tenant: Tenant) -> Iterator[JsonObject]:
    """The layers of all diagrams, with their components by kind and id."""
    lines = _list_billed_names(tenant)
    accounts = [
        _account_layer(tenant, [row for row in lines if row["project_id"] == project])
        for project in dict.fromkeys(row["project_id"] for row in lines)
    ]
    yield from accounts
    yield _make_applications(tenant, [row for row in lines if row["label_env"] == "production"], accounts)
    tiers = _make_layer(tenant, "Templates", "Three tiers", template="statussheet")
    parts = [_add_element(tenant, tiers, name, {"tier": name}) for name in ("Web", "Application", "Database")]
    for item, other in pairwise(parts):
        _add_link(tenant, tiers, ("element", item, tiers), ("element", other, tiers))
    yield tiers
    worker = _make_layer(tenant, "Templates", "Queue worker", template="component")
    _add_element(tenant, worker, "Queue worker", {"tier": "Application"})
    yield worker
    yield _make_layer(tenant, "Network plan", "Draft")


def _list_billed_names(tenant: Tenant) -> list[dict[str, str]]:
    """The billed names of each account, without amounts. Charges such as taxes have no region, and are left out."""
    ledger = tenant.ledger
    rows = ledger.sums(COLUMNS, ledger.first, ledger.first)
    names = ({name: str(value or "") for name, value in zip(COLUMNS, row)} for row in rows)
    return [item for item in names if item["region"]]


def _make_diagram(tenant: Tenant, name: str, type_: str, color: str) -> JsonObject:
    return {"id": tenant.stable_id("diagram", name), "name": name, "type": type_, "color": color}


def _make_layer(
    tenant: Tenant, diagram: str, name: str, *, account: str = "", cloud: str = "", template: str = ""
) -> JsonObject:
    """An empty layer; *priced* are the components with a cost, *counted* those with instances, by account and SKU."""
    return {
        "id": tenant.stable_id("diagram layer", diagram, account or name),
        "diagram": tenant.stable_id("diagram", diagram),
        "name": name,
        "account": account,
        "template": template,
        "cloud": DIAGRAM_CLOUDS[cloud][0] if cloud else "",
        "color": DIAGRAM_CLOUDS[cloud][1] if cloud else DEFAULT_COLOR,
        "drawn": tenant.started_at - DRAWN_DAYS_AGO * DAY_SECONDS,
        "priced": {},
        "counted": {},
        **{kind: {} for kind in KINDS},
    }


def _account_layer(tenant: Tenant, lines: list[dict[str, str]]) -> JsonObject:
    first = lines[0]
    cloud, account, name = first["cloud_provider"], first["project_id"], first["project_name"]
    layer = _make_layer(tenant, CLOUD_NAMES[cloud], name, account=account, cloud=cloud)
    nodes = dict(_add_nodes(tenant, layer, lines))
    for item, other in RESOURCE_LINKS:
        if item in nodes and other in nodes:
            _add_link(tenant, layer, ("node", nodes[item], layer), ("node", nodes[other], layer))
    within = [role for role in ("instances", "database", "cluster") if role in nodes]
    private = _add_group(tenant, layer, "subnet", "private", [("node", nodes[role]) for role in within])
    public = _add_group(tenant, layer, "subnet", "public", [])
    vpc = _add_group(tenant, layer, "vpc", "main", [("group", private), ("group", public)])
    usual = _add_group(tenant, layer, "vpc", "default", [], default=True)
    regional = [("node", node) for role, node in nodes.items() if role not in within]
    region = _add_group(tenant, layer, "region", first["region"], [("group", vpc), ("group", usual), *regional])
    _add_group(tenant, layer, ACCOUNT_GROUP_TYPES[cloud], name, [("group", region)], cld_id=account)
    gateway = tenant.stable_id("diagram attachment", layer["id"])
    layer["attachment"][gateway] = {**_cloud_fields(layer), "_id": gateway, "name": "Gateway", "group": vpc}
    layer["group"][vpc]["items"].append({"_id": gateway, "type": "attachment"})
    return layer


def _add_nodes(tenant: Tenant, layer: JsonObject, lines: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Add a node for each billed resource: (role, id of the node)."""
    found = _insight_resource_ids(tenant)
    account = layer["account"]
    of_sku = {line["sku_id"]: line for line in lines}
    for thing in (item for item in RESOURCE_TYPES if item.skus[0] in of_sku):
        line = of_sku[thing.skus[0]]
        node = tenant.stable_id("diagram node", account, thing.skus[0])
        # Diagrams include the resources that insights refer to.
        place = (account, "bucket" if thing.role == "bucket" else line["service_description"])
        props = {"service_type": thing.type, "region": line["region"], "service": line["service_description"]}
        labels = {"team": line["label_team"], "env": line["label_env"]}
        layer["node"][node] = {
            **_cloud_fields(layer),
            "_id": node,
            "name": f"{layer['name']} {thing.role}",
            "icon": thing.role,
            "cld_id": found.pop(place, "") or f"{thing.role}-{node[:10].lower()}",
            "running": True,
            "tags": [f"{label}:{value}" for label, value in labels.items() if value],
            "props": props | {label: value for label, value in labels.items() if value},
        }
        layer["priced"].update({f"{account} {sku}": node for sku in thing.skus})
        if thing.has_instances:
            layer["counted"][f"{account} {thing.skus[0]}"] = node
        yield thing.role, node


def _insight_resource_ids(tenant: Tenant) -> dict[tuple[str, str], str]:
    """The resource ids in DoiT's own insights, by account and type."""
    known = tenant.collection("insights", seed_insights).values()
    resources = (item for insight in known if insight["source"] == SOURCE for item in insight["resources"])
    return {(item["account"], item["resourceType"]): item["resourceId"] for item in resources}


def _make_applications(tenant: Tenant, lines: list[dict[str, str]], accounts: Iterable[JsonObject]) -> JsonObject:
    """The production applications: an element for each account, linked to its first instance, grouped by team."""
    layer = _make_layer(tenant, "Applications", "Production")
    of_account = {item["account"]: item for item in accounts}
    teams: dict[str, list[str]] = {}
    for line in {line["project_id"]: line for line in lines}.values():
        account = of_account[line["project_id"]]
        element = _add_element(tenant, layer, line["project_name"], {"team": line["label_team"]}, account["account"])
        teams.setdefault(line["label_team"], []).append(element)
        layer["priced"].update(dict.fromkeys(account["priced"], element))
        _add_link(tenant, layer, ("element", element, layer), ("node", next(iter(account["node"])), account))
    for item, other in pairwise(list(layer["element"])):
        _add_link(tenant, layer, ("element", item, layer), ("element", other, layer))
    for team, elements in teams.items():
        combiner = tenant.stable_id("diagram combiner", team)
        items = [{"_id": element, "type": "element"} for element in elements]
        layer["combiner"][combiner] = {"_id": combiner, "name": f"Team {team}", "color": DEFAULT_COLOR, "items": items}
    note = tenant.stable_id("diagram note", layer["id"])
    text = f"What {tenant.customer.name} runs in production."
    layer["note"][note] = {"_id": note, "text": text, "color": DEFAULT_COLOR, "font_size": 14}
    return layer


def _cloud_fields(layer: JsonObject) -> JsonObject:
    """The fields of all components that come from a cloud."""
    return {"cld_type": layer["cloud"], "cld_sync": True, "cld_account": layer["account"], "color": layer["color"]}


def _add_element(tenant: Tenant, layer: JsonObject, name: str, props: JsonObject, account: str = "") -> str:
    element = tenant.stable_id("diagram element", layer["id"], name)
    layer["element"][element] = {"_id": element, "name": name, "color": layer["color"], "props": props} | (
        {"cld_account": account} if account else {}
    )
    return element


def _add_group(
    tenant: Tenant,
    layer: JsonObject,
    type_: str,
    name: str,
    items: Iterable[tuple[str, str]],
    *,
    cld_id: str = "",
    default: bool = False,
) -> str:
    group = tenant.stable_id("diagram group", layer["id"], type_, name)
    layer["group"][group] = {
        **_cloud_fields(layer),
        "_id": group,
        "name": name,
        "group_type": type_,
        "props": {"default": default},
        "cld_id": cld_id or f"{type_}-{group[:10].lower()}",
        "items": [{"_id": item, "type": kind} for kind, item in items],
    }
    return group


def _add_link(
    tenant: Tenant, layer: JsonObject, origin: tuple[str, str, JsonObject], destination: tuple[str, str, JsonObject]
) -> None:
    link = tenant.stable_id("diagram link", layer["id"], origin[1], destination[1])
    ends = (
        {"_id": item, "type": kind, "scheme_id": of["diagram"], "ss_id": of["id"]}
        for kind, item, of in (origin, destination)
    )
    layer["link"][link] = {
        "_id": link,
        "connection_type": "normal",
        "origin": next(ends),
        "destination": next(ends),
        "owner_ss_id": layer["id"],
    }
