"""Which calls of this process wait for which report runs, and the clock that they wait by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class RunFollowers:
    """Counts the calls that wait for each run.

    The API gives equal queries of one customer the same run, even for different users. A call that gives up cancels its
    run only if no other call waits for it. Calls at other replicas and other clients of the API are unknown here. The
    keys are ids that the API returned, never those of a caller, and each is removed with its last call.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _counts: dict[str, int] = field(default_factory=dict)

    def add_follower(self, run_id: str) -> None:
        """Count one more call that waits for the run."""
        self._counts[run_id] = self._counts.get(run_id, 0) + 1

    def remove_follower(self, run_id: str) -> bool:
        """Count one call fewer. Return whether no call waits for the run anymore."""
        count = self._counts[run_id] - 1
        if count:
            self._counts[run_id] = count
        else:
            del self._counts[run_id]
        return not count

    def count(self, run_id: str) -> int:
        """Return how many calls wait for the run."""
        return self._counts.get(run_id, 0)
