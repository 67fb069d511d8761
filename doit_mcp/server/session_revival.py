"""Tells clients what a revived session has lost, with the notifications that every stateful revision has."""

from __future__ import annotations

from ..protocol.jsonrpc import notification_bytes
from ..protocol.request_metadata import LOG_LEVELS
from .message_queue import MessageQueue
from .notification_hub import PROMPTS_CHANGED, RESOURCES_CHANGED, TOOLS_CHANGED
from .request_context import Catalog
from .sessions import Session

NOTICE_LEVEL = "warning"
NOTICE = (
    "This session continues, but the server no longer has its resource subscriptions and its log level, because it"
    " restarted or the session was idle. Subscribe again and set the level again if you need them."
)


def announce_revival(session: Session, catalog: Catalog, queue: MessageQueue) -> None:
    """Put the notifications for a revived *session* on the *queue* of its new stream.

    The lists may have changed with a restart, so clients that were promised notifications of changes get them.
    """
    session.announces_revival = False
    if LOG_LEVELS.index(NOTICE_LEVEL) >= LOG_LEVELS.index(session.log_level):
        params = {"level": NOTICE_LEVEL, "logger": "doit-mcp", "data": NOTICE}
        queue.put(notification_bytes("notifications/message", params))
    if catalog.can_change:
        for method in (TOOLS_CHANGED, PROMPTS_CHANGED, RESOURCES_CHANGED):
            queue.put(notification_bytes(method, {}))
