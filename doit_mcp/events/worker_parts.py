"""What the workers of all mailboxes of a process share."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ..api import Doit
from . import mailbox
from .call_turns import CallTurns
from .poll_pace import PollPace
from .sender import WebhookSender
from .source import View
from .store import Mailboxes, OnDrop, Owner
from .subscriptions import Account
from .user_calls import UserCalls


class OnEnd(Protocol):
    """Records the end of a subscription: by the server (terminate), or because it was not refreshed (expire)."""

    def __call__(self, owner: Owner, id: str, name: str, action: Literal["terminate", "expire"], /) -> None:
        """Record that the subscription *id* of *owner* to events of the type *name* ended."""


@dataclass(slots=True)
class Parts:
    """What all workers of a process share. *on_delivery* and *on_poll* count outcomes, *on_drop* what is not delivered.

    *on_end* records that a subscription ended other than by request.
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
    on_end: OnEnd
    pace: PollPace
    hold_seconds: float
    retry_seconds: Sequence[float] = mailbox.RETRY_SECONDS
    random_fraction: Callable[[], float] = random.random
    calls: UserCalls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = UserCalls(self.clock, self.hold_seconds)
