"""Works on one mailbox while this replica holds its lease: polls the DoiT API, and delivers events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ..api.errors import ApiError
from ..resilience.limits import LimitExceeded
from . import mailbox, recording
from .errors import REVOKED
from .event_types import EVENT_TYPES
from .messages import find_source, make_message
from .poll_schedule import PollSchedule
from .sender import MAX_BODY_BYTES, Outcome
from .sources import SOURCES
from .store import NOT_LEASED, Change, Fields, Owner
from .subscriptions import KEPT_AFTER_END_SECONDS, Account
from .worker_parts import Parts

log = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 900.0
FIRST_POLL_SECONDS = 5.0
"""After a replica takes over a mailbox, its polls are spread over this time."""
MAX_DELIVERIES_PER_OWNER = 20
"""At the same time, at most one to each URL, so that a slow receiver delays no other one."""
LONGEST_WAIT_SECONDS = 60.0


class LeaseLost(Exception):
    """Another replica works on this mailbox now."""


class MailboxWorker:
    """Works on the mailbox of *owner*."""

    def __init__(self, owner: Owner, parts: Parts) -> None:
        self._owner, self._parts = owner, parts
        self._fields: Fields = {}
        self._version = 0
        self._is_stale = True
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        # By key of a delivery: the URL that it is being sent to.
        self._sending: dict[str, str] = {}
        # Whether a poll is in progress, whether it waited for the call budget, and whether deliveries wait for a poll.
        self._is_polling = self._is_postponed = self._is_urgent = False
        # By source: the requests that a poll takes, as far as it is known.
        self._requests: dict[str, int] = {}
        self._polls = PollSchedule()
        self._last_time = 0.0
        # For metrics.
        self.subscription_count = self.pending_count = self.suspended_count = 0
        self.oldest_delivery: float | None = None

    def receive_version(self, version: int) -> None:
        """Read the mailbox again if *version* is not the one that this worker knows."""
        if version != self._version:
            self._is_stale = True
            self._wake.set()

    def receive_change(self, change: Change, version: int) -> None:
        """Apply a change that this replica made beside this worker. After other changes, read the mailbox again."""
        if version != self._version + 1 or self._is_stale or self._lock.locked():
            self.receive_version(version)
            return
        change.apply_to(self._fields)
        self._version = version
        self._wake.set()

    async def run(self) -> None:
        """Work until the mailbox has no subscriptions. Raise LeaseLost, StateUnavailable."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while await self._run_once(tasks):
                    pass
        except BaseExceptionGroup as group:
            # One cause is enough: the others followed from it.
            raise group.exceptions[0] from None
        finally:
            self._parts.pace.set_round(self._owner, 0)

    async def _run_once(self, tasks: asyncio.TaskGroup) -> bool:
        """Start what is due and wait for what comes next. Return whether to go on."""
        self._wake.clear()
        if self._is_stale:
            async with self._lock:
                self._is_stale = False
                self._fields, self._version = await self._parts.store.load(self._owner.key)
        now = self._read_clock()
        await self._sweep(now)
        await self._end_without_credential(now)
        if not any(mailbox.select_fields(self._fields, mailbox.SUBSCRIPTION)):
            if not self._sending and not self._is_polling:
                await self._parts.store.drop(self._owner.key, self._version)
                return False
        else:
            self._start_poll(tasks, now)
            self._start_deliveries(tasks, now)
        self.subscription_count = len(mailbox.list_subscriptions(self._fields))
        self.suspended_count = mailbox.suspended_count(self._fields)
        self.oldest_delivery = mailbox.oldest_delivery_time(self._fields)
        self.pending_count = sum(name.startswith(mailbox.DELIVERY) for name in self._fields)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._next_time(now) - self._parts.clock())):
                await self._wake.wait()
        return True

    def _read_clock(self) -> float:
        """Return the time. If the clock was set back, forget polls: all of them would seem recent."""
        now, before = self._parts.clock(), self._last_time
        if now < before - mailbox.MAX_CLOCK_SKEW_SECONDS:
            self._polls = PollSchedule()
        self._last_time = now
        return now

    async def _sweep(self, now: float) -> None:
        """Remove what has ended."""
        active = mailbox.list_subscriptions(self._fields)
        await self._apply_change(lambda fields: mailbox.remove_ended(fields, now))
        for id in active.keys() - mailbox.list_subscriptions(self._fields).keys():
            self._parts.on_end(self._owner, id, active[id]["name"], "expire")

    async def _end_without_credential(self, now: float) -> None:
        """End all subscriptions if the login that they are served with has ended."""
        stored = self._fields.get(mailbox.ACCOUNT)
        if stored is not None and self._is_ended(Account.from_json(stored), now):
            await self._terminate(list(mailbox.list_subscriptions(self._fields)))

    def _is_ended(self, account: Account, now: float) -> bool:
        return account.expires <= now or self._parts.is_login_ended(account.digest)

    async def _apply_change(self, rule: Callable[[Fields], Change]) -> None:
        """Apply the change that *rule* makes of the current fields, in the store and here."""
        async with self._lock:
            change = rule(self._fields)
            if not change:
                return
            expires = mailbox.mailbox_end(self._fields | change.put) + KEPT_AFTER_END_SECONDS
            version = await self._parts.store.update(self._owner.key, change, expires)
            if version == NOT_LEASED:
                raise LeaseLost
            self._parts.on_drop(change.dropped)
            change.apply_to(self._fields)
            if version != self._version + 1:
                # Another replica changed the mailbox in between.
                self._is_stale = True
            self._version = version
        self._wake.set()

    def _next_time(self, now: float) -> float:
        """Return when the next work is due, after that which a step at *now* started."""
        due = [now + LONGEST_WAIT_SECONDS]
        due += [] if self._is_polling else self._polls.times()
        if len(self._sending) < MAX_DELIVERIES_PER_OWNER:
            # Those that are due wait for a poll, or for an attempt to the same receiver; both wake this worker.
            due += (at for key, at in self._list_due() if at > now)
        return min(due)

    def _list_due(self) -> list[tuple[str, float]]:
        hold, last_call = self._parts.hold_seconds, self._parts.calls.last_call_time(self._owner.key)
        dues = (
            (key, mailbox.due_time(self._fields, key, delivery, hold, last_call))
            for key, delivery in mailbox.select_fields(self._fields, mailbox.DELIVERY)
        )
        return [(key, at) for key, at in dues if at is not None and key not in self._sending]

    # Polls

    def _start_poll(self, tasks: asyncio.TaskGroup, now: float) -> None:
        wanted = {EVENT_TYPES[item["name"]].source for item in mailbox.list_subscriptions(self._fields).values()}
        pace = self._parts.pace
        self._requests = {source: self._requests.get(source, 1) for source in wanted}
        pace.set_round(self._owner, sum(self._requests.values()))
        stretch = pace.interval_seconds(self._owner.tenant) - pace.poll_seconds
        spread = min(FIRST_POLL_SECONDS, pace.poll_seconds) + stretch
        self._polls.set_sources(wanted, now + spread * self._parts.random_fraction())
        waiting = {find_source(self._fields, key) for key, at in self._list_due() if self._needs_poll(key, at, now)}
        self._polls.poll_now(waiting, now)
        self._is_urgent = bool(waiting)
        if waiting:
            self._parts.turns.mark_urgent(self._owner)
        due = sorted(self._polls.list_due(now), key=lambda source: source not in waiting)
        if due and not self._is_polling and mailbox.ACCOUNT in self._fields:
            self._is_polling, self._is_postponed = True, False
            tasks.create_task(self._run_poll(due[0]))

    def _needs_poll(self, key: str, at: float, now: float) -> bool:
        """Return whether a delivery is due, but it is not known whether the user may still read the event."""
        is_event = not self._fields[mailbox.DELIVERY + key].get("control")
        return at <= now and is_event and not self._polls.is_confirmed(find_source(self._fields, key), now)

    async def _run_poll(self, source: str) -> None:
        try:
            pause = await self._poll(source)
            self._polls.poll_after(source, self._parts.clock(), pause)
        finally:
            self._is_polling = False
            self._wake.set()

    async def _poll(self, source: str) -> float:
        """Poll *source* once. Return the seconds until the next poll."""
        parts, account = self._parts, Account.from_json(self._fields[mailbox.ACCOUNT])
        pause = parts.pace.interval_seconds(self._owner.tenant) * (0.8 + 0.4 * parts.random_fraction())
        requests = 0

        async def take_turn() -> None:
            nonlocal requests
            await self._take_turn(account)
            requests += 1

        try:
            view = parts.view(account)
            reading = await SOURCES[source].poll(partial(parts.make_api, account), view, take_turn)
        except LimitExceeded as limit:
            parts.on_poll("postponed")
            return float(limit.retry_after * (1 + parts.random_fraction()))
        except ApiError as error:
            return await self._on_failed_poll(source, account, error, pause)
        except Exception:
            # An unexpected response must not end the deliveries of other events.
            log.exception("polling the DoiT API for events failed", extra={"source": source})
            return self._pause_after_failure(source, pause)
        parts.on_poll("postponed" if self._is_postponed else "ok")
        self._requests[source] = requests
        # First, so that deliveries about items that are no longer listed are not confirmed.
        polled_at = parts.clock()
        await self._apply_change(
            lambda fields: recording.record_poll(fields, source, reading, account.tenant, parts.clock(), view.now)
        )
        self._polls.record_success(source, polled_at)
        return pause

    async def _take_turn(self, account: Account) -> None:
        """Wait until a request of this user fits into the budget. Raise ApiError if the login ended meanwhile."""
        if await self._parts.turns.acquire(self._owner, is_urgent=self._is_urgent):
            self._is_postponed = True
            if self._is_ended(account, self._parts.clock()):
                raise ApiError("The login has ended", kind="credential")

    async def _on_failed_poll(self, source: str, account: Account, error: ApiError, pause: float) -> float:
        """End subscriptions that the user has no permission for any more. Return the seconds until the next poll."""
        if error.kind in ("credential", "forbidden"):
            self._parts.on_poll("refused")
            self._polls.record_failure(source)
            # A refresh may have brought another credential in the meantime.
            if self._fields.get(mailbox.ACCOUNT, {}).get("token") == account.token:
                is_all = error.kind == "credential"
                active = mailbox.list_subscriptions(self._fields).items()
                await self._terminate(
                    [id for id, item in active if is_all or EVENT_TYPES[item["name"]].source == source]
                )
            return pause
        return max(error.retry_after or 0.0, self._pause_after_failure(source, pause))

    def _pause_after_failure(self, source: str, pause: float) -> float:
        """Return the seconds until the next poll of *source*, which double with each failure in a row."""
        self._parts.on_poll("failed")
        return float(min(pause * 2 ** min(self._polls.record_failure(source), 8), MAX_BACKOFF_SECONDS))

    async def _terminate(self, ids: list[str]) -> None:
        now = self._parts.clock()
        for id in ids:
            if (ended := mailbox.list_subscriptions(self._fields).get(id)) is not None:
                self._parts.on_end(self._owner, id, ended["name"], "terminate")
        await self._apply_change(
            lambda fields: mailbox.terminate(
                fields, [id for id in ids if mailbox.SUBSCRIPTION + id in fields], REVOKED, now
            )
        )

    # Deliveries

    def _start_deliveries(self, tasks: asyncio.TaskGroup, now: float) -> None:
        for key, at in sorted(self._list_due(), key=lambda item: (item[1], *mailbox.sort_key(self._fields, item[0]))):
            if at > now or len(self._sending) >= MAX_DELIVERIES_PER_OWNER:
                return
            url = self._fields[mailbox.SUBSCRIPTION + key.partition(":")[0]]["url"]
            if url not in self._sending.values() and not self._needs_poll(key, at, now):
                self._sending[key] = url
                tasks.create_task(self._deliver(key))

    async def _deliver(self, key: str) -> None:
        try:
            now = self._parts.clock()
            message = make_message(self._owner, self._fields, key, now)
            if message is None or self._needs_poll(key, now, now):
                return
            is_sendable = len(message.body) <= MAX_BODY_BYTES
            outcome = await self._parts.sender.send(message) if is_sendable else Outcome(413, "http_4xx")
            self._parts.on_delivery(outcome.failure or "delivered")
            now, jitter, retries = self._parts.clock(), self._parts.random_fraction(), self._parts.retry_seconds
            await self._apply_change(lambda fields: mailbox.record_attempt(fields, key, outcome, now, jitter, retries))
        finally:
            del self._sending[key]
            self._wake.set()
