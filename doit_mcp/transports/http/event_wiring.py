"""Wires MCP Events: mailboxes, the sender of webhooks, and the credentials that polls of the DoiT API use."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.abc import AbstractResolver

from ...auth.authentication import Authentication
from ...auth.ended_logins import EndedLogins
from ...auth.errors import UpstreamCredentialError
from ...auth.principal import Principal
from ...events.call_turns import TOO_MANY_POLLS, CallTurns
from ...events.errors import EventError
from ...events.mailbox import RETRY_SECONDS
from ...events.name_resolution import ReceiverResolver
from ...events.poll_pace import PollPace
from ...events.receiver_urls import ReceiverPolicy
from ...events.sender import WebhookSender
from ...events.service import TICK_SECONDS, EventService
from ...events.store import Mailboxes
from ...events.subscriptions import Account, Subscriptions
from ...events.worker_parts import Parts
from ...observability.metrics import Metrics
from ...resilience.limits import TieredLimiter
from ...resilience.token_bucket import Rate, RateLimiter, TokenBuckets
from ...server.audit import record_ended_subscription
from ...server.request_context import Actor, Events
from ...settings import Settings
from . import app_keys
from .limits import poll_rate
from .state_backends import StateBackends

SHORTEST_LOAN_SECONDS = 1800.0
"""A token that expires sooner is exchanged again, so that clients need not refresh too often."""
VERIFICATION_RATE = Rate(burst=30, per_second=0.5)
# All users of a host such as ChatGPT have the same receiver.
CUSTOMER_VERIFICATION_RATE = Rate(burst=100, per_second=2)
HOST_VERIFICATION_RATE = Rate(burst=300, per_second=20)
TOO_MANY_VERIFICATIONS = "Too many receivers are being verified"


@dataclass(frozen=True, slots=True)
class EventNetwork:
    """How receivers are reached, how often the work on mailboxes is checked, and the waits before attempts after the
    first. Only tests change it.

    *tls* has the certificates that are trusted; None means those of the system. *clock* returns epoch seconds.
    """

    make_resolver: Callable[[], AbstractResolver] = ReceiverResolver
    tls: ssl.SSLContext | None = None
    tick_seconds: float = TICK_SECONDS
    retry_seconds: Sequence[float] = RETRY_SECONDS
    clock: Callable[[], float] = time.time


def make_events(
    app: web.Application,
    settings: Settings,
    state: StateBackends,
    metrics: Metrics,
    data_clock: Callable[[], float],
    network: EventNetwork,
) -> Events | None:
    """Return the events of the application, None if they are turned off.

    *data_clock* is the time that the data of the API is for. Messages always have the real time.
    """
    if not settings.events:
        return None
    clock = network.clock
    sender = WebhookSender(
        ReceiverPolicy(_host_names(settings.events_receivers), _host_names(settings.events_private_receivers)),
        clock,
        make_resolver=network.make_resolver,
        tls=network.tls,
    )
    local_budget = _rate_limiter(TOO_MANY_POLLS, poll_rate(settings))
    turns = CallTurns(TieredLimiter(local_budget, state.limits.event_polls))
    subscriptions = _make_subscriptions(app, settings, state.mailboxes, sender, turns, metrics, clock, data_clock)
    parts = Parts(
        state.mailboxes,
        sender,
        subscriptions.make_api,
        subscriptions.view,
        turns,
        clock,
        partial(_is_login_ended, app[app_keys.ENDED_LOGINS]),
        metrics.count_event_delivery,
        metrics.count_event_poll,
        metrics.count_dropped_events,
        lambda owner, *ended: record_ended_subscription(owner.key, owner.tenant, *ended),
        PollPace(settings.events_poll_s, settings.events_calls_per_minute),
        settings.events_hold_s,
        network.retry_seconds,
    )
    if state.redis is not None:
        state.redis.share_calls(parts.calls)
    service = EventService(subscriptions, parts, tick_seconds=network.tick_seconds)
    return Events(service, lambda actor: _open_account(app[app_keys.AUTHENTICATION], actor))


def _make_subscriptions(
    app: web.Application,
    settings: Settings,
    mailboxes: Mailboxes,
    sender: WebhookSender,
    turns: CallTurns,
    metrics: Metrics,
    clock: Callable[[], float],
    data_clock: Callable[[], float],
) -> Subscriptions:
    return Subscriptions(
        mailboxes,
        sender,
        turns,
        lambda account: app[app_keys.EVENT_API_FACTORY](account),
        clock,
        data_clock=data_clock,
        verifications=_rate_limiter(TOO_MANY_VERIFICATIONS, VERIFICATION_RATE),
        customer_verifications=_rate_limiter(TOO_MANY_VERIFICATIONS, CUSTOMER_VERIFICATION_RATE),
        host_verifications=_rate_limiter(TOO_MANY_VERIFICATIONS, HOST_VERIFICATION_RATE),
        on_verification=metrics.count_event_verification,
        on_drop=metrics.count_dropped_events,
        per_owner=settings.events_per_principal,
        console_url=settings.console_base,
    )


def _rate_limiter(message: str, rate: Rate) -> RateLimiter:
    return RateLimiter(message, TokenBuckets(rate.burst, rate.per_second))


def _host_names(hosts: tuple[str, ...]) -> frozenset[str]:
    """Return the names of *hosts*, without ports and brackets."""
    return frozenset((urlsplit(f"//{host}").hostname or "") for host in hosts)


def _is_login_ended(ended_logins: EndedLogins, digest: str) -> bool:
    return bytes.fromhex(digest) in ended_logins.digests


async def _open_account(auth: Authentication, actor: Actor) -> Account:
    """Return the account of *actor*, who is always a principal here. Raise EventError."""
    assert isinstance(actor, Principal)
    try:
        token, expires = await auth.lend_token(actor, SHORTEST_LOAN_SECONDS)
    except UpstreamCredentialError as error:
        raise EventError("forbidden" if error.kind == "refused" else "exhausted", str(error)) from error
    return Account(token, actor.customer, actor.tenant, actor.digest.hex(), expires)


async def run_events(app: web.Application) -> AsyncIterator[None]:
    """Work on mailboxes while the application runs."""
    events = app[app_keys.SERVICES].events
    if events is None:
        yield
        return
    async with events.service.running():
        yield
