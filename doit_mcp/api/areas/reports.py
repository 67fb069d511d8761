"""Reports and queries of cloud cost and usage."""

from typing import Annotated, Any, Required, TypedDict, Unpack, cast

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ListPage
from ..errors import ApiError
from ..facts import REVERSIBLE, Dependents
from ..markers import FormerName
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id, parse_page
from ..parameters import (
    ConsoleLink,
    CreatedSinceTime,
    CreatedUntilTime,
    Id,
    MaxResults,
    Name,
    NameContains,
    ObjectName,
    OptionalId,
    PageToken,
    ParentFolderId,
)
from ..refusals import refuse_empty_conditions, refuse_first, refuse_preset
from ..report_config import QueryConfig, canonical_config, normalize_config
from ..timestamps import format_timestamp, parse_optional_time, with_iso_times

TIME_FORMATS = dict.fromkeys(("createTime", "updateTime"), format_timestamp)
EXTRA_FIELDS = ("secondaryRows", "forecastRows", "mlFeatures", "cacheHit", "details")
"""Members of a result that stay unchanged. details.valueAliases has display names of stored values, by column."""


class ReportPage(ListPage, total=False):
    """A page of reports."""

    reports: Annotated[
        list[JsonObject], "Each with id, reportName, owner, type (custom, preset), createTime, updateTime, urlUI."
    ]


class ReportResults(TypedDict, total=False):
    """A report with its results."""

    id: str
    reportName: str
    urlUI: ConsoleLink
    result: Annotated[JsonObject, "schema: columns with name and type; rows: a list of cells for each; forecastRows."]


class QueryResult(TypedDict, total=False):
    """The rows of a query."""

    rowCount: Annotated[int, "Total number of rows."]
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row."]
    rows: Annotated[list[list[Any]], "Each row is a list of cells."]
    currency: Annotated[str, "Currency of amounts, if requested; otherwise the account's."]
    secondaryRows: Annotated[list[list[Any]], "Rows of the secondary time range."]
    forecastRows: list[list[Any]]


class ReportConfig(TypedDict, total=False):
    """The definition of a report."""

    id: str
    name: str
    description: str
    type: Annotated[str, "custom, preset or managed."]
    config: Annotated[JsonObject, "The query, as in run_query."]
    labels: Annotated[list[str], "Label ids."]
    folderId: Annotated[str, "root if in no folder."]


class Report(TypedDict, total=False):
    """Fields of a report."""

    description: Annotated[str, "What it shows."]
    labels: Annotated[list[str], "Label ids.", Length(maximum=1000)]
    folderId: ParentFolderId


class NewReport(Report, total=False):
    """A report to create."""

    name: Required[ObjectName]
    report: Required[Annotated[QueryConfig, FormerName("config")]]


class ReportChanges(Report, total=False):
    """Changes to a report."""

    name: ObjectName
    report: Annotated[QueryConfig, FormerName("config")]


class ReportBody(Report, total=False):
    """The body of the API's requests."""

    name: str
    config: QueryConfig


class Query(TypedDict, total=False):
    """The body of the API's request."""

    config: Required[Annotated[QueryConfig, "The query."]]


