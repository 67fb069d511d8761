"""Results of the operations on alerts, and the parts of conditions that results and writes share."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ListPage, ScopeLastMonth
from ..value_kinds import Moment


class AlertPage(ListPage, total=False):
    """A page of alerts."""

    alerts: Annotated[
        list[JsonObject], "Each with id, name, owner, config, recipients, createTime, updateTime and lastAlerted."
    ]


class AlertDetails(TypedDict, total=False):
    """One alert."""

    id: str
    name: str
    config: Annotated[
        JsonObject, "metric, timeInterval, condition, operator, value, currency, scopes, evaluateForEach, dataSource."
    ]
    recipients: list[str]
    recipientsSlackChannels: list[JsonObject]
    createTime: Annotated[str | None, Moment]
    updateTime: Annotated[str | None, Moment]
    lastAlerted: Annotated[str | None, "null: never.", Moment]


class WrittenAlert(AlertDetails, total=False):
    """An alert that was created or changed."""

    scopeLastMonth: ScopeLastMonth


class AlertSlackChannels(ListPage, total=False):
    """Slack channels that alerts can be posted to."""

    items: Annotated[
        list[JsonObject], "Each with id, name, type (public, private), shared, and workspace unless it is shared."
    ]
    workspaceStatus: Annotated[
        str, "none, ok, inactive, or missing_private_scope: private channels need the DoiT app to be reinstalled."
    ]
    isWorkspaceConnected: bool
    hasSharedChannel: bool


class AlertMetric(TypedDict):
    """The metric that an alert watches."""

    type: Annotated[str, "basic, custom or extended.", Length(1, 100)]
    value: Annotated[str, "basic: cost, usage or savings; custom: its id; extended: e.g. amortized_cost.", Length(1)]


class IgnoredRange(TypedDict):
    """Values of the metric, with both bounds."""

    lowerBound: float
    upperBound: float
