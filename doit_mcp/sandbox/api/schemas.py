"""JSON Schemas of request bodies, written from the published API document."""

from __future__ import annotations

import jsonschema_rs

from .costs.dimensions import TYPES
from .costs.money import RATES
from .responses import JsonObject

CURRENCIES = tuple(RATES)
LAYOUTS = (
    "column_chart stacked_column_chart bar_chart stacked_bar_chart line_chart spline_chart area_chart "
    "area_spline_chart stacked_area_chart treemap_chart sankey_chart table table_heatmap table_row_heatmap "
    "table_col_heatmap column_and_line_chart trend_board cumulative_comparison"
).split()
INTERVALS = ("day", "week", "month", "quarter", "year")
TEXT: JsonObject = {"type": "string"}
TEXTS: JsonObject = {"type": ["array", "null"], "items": TEXT}
NUMBER: JsonObject = {"type": "number"}
INTEGER: JsonObject = {"type": "integer"}
EPOCH_MILLISECONDS: JsonObject = {
    "type": "integer",
    "minimum": 0,
    "maximum": 4_102_444_800_000,
}  # epoch milliseconds, up to 2100
BOOLEAN: JsonObject = {"type": "boolean"}


def enum_schema(*words: str) -> JsonObject:
    """A string out of *words*."""
    return {"type": "string", "enum": list(words)}


def object_schema(required: str = "", **members: JsonObject) -> JsonObject:
    """An object with these members and no others."""
    return {"type": "object", "required": required.split(), "properties": members, "additionalProperties": False}


def array_schema(item: JsonObject, **limits: int) -> JsonObject:
    """An array; null counts as an empty one."""
    return {"type": ["array", "null"], "items": item, **limits}


def compile_object(required: str = "", **members: JsonObject) -> jsonschema_rs.Validator:
    """A compiled schema for an object with these members and no others."""
    return jsonschema_rs.validator_for(object_schema(required, **members))


def text_schema(max_length: int, **limits: int) -> JsonObject:
    """A string of at most *max_length* characters."""
    return {"type": "string", "maxLength": max_length, **limits}


EMAIL: JsonObject = {"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$", "maxLength": 320}


