"""Commitments as read from PerfectScale for Commitments, for all accounts of a customer in a cloud."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
TOO_MANY_ACCOUNTS = f"there are {{count}} {{noun}}; combined figures are read for up to {MAX_ORGANIZATIONS}"

ReadAccount = Callable[[str], Awaitable[Any]]
"""Reads one topic of the account with an id."""


async def read_aws(call: Call, today: date) -> CloudReadings:
    """Read the commitments of all AWS organizations. Raise ApiError if they cannot be listed, or are too many."""
    doit, names = call.doit, await list_organizations(call)
    topics: dict[str, ReadAccount] = {
        "coverage": lambda id: doit.aws_commitments.get_aws_organization(managementAccountId=id),
        "plans": partial(read_savings_plans, doit),
        "reserved": partial(read_reserved_instances, doit),
        "advice": partial(read_recommended_purchases, doit),
        "planned": partial(read_planned_steps, doit, today=today),
    }
    readings = await _read_accounts(CloudReadings(AWS, names, NO_ORGANIZATION), "AWS organizations", topics)
    return replace(readings, spend=add_spend(readings.found.get("coverage", ())))


async def read_google(call: Call, today: date) -> CloudReadings:
    """Read the commitments of all Google Cloud billing accounts. Raise ApiError if they cannot be listed, or are too
    many."""
    doit, names = call.doit, await list_billing_accounts(call)
    topics: dict[str, ReadAccount] = {
        "coverage": lambda id: doit.gcp_commitments.get_gcp_billing_account(billingAccountId=id),
        "spend": partial(read_spend_cuds, doit),
        "resource": partial(read_resource_cuds, doit),
        "advice": partial(read_cud_purchases, doit),
        "planned": partial(read_cud_steps, doit, today=today),
    }
    empty = CloudReadings(GOOGLE, names, NO_BILLING_ACCOUNT)
    readings = await _read_accounts(empty, "Google Cloud billing accounts", topics)
    return replace(readings, spend=add_google_spend(readings.found.get("coverage", ())))


async def _read_accounts(readings: CloudReadings, noun: str, topics: Mapping[str, ReadAccount]) -> CloudReadings:
    """Return *readings* with the results and errors of all *topics* of all accounts. *noun* names them in errors.

    Raise ApiError for too many accounts: a sum over some of them would be wrong.
    """
    if (count := len(readings.names)) > MAX_ORGANIZATIONS:
        raise ApiError(TOO_MANY_ACCOUNTS.format(count=count, noun=noun), kind="answer")
    work = {(topic, account): partial(read, account) for account in readings.names for topic, read in topics.items()}
    by_name = {" ".join(key): key for key in work}
    parts = await gather_in_turns(
        {name: work[key] for name, key in by_name.items()}, MAX_CONCURRENT_REQUESTS, READ_SECONDS
    )
    found: dict[str, list[Any]] = {}
    for name, result in parts.results.items():
        found.setdefault(by_name[name][0], []).extend(result if isinstance(result, list) else [result])
    errors = {by_name[name][0]: describe_error(error) for name, error in parts.errors.items()}
    return replace(readings, found=found, errors=errors)
