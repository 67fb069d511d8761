"""Contract periods: spending commitments to a cloud, and the forecast shortfall of the period that is running."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ...api import Doit
from ...api.pagination import iterate_rows
from ...protocol.jsonrpc import JsonObject
from .account_names import ROWS_PER_REQUEST
from .aws import parse_day, parse_decimal, parse_last_day


class ContractPeriod(NamedTuple):
    """The running period (contract year) of a spending commitment.

    *starts* and *ends* are its first and last day. *forecast* is the attainment that DoiT expects at the end of the
    period; None if there is not enough data.
    """

    contract: str
    title: str
    cloud: str
    currency: str
    starts: date
    ends: date
    committed: Decimal
    forecast: Decimal | None
    attained: Decimal | None

    @property
    def shortfall(self) -> Decimal | None:
        """The forecast shortfall at the end of the period; 0 if the commitment is met, None if unknown."""
        return None if self.forecast is None else max(self.committed - self.forecast, Decimal(0))


async def read_running_periods(doit: Doit, today: date) -> list[ContractPeriod]:
    """Return the running periods of the customer's commitments. Raise ApiError."""
    rows = iterate_rows(doit.commitments.list_commitments, maxResults=ROWS_PER_REQUEST)
    return list(running_periods([row async for row in rows], today))


def running_periods(contracts: list[JsonObject], today: date) -> Iterator[ContractPeriod]:
    """Yield the running period of each commitment that list_commitments returned.

    Other periods are left out, because their shortfalls do not add up with that of the running one.
    """
    for contract in contracts:
        rows = contract.get("periods")
        for row in rows if isinstance(rows, list) else []:
            period = _parse_period(contract, row) if isinstance(row, dict) else None
            if period is not None and period.starts <= today <= period.ends:
                yield period


def _parse_period(contract: JsonObject, row: JsonObject) -> ContractPeriod | None:
    starts, ends = parse_day(row.get("startDate")), parse_last_day(row.get("endDate"))
    if starts is None or ends is None:
        return None
    forecast = parse_decimal(row.get("forecastValue"))
    return ContractPeriod(
        str(contract.get("id") or ""),
        str(contract.get("name") or contract.get("id") or ""),
        str(contract.get("cloudProvider") or ""),
        str(contract.get("currency") or "USD"),
        starts,
        ends,
        parse_decimal(row.get("commitmentValue")) or Decimal(0),
        # The API returns 0 if there is too little history to forecast.
        forecast if forecast else None,
        parse_decimal(contract.get("totalCurrentAttainment"))
        if starts == parse_day(contract.get("startDate"))
        else None,
    )
