"""Widgets: precomputed figures for dashboards."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..markers import IDENTIFIER
from ..operation import Area, get


class WidgetPage(TypedDict, total=False):
    """All widgets."""

    items: Annotated[list[JsonObject], "Each with id, alias, name, description, type (custom, preset) and kind."]
    rowCount: int


class WidgetDetails(TypedDict, total=False):
    """One widget with its figure."""

    id: str
    alias: Annotated[str, "Stable, the same for all customers."]
    type: Annotated[str, "custom or preset."]
    kind: Annotated[str, "monetary_metric."]
    generateTime: Annotated[str, "When the figure was computed."]
    result: Annotated[
        JsonObject,
        "monetaryMetric: value (amount as text, currency), period (startTime, endTime exclusive), "
        "monthToMonthGrowthPercentage and monthToMonthGrowthAmount; null without a comparable month.",
    ]


class Widgets(Area):
    """Widgets: precomputed figures of dashboards, such as this month's spend and its forecast (beta)."""

    @get("/analytics/v1/widgets", items="items")
    async def list_widgets(self) -> Annotated[JsonObject, WidgetPage]:
        """List the widgets: precomputed figures. For any other figure, use run_query."""
        ...

    @get("/analytics/v1/widgets/{widgetId}")
    async def get_widget(
        self,
        *,
        widgetId: Annotated[
            str,
            "Id from list_widgets, or the alias current-month-cloud-spend or current-month-cloud-forecast.",
            Length(1, 500),
            IDENTIFIER,
        ],
    ) -> Annotated[JsonObject, WidgetDetails]:
        """Show the last computed figure of a widget and its change from the previous month. It is not computed again:
        generateTime says how old it is."""
        ...
