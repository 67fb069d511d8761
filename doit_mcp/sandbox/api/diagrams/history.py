"""Layer history of cloud diagrams: changes found by a weekly sync of each account."""

from __future__ import annotations

from collections.abc import Iterator

from ..costs.calendar_days import format_rfc3339, seconds_of
from ..costs.ledger import Ledger
from ..costs.money import MICRO
from ..responses import JsonObject
from ..seeds.analytics_core import admin_email
from ..seeds.diagrams import seed_layers
from ..tenants import Records, Tenant

WEDNESDAY = 3  # as a day's ordinal modulo 7
HOURS_PER_DAY = 24
CREATION_ACTIVITIES = (
    ("node", "NODE_CREATE"),
    ("group", "GROUP_CREATE"),
    ("attachment", "ATTACHMENT_CREATE"),
    ("link", "LINK_CREATE"),
)


def layers_of(tenant: Tenant) -> Records:
    """The tenant's layers."""
    return tenant.collection("diagram layers", seed_layers)


def usage_by_day(ledger: Ledger) -> dict[str, dict[int, int]]:
    """The usage of each account's SKU (``account sku``) by day, in millionths of its unit."""
    usage_by_sku: dict[str, dict[int, int]] = {}
    for account, sku, day, _, usage, *_ in ledger.sums(
        ("project_id", "sku_id", "day_start"), ledger.first, ledger.last
    ):
        usage_by_sku.setdefault(f"{account} {sku}", {})[int(day or 0)] = int(usage or 0)
    return usage_by_sku


def sync_days(tenant: Tenant) -> list[int]:
    """The days of account syncs, oldest first."""
    ledger = tenant.ledger
    return [day for day in range(ledger.first + 1, ledger.last + 1) if day % 7 == WEDNESDAY]


def instance_counts(tenant: Tenant, layer: JsonObject, day: int) -> dict[str, int]:
    """The number of instances of each node on the day before *day*, for nodes with instances."""
    usage = tenant.compute_cached(usage_by_day)
    return {
        node: max(1, round(usage[place].get(day - 1, 0) / MICRO / HOURS_PER_DAY))
        for place, node in layer["counted"].items()
    }


def last_sync_time(tenant: Tenant, layer: JsonObject) -> float:
    """The time of the layer's last sync in epoch seconds."""
    return seconds_of(sync_days(tenant)[-1]) if layer["account"] else layer["drawn"]


def current_nodes(tenant: Tenant, layer: JsonObject) -> dict[str, JsonObject]:
    """The layer's nodes as of the last sync."""
    counts = instance_counts(tenant, layer, sync_days(tenant)[-1])
    return {
        node: item | ({"instance_count": counts[node]} if node in counts else {})
        for node, item in layer["node"].items()
    }


def activity_history(tenant: Tenant, layer: JsonObject) -> list[JsonObject]:
    """The layer's activity groups, oldest first: one for each sync that found changes."""
    if not any(layer[kind] for kind, _ in CREATION_ACTIVITIES):
        return []
    if not layer["account"]:
        return [_activity_group(tenant, layer, layer["drawn"], "drawing", list(_creation_items(layer)))]
    days = sync_days(tenant)
    before = instance_counts(tenant, layer, days[0])
    groups = [_activity_group(tenant, layer, seconds_of(days[0]), "import", list(_creation_items(layer)))]
    for day in days[1:]:
        now = instance_counts(tenant, layer, day)
        changes = [_scaling_item(layer, node, before[node], item) for node, item in now.items() if item != before[node]]
        if changes:
            groups.append(_activity_group(tenant, layer, seconds_of(day), "scaling", changes))
        before = now
    return groups


def _creation_items(layer: JsonObject) -> Iterator[JsonObject]:
    for kind, activity in CREATION_ACTIVITIES:
        for item in layer[kind].values():
            yield {
                "activity": activity,
                "metadata": {"_id": item["_id"], "name": item.get("name", "")},
                **_type_fields(item),
            }


def _scaling_item(layer: JsonObject, node: str, before: int, now: int) -> JsonObject:
    item = layer["node"][node]
    change = {"instance_count": {"from": before, "to": now}}
    return {
        "activity": "NODE_UPDATE",
        "metadata": {"_id": node, "name": item["name"], "changes": change},
        **_type_fields(item),
    }


def _type_fields(component: JsonObject) -> JsonObject:
    names = {"service_type": component.get("props", {}).get("service_type"), "group_type": component.get("group_type")}
    return {name: value for name, value in names.items() if value}


def _activity_group(tenant: Tenant, layer: JsonObject, time: float, tag: str, items: list[JsonObject]) -> JsonObject:
    """An activity group; its id is also that of its snapshot."""
    group, timestamp = tenant.stable_id("diagram snapshot", layer["id"], str(int(time))), format_rfc3339(time)
    return {
        "_id": group,
        "statussheet": layer["id"],
        "timestamp": timestamp,
        "tags": [tag],
        "snapshot": group,
        "items": [
            {
                "_id": tenant.stable_id("diagram activity", group, item["metadata"]["_id"]),
                "group": group,
                "timestamp": timestamp,
                "tags": [tag],
                **item,
            }
            for item in items
        ],
    }


def find_author(tenant: Tenant) -> str:
    """The user who connected the accounts; all changes are attributed to this user."""
    return admin_email(tenant.customer)
