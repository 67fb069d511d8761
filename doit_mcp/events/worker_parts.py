"""What the workers of all mailboxes of a process share."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..api import Doit
from . import mailbox
from .call_turns import CallTurns
from .sender import WebhookSender
from .sources import View
from .store import Mailboxes, OnDrop, Owner
from .subscriptions import Account
from .user_calls import UserCalls


@dataclass(slots=True)
class Parts:
    """What all workers of a process share. *on_delivery* and *on_poll* count outcomes, *on_drop* what is not delivered.

    *on_end* records that the server ended a subscription: its owner, its id, and its type of event.
    """

    store: Mailboxes
    sender: WebhookSender
    make_api: Callable[[Account], Doit]
    view: Callable[[Account], View]
    turns: CallTurns
    clock: Callable[[], float]
    is_login_ended: Callable[[str], bool]
    on_delivery: Callable[[str], None]
    on_poll: Callable[[str], None]
    on_drop: OnDrop
    on_end: Callable[[Owner, str, str], None]
    poll_seconds: float
    hold_seconds: float
    retry_seconds: Sequence[float] = mailbox.RETRY_SECONDS
    random_fraction: Callable[[], float] = random.random
    calls: UserCalls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = UserCalls(self.clock, self.hold_seconds)
