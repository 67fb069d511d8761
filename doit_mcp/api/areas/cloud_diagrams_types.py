"""Bodies and answers of Cloud Diagrams, as TypedDicts."""

from typing import Annotated, Literal, Required, TypedDict

from ...protocol.json_schema import JsonObject, Length, Range
from ..markers import IDENTIFIER

IdList = Annotated[list[str], Length(1, 500)]


class ResourceIds(TypedDict, total=False):
    """What to find diagrams of."""

    resources: Required[Annotated[list[str], "Ids of the resources in their cloud.", Length(1, 500)]]


class DiagramSelection(TypedDict, total=False):
    """Which diagrams and layers to load; all diagrams without their layers' content, if it is empty."""

    scheme: list[str]
    statussheet: list[str]
    template: Literal["component", "statussheet"] | list[str]


# The functional form: one field is a keyword of Python.
Search = TypedDict(
    "Search",
    {
        "query": Required[Annotated[str, "Words to look for.", Length(1, 1000)]],
        "ss_id": Annotated[str, "Only on this layer.", Length(1, 500), IDENTIFIER],
        "from": Annotated[int, "How many hits of each kind to skip.", Range(0)],
        "size": Annotated[int, "Hits of each kind; 20, if left out.", Range(1, 10_000)],
    },
    total=False,
)


class ComponentIds(TypedDict, total=False):
    """Ids of components, by kind."""

    node: IdList
    element: IdList
    link: IdList
    group: IdList
    attachment: IdList
    note: IdList
    combiner: IdList


class Components(TypedDict, total=False):
    """Components by their ids, by kind."""

    node: JsonObject
    element: JsonObject
    group: JsonObject
    link: JsonObject
    attachment: JsonObject
    combiner: JsonObject
    note: JsonObject


class SearchHits(TypedDict, total=False):
    """What a search found."""

    scheme: Annotated[list[JsonObject], "Layers: each with ss_id, scheme_id (diagram), name, account_name."]
    component: Annotated[list[JsonObject], "By name: each with _id, ss_id, scheme_id, name, type, node_type, props."]
    prop: Annotated[list[JsonObject], "By the value of a property, which is in props."]


class DiagramUrls(TypedDict, total=False):
    """Diagrams that show something."""

    diagrams: Annotated[list[JsonObject], "Each with diagramUrl and imageUrl."]


class DiagramStats(TypedDict, total=False):
    """Diagrams and how much they changed."""

    diagrams: Annotated[
        list[JsonObject],
        "Each with _id, ss_id (layer), name, type, account_name, account_id, account_type, import (state of the sync) "
        "and changes: type (NODE_CREATE, NODE_UPDATE, NODE_DELETE), service and count.",
    ]


class Diagrams(TypedDict, total=False):
    """Diagrams and layers."""

    scheme: Annotated[JsonObject, "Diagrams by id: name, type and statussheet, its layers with ssid and account_name."]
    statussheet: Annotated[JsonObject, "Layers by id, with their components by kind and id, if ids were given."]
    template: Annotated[JsonObject, "Template layers by id, if they were asked for."]


class Export(TypedDict, total=False):
    """A layer with everything in it."""

    statussheet: Annotated[JsonObject, "The layer itself."]
    metadata: JsonObject
    nodes: list[JsonObject]
    elements: list[JsonObject]
    groups: Annotated[list[JsonObject], "Accounts, regions, VPCs, subnets, clusters."]
    attachments: list[JsonObject]
    links: Annotated[list[JsonObject], "Each with origin and destination."]
    combiners: list[JsonObject]
    notes: list[JsonObject]


class CostSnapshot(TypedDict, total=False):
    """Cost of what is on a layer."""

    diagramId: Annotated[str, "Id of the layer."]
    timeRange: Annotated[JsonObject, "startDate, endDate, interval."]
    currency: str
    total: float
    trendingPct: Annotated[
        float | None, "Change from the period before, as a fraction: 0.1 is 10 % more; null: nothing to compare with."
    ]
    topResources: Annotated[list[JsonObject], "At most 5, each with id, name, type and amount."]
    byService: Annotated[list[JsonObject], "At most 5, each with service and amount."]
    trend: Annotated[list[JsonObject], "The latest 12 intervals: bucketStart (a date; of weeks a label) and amount."]


class Snapshot(TypedDict, total=False):
    """A saved state of a layer."""

    _id: str
    name: str
    createdAt: Annotated[str, "RFC 3339."]
    prevState: Annotated[str, "Id of the snapshot before."]


class Snapshots(TypedDict, total=False):
    """Saved states."""

    snapshots: Annotated[list[JsonObject], "Each with _id, name, createdAt and prevState."]


class Relationships(TypedDict, total=False):
    """What a resource is connected with."""

    anchor: Annotated[JsonObject, "The resource: id, type, name, serviceType."]
    relations: Annotated[
        list[JsonObject],
        "At most 200, each with id, type, name, serviceType, relation (downstream, upstream, group_member, "
        "group_parent) and hops.",
    ]
    truncated: Annotated[bool, "true: there are more."]


class ActivityGroups(TypedDict, total=False):
    """Changes by the time at which they were found."""

    groups: Annotated[
        list[JsonObject], "Each with _id, timestamp, snapshot and items: activity, service_type, metadata, timestamp."
    ]


class NodeActivities(TypedDict, total=False):
    """Changes of one component."""

    activities: Annotated[list[JsonObject], "Each with activity, metadata, timestamp and user."]
