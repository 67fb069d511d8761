"""Savings summary: what could be saved, what is paid for and unused, and what is at stake, each on its own basis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Annotated, NamedTuple

from ...api import Doit
from ...api.pagination import parse_page
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..anomalies.linked_anomalies import keep_one_per_spike
from ..anomalies.tools import is_open
from ..call import Call
from ..commitments.account_names import ROWS_PER_REQUEST
from ..commitments.aws import (
    MAX_CONCURRENT_REQUESTS,
    MAX_ORGANIZATIONS,
    PER_MONTH,
    READ_SECONDS,
    OwnedCommitment,
    RecommendedPurchase,
    list_organizations,
    read_recommended_purchases,
    read_reserved_instances,
    read_savings_plans,
)
from ..commitments.contract_periods import ContractPeriod, read_running_periods
from ..commitments.google import list_billing_accounts, read_cud_purchases, read_resource_cuds, read_spend_cuds
from ..partial_results import FailedPart, PartialResults, gather_in_turns, gather_partial, make_failures_member
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, Series, make_columns
from .overlaps import find_overlaps
from .recommendations import next_page_token
from .result_types import SavingsSummary
from .rows import anomaly_row, purchase_row, rank_rows, recommendation_row, shortfall_row, waste_row

AWS_PART, GOOGLE_PART = "AWS commitments", "Google Cloud commitments"
BASES = MappingProxyType(
    {
        "save": f"saved {PER_MONTH}",
        "waste": f"unused {PER_MONTH}",
        "at_stake": "one-time amounts: forecast shortfalls at the end of each contract period, anomaly costs to date",
    }
)
UNREAD_ACCOUNTS = "waste and purchases"
UNREAD_PARTS = MappingProxyType(
    {
        "save": ("recommendation", "further recommendations", AWS_PART, GOOGLE_PART, "save", UNREAD_ACCOUNTS),
        "waste": (AWS_PART, GOOGLE_PART, "waste"),
        "at_stake": ("commitment", "anomaly", "earlier anomalies"),
    }
)
"""Prefixes of the names of failed parts, by the list whose rows they contain."""
NOT_REPORTED = "the cloud has not reported the utilization"
NOT_PRICED = "the API has no price for resource-based ones"
MAX_RECOMMENDATION_PAGES = 4
ANOMALIES_PER_REQUEST = 200
NO_ACCOUNT = MappingProxyType(
    {
        AWS_PART: "unused commitments and purchases on AWS: no AWS organization is onboarded to PerfectScale for "
        "Commitments",
        GOOGLE_PART: "unused commitments and purchases on Google Cloud: no billing account is onboarded to PerfectScale "
        "for Commitments",
    }
)


class Findings(NamedTuple):
    """The commitments of all accounts of a cloud (AWS organizations or Google Cloud billing accounts), and the
    purchases recommended to them."""

    names: Mapping[str, str]
    owned: Sequence[OwnedCommitment]
    purchases: Sequence[RecommendedPurchase]
    failures: Sequence[FailedPart]


def account_name(identifier: str, names: Mapping[str, str]) -> str:
    """Return the name of an account followed by its id, or only its id."""
    name = names.get(identifier)
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
        GOOGLE_PART: _read_google(call),
    }
    parts = (await gather_partial(work)).raise_if_all_failed()
    owned = _join_findings(parts)
    unknown, failures = _list_unknown(parts, owned), [*parts.failures, *owned.failures, *cut]
    count = len(parts.results.get("recommendation", ())) + len(owned.owned)
    lists, series = await run_by_rows(count, _make_lists, parts, owned, failures, top)
    answer = {"asOf": today.isoformat(), **lists, **({"unknown": unknown} if unknown else {})}
    return answer | make_failures_member(failures), series


def _join_findings(parts: PartialResults) -> Findings:
    """Return the findings of all clouds together."""
    found: list[Findings] = [parts.results[name] for name in (AWS_PART, GOOGLE_PART) if name in parts.results]
    return Findings(
        {identifier: name for one in found for identifier, name in one.names.items()},
        [item for one in found for item in one.owned],
        [item for one in found for item in one.purchases],
        [failure for one in found for failure in one.failures],
    )


def _make_lists(
    parts: PartialResults, found: Findings, failures: Sequence[FailedPart], top: int
) -> tuple[JsonObject, list[Series]]:
    """Return the ranked lists of the answer, with their basis, counts and overlaps, and all rows as series."""
    recommendations: list[JsonObject] = parts.results.get("recommendation", [])
    purchases = [purchase_row(item, account_name(item.account, found.names)) for item in found.purchases]
    lists = {
        "save": rank_rows([*map(recommendation_row, recommendations), *purchases]),
        "waste": rank_rows(filter(None, map(waste_row, found.owned))),
        "at_stake": rank_rows(
            [
                *filter(None, map(shortfall_row, parts.results.get("commitment", ()))),
                *map(anomaly_row, parts.results.get("anomaly", ())),
            ]
        ),
    }
    rows = {name: [row.as_json for row in ranked] for name, ranked in lists.items()}
    shown = {
        **{name: listed[:top] for name, listed in rows.items()},
        "basis": dict(BASES),
        "counts": {name: None if _is_unread(name, failures) else len(listed) for name, listed in rows.items()},
        "overlaps": find_overlaps(recommendations, found.purchases, {row.id for row in lists["save"][:top]}),
    }
    return shown, [_savings_series(name, listed) for name, listed in rows.items() if listed]


def _is_unread(name: str, failures: Sequence[FailedPart]) -> bool:
    """Return whether rows of a list were not read, so that their number is unknown."""
    return any(failure["part"].startswith(UNREAD_PARTS[name]) for failure in failures)


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


def _list_unknown(parts: PartialResults, found: Findings) -> list[str]:
    """Return what may cost or save money but has no known amount, as sentences: it is not zero."""
    periods: Sequence[ContractPeriod] = parts.results.get("commitment", ())
    unforecast = [
        f"shortfall of {item.title}: too little data for a forecast" for item in periods if item.forecast is None
    ]
    unmeasured = sum(item.utilization is None for item in found.owned)
    # A fully used commitment wastes nothing, whatever its price.
    unpriced = sum(
        item.hourly_cost is None and item.utilization is not None and item.utilization < 1 for item in found.owned
    )
    unused = [
        f"unused part of {count} {'commitment' if count == 1 else 'commitments'}: {why}"
        for count, why in ((unmeasured, NOT_REPORTED), (unpriced, NOT_PRICED))
        if count
    ]
    missing = [why for name, why in NO_ACCOUNT.items() if name in parts.results and not parts.results[name].names]
    return [*unforecast, *unused, *missing]


async def _read_recommendations(doit: Doit, cut: list[FailedPart]) -> list[JsonObject]:
    """Return the recommendations; if there are too many, add an entry to *cut*."""
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
    # Newest first, because open anomalies began recently.
    answer = await doit.anomalies.get_anomalies(maxResults=ANOMALIES_PER_REQUEST, sortBy="startTime", sortOrder="desc")
    page = parse_page(answer, "anomalies")
    if page.next_token:
        cut.append({"part": "earlier anomalies", "why": f"only the newest {len(page.rows)} are read"})
    return keep_one_per_spike([row for row in page.rows if is_open(row)])


Readers = Mapping[str, Callable[[Doit, str], Awaitable[object]]]
"""Functions that read the parts of an account, by the name of the part."""
AWS_READERS: Readers = MappingProxyType(
    {
        "waste: Savings Plans of": read_savings_plans,
        "waste: Reserved Instances of": read_reserved_instances,
        "save: purchases for": read_recommended_purchases,
    }
)
GOOGLE_READERS: Readers = MappingProxyType(
    {
        "waste: spend-based commitments of": read_spend_cuds,
        "waste: resource-based commitments of": read_resource_cuds,
        "save: purchases for": read_cud_purchases,
    }
)


async def _read_aws(call: Call) -> Findings:
    return await _read_accounts(call.doit, await list_organizations(call), AWS_READERS, "AWS organizations")


async def _read_google(call: Call) -> Findings:
    return await _read_accounts(call.doit, await list_billing_accounts(call), GOOGLE_READERS, "billing accounts")


async def _read_accounts(doit: Doit, names: Mapping[str, str], readers: Readers, noun: str) -> Findings:
    work = {
        f"{part} {identifier}": partial(reader, doit, identifier)
        for identifier in list(names)[:MAX_ORGANIZATIONS]
        for part, reader in readers.items()
    }
    parts = await gather_in_turns(work, MAX_CONCURRENT_REQUESTS, READ_SECONDS)
    found = [item for rows in parts.results.values() for item in rows]
    return Findings(
        names,
        [item for item in found if isinstance(item, OwnedCommitment)],
        [item for item in found if isinstance(item, RecommendedPurchase)],
        [*parts.failures, *_unread_accounts(len(names), noun)],
    )


def _unread_accounts(count: int, noun: str) -> list[FailedPart]:
    """Return the entry about accounts that are not read because there are too many; empty if all are read."""
    if count <= MAX_ORGANIZATIONS:
        return []
    part = f"{UNREAD_ACCOUNTS} of {count - MAX_ORGANIZATIONS} {noun}"
    return [{"part": part, "why": f"only the first {MAX_ORGANIZATIONS} {noun.removeprefix('AWS ')} are read"}]
