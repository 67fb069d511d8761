"""Linked anomalies: those about the same spike, whose costs overlap."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import to_decimal


def list_linked_anomaly_ids(anomaly: JsonObject) -> list[str]:
    """Return the ids of the anomalies about the same spike, without the anomaly itself."""
    listed = anomaly.get("linkedAnomalies")
    ids = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return [one for one in dict.fromkeys(ids) if one != anomaly.get("id")]


def keep_one_per_spike(anomalies: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the *anomalies* in their order, but only the most expensive one of those about the same spike."""
    kept: dict[str, JsonObject] = {}
    covered: set[str] = set()
    for anomaly in sorted(anomalies, key=lambda row: -to_decimal(row.get("costOfAnomaly"))):
        identifier, linked = str(anomaly.get("id")), list_linked_anomaly_ids(anomaly)
        if identifier in covered or any(other in kept for other in linked):
            continue
        kept[identifier] = anomaly
        covered.update(linked)
    return [anomaly for anomaly in anomalies if kept.get(str(anomaly.get("id"))) is anomaly]


def note_linked_anomalies(rows: Sequence[JsonObject]) -> str:
    """Return a sentence about the *rows* that are about the same spike as others; "" without any."""
    count = sum(bool(list_linked_anomaly_ids(row)) for row in rows)
    if not count:
        return ""
    return (
        f"{count} of these anomalies are linked to others about the same spike (linkedAnomalies). Their costs overlap, and "
        "totalCostOfAnomaly counts each of them: do not add them up."
    )
