"""Alerts: notifications when cost or usage crosses a threshold."""

from typing import Annotated, Any, Literal, Required, TypedDict, Unpack, cast

from ...protocol.json_schema import UNLISTED, JsonObject, Length, Range
from ..common_types import Currency, Filter
from ..errors import ApiError
from ..facts import ASKS_BY_ARGUMENTS, REVERSIBLE
from ..markers import EXTERNAL_TARGET, IDENTIFIER, FormerName
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id, parse_page
from ..parameters import Id, MaxResults, Name, NameContains, OptionalId, PageToken, SortOrder
from ..refusals import refuse_empty_conditions, refuse_first
from ..report_config import allocation_scopes, normalize_filters
from ..timestamps import format_timestamp, with_iso_times
from .alerts_types import AlertDetails, AlertMetric, AlertPage, AlertSlackChannels, IgnoredRange, WrittenAlert
from .labels import LOST_LABELS

TIME_FORMATS = dict.fromkeys(("createTime", "updateTime", "lastAlerted"), format_timestamp)
Recipients = Annotated[list[Annotated[str, Length(3, 320)]], Length(maximum=100), EXTERNAL_TARGET]
TimeInterval = Annotated[Literal["day", "week", "month", "quarter", "year"], "Period over which the metric is summed."]
SlackChannels = Annotated[
    list["AlertSlackChannel"], "Slack channels; replaces the whole list.", Length(maximum=50), EXTERNAL_TARGET
]
ListedSlackChannels = Annotated[
    list["ListedSlackChannel"], "Slack channels; replaces the whole list.", Length(maximum=50), EXTERNAL_TARGET
]
Threshold = Annotated[float, "The threshold."]
IGNORED_VALUES = "With percentage-change: values of the metric that never fire."


class AlertSlackChannel(TypedDict, total=False):
    """A Slack channel."""

    id: Required[Annotated[str, "From list_alert_slack_channels."]]
    workspace: Annotated[str, "Required unless it is shared."]
    shared: bool
    customerId: str


class ListedSlackChannel(AlertSlackChannel, total=False):
    """A Slack channel as list_alert_slack_channels returns it, with members that writes do not accept."""

    name: Annotated[str, UNLISTED]
    type: Annotated[str, UNLISTED]


LISTED_CHANNEL_MEMBERS = frozenset(("name", "type"))
NO_RANGE = "none"


class AlertCondition(TypedDict, total=False):
    """The condition under which an alert fires, without the members that a new alert requires."""

    condition: Annotated[
        Literal["value", "percentage-change", "forecast"],
        "What to compare with value: the metric, its percentage change from the previous period, or its "
        "forecast. Default: percentage-change.",
    ]
    operator: Annotated[Literal["gt", "lt"], "Fire above (gt) or below (lt) value. Default: gt."]
    currency: Currency
    scopes: Annotated[list[Filter], "Data to watch: what matches all of them. Default: all.", Length(maximum=26)]
    evaluateForEach: Annotated[
        str,
        "Dimension as type:id, e.g. fixed:service_description (list_dimensions): evaluate each value separately. Not "
        "with forecast.",
    ]
    dataSource: Annotated[
        Literal["billing", "billing-datahub", "kubernetes-utilization", "tokenomics"], "Default: billing."
    ]
    attributions: Annotated[
        list[str], "Legacy form of scopes: allocation ids, sent as a scope. Not with scopes.", Length(maximum=1000)
    ]


class AlertConfig(AlertCondition, total=False):
    """The condition of a new alert."""

    metric: Required[AlertMetric]
    timeInterval: Required[TimeInterval]
    value: Required[Threshold]
    ignoreValuesRange: Annotated[IgnoredRange, IGNORED_VALUES]


class AlertConfigChanges(AlertCondition, total=False):
    """Changes to the condition of an alert."""

    metric: AlertMetric
    timeInterval: TimeInterval
    value: Threshold
    ignoreValuesRange: Annotated[
        IgnoredRange | Literal["none"], f"{IGNORED_VALUES} none removes it, and so does a change of condition."
    ]


