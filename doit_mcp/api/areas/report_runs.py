"""Report runs: reports and queries that the API computes in the background, with their state, results and files."""

from typing import Annotated, Literal, Required, TypedDict, Unpack, cast

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..facts import Unconfirmed
from ..markers import IDENTIFIER, FormerName
from ..operation import Area, get, offers, post
from ..parameters import ConsoleLink, DryRun, Id
from ..report_config import QueryConfig, normalize_config

RunId = Annotated[str, "operationId of the run.", Length(1, 500), IDENTIFIER]
FileType = Literal["pdf", "png"]
DURATION_PATTERN = Pattern(r"^P(\d+Y)?(\d+M)?(\d+D)?$")
DAY = "YYYY-MM-DD"


class StartedRun(TypedDict, total=False):
    """A run that was started, or canceled."""

    operationId: Annotated[str, "For get_report_run; missing after dryRun."]
    status: Annotated[str, "pending, running, succeeded, failed, canceled, or dry_run."]
    createTime: str


class RunState(TypedDict, total=False):
    """The state of a run."""

    operationId: str
    status: Annotated[str, "pending, running, succeeded, failed or canceled."]
    createTime: str
    expireBy: Annotated[str, "The results are kept at least until then."]
    retryAfterSeconds: Annotated[int, "When to ask again; only while pending or running."]
    error: Annotated[JsonObject, "Why it failed: title, code, status, detail."]


class RunResults(TypedDict, total=False):
    """The results of a run."""

    id: Annotated[str, "Id of the saved report, as are reportName, owner and type."]
    reportName: str
    urlUI: ConsoleLink
    result: Annotated[JsonObject, "schema: columns; rows: cells of each; secondaryRows, forecastRows."]
    fileOutput: Annotated[str, "Link to the file, valid for 7 days; missing if it could not be made: ask again."]


class RunBody(TypedDict, total=False):
    """The body of the API's request."""

    config: QueryConfig


class NewRun(TypedDict, total=False):
    """A query to run."""

    query: Required[Annotated[QueryConfig, FormerName("config")]]


class ReportRuns(Area):
    """Report runs: long reports and queries in the background, their state, results, PDF and PNG files."""

    @get("/analytics/v1/reports/operations/{operationId}", retry_after_member="retryAfterSeconds")
    async def get_report_run(self, *, operationId: RunId) -> Annotated[JsonObject, RunState]:
        """Show the state of a report run, without its results. While it is pending or running, wait
        retryAfterSeconds before you ask again."""
        ...

    @get("/analytics/v1/reports/operations/{operationId}/results", slow=True)
    async def get_report_run_results(
        self,
        *,
        operationId: RunId,
        fileOutput: Annotated[FileType | None, "Also make a file, and return a link to it."] = None,
    ) -> Annotated[JsonObject, RunResults]:
        """Return the results of a report run that succeeded, optionally with a PDF or PNG file of the report."""
        ...

    @post("/analytics/v1/reports/actions/run", read_only=True, slow=False, needs_idempotency_key=True)
    async def _start(self, *, dryRun: bool | None = None, **body: Unpack[RunBody]) -> JsonObject: ...

    @offers(_start)
    async def start_query_run(
        self, *, dryRun: DryRun = None, **arguments: Unpack[NewRun]
    ) -> Annotated[JsonObject, StartedRun]:
        """Start a query in the background, and return at once. run_query waits for its results and is simpler. An equal
        query that is running is not started again."""
        config = normalize_config(cast(JsonObject, arguments["query"]))
        return await self._start(dryRun=dryRun, config=cast(QueryConfig, config))

    @post("/analytics/v1/reports/{id}/actions/run", read_only=True, slow=False, needs_idempotency_key=True)
    async def start_report_run(
        self,
        *,
        id: Id,
        dryRun: DryRun = None,
        timeRange: Annotated[
            str | None, "Replaces the report's period: P30D, P6M, P1Y, up to now.", DURATION_PATTERN
        ] = None,
        startDate: Annotated[str | None, f"Instead: first day, {DAY}; with endDate."] = None,
        endDate: Annotated[str | None, f"Last day, {DAY}; with startDate."] = None,
    ) -> Annotated[JsonObject, StartedRun]:
        """Start a saved report in the background, and return at once. get_report_results waits for its results and is
        simpler."""
        ...

    @post(
        "/analytics/v1/reports/operations/{operationId}/actions/cancel",
        confirm=Unconfirmed("Only the computation ends, and it can be started again."),
        preview_with=get_report_run,
        destructive=True,
        open_world=False,
        no_undo="A canceled run does not continue. Start the report or the query again.",
        sets_status=True,
        needs_idempotency_key=True,
    )
    async def cancel_report_run(
        self, *, operationId: RunId, dryRun: DryRun = None
    ) -> Annotated[JsonObject, StartedRun]:
        """Cancel a report run. Equal queries of other users share one run, so theirs can end too. A run that has ended
        does not change."""
        ...
