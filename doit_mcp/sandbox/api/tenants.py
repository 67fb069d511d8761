"""State of each customer, created on first use, and the request context of handlers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import jsonschema_rs
import orjson
from aiohttp import web

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, Customer, User
from .billing_data import BillingData, Computed
from .costs.calendar_days import day_of_seconds
from .costs.ledger import Ledger
from .listing import Page, paginate, query_integer
from .report_timing import ReportTiming
from .responses import ApiError, JsonObject, bad_request
from .service_tokens import ServiceTokens

ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 20
MAX_RECORDS = 2000  # of one kind, to bound memory
MAX_REPORTED_PROBLEMS = 10
MAX_PROBLEM_CHARACTERS = 200

Records = dict[str, JsonObject]
Seed = Callable[["Tenant"], Iterable[JsonObject]]


class Tenant:
    """The state of one customer: billing lines and records. *started_at* is its creation in epoch seconds.

    *slug_owners* maps the URL slugs in use to customer ids. Tenants share only it, *service_tokens*, *directory* and
    *report_timing*.
    """

    def __init__(
        self,
        customer: Customer,
        billing_data: BillingData,
        *,
        started_at: float,
        seed: int,
        slug_owners: dict[str, str],
        service_tokens: ServiceTokens,
        directory: AccountDirectory = DEFAULT_DIRECTORY,
        report_timing: ReportTiming | None = None,
    ) -> None:
        self.customer = customer
        self.report_timing = report_timing or ReportTiming()
        self.slug_owners = slug_owners
        self.service_tokens = service_tokens
        self.directory = directory
        self.started_at = started_at
        self._billing_data = billing_data
        self._seed = seed
        self._ids = random.Random(f"{seed}/{customer.id}")
        self._collections: dict[str, Records] = {}

    def collection(self, name: str, seed: Seed) -> Records:
        """The records of a kind by id, oldest first; *seed* creates the initial ones."""
        if name not in self._collections:
            records = ({"id": self.stable_id(name, str(at)), **item} for at, item in enumerate(seed(self)))
            self._collections[name] = {str(record["id"]): record for record in records}
        return self._collections[name]

    def new_id(self) -> str:
        """A new opaque id."""
        return "".join(self._ids.choices(ID_ALPHABET, k=ID_LENGTH))

    def stable_id(self, *parts: str) -> str:
        """An opaque id that depends only on *parts* and the sandbox's seed."""
        digest = hashlib.blake2b("/".join((str(self._seed), self.customer.id, *parts)).encode()).digest()
        return "".join(ID_ALPHABET[byte % len(ID_ALPHABET)] for byte in digest[:ID_LENGTH])

    @property
    def ledger(self) -> Ledger:
        """Billing lines up to today."""
        return self._billing_data.ledger

    def compute_cached(self, make: Callable[[Ledger], Computed]) -> Computed:
        """The result of *make*, a module-level function of the ledger, computed once a day."""
        return self._billing_data.compute_cached(make)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """An authorized request: the user, the tenant, and the time in epoch seconds.

    *open_tenant* returns the state of another customer, for operations about customers of the hierarchy.
    """

    http_request: web.Request
    user: User
    tenant: Tenant
    now: float
    open_tenant: Callable[[Customer], Awaitable[Tenant]]

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters; handlers ignore those that the API document does not define."""
        return self.http_request.query

    @property
    def today(self) -> int:
        """Today as a day ordinal."""
        return day_of_seconds(self.now)

    @property
    def now_milliseconds(self) -> int:
        """Now in epoch milliseconds."""
        return int(self.now * 1000)

    @property
    def scope(self) -> str:
        """The list of this path, which page tokens belong to."""
        return f"{self.tenant.customer.id} {self.http_request.path}"

    def path_parameter(self, name: str) -> str:
        """A path parameter."""
        return self.http_request.match_info[name]

    def paginate(
        self,
        rows: Sequence[JsonObject],
        default_size: int | None = 50,
        max_size: int | None = None,
        *,
        scope: str = "",
        key: str = "id",
        lifetime: int | None = None,
    ) -> Page:
        """The page of *rows* that the query selects with pageToken and maxResults.

        *scope* is the list that page tokens belong to, by default the list of this path. Tokens expire after *lifetime*
        seconds, if given.
        """
        size = query_integer(self.query, "maxResults", 1, max_size) or default_size
        validity = None if lifetime is None else (self.now, self.now + lifetime)
        token = self.query.get("pageToken", "")
        return paginate(rows, token, size, scope=scope or self.scope, key=key, validity=validity)

    def list_body(self, name: str, page: Page) -> JsonObject:
        """The usual list response: rows, rowCount of this page, and pageToken if there are more."""
        body: JsonObject = {name: page.rows, "rowCount": len(page.rows)}
        if page.token:
            body["pageToken"] = page.token
        return body

    async def read_body(self, schema: jsonschema_rs.Validator) -> JsonObject:
        """The JSON body; 400 naming the invalid members."""
        try:
            parsed = orjson.loads(await self.http_request.read())
        except ValueError:
            raise bad_request("the body is not JSON") from None
        problems = [(".".join(map(str, error.instance_path)), _describe(error)) for error in schema.iter_errors(parsed)]
        if problems:
            messages = (f"{place or 'body'}: {message}" for place, message in problems[:MAX_REPORTED_PROBLEMS])
            raise bad_request("; ".join(messages), field=problems[0][0])
        document: JsonObject = parsed
        return document


def _describe(error: jsonschema_rs.ValidationError) -> str:
    """What is wrong; for an unknown option, with all known ones, of which the validator names only two."""
    options = error.kind.as_dict().get("options") if error.kind.name == "enum" else None
    text = f"must be one of {', '.join(map(str, options))}"[:MAX_PROBLEM_CHARACTERS] if options else error.message
    if len(text) <= MAX_PROBLEM_CHARACTERS:
        return text
    # The text begins with the value, and ends with what is wrong with it.
    return f"{text[:20]}… {text[20 - MAX_PROBLEM_CHARACTERS :].lstrip()}"


def get_existing(records: Records, identifier: str, kind: str) -> JsonObject:
    """A record by id; 404 if it does not exist."""
    if identifier not in records:
        raise ApiError(404, f"{kind} not found")
    return records[identifier]


def add_record(records: Records, record: JsonObject) -> JsonObject:
    """Add a record and return it; 409 if there are too many."""
    check_capacity(records, 1)
    records[str(record["id"])] = record
    return record


def check_capacity(records: Records, count: int) -> None:
    """Raise 409 if *count* more records exceed the limit."""
    if len(records) + count > MAX_RECORDS:
        raise ApiError(409, f"at most {MAX_RECORDS} of these can exist: delete some first")


def newest_first(records: Records, field: str = "createTime") -> list[JsonObject]:
    """The records in reverse chronological order; of equal times, the later created first."""
    return sorted(reversed(records.values()), key=lambda record: record[field], reverse=True)
