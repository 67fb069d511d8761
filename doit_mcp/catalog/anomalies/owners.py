"""Who owns the costs of an anomaly: by the labels of its resources or project, or by its allocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ...api.errors import ApiError
from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages
from ...api.report_config import QueryConfig
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.amounts import ZERO, to_decimal
from ..costs.projects import fetch_project_names
from ..costs.query_config import COST_METRIC
from ..partial_results import FailedPart, gather_partial
from ..report_runs.queries import fetch_query
from ..tables import column_names, complete_rows

OWNER_LABELS = ("owner", "team", "squad", "department", "cost_center", "cost-center", "costcenter")
"""Keys of labels and tags that name an owner, the best first."""
OWNER_LABEL_FACT = "owner_label"
LABEL_TYPES = ("label", "tag", "project_label")
MAX_DIMENSION_PAGES = 5
MAX_ALLOCATION_PAGES = 3
OWNER_SECONDS = 15.0
"""Time limit of each step of finding owners, so that a slow query does not fail the whole call."""
OWNER_DAYS = 30
"""Days of costs whose labels show who owns a project."""
MIN_OWNER_SHARE = Decimal("0.5")
"""Share of the cost that one value of a label must have to name the owner."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """What is known about the owners of some anomalies."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Names of projects by id; empty if they could not be read."""
    label: JsonObject = field(default_factory=dict)
    """Type and id of the label that names owners; empty without one."""
    labeled_costs: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    """Costs by project id, and then by value of the label, "" for costs without it."""
    allocations: Mapping[str, JsonObject] = field(default_factory=dict)
    """Allocations by id."""
    failures: Sequence[FailedPart] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    """Ids by name of the projects that anomalies mention."""

    def project_of(self, anomaly: JsonObject) -> JsonObject:
        """Return {id, name} of the project of an anomaly. The API returns only one of them, as the anomaly's scope.

        If names are missing, the id is None, because the scope could be any of them.
        """
        scope = str(anomaly.get("scope") or "")
        if not self.names:
            return {"id": None, "name": anomaly.get("entityName") or None}
        if scope in self.names:
            return {"id": scope, "name": self.names[scope]}
        identifier = self.ids.get(scope)
        name = scope if identifier else anomaly.get("entityName")
        return {"id": identifier or scope or None, "name": name or None}

    def owner_of(self, anomaly: JsonObject) -> JsonObject | None:
        """Return the owner of an anomaly, and how that is known; None if it is unknown."""
        return _resource_owner(anomaly) or self._project_owner(anomaly) or self._allocation_owner(anomaly)

    def _project_owner(self, anomaly: JsonObject) -> JsonObject | None:
        project = self.project_of(anomaly)
        largest = _find_largest_share(self.labeled_costs.get(str(project["id"]), {}))
        if largest is None:
            return None
        value, share = largest
        return {
            "name": value,
            "basis": f"label {self.label['id']} of the costs of {project['name'] or project['id']}",
            "sharePercent": share,
        }

    def _allocation_owner(self, anomaly: JsonObject) -> JsonObject | None:
        for identifier in list_allocation_ids(anomaly):
            allocation = self.allocations.get(identifier, {})
            if allocation.get("owner"):
                return {"name": allocation["owner"], "basis": f"owner of the allocation {allocation.get('name')}"}
        return None


def list_allocation_ids(anomaly: JsonObject) -> list[str]:
    """Return the ids of the allocations of an anomaly, the primary one first."""
    listed = anomaly.get("allocations")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    if rows:
        return [str(row.get("id")) for row in rows]
    # The former field, for one allocation.
    attribution = anomaly.get("attribution")
    return [str(attribution)] if attribution else []


def _resource_owner(anomaly: JsonObject) -> JsonObject | None:
    """Return the owner that the labels of an anomaly's resources name."""
    resources = anomaly.get("resourceData")
    costs: dict[str, dict[str, Decimal]] = {}
    for resource in resources if isinstance(resources, list) else ():
        labels = resource.get("labels") if isinstance(resource, dict) else None
        for label in labels if isinstance(labels, list) else ():
            if isinstance(label, dict) and label.get("value"):
                values = costs.setdefault(str(label.get("key")).casefold(), {})
                value = str(label["value"])
                values[value] = values.get(value, ZERO) + to_decimal(label.get("cost"))
    for key in OWNER_LABELS:
        if (largest := _find_largest_share(costs.get(key, {}))) is not None:
            return {"name": largest[0], "basis": f"label {key} of its resources", "sharePercent": largest[1]}
    return None


def _find_largest_share(costs: Mapping[str, Decimal]) -> tuple[str, float] | None:
    """Return the value with most of the cost and its share in percent; None if it is "" or has less than half."""
    total = sum(costs.values(), ZERO)
    value = max(costs, key=lambda name: (costs[name], name), default="")
    if not value or total <= 0 or costs[value] < MIN_OWNER_SHARE * total:
        return None
    return value, float(round(100 * costs[value] / total, 1))


