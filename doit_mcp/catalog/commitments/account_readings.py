"""Commitments as read from PerfectScale for Commitments, for all accounts of a customer in a cloud."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from ...api.errors import ApiError
from ..call import Call
from ..partial_results import describe_error, gather_in_turns
from .aws import (
    AWS,
    MAX_CONCURRENT_REQUESTS,
    MAX_ORGANIZATIONS,
    READ_SECONDS,
    list_organizations,
    read_recommended_purchases,
    read_reserved_instances,
    read_savings_plans,
)
from .coverage import add_google_spend, add_spend
from .figures import CloudReadings
from .google import (
    GOOGLE,
    list_billing_accounts,
    read_cud_purchases,
    read_cud_steps,
    read_resource_cuds,
    read_spend_cuds,
)
from .planned_purchases import read_planned_steps

NO_ORGANIZATION = "no AWS organization is onboarded to PerfectScale for Commitments"
NO_BILLING_ACCOUNT = "no Google Cloud billing account is onboarded to PerfectScale for Commitments"
TOO_MANY_ACCOUNTS = f"there are {{count}} {{noun}}; figures of all together are read for up to {MAX_ORGANIZATIONS}"

Reader = Callable[[], Awaitable[Any]]


async def read_aws(call: Call, today: date) -> CloudReadings:
    """Read the commitments of all AWS organizations. Raise ApiError if they cannot be listed, or are too many."""
    doit, names = call.doit, await list_organizations(call)
    _check_count(names, "AWS organizations")
    work: dict[tuple[str, str], Reader] = {}
    for identifier in names:
        work["coverage", identifier] = partial(
            doit.aws_commitments.get_aws_organization, managementAccountId=identifier
        )
        work["plans", identifier] = partial(read_savings_plans, doit, identifier)
        work["reserved", identifier] = partial(read_reserved_instances, doit, identifier)
        work["advice", identifier] = partial(read_recommended_purchases, doit, identifier)
        work["planned", identifier] = partial(read_planned_steps, doit, identifier, today)
    readings = await _read_topics(CloudReadings(AWS, names, NO_ORGANIZATION), work)
    return replace(readings, spend=add_spend(readings.found.get("coverage", ())))


async def read_google(call: Call, today: date) -> CloudReadings:
    """Read the commitments of all Google Cloud billing accounts. Raise ApiError if they cannot be listed, or are too
    many."""
    doit, names = call.doit, await list_billing_accounts(call)
    _check_count(names, "Google Cloud billing accounts")
    work: dict[tuple[str, str], Reader] = {}
    for identifier in names:
        work["coverage", identifier] = partial(
            doit.gcp_commitments.get_gcp_billing_account, billingAccountId=identifier
        )
        work["spend", identifier] = partial(read_spend_cuds, doit, identifier)
        work["resource", identifier] = partial(read_resource_cuds, doit, identifier)
        work["advice", identifier] = partial(read_cud_purchases, doit, identifier)
        work["planned", identifier] = partial(read_cud_steps, doit, identifier, today)
    readings = await _read_topics(CloudReadings(GOOGLE, names, NO_BILLING_ACCOUNT), work)
    return replace(readings, spend=add_google_spend(readings.found.get("coverage", ())))


def _check_count(names: Iterable[str], noun: str) -> None:
    if (count := len(list(names))) > MAX_ORGANIZATIONS:
        # A sum over some of the accounts would be wrong.
        raise ApiError(TOO_MANY_ACCOUNTS.format(count=count, noun=noun), kind="answer")


async def _read_topics(readings: CloudReadings, work: Mapping[tuple[str, str], Reader]) -> CloudReadings:
    """Return *readings* with the results and errors of *work*, which is by topic and account."""
    by_name = {" ".join(key): key for key in work}
    parts = await gather_in_turns(
        {name: work[key] for name, key in by_name.items()}, MAX_CONCURRENT_REQUESTS, READ_SECONDS
    )
    found: dict[str, list[Any]] = {}
    for name, result in parts.results.items():
        found.setdefault(by_name[name][0], []).extend(result if isinstance(result, list) else [result])
    errors = {by_name[name][0]: describe_error(error) for name, error in parts.errors.items()}
    return replace(readings, found=found, errors=errors)