def nullable_schema(schema: JsonObject) -> JsonObject:
    """*schema* or null; unlike anyOf it keeps the paths of nested errors."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **words, "type": [*kinds, "null"]}


METRIC = object_schema("type value", type=enum_schema("basic", "custom", "extended"), value=TEXT)
METRIC_LIST = array_schema(METRIC, maxItems=4)
DIMENSION = object_schema("id type", id=TEXT, type=enum_schema(*TYPES))
FILTER = object_schema(
    "id type",
    id=TEXT,
    type=enum_schema(*TYPES),
    values=TEXTS,
    inverse=BOOLEAN,
    caseInsensitive=BOOLEAN,
    includeNull=BOOLEAN,
    mode=enum_schema("is", "starts_with", "ends_with", "contains", "regexp"),
)
LIMIT = object_schema(
    "metric", metric=METRIC, sort=enum_schema("a_to_z", "asc", "desc"), value={"type": "integer", "minimum": 0}
)
METRIC_FILTER = object_schema(
    "metric operator values",
    metric=METRIC,
    operator=enum_schema("gt", "lt", "lte", "gte", "b", "nb", "e", "ne"),
    values={"type": "array", "items": NUMBER, "minItems": 1, "maxItems": 2},
    operand=enum_schema("single_value", "series_total"),
)
LIMIT_BY_CHANGE = object_schema(
    "metric changeType operator values includeIncompleteData",
    metric=METRIC,
    changeType=enum_schema("percentage", "absolute"),
    operator=enum_schema("gt", "gte", "lt", "lte", "b", "nb"),
    values={"type": "array", "items": NUMBER, "minItems": 1, "maxItems": 2},
    includeIncompleteData=BOOLEAN,
)
INSTANT_RANGE = object_schema("from to", **{"from": TEXT, "to": TEXT})
TIME_RANGE = object_schema(
    amount={"type": "integer", "minimum": 0, "maximum": 5000},
    includeCurrent=BOOLEAN,
    mode=enum_schema("last", "current", "custom"),
    unit=enum_schema(*INTERVALS),
)
SECONDARY = object_schema(
    amount={"type": "integer", "minimum": 0, "maximum": 5000},
    includeCurrent=BOOLEAN,
    unit=enum_schema("day", "month", "quarter", "year"),
    customTimeRange=INSTANT_RANGE,
)
FORECAST = object_schema(
    mode=enum_schema("totals", "grouping"),
    historicalTimeIntervals=INTEGER,
    futureTimeIntervals=INTEGER,
    historicalCustomDateRange=INSTANT_RANGE,
    futureCustomDateRange=INSTANT_RANGE,
)
COUNT = object_schema("id type", id=TEXT, type=enum_schema("fixed", "label", "tag", "project_label", "system_label"))
# Unknown members are rejected: ignoring a misspelled filter would return a wrong number.
CONFIG = object_schema(
    metrics=METRIC_LIST,
    metricFilter=METRIC_FILTER,
    limitAggregation=enum_schema("none", "top", "all"),
    limitByChange=LIMIT_BY_CHANGE,
    advancedAnalysis={"type": "object", "additionalProperties": BOOLEAN},
    aggregation=enum_schema("total", "percent_total", "percent_col", "percent_row", "total_over_total", "count"),
    forecastSettings={"anyOf": [{"type": "null"}, FORECAST]},
    dimensions=array_schema(DIMENSION),
    timeRange=TIME_RANGE,
    timeInterval=enum_schema("hour", "day", "dayCumSum", "week", "isoweek", "month", "quarter", "year", "week_day"),
    secondaryTimeRange=SECONDARY,
    includePromotionalCredits=BOOLEAN,
    includeSubtotals=BOOLEAN,
    filters=array_schema(FILTER),
    group=array_schema(object_schema("id type", id=TEXT, type=enum_schema(*TYPES), limit=LIMIT)),
    layout=enum_schema(*LAYOUTS),
    currency=enum_schema(*CURRENCIES),
    splits=array_schema({"type": "object"}),
    displayValues=enum_schema("actuals_only", "absolute_change", "percentage_change", "absolute_and_percentage"),
    sortGroups=enum_schema("asc", "desc", "a_to_z"),
    sortDimensions=enum_schema("asc", "desc", "a_to_z"),
    dataSource=enum_schema("billing", "bqlens", "billing-datahub", "kubernetes-utilization"),
    displaySettings={"type": "object"},
    customTimeRange=INSTANT_RANGE,
    count=COUNT,
)
REPORT_MEMBERS: dict[str, JsonObject] = {
    "name": {"type": "string", "minLength": 1},
    "description": TEXT,
    "config": CONFIG,
    "labels": TEXTS,
    "folderId": TEXT,
}
BUDGET = object_schema(
    alerts=array_schema(object_schema("percentage", percentage={"type": "number", "exclusiveMinimum": 0}), maxItems=3),
    amount={"type": "number", "minimum": 0},
    seasonalAmounts=array_schema(NUMBER),
    collaborators=array_schema(
        object_schema("email role", email=TEXT, role=enum_schema("owner", "editor", "viewer")), maxItems=100
    ),
    currency=enum_schema(*CURRENCIES),
    description=TEXT,
    endPeriod=EPOCH_MILLISECONDS,
    growthPerPeriod={"type": "number", "minimum": -99, "maximum": 1000},
    metric=enum_schema("cost", "amortized_cost"),
    name=TEXT,
    public=enum_schema("owner", "editor", "viewer"),
    recipients=TEXTS,
    recipientsSlackChannels=array_schema({"type": "object"}),
    scopes=array_schema(FILTER, maxItems=50),
    startPeriod=EPOCH_MILLISECONDS,
    timeInterval=enum_schema(*INTERVALS),
    type=enum_schema("fixed", "recurring"),
    usePrevSpend=BOOLEAN,
)
PLATFORMS = ("doit", "google_cloud_platform", "amazon_web_services", "microsoft_azure")
TICKET = object_schema(
    "body platform product severity subject",
    body={"type": "string", "minLength": 1},
    created=TEXT,
    platform=enum_schema(*PLATFORMS),
    product={"type": "string", "minLength": 1},
    requester=TEXT,
    severity=enum_schema("low", "normal", "high", "urgent"),
    subject={"type": "string", "minLength": 1},
)

COMMENT = object_schema("body", body={"type": "string", "minLength": 1}, private=BOOLEAN)
TICKET_CHANGE_SCHEMA: JsonObject = {
    **object_schema("", status=enum_schema("open", "pending", "hold", "solved"), assignee=TEXT),
    "minProperties": 1,
}
TAGS = object_schema(
    "tags",
    tags={"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 80}},
)

CONFIG_VALIDATOR = jsonschema_rs.validator_for(CONFIG)
QUERY_BODY = jsonschema_rs.validator_for(object_schema("config", config=CONFIG))
NEW_REPORT = jsonschema_rs.validator_for(object_schema("name", **REPORT_MEMBERS))
REPORT_CHANGES = jsonschema_rs.validator_for(object_schema("", **REPORT_MEMBERS))
BUDGET_BODY = jsonschema_rs.validator_for(BUDGET)
TICKET_BODY = jsonschema_rs.validator_for(object_schema("ticket", ticket=TICKET))
REFINE_BODY = jsonschema_rs.validator_for(
    object_schema("question", question={"type": "string", "minLength": 1}, conversationId=TEXT)
)
COMMENT_BODY = jsonschema_rs.validator_for(COMMENT)
TICKET_CHANGES_BODY = jsonschema_rs.validator_for(TICKET_CHANGE_SCHEMA)
TAGS_BODY = jsonschema_rs.validator_for(TAGS)
