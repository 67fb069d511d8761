"""The progress of a task, as its status message (tasks extension)."""

from __future__ import annotations

from collections.abc import Mapping

from ..catalog.call import CallSuspended
from ..catalog.tools.sanitize import sanitize_text
from ..protocol.json_schema import truncate_text
from ..protocol.jsonrpc import JsonObject
from .task import Task
from .tasks import Tasks

MAX_MESSAGE_CHARACTERS = 300


class ContinueAsTask(CallSuspended):
    """Raised when the call should continue as a task. *answers* are the client's answers so far, by key.

    *committed* is whether the call has used the user's approval.
    """

    answers: Mapping[str, JsonObject] = {}

    def __init__(self, *, committed: bool = False) -> None:
        super().__init__()
        self.committed = committed


class TaskProgress:
    """Shows the progress of a task in its status message; discards it until there is a task."""

    reaches_client = False

    def __init__(self) -> None:
        self._tasks: Tasks | None = None
        self._task: Task | None = None
        self._note = ""

    def show_in(self, tasks: Tasks, task: Task) -> None:
        """Show progress from here on in *task*, after its existing message."""
        self._tasks, self._task = tasks, task
        self._note = f"{task.message}. " if task.message else ""

    async def advance(self, message: str) -> None:
        """Report one more step, with *message*."""
        await self.report(0, message=message)

    async def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Show *message*: clients of tasks see no numbers."""
        if self._tasks is not None and self._task is not None and message:
            # Progress messages of DoiT's assistants are text from the API.
            text = truncate_text(sanitize_text(message), MAX_MESSAGE_CHARACTERS)
            self._tasks.show_progress(self._task, self._note + text)