class NewAlert(TypedDict, total=False):
    """An alert to create."""

    name: Required[Annotated[str, "Display name.", Length(1, 64), IDENTIFIER]]
    alert: Required[Annotated[AlertConfig, FormerName("config")]]
    recipients: Annotated[
        Recipients,
        "Email addresses in the customer's domains. Default: the creator's, unless Slack channels are given.",
    ]
    recipientsSlackChannels: ListedSlackChannels


class AlertChanges(TypedDict, total=False):
    """Changes to an alert."""

    name: Annotated[str, "Display name.", Length(1, 64), IDENTIFIER]
    alert: Annotated[AlertConfigChanges, FormerName("config")]
    recipients: Annotated[
        Recipients, "Email addresses; replaces the whole list. [] removes all, if Slack channels remain."
    ]
    recipientsSlackChannels: ListedSlackChannels


class NewAlertBody(TypedDict, total=False):
    """The body of the API's request for a new alert."""

    name: Required[str]
    config: Required[AlertConfig]
    recipients: Recipients
    recipientsSlackChannels: SlackChannels


class AlertBody(TypedDict, total=False):
    """The body of the API's request for changes."""

    name: str
    config: AlertConfigChanges
    recipients: Recipients
    recipientsSlackChannels: SlackChannels


def format_alert(alert: JsonObject) -> JsonObject:
    """Return an alert with ISO times. The response to a write may be empty."""
    return with_iso_times(alert, TIME_FORMATS) if alert else alert


def normalize_alert_config(config: Any) -> Any:
    """Return the configuration of an alert with providers as billing data names them; anything else unchanged."""
    if not isinstance(config, dict) or "scopes" not in config:
        return config
    return {**config, "scopes": normalize_filters(config["scopes"])}


CANONICAL = {"alert": normalize_alert_config}


def threshold_unit(alert: JsonObject) -> str:
    """Return the unit of the threshold of an alert: "%" or a currency; "" for usage."""
    config = alert.get("alert") or {}
    if config.get("condition", "percentage-change") == "percentage-change":
        return "%"
    return "" if (config.get("metric") or {}).get("value") == "usage" else str(config.get("currency") or "")


def refuse_silent(arguments: JsonObject, current: JsonObject) -> str:
    """Return why an alert without recipients is refused; "" for other changes."""
    left = {name: arguments.get(name, current.get(name)) for name in ("recipients", "recipientsSlackChannels")}
    changes = left.keys() & arguments.keys()
    return "An alert needs at least one recipient or Slack channel." if changes and not any(left.values()) else ""


def alert_body(arguments: NewAlert | AlertChanges) -> Any:
    """Return the arguments of a write with the API's names. Raises ApiError ("argument") for scopes in both forms."""
    fields = cast(dict[str, Any], dict(arguments))
    body = {"config" if name == "alert" else name: value for name, value in fields.items()}
    if channels := body.get("recipientsSlackChannels"):
        body["recipientsSlackChannels"] = [
            {name: value for name, value in channel.items() if name not in LISTED_CHANNEL_MEMBERS}
            for channel in channels
        ]
    config = body.get("config")
    if config and config.get("ignoreValuesRange") == NO_RANGE:
        config = body["config"] = {**config, "ignoreValuesRange": None}
    if config and "attributions" in config:
        rest = {name: value for name, value in config.items() if name != "attributions"}
        if rest.get("scopes") and config["attributions"]:
            raise ApiError(
                "Only one of scopes and attributions is allowed: attributions are sent as a scope", kind="argument"
            )
        rest.setdefault("scopes", allocation_scopes(config["attributions"]))
        body["config"] = rest
    return body