class Reports(Area):
    """Cloud Analytics: cost and usage queries, reports, spend by service, project, account, label or team."""

    @get("/analytics/v1/reports", items="reports", default_list=True)
    async def _reports(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        nameContains: NameContains = None,
        minCreationTime: int | None = None,
        maxCreationTime: int | None = None,
    ) -> JsonObject: ...

    @offers(_reports)
    async def list_reports(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |. Keys: reportName, owner, type (custom, preset), updateTime, folderId. "
            "Repeated keys mean OR, different keys AND.",
        ] = None,
        nameContains: NameContains = None,
        minCreationTime: CreatedSinceTime = None,
        maxCreationTime: CreatedUntilTime = None,
    ) -> Annotated[JsonObject, ReportPage]:
        """List saved Cloud Analytics reports, newest first. For their numbers, use get_report_results; for questions
        that no report answers, use run_query."""
        response = await self._reports(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            nameContains=nameContains,
            minCreationTime=parse_optional_time(minCreationTime, "minCreationTime"),
            maxCreationTime=parse_optional_time(maxCreationTime, "maxCreationTime"),
        )
        page = parse_page(response, "reports")
        return {**page.response, "reports": [with_iso_times(row, TIME_FORMATS) for row in page.rows]}

    @get(
        "/analytics/v1/reports/{id}",
        slow=True,
    )
    async def _report(
        self, *, id: Id, timeRange: str | None = None, startDate: str | None = None, endDate: str | None = None
    ) -> JsonObject: ...

    @offers(_report)
    async def get_report_results(
        self,
        *,
        id: OptionalId = None,
        name: Name = None,
        startDate: Annotated[str | None, "Replaces the report's period: first day, YYYY-MM-DD; with endDate."] = None,
        endDate: Annotated[str | None, "Replaces the report's period: last day, YYYY-MM-DD; with startDate."] = None,
    ) -> Annotated[JsonObject, ReportResults]:
        """Run a saved report and return its results, for its own period or another one. Give its id or its name."""
        if bool(startDate) != bool(endDate):
            raise ApiError("startDate and endDate must be given together", kind="argument")
        identifier = id or await self.find_report_id(name)
        return with_report_times(await self._report(id=identifier, startDate=startDate, endDate=endDate))

    @post(
        "/analytics/v1/reports/query",
        read_only=True,
        slow=True,
    )
    async def _query(self, **body: Unpack[Query]) -> JsonObject: ...

    @offers(_query)
    async def run_query(self, *, config: QueryConfig) -> Annotated[JsonObject, QueryResult]:
        """Query cloud cost and usage: metrics, groups, filters, periods, comparisons, forecasts. For the top
        services, projects or clouds, cost_breakdown is simpler. Example, this month's cost by service:
        {"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month",
        "timeRange": {"mode": "current", "unit": "month"}, "group": [{"id": "service_description", "type": "fixed"}]}
        """
        return result_table(await self.query_response(config=config), config.get("currency"))

    @post("/analytics/v1/reports", confirm=False, verify_with="get_report_config", open_world=False)
    async def _create(self, **body: Unpack[ReportBody]) -> JsonObject: ...

    @offers(_create)
    async def create_report(self, **arguments: Unpack[NewReport]) -> Annotated[JsonObject, ReportConfig]:
        """Save a Cloud Analytics report, without running it. Test its query with run_query first. For an existing
        report, use update_report."""
        return await self._create(**_report_body(arguments))

    @get("/analytics/v1/reports/{id}/config")
    async def _config(self, *, id: Id) -> JsonObject: ...

    @offers(_config)
    async def get_report_config(
        self, *, id: OptionalId = None, name: Name = None
    ) -> Annotated[JsonObject, ReportConfig]:
        """Show the configuration of a saved report: metrics, period, groups, filters and layout. Give its id or its
        name. For its numbers, use get_report_results."""
        return await self._config(id=id or await self.find_report_id(name))

    @patch(
        "/analytics/v1/reports/{id}",
        confirm=REVERSIBLE,
        preview_with=get_report_config,
        canonical_arguments={"report": canonical_config},
        names_with={"labels": "list_labels"},
        merges={"report": {"timeRange": "customTimeRange"}},
        same_as={"report.metric": "metrics"},
        cleared_by={"report.forecastSettings": {"mode": "none"}, "report.limitAggregation": "none"}
        | {"report.sortGroups": "asc", "report.sortDimensions": "desc"},
        refusal=refuse_first(refuse_preset, refuse_empty_conditions),
        open_world=False,
    )
    async def _update(self, *, id: Id, **body: Unpack[ReportBody]) -> JsonObject: ...

    @offers(_update)
    async def update_report(self, *, id: Id, **changes: Unpack[ReportChanges]) -> Annotated[JsonObject, ReportConfig]:
        """Change the given fields of a report. Lists are replaced."""
        return await self._update(id=id, **_report_body(changes))

    @delete(
        "/analytics/v1/reports/{id}",
        confirm=True,
        preview_with=get_report_config,
        restore_with=create_report,
        shared_as="reports",
        dependents=(Dependents("annotation that refers to it", "list_annotations", "reports"),),
        refusal=refuse_preset,
        open_world=False,
    )
    async def delete_report(self, *, id: Id) -> None:
        """Delete a saved report. Confirm its name with the user first."""
        ...

    async def query_response(self, *, config: QueryConfig) -> JsonObject:
        """Run a query, and return the API's response."""
        return await self._query(config=cast(QueryConfig, normalize_config(cast(JsonObject, config))))

    async def find_report_id(self, name: str | None) -> str:
        """Return the id of the report with this name, or the only one whose name contains it.

        Raises ApiError that names the reports with similar names, or those that match.
        """
        return await find_id(name or "", self._reports, "reportName", nameContains=name)


def _report_body(arguments: NewReport | ReportChanges) -> ReportBody:
    """Return a report to create or change as the API expects it."""
    fields = cast(JsonObject, dict(arguments))
    if (query := fields.pop("report", None)) is not None:
        fields["config"] = normalize_config(query)
    return cast(ReportBody, fields)


def with_report_times(report: JsonObject) -> JsonObject:
    """Return a report with its times as ISO 8601 text."""
    return with_iso_times(report, TIME_FORMATS)


def result_table(response: JsonObject, currency: str | None = None) -> JsonObject:
    """Return the rows and columns in a query's response. Raises ApiError if it has no result."""
    result = response.get("result")
    if not isinstance(result, dict):
        raise ApiError("the response has no result", kind="answer")
    rows, columns = result.get("rows") or [], result.get("schema") or []
    if not isinstance(rows, list) or not isinstance(columns, list):
        raise ApiError("the result has no rows", kind="answer")
    table: JsonObject = {"rowCount": len(rows), "rows": rows, "columns": columns}
    if currency:
        table["currency"] = currency
    return table | {name: result[name] for name in EXTRA_FIELDS if result.get(name) is not None}
