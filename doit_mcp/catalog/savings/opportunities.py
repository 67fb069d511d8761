"""Savings summary: what could be saved, what is paid for and unused, and what is at stake, each on its own basis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Annotated

from ...api import Doit
from ...api.pagination import parse_page
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..anomalies.linked import one_of_each_spike
from ..call import Call
from ..commitments.aws import (
    MAX_CONCURRENT_REQUESTS,
    MAX_ORGANIZATIONS,
    PER_MONTH,
    READ_SECONDS,
    ROWS_PER_REQUEST,
    OwnedCommitment,
    RecommendedPurchase,
    list_organizations,
    read_recommended_purchases,
    read_reserved_instances,
    read_savings_plans,
)
from ..commitments.contract_periods import ContractPeriod, read_running_periods
from ..partial_results import FailedPart, PartialResults, failed_members, gather_in_turns, gather_partial
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, Series, make_columns
from .overlaps import find_overlaps
from .recommendations import next_page_token
from .result_types import SavingsSummary
from .rows import anomaly_row, purchase_row, rank_rows, recommendation_row, shortfall_row, waste_row

AWS_PART = "AWS commitments"
BASES = MappingProxyType(
    {
        "save": f"saved {PER_MONTH}",
        "waste": f"unused {PER_MONTH}",
        "at_stake": "once: shortfalls until periodEnds, anomalies so far",
    }
)
MAX_RECOMMENDATION_PAGES = 4
ANOMALIES_PER_REQUEST = 200
NO_ORGANIZATION = (
    "unused commitments and purchases on AWS: no AWS organization is onboarded to PerfectScale for Commitments"
)


@dataclass(frozen=True, slots=True)
class AwsFindings:
    """The commitments of all AWS organizations, and the purchases recommended to them."""

    organization_names: Mapping[str, str]
    owned: Sequence[OwnedCommitment]
    purchases: Sequence[RecommendedPurchase]
    failures: Sequence[FailedPart]

    def organization_name(self, identifier: str) -> str:
        """Return the name of an organization, with its id."""
        name = self.organization_names.get(identifier)
        return f"{name} ({identifier})" if name else identifier


@composed_tool(
    area="insights",
    search_hint="How can we save money: savings, unused commitments, ranked",
    slow=True,
    default_list=True,
    view=True,
)
async def get_savings_summary(
    call: Call, *, top: Annotated[int, "How many rows of each list.", Range(1, 50)] = 7
) -> Annotated[ResultWithSeries, SavingsSummary]:
    """Show where money can be saved, in lists that do not add up: save (recommendations, commitments to buy), waste
    (unused commitments) and at_stake (contracts that fall short, open anomalies). For coverage and utilization, use
    commitment_summary."""
    summary, series = await summarize_savings(call, top)
    return ResultWithSeries(summary, {"series": series})


async def summarize_savings(call: Call, top: int) -> tuple[JsonObject, list[Series]]:
    """Return the answer of get_savings_summary with *top* rows of each list, and all rows as series. Raise ApiError."""
    doit, today = call.doit, utc_date(call.now)
    cut: list[FailedPart] = []
    work: dict[str, Awaitable[object]] = {
        "recommendation": _read_recommendations(doit, cut),
        "commitment": read_running_periods(doit, today),
        "anomaly": _read_open_anomalies(doit, cut),
        AWS_PART: _read_aws(call),
    }
    parts = (await gather_partial(work)).raise_if_all_failed()
    aws: AwsFindings = parts.results.get(AWS_PART) or AwsFindings({}, (), (), ())
    unknown, failures = _unknown(parts, aws), [*parts.failures, *aws.failures, *cut]
    count = len(parts.results.get("recommendation", ())) + len(aws.owned)
    lists, series = await run_by_rows(count, _lists, parts, aws, top)
    answer = {"asOf": today.isoformat(), **lists, **({"unknown": unknown} if unknown else {})}
    return answer | failed_members(failures), series


def _lists(parts: PartialResults, aws: AwsFindings, top: int) -> tuple[JsonObject, list[Series]]:
    """Return the ranked lists of the answer, with what their amounts are, their counts and overlaps; and all rows."""
    recommendations: list[JsonObject] = parts.results.get("recommendation", [])
    purchases = [purchase_row(item, aws.organization_name(item.organization)) for item in aws.purchases]
    lists = {
        "save": rank_rows([*map(recommendation_row, recommendations), *purchases]),
        "waste": rank_rows(filter(None, map(waste_row, aws.owned))),
        "at_stake": rank_rows(
            [
                *filter(None, map(shortfall_row, parts.results.get("commitment", ()))),
                *map(anomaly_row, parts.results.get("anomaly", ())),
            ]
        ),
    }
    rows = {name: [row.as_json for row in found] for name, found in lists.items()}
    shown = {
        **{name: found[:top] for name, found in rows.items()},
        "basis": dict(BASES),
        "counts": {name: len(found) for name, found in rows.items()},
        "overlaps": find_overlaps(recommendations, aws.purchases, {row.id for row in lists["save"][:top]}),
    }
    return shown, [_savings_series(name, found) for name, found in rows.items() if found]


def _savings_series(name: str, rows: Sequence[JsonObject]) -> Series:
    """Return all rows of one list as bars. Each has its own currency."""
    return {
        "name": name,
        "kind": "bars",
        "columns": [
            *make_columns("id", "name", "part"),
            *make_columns("cost", unit="money"),
            *make_columns("currency"),
        ],
        "rows": [[row["id"], row["title"], row["kind"], row["amount"], row["currency"]] for row in rows],
    }


def _unknown(parts: PartialResults, aws: AwsFindings) -> list[str]:
    """Return what may cost or save money but has no amount, as sentences: it is not zero."""
    periods: Sequence[ContractPeriod] = parts.results.get("commitment", ())
    unforecast = [
        f"shortfall of {item.title}: too little data for a forecast" for item in periods if item.forecast is None
    ]
    unmeasured = sum(item.utilization is None for item in aws.owned)
    noun = "commitment" if unmeasured == 1 else "commitments"
    unused = [f"unused part of {unmeasured} {noun}: AWS has not reported the utilization"] if unmeasured else []
    missing = [NO_ORGANIZATION] if AWS_PART in parts.results and not aws.organization_names else []
    return [*unforecast, *unused, *missing]


async def _read_recommendations(doit: Doit, cut: list[FailedPart]) -> list[JsonObject]:
    """Return the recommendations; if there are more than fit, add an entry to *cut*."""
    method = doit.insights.list_optimization_recommendations
    rows: list[JsonObject] = []
    token: str | None = None
    for _ in range(MAX_RECOMMENDATION_PAGES):
        answer = await method(displayStatus=["actionable"], maxResults=ROWS_PER_REQUEST, pageToken=token)
        rows += parse_page(answer, "results").rows
        token = next_page_token(answer)
        if token is None:
            return rows
    cut.append({"part": "further recommendations", "why": f"only the first {len(rows)} are read"})
    return rows


async def _read_open_anomalies(doit: Doit, cut: list[FailedPart]) -> list[JsonObject]:
    """Return the open anomalies among the newest ones, each spike once; if there are more, add an entry to *cut*."""
    # The newest first, because an anomaly that is open began lately.
    answer = await doit.anomalies.get_anomalies(maxResults=ANOMALIES_PER_REQUEST, sortBy="startTime", sortOrder="desc")
    page = parse_page(answer, "anomalies")
    if page.next_token:
        cut.append({"part": "earlier anomalies", "why": f"only the newest {len(page.rows)} are read"})
    return one_of_each_spike([row for row in page.rows if row.get("status") != "inactive"])


async def _read_aws(call: Call) -> AwsFindings:
    doit, organizations = call.doit, await list_organizations(call)
    work: dict[str, Callable[[], Awaitable[object]]] = {}
    for identifier in list(organizations)[:MAX_ORGANIZATIONS]:
        work[f"waste: Savings Plans of {identifier}"] = partial(read_savings_plans, doit, identifier)
        work[f"waste: Reserved Instances of {identifier}"] = partial(read_reserved_instances, doit, identifier)
        work[f"save: purchases for {identifier}"] = partial(read_recommended_purchases, doit, identifier)
    parts = await gather_in_turns(work, MAX_CONCURRENT_REQUESTS, READ_SECONDS)
    found = [item for rows in parts.results.values() for item in rows]
    return AwsFindings(
        organizations,
        [item for item in found if isinstance(item, OwnedCommitment)],
        [item for item in found if isinstance(item, RecommendedPurchase)],
        [*parts.failures, *_unread_organizations(len(organizations))],
    )


def _unread_organizations(count: int) -> list[FailedPart]:
    """Return the entry about organizations that are not read because there are too many; empty if all are read."""
    if count <= MAX_ORGANIZATIONS:
        return []
    part = f"waste and purchases of {count - MAX_ORGANIZATIONS} AWS organizations"
    return [{"part": part, "why": f"only the first {MAX_ORGANIZATIONS} organizations are read"}]