class Alerts(Area):
    """Alerts: notifications by email when cost or usage passes a threshold, jumps or is forecast to."""

    @get("/analytics/v1/alerts", items="alerts")
    async def _alerts(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        nameContains: NameContains = None,
        sortBy: str | None = None,
        sortOrder: SortOrder = None,
    ) -> JsonObject: ...

    @offers(_alerts)
    async def list_alerts(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |. Keys: owner, name. Repeated keys mean OR, different keys AND.",
        ] = None,
        nameContains: NameContains = None,
        sortBy: Literal["name", "createTime", "updateTime", "lastAlerted"] | None = None,
        sortOrder: SortOrder = None,
    ) -> Annotated[JsonObject, AlertPage]:
        """List cost alerts, newest first: what each monitors, its threshold, and when it last fired. For budget
        thresholds, use get_budget; for unusual cost, use get_anomalies."""
        response = await self._alerts(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            nameContains=nameContains,
            sortBy=sortBy,
            sortOrder=sortOrder,
        )
        return {**response, "alerts": [format_alert(row) for row in parse_page(response, "alerts").rows]}

    @get("/analytics/v1/alerts/slack-channels", items="items")
    async def list_alert_slack_channels(
        self,
        *,
        nameContains: NameContains = None,
        maxResults: Annotated[MaxResults, Range(1, 500)] = None,
        pageToken: PageToken = None,
    ) -> Annotated[JsonObject, AlertSlackChannels]:
        """List the Slack channels that alerts can be posted to, for recipientsSlackChannels of create_alert and
        update_alert: give their id, and workspace or shared as listed."""
        ...

    @get("/analytics/v1/alerts/{id}")
    async def _alert(self, *, id: Id) -> JsonObject: ...

    @offers(_alert)
    async def get_alert(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, AlertDetails]:
        """Show one alert: what it monitors, its threshold, its recipients, and when it last fired. Give its id or its
        name."""
        found = id or await find_id(name or "", self._alerts, "name", nameContains=name)
        return format_alert(await self._alert(id=found))

    @post(
        "/analytics/v1/alerts",
        confirm=ASKS_BY_ARGUMENTS,
        verify_with=get_alert,
        canonical_arguments=CANONICAL,
        has_cost_scope="alert",
    )
    async def _create_alert(self, **body: Unpack[NewAlertBody]) -> JsonObject: ...

    @offers(_create_alert)
    async def create_alert(self, **arguments: Unpack[NewAlert]) -> Annotated[JsonObject, WrittenAlert]:
        """Create an alert that emails its recipients whenever the metric passes the threshold. Each scope must match
        costs; the result says what it cost last month. For a spending limit, use create_budget."""
        body = alert_body(arguments)
        return format_alert(await self._create_alert(**{**body, "config": {"operator": "gt", **body["config"]}}))

    @patch(
        "/analytics/v1/alerts/{id}",
        confirm=REVERSIBLE,
        preview_with=get_alert,
        refusal=refuse_first(refuse_silent, refuse_empty_conditions),
        canonical_arguments=CANONICAL,
        has_cost_scope="alert",
        units={"alert.value": threshold_unit},
        merges={"alert": {"condition": "ignoreValuesRange"}},
        same_as={"alert.attributions": "scopes"},
        cleared_by={"alert.ignoreValuesRange": NO_RANGE},
    )
    async def _update_alert(self, *, id: Id, **body: Unpack[AlertBody]) -> JsonObject: ...

    @offers(_update_alert)
    async def update_alert(self, *, id: Id, **changes: Unpack[AlertChanges]) -> Annotated[JsonObject, WrittenAlert]:
        """Change an alert; omitted fields, including those inside alert, stay unchanged. Scopes and recipients are
        replaced as a whole: read get_alert first. Each scope must match costs."""
        return format_alert(await self._update_alert(id=id, **alert_body(changes)))

    @delete(
        "/analytics/v1/alerts/{id}",
        confirm=True,
        preview_with=get_alert,
        restore_with=create_alert,
        shared_as="alerts",
        dependents=LOST_LABELS,
        open_world=False,
    )
    async def delete_alert(self, *, id: Id) -> None:
        """Delete an alert. Its notifications stop. Confirm its name with the user first."""
        ...
