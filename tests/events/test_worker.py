"""The worker of a mailbox, with an invented clock and a sender that only remembers."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

from doit_mcp.events import mailbox
from doit_mcp.events.errors import EventError
from doit_mcp.events.poll_pace import PollPace
from doit_mcp.events.sender import Message, Outcome, WebhookSender
from doit_mcp.events.store import Change, MemoryMailboxes, Owner
from doit_mcp.events.worker import MailboxWorker
from doit_mcp.events.worker_parts import Parts
from tests.events.test_mailbox import NOW, subscribed


class RememberingSender:
    """Accepts all messages, and remembers which subscriptions ended."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.ended: list[tuple[Any, ...]] = []

    async def send(self, message: Message) -> Outcome:
        self.sent.append(message)
        return Outcome(204, None)


def parts_with(sender: RememberingSender, **members: Any) -> Parts:
    """What a worker needs. Its subscriptions are terminated, so it makes no polls."""
    unused = cast("Any", None)
    members = {"clock": lambda: NOW, "is_login_ended": lambda digest: False, "hold_seconds": 0.0} | members
    return Parts(
        store=MemoryMailboxes(),
        sender=cast("WebhookSender", sender),
        make_api=unused,
        view=unused,
        turns=unused,
        on_delivery=lambda outcome: None,
        on_poll=lambda outcome: None,
        on_drop=lambda dropped: None,
        on_end=lambda *ended: sender.ended.append(ended),
        pace=PollPace(60.0, 60),
        **members,
    )


async def test_a_delivery_that_falls_due_during_a_step_is_sent_at_once() -> None:
    """The clock goes on while a step works: what was not due at its beginning, but is at its end, needs no further
    wait. Without this, the worker would wait for up to a minute."""
    reads = itertools.count(NOW)
    parts = parts_with(sender := RememberingSender(), clock=lambda: next(reads))
    fields, id = subscribed({})
    change = mailbox.terminate(fields, [id], EventError("forbidden", "ended"), NOW + 0.5)
    change.apply_to(fields)
    await parts.store.add_owner(owner := Owner("owner", "t", NOW + 900))
    await parts.store.update(owner.key, Change(fields), NOW + 900, expected=0)
    async with asyncio.timeout(30):
        await MailboxWorker(owner, parts).run()
    assert [message.subscription_id for message in sender.sent] == [id]


async def test_the_end_of_each_subscription_is_recorded_once() -> None:
    """Those that were not refreshed, and those whose login ended; none again when its last message is removed."""
    parts = parts_with(sender := RememberingSender(), clock=lambda: NOW + 901)
    fields, expired = subscribed({})
    fields, refreshed = subscribed(fields, "invoice.issued", now=NOW + 600)
    fields[mailbox.ACCOUNT] = fields[mailbox.ACCOUNT] | {"expires": NOW + 900}
    await parts.store.add_owner(owner := Owner("owner", "t", NOW + 1500))
    await parts.store.update(owner.key, Change(fields), NOW + 1500, expected=0)
    async with asyncio.timeout(30):
        await MailboxWorker(owner, parts).run()
    assert sender.ended == [
        (owner, expired, "anomaly.detected", "expire"),
        (owner, refreshed, "invoice.issued", "terminate"),
    ]
