"""Request and response bodies of Cloud Diagrams."""

from typing import Annotated, Literal, Required, TypedDict

from ...protocol.json_schema import JsonObject, Length, Range
from ..markers import IDENTIFIER
from ..parameters import Rfc3339
from ..value_kinds import CurrencyCode, Money, Quantity

IdList = Annotated[list[str], Length(1, 500)]


class ResourceIds(TypedDict, total=False):
    """The resources whose diagrams to find."""

    resources: Required[Annotated[list[str], "Resource ids as in the cloud.", Length(1, 500)]]


class DiagramSelection(TypedDict, total=False):
    """The diagrams and layers to load. If empty: all diagrams, without the content of their layers."""

    scheme: list[str]
    statussheet: list[str]
    template: Literal["component", "statussheet"] | list[str]


# Functional syntax, because one field is a Python keyword.
Search = TypedDict(
    "Search",
    {
        "query": Required[Annotated[str, "Search terms.", Length(1, 1000)]],
        "ss_id": Annotated[str, "Only on this layer.", Length(1, 500), IDENTIFIER],
        "from": Annotated[int, "Number of hits of each kind to skip.", Range(0)],
        "size": Annotated[int, "Hits of each kind. Default: 20.", Range(1, 10_000)],
    },
    total=False,
)


class ComponentIds(TypedDict, total=False):
    """Component ids, by kind."""

    node: Annotated[IdList, "Ids of nodes."]
    element: Annotated[IdList, "Ids of elements."]
    link: Annotated[IdList, "Ids of links."]
    group: Annotated[IdList, "Ids of groups."]
    attachment: Annotated[IdList, "Ids of attachments."]
    note: Annotated[IdList, "Ids of notes."]
    combiner: Annotated[IdList, "Ids of combiners."]


class Components(TypedDict, total=False):
    """Components by id, by kind."""

    node: JsonObject
    element: JsonObject
    group: JsonObject
    link: JsonObject
    attachment: JsonObject
    combiner: JsonObject
    note: JsonObject


class SearchHits(TypedDict, total=False):
    """Results of a search."""

    scheme: Annotated[list[JsonObject], "Layers: each with ss_id, scheme_id (diagram), name, account_name."]
    component: Annotated[
        list[JsonObject], "Matched by name: each with _id, ss_id, scheme_id, name, type, node_type, props."
    ]
    prop: Annotated[list[JsonObject], "Matched by a property's value, shown in props."]


class DiagramUrls(TypedDict, total=False):
    """Diagrams that contain the resources."""

    diagrams: Annotated[list[JsonObject], "Each with diagramUrl and imageUrl."]


class DiagramStats(TypedDict, total=False):
    """Diagrams with the number of their changes."""

    diagrams: Annotated[
        list[JsonObject],
        "Each with _id, ss_id (layer), name, type, account_name, account_id, account_type, import (sync "
        "state) and changes: type (NODE_CREATE, NODE_UPDATE, NODE_DELETE), service and count.",
    ]


class Diagrams(TypedDict, total=False):
    """Diagrams and layers."""

    scheme: Annotated[
        JsonObject, "Diagrams by id: name, type and statussheet, their layers with ssid and account_name."
    ]
    statussheet: Annotated[JsonObject, "Layers by id, with components by kind and id if ids were given."]
    template: Annotated[JsonObject, "Template layers by id, if requested."]


class Export(TypedDict, total=False):
    """A layer with all its content."""

    statussheet: Annotated[JsonObject, "The layer."]
    metadata: JsonObject
    nodes: list[JsonObject]
    elements: list[JsonObject]
    groups: Annotated[list[JsonObject], "Accounts, regions, VPCs, subnets, clusters."]
    attachments: list[JsonObject]
    links: Annotated[list[JsonObject], "Each with origin and destination."]
    combiners: list[JsonObject]
    notes: list[JsonObject]


class CostSnapshot(TypedDict, total=False):
    """Cost of the resources on a layer."""

    diagramId: Annotated[str, "Layer id."]
    timeRange: Annotated[JsonObject, "startDate, endDate, interval."]
    currency: Annotated[str, CurrencyCode]
    total: Annotated[float, Money]
    trendingPct: Annotated[
        float | None,
        "Change from the previous period, as a fraction: 0.1 is +10 %; null: nothing to compare with.",
        Quantity,
    ]
    topResources: Annotated[list[JsonObject], "At most 5, each with id, name, type and amount."]
    byService: Annotated[list[JsonObject], "At most 5, each with service and amount."]
    trend: Annotated[list[JsonObject], "Last 12 intervals: bucketStart (a date; for weeks a label) and amount."]


class Snapshot(TypedDict, total=False):
    """A saved state of a layer."""

    _id: str
    name: str
    createdAt: Rfc3339
    prevState: Annotated[str, "Id of the previous snapshot."]


class Snapshots(TypedDict, total=False):
    """Snapshots of a layer."""

    snapshots: Annotated[list[JsonObject], "Each with _id, name, createdAt and prevState."]


class Relationships(TypedDict, total=False):
    """The connections of a resource."""

    anchor: Annotated[JsonObject, "The resource: id, type, name, serviceType."]
    relations: Annotated[
        list[JsonObject],
        "At most 200, each with id, type, name, serviceType, relation (downstream, upstream, group_member, "
        "group_parent) and hops.",
    ]
    truncated: Annotated[bool, "true if there are more."]


class ActivityGroups(TypedDict, total=False):
    """Changes, grouped by the time of detection."""

    groups: Annotated[
        list[JsonObject], "Each with _id, timestamp, snapshot and items: activity, service_type, metadata, timestamp."
    ]


class NodeActivities(TypedDict, total=False):
    """Changes of one component."""

    activities: Annotated[list[JsonObject], "Each with activity, metadata, timestamp and user."]
