"""Handles requests about subscriptions: ``events/subscribe``, ``events/unsubscribe``, ``events/poll``, recent events."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from ..api import Doit
from ..api.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from ..resilience.limits import Limiter, LimitExceeded
from . import mailbox, recording
from .call_turns import TOO_MANY_POLLS, CallTurns
from .errors import EventError, callback_error
from .new_items import Reading, find_new_items
from .requests import SubscribeRequest, read_poll, read_subscribe, read_unsubscribe
from .sender import WebhookSender
from .source import View
from .sources import SOURCES
from .store import CONFLICT, MAX_OWNERS, MAX_OWNERS_PER_CUSTOMER, Fields, Mailboxes, OnDrop, Owner

MAX_POLL_EVENTS = 50
POLL_MILLISECONDS = 30_000
KEPT_AFTER_END_SECONDS = 600.0
MAX_ATTEMPTS = 12
"""Of a change that conflicts with others to the same mailbox, with pauses that spread them."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.5
MAX_TURN_SECONDS = 40.0
"""How long a request waits for the call budget of its customer in total, while its client waits."""
MAX_RUNNING_POLLS = 3
"""Calls of ``events/poll`` of one user at the same time: each takes the time and the call budget of colleagues."""
BUSY = "The subscriptions of this user are being changed at the moment; try again in a few seconds"


@dataclass(frozen=True, slots=True)
class Account:
    """The short-lived credential that the events of a subscriber are read with.

    *customer* is the customer that requests to the API name, *tenant* the key of the customer, *digest* that of the
    login (hexadecimal), and *expires* the end of *token*, in epoch seconds.
    """

    token: str
    customer: str
    tenant: str
    digest: str
    expires: float

    def as_json(self) -> JsonObject:
        """Return the account as it is stored: encrypted, or in memory."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: JsonObject) -> Account:
        """Return a stored account."""
        return cls(**value)

    def __repr__(self) -> str:
        return "Account()"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The caller of ``events/*``: *owner* and *tenant* are its keys, and *open_account* lends its credential."""

    owner: str
    tenant: str
    open_account: Callable[[], Awaitable[Account]]


class RecentEvents(Protocol):
    """Returns the events that were recorded for a principal."""

    async def recent(self, owner: str) -> list[JsonObject]:
        """Return the events of *owner*, oldest first. Raise StateUnavailable."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A subscription that was made or refreshed: its *id*, the *result* for the client, and its receiver's *host*."""

    id: str
    result: JsonObject
    host: str
    what: Literal["subscribe", "refresh"]


