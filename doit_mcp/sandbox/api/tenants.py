"""The state of each customer, made on first use, and what a handler gets to answer a request."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import jsonschema_rs
import orjson
from aiohttp import web

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, Customer, User
from .billing_data import BillingData, Computed
from .costs.calendar_days import today_of
from .costs.ledger import Ledger
from .listing import Page, query_integer
from .responses import ApiError, JsonObject, bad_request

ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 20
MAX_RECORDS = 2000  # of one kind; a world is not a place to fill
MAX_REPORTED_PROBLEMS = 10

Records = dict[str, JsonObject]
Seed = Callable[["Tenant"], Iterable[JsonObject]]


class Tenant:
    """One customer's world: billing lines and what its users made. *started_at* is when it began, in epoch seconds.

    *books* are its billing lines. *slug_owners* are the URL slugs that are taken, with the customers' ids: with *directory*
    the only thing that all tenants share.
    """

    def __init__(
        self,
        customer: Customer,
        billing_data: BillingData,
        *,
        started_at: float,
        seed: int,
        slug_owners: dict[str, str],
        directory: AccountDirectory = DEFAULT_DIRECTORY,
    ) -> None:
        self.customer = customer
        self.slug_owners = slug_owners
        self.directory = directory
        self.started_at = started_at
        self._billing_data = billing_data
        self._seed = seed
        self._ids = random.Random(f"{seed}/{customer.id}")
        self._collections: dict[str, Records] = {}

    def collection(self, name: str, seed: Seed) -> Records:
        """The records of a kind by their id, oldest first; *seed* makes those that were always there."""
        if name not in self._collections:
            records = ({"id": self.stable_id(name, str(at)), **one} for at, one in enumerate(seed(self)))
            self._collections[name] = {str(record["id"]): record for record in records}
        return self._collections[name]

    def new_id(self) -> str:
        """An opaque id that was never given before."""
        return "".join(self._ids.choices(ID_ALPHABET, k=ID_LENGTH))

    def stable_id(self, *parts: str) -> str:
        """An opaque id that is the same in every world of this seed."""
        digest = hashlib.blake2b("/".join((str(self._seed), self.customer.id, *parts)).encode()).digest()
        return "".join(ID_ALPHABET[byte % len(ID_ALPHABET)] for byte in digest[:ID_LENGTH])

    @property
    def ledger(self) -> Ledger:
        """Billing lines up to today."""
        return self._billing_data.ledger

    def compute_cached(self, make: Callable[[Ledger], Computed]) -> Computed:
        """What *make*, a function of a module, says of the lines; it is asked once a day."""
        return self._billing_data.compute_cached(make)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that may be answered: who asks, for which tenant, when (epoch seconds)."""

    http_request: web.Request
    user: User
    tenant: Tenant
    now: float

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters; what the document does not name is ignored."""
        return self.http_request.query

    @property
    def today(self) -> int:
        """Today as a day ordinal."""
        return today_of(self.now)

    @property
    def now_milliseconds(self) -> int:
        """Now in epoch milliseconds."""
        return int(self.now * 1000)

    @property
    def scope(self) -> str:
        """What a page token of this list is bound to."""
        return f"{self.tenant.customer.id} {self.http_request.path}"

    def path_parameter(self, name: str) -> str:
        """A part of the path."""
        return self.http_request.match_info[name]

    def page_size(self, default: int | None = 50, maximum: int | None = None) -> int | None:
        """maxResults, or the list's default."""
        return query_integer(self.query, "maxResults", 1, maximum) or default

    def list_body(self, name: str, page: Page) -> JsonObject:
        """The usual list answer: rows, rowCount of this page, pageToken if there are more."""
        body: JsonObject = {name: page.rows, "rowCount": len(page.rows)}
        if page.token:
            body["pageToken"] = page.token
        return body

    async def read_body(self, schema: jsonschema_rs.Validator) -> JsonObject:
        """The JSON body; 400 naming the places where it does not fit."""
        try:
            found = orjson.loads(await self.http_request.read())
        except ValueError:
            raise bad_request("the body is not JSON") from None
        problems = [(".".join(map(str, error.instance_path)), error.message) for error in schema.iter_errors(found)]
        if problems:
            told = (f"{place or 'body'}: {message[:200]}" for place, message in problems[:MAX_REPORTED_PROBLEMS])
            raise bad_request("; ".join(told), field=problems[0][0])
        document: JsonObject = found
        return document


def get_existing(records: Records, identifier: str, kind: str) -> JsonObject:
    """A record by id; 404 if there is none."""
    if identifier not in records:
        raise ApiError(404, f"{kind} not found")
    return records[identifier]


def add_record(records: Records, record: JsonObject) -> JsonObject:
    """The record, now one of *records*; 409 when there are too many."""
    check_capacity(records, 1)
    records[str(record["id"])] = record
    return record


def check_capacity(records: Records, count: int) -> None:
    """409 when there are too many for so many more."""
    if len(records) + count > MAX_RECORDS:
        raise ApiError(409, f"there are {MAX_RECORDS} of these at most: delete some first")


def newest_first(records: Records, field: str = "createTime") -> list[JsonObject]:
    """The records in reverse chronological order, the later made first where times agree."""
    return sorted(reversed(records.values()), key=lambda record: record[field], reverse=True)