async def fetch_ownership(call: Call, anomalies: Sequence[JsonObject]) -> Ownership:
    """Return what is known about the owners of *anomalies*, with the parts that could not be read."""
    if not anomalies:
        return Ownership()
    return await add_labeled_costs(call, anomalies, await fetch_names(call, anomalies))


async def fetch_names(call: Call, anomalies: Sequence[JsonObject]) -> Ownership:
    """Return the names of projects, the label that names owners, and the allocations of *anomalies*."""
    parts = await gather_partial(
        {
            "names": fetch_project_names(call),
            "owner label": fetch_owner_label(call),
            "allocations": fetch_allocations(call, {key for row in anomalies for key in list_allocation_ids(row)}),
        },
        OWNER_SECONDS,
    )
    names: dict[str, str] = parts.results.get("names", {})
    scopes = {str(row.get("scope") or "") for row in anomalies}
    # If several projects have the same name, the first is used.
    ids = {name: key for key, name in reversed(names.items()) if name in scopes}
    label: JsonObject = parts.results.get("owner label") or {}
    return Ownership(names, label, allocations=parts.results.get("allocations", {}), failures=parts.failures, ids=ids)


async def add_labeled_costs(call: Call, anomalies: Sequence[JsonObject], known: Ownership) -> Ownership:
    """Return what is *known* with the costs of the projects of *anomalies*, by the label that names owners."""
    label = known.label
    projects = sorted({str(project["id"]) for row in anomalies if (project := known.project_of(row))["id"]})
    work = {"owners of projects": fetch_labeled_costs(call, label, projects)} if label and projects else {}
    costs = await gather_partial(work, OWNER_SECONDS)
    return replace(
        known,
        labeled_costs=costs.results.get("owners of projects", {}),
        failures=[*known.failures, *costs.failures],
    )


async def fetch_owner_label(call: Call) -> JsonObject:
    """Return the type and id of the label that names owners, and cache it; {} without one."""
    if (remembered := call.facts.get(OWNER_LABEL_FACT)) is not None:
        return dict(remembered)
    pages = iterate_pages(
        call.doit.dimensions.list_dimensions, max_pages=MAX_DIMENSION_PAGES, maxResults=LARGE_PAGE_SIZE
    )
    labels = [row async for page in pages for row in page.rows if row.get("type") in LABEL_TYPES]
    ranks = {key: rank for rank, key in enumerate(OWNER_LABELS)}
    named = [row for row in labels if str(row.get("id")).casefold() in ranks]
    best = min(named, key=lambda row: (ranks[str(row["id"]).casefold()], LABEL_TYPES.index(row["type"])), default={})
    label: JsonObject = {name: best[name] for name in ("type", "id") if name in best}
    call.facts.put(OWNER_LABEL_FACT, label)
    return label


async def fetch_labeled_costs(call: Call, label: JsonObject, projects: Sequence[str]) -> dict[str, dict[str, Decimal]]:
    """Return the recent cost of each project by value of the *label*, "" for costs without one."""
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "currency": "USD",
        "timeInterval": "year",
        "timeRange": {"mode": "last", "amount": OWNER_DAYS, "unit": "day", "includeCurrent": True},
        "filters": [{"id": "project_id", "type": "fixed", "mode": "is", "values": list(projects)}],
        "group": [{"id": "project_id", "type": "fixed"}, {"id": label["id"], "type": label["type"]}],
    }
    answer = await fetch_query(call, config)
    return await run_by_rows(len(answer["rows"]), sum_labeled_costs, answer, str(label["id"]))


def sum_labeled_costs(answer: JsonObject, label: str) -> dict[str, dict[str, Decimal]]:
    """Return the costs in a query's answer by project and value of the *label*. Raise ApiError if it lacks columns."""
    rows, names = complete_rows(answer), column_names(answer)
    wanted = ("project_id", label, "cost")
    if rows and (missing := [name for name in wanted if name not in names]):
        raise ApiError(f"the result has no column {missing[0]}", kind="answer")
    project, value, cost = (names.index(name) for name in wanted) if rows else (0, 0, 0)
    costs: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        of_project = costs.setdefault(str(row[project]), {})
        key = "" if row[value] is None else str(row[value])
        of_project[key] = of_project.get(key, ZERO) + to_decimal(row[cost])
    return costs


async def fetch_allocations(call: Call, identifiers: set[str]) -> dict[str, JsonObject]:
    """Return the allocations with these ids that the user can see, by id."""
    if not identifiers:
        return {}
    pages = iterate_pages(
        call.doit.allocations.list_allocations, max_pages=MAX_ALLOCATION_PAGES, maxResults=LARGE_PAGE_SIZE
    )
    rows: list[JsonObject] = [row async for page in pages for row in page.rows]
    return {str(row["id"]): row for row in rows if row.get("id") in identifiers}