class Subscriptions:
    """The subscriptions of all principals. *make_api* returns the API client of an account.

    *turns* limits requests to the API by customer, *verifications* limits verification requests by principal, *customer_verifications* by customer and host,
    *host_verifications* by host. *clock* returns epoch
    seconds, and *data_clock* the time that the data of the API is for, which can differ in the sandbox.
    *on_verification* and *on_drop* count for metrics.
    """

    def __init__(
        self,
        store: Mailboxes,
        sender: WebhookSender,
        turns: CallTurns,
        make_api: Callable[[Account], Doit],
        clock: Callable[[], float],
        *,
        data_clock: Callable[[], float],
        verifications: Limiter,
        customer_verifications: Limiter,
        host_verifications: Limiter,
        on_verification: Callable[[str], None],
        on_drop: OnDrop,
        per_owner: int,
        console_url: str,
    ) -> None:
        self.store, self._sender, self._turns, self.make_api = store, sender, turns, make_api
        self._clock = clock
        self._verifications, self._customer_verifications = verifications, customer_verifications
        self._host_verifications = host_verifications
        self._on_verification, self._on_drop = on_verification, on_drop
        self._data_clock, self._per_owner, self._console_url = data_clock, per_owner, console_url
        # By owner: calls of events/poll in progress.
        self._running_polls = Counter[str]()

    def view(self, account: Account) -> View:
        """Return what a poll of the API as *account* needs to know."""
        page = f"customers/{account.customer}/" if account.customer else "#"
        return View(self._data_clock(), f"{self._console_url}/{page}")

    async def subscribe(self, subscriber: Subscriber, params: JsonObject, declares_extension: bool) -> Granted:
        """Create or refresh a subscription. Raise EventError and StateUnavailable."""
        request = read_subscribe(params, self._sender.policy, declares_extension)
        id = request.target.subscription_id(subscriber.owner)
        fields, version = await self.store.load(subscriber.owner)
        await self._check_caps(subscriber, fields, id)
        if not mailbox.is_verified(fields, request.target.url, self._clock()):
            await self._verify(Owner(subscriber.owner, subscriber.tenant, 0), id, request)
        account = await subscriber.open_account()
        # A refresh polls as well: the permission of the user may have ended.
        marks = await self._read_baseline(subscriber, account, request)
        until = mailbox.subscription_end(request, self._clock(), self.store.lifetime_seconds, account.expires)
        # First, so that a mailbox is never without a replica that works on it.
        await self.store.add_owner(Owner(subscriber.owner, subscriber.tenant, max(until, mailbox.mailbox_end(fields))))
        for attempt in range(MAX_ATTEMPTS):
            await self._check_caps(subscriber, fields, id)
            now = self._clock()
            change = mailbox.subscribe(fields, id, request, account.as_json(), until, marks, now)
            expires = max(until, mailbox.mailbox_end(fields)) + KEPT_AFTER_END_SECONDS
            if await self.store.update(subscriber.owner, change, expires, expected=version) != CONFLICT:
                return self._make_granted(fields, id, request, until)
            await _pause_after(attempt)
            fields, version = await self.store.load(subscriber.owner)
        raise EventError("exhausted", BUSY, {"limit": "changes"})

    def _make_granted(self, fields: Fields, id: str, request: SubscribeRequest, until: float) -> Granted:
        status = mailbox.delivery_status(fields, id)
        dropped = fields.get(mailbox.STATUS + id, {}).get("dropped", 0)
        result: JsonObject = {
            "id": id,
            "refreshBefore": mailbox.format_time(until),
            "cursor": None,
            "truncated": bool(dropped),
        }
        what: Literal["subscribe", "refresh"] = "refresh" if id in mailbox.list_subscriptions(fields) else "subscribe"
        return Granted(id, result | ({"deliveryStatus": status} if status else {}), request.host, what)

    async def _check_caps(self, subscriber: Subscriber, fields: Fields, id: str) -> None:
        active = mailbox.list_subscriptions(fields)
        if id not in active and len(active) >= self._per_owner:
            raise EventError(
                "exhausted",
                f"A user can have {self._per_owner} subscriptions; unsubscribe from one first",
                {"limit": "subscriptions", "max": self._per_owner},
            )
        if active:
            return
        # Without the subscriber, who may be enrolled already.
        others = [owner.tenant for owner in await self.store.owners() if owner.key != subscriber.owner]
        if len(others) >= MAX_OWNERS or others.count(subscriber.tenant) >= MAX_OWNERS_PER_CUSTOMER:
            raise EventError("exhausted", "This server has too many subscribers", {"limit": "subscribers"})

    async def _verify(self, owner: Owner, id: str, request: SubscribeRequest) -> None:
        try:
            self._verifications.acquire(owner.key)
            # Each customer has its own limit, so that one cannot use up that of a host that all use.
            self._customer_verifications.acquire(f"{owner.tenant}\n{request.host}")
            self._host_verifications.acquire(request.host)
        except LimitExceeded as limit:
            self._on_verification("postponed")
            message = f"Too many receivers are being verified; try again in {limit.retry_after_seconds} seconds"
            raise EventError("exhausted", message, {"limit": "verifications"}) from None
        failure = await self._sender.verify(owner, request.target.url, id, request.secret)
        self._on_verification(failure or "confirmed")
        if failure is not None:
            raise callback_error(failure)

    async def _read_baseline(self, subscriber: Subscriber, account: Account, request: SubscribeRequest) -> list[str]:
        """Return the marks of what is true now, which causes no events. Also checks the permission of the subscriber."""
        event_type, view = request.target.event_type, self.view(account)
        items = (await self._poll_source(subscriber, account, event_type.source, view)).items
        wanted = {"name": event_type.name, "arguments": request.target.arguments}
        return find_new_items(None, recording.select_matching(wanted, items), view.now)[1]

    async def _poll_source(self, subscriber: Subscriber, account: Account, source: str, view: View) -> Reading:
        """Poll *source* with the permission of *account*, within the call budget of the customer. Raise EventError."""
        owner = Owner(subscriber.owner, subscriber.tenant, 0)
        rest = MAX_TURN_SECONDS

        async def take_turn() -> None:
            nonlocal rest
            started = time.monotonic()
            try:
                async with asyncio.timeout(rest):
                    await self._turns.acquire(owner, is_urgent=True)
            except TimeoutError:
                raise EventError("exhausted", TOO_MANY_POLLS, {"limit": "calls"}) from None
            rest -= time.monotonic() - started

        try:
            return await SOURCES[source].poll(partial(self.make_api, account), view, take_turn)
        except ApiError as error:
            raise refused_poll_error(error) from error

    async def unsubscribe(self, subscriber: Subscriber, params: JsonObject) -> str:
        """Remove a subscription and return its id. Raise EventError and StateUnavailable."""
        id = read_unsubscribe(params).subscription_id(subscriber.owner)
        for attempt in range(MAX_ATTEMPTS):
            fields, version = await self.store.load(subscriber.owner)
            change = mailbox.unsubscribe(fields, id)
            expires = mailbox.mailbox_end(fields) + KEPT_AFTER_END_SECONDS
            if await self.store.update(subscriber.owner, change, expires, expected=version) != CONFLICT:
                self._on_drop(change.dropped)
                return id
            await _pause_after(attempt)
        raise EventError("exhausted", BUSY, {"limit": "changes"})

    async def poll(self, subscriber: Subscriber, params: JsonObject) -> JsonObject:
        """Return the events that were recorded for a subscription since a cursor. Raise EventError."""
        request = read_poll(params, MAX_POLL_EVENTS)
        fields, _ = await self.store.load(subscriber.owner)
        if not recording.has_subscription(fields, request.event_type.name, request.arguments):
            message = "Only events of a subscription are recorded: call events/subscribe first"
            raise EventError("not_found", message, {"kind": "subscription"})
        with self._poll_running(subscriber.owner):
            account = await subscriber.open_account()
            await self._poll_source(subscriber, account, request.event_type.source, self.view(account))
        events = recording.list_recent_events(fields, request.event_type.name, request.arguments)
        ids = [event["eventId"] for event in events]
        # Without a cursor, the poll starts now.
        start = ids.index(request.after) + 1 if request.after in ids else 0 if request.after else len(events)
        page = events[start : start + request.limit]
        last = page[-1]["eventId"] if page else request.after or (ids[-1] if ids else "start")
        return {
            "events": page,
            "cursor": last,
            "truncated": bool(request.after) and request.after != "start" and request.after not in ids,
            "hasMore": start + len(page) < len(events),
            "nextPollMs": POLL_MILLISECONDS,
        }

    @contextmanager
    def _poll_running(self, owner: str) -> Iterator[None]:
        """Count a call of events/poll while the block runs. Raise EventError if *owner* has too many in progress."""
        if self._running_polls[owner] >= MAX_RUNNING_POLLS:
            message = f"A user can have {MAX_RUNNING_POLLS} calls of events/poll in progress; wait for one to end"
            raise EventError("exhausted", message, {"limit": "polls", "max": MAX_RUNNING_POLLS})
        self._running_polls[owner] += 1
        try:
            yield
        finally:
            self._running_polls[owner] -= 1
            if not self._running_polls[owner]:
                del self._running_polls[owner]

    async def recent(self, owner: str) -> list[JsonObject]:
        """Return the events that were recorded for *owner*, oldest first, with the time when they were recorded."""
        return recording.list_recent_events_with_times((await self.store.load(owner)).fields)


async def _pause_after(attempt: int) -> None:
    await asyncio.sleep(random.random() * min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS))


def refused_poll_error(error: ApiError) -> EventError:
    """Return the error for a poll that the API refused."""
    if error.kind in ("forbidden", "credential"):
        return EventError("forbidden", "The signed-in user may not read what these events are about")
    return EventError("exhausted", "The DoiT API is unavailable; subscribe again in a minute", {"limit": "upstream"})


def employee_error() -> EventError:
    """Return the error for DoiT employees, who act for many customers and have no events of their own."""
    return EventError("forbidden", "Events are for the users of a customer, not for DoiT employees")
