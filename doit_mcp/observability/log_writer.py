"""Log stream: a thread writes the lines that the rest of the process queues, so nothing waits for the reader of a log.

A pipe that nobody reads blocks whoever writes to it. Here that is a daemon thread; the queue before it is bounded, and
lines that do not fit are dropped and counted.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread

MAX_QUEUED_LINES = 10_000
MAX_QUEUED_BYTES = 4 << 20
# What a pipe takes from one of several writers in one piece, less the line feed that ends a line which was cut off.
MAX_WRITE_BYTES = select.PIPE_BUF - 1
STALL_SECONDS = 0.5
"""A stream is failing while its oldest line has waited longer."""
BATCH_PAUSE_SECONDS = 0.02
"""Between two batches of a busy stream: waking the thread costs more than the line that wakes it."""


# When a line was queued, and the line. A class for it would take longer to make.
QueuedLine = tuple[float, bytes]


class MissingLogStream:
    """A stream that the process was started without: all its lines are dropped."""

    failing = True
    pending_lines = 0

    def __init__(self) -> None:
        self.dropped = 0

    @property
    def unreported_lines(self) -> int:
        """All of them."""
        return self.dropped

    def put(self, line: bytes) -> None:
        """Drop it."""
        self.dropped += 1

    def make_flush_event(self) -> Event:
        """There is nothing to wait for."""
        reached = Event()
        reached.set()
        return reached

    def call_when_flushed(self, function: Callable[[], object]) -> None:
        """There is nothing to wait for."""
        function()


class LogStream:
    """Lines for the descriptor *fd*, at most *max_lines* and *max_bytes* of which wait to be written.

    *report* makes the line that says how many were dropped; it is written as soon as writing works again.
    """

    def __init__(
        self,
        descriptor: int,
        make_dropped_line: Callable[[int], bytes],
        *,
        max_lines: int = MAX_QUEUED_LINES,
        max_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self._descriptor, self._make_dropped_line = descriptor, make_dropped_line
        self._max_lines, self._max_bytes = max_lines, max_bytes
        # Not a queue.Queue: put() may be called by a finalizer in the middle of another put().
        self._queue: SimpleQueue[QueuedLine | Callable[[], object]] = SimpleQueue()
        self._next_item: QueuedLine | Callable[[], object] | None = None
        # No lock: put() alone changes the first three numbers, the thread alone the others.
        self._queued_lines = self._queued_bytes = self._rejected_lines = 0
        self._written_lines = self._written_bytes = self._lost_lines = self._reported_lines = 0
        # Whether the last line written was cut off in the middle: the next one has to begin a line of its own.
        self._is_line_incomplete = False
        # When the oldest of the lines that are being written was queued.
        self._oldest_queued_at: float | None = None
        Thread(target=self._run, name="log", daemon=True).start()

    def put(self, line: bytes) -> None:
        """Queue *line*, which ends with a line feed, or drop it. Never waits. One caller at a time."""
        size = len(line)
        waiting = self._queued_bytes - self._written_bytes
        if self._queued_lines - self._written_lines >= self._max_lines or waiting + size > self._max_bytes:
            self._rejected_lines += 1
            return
        self._queued_lines += 1
        self._queued_bytes += size
        self._queue.put((time.monotonic(), line))

    @property
    def dropped(self) -> int:
        """How many lines were dropped so far."""
        return self._rejected_lines + self._lost_lines

    @property
    def pending_lines(self) -> int:
        """How many lines wait to be written."""
        return self._queued_lines - self._written_lines

    @property
    def unreported_lines(self) -> int:
        """How many lines the reader does not have, and does not know to be dropped."""
        return self.pending_lines + self.dropped - self._reported_lines

    @property
    def failing(self) -> bool:
        """Whether lines are being dropped, or wait for long, or the reader has closed its end."""
        since = self._oldest_queued_at
        stalled = since is not None and time.monotonic() - since > STALL_SECONDS
        return stalled or self.dropped > self._reported_lines or self._is_closed()

    def _is_closed(self) -> bool:
        poll = select.poll()
        # No event is asked for, so only errors are reported: POLLERR, POLLHUP, POLLNVAL.
        poll.register(self._descriptor, 0)
        return bool(poll.poll(0))

    def make_flush_event(self) -> Event:
        """An event that is set once everything queued before it was written or lost."""
        reached = Event()
        self.call_when_flushed(reached.set)
        return reached

    def call_when_flushed(self, function: Callable[[], object]) -> None:
        """Call *function*, which must not raise, once everything queued before it was written or lost. It is called
        in the thread that writes."""
        self._queue.put(function)

    def _run(self) -> None:
        while True:
            since, batch = self._next_batch()
            self._oldest_queued_at = since
            self._write_batch(batch)
            self._oldest_queued_at = None
            if self._next_item is None and self._queue.empty():
                time.sleep(BATCH_PAUSE_SECONDS)

    def _next_batch(self) -> tuple[float | None, list[bytes]]:
        """Wait for a line; it and what else waits, up to MAX_WRITE_BYTES, and when the first of them was queued."""
        batch: list[bytes] = []
        size, since = 0, None
        item = self._next_item if self._next_item is not None else self._queue.get()
        self._next_item = None
        while isinstance(item, tuple):
            queued, line = item
            size += len(line)
            if batch and size > MAX_WRITE_BYTES:
                self._next_item = item
                return since, batch
            since = queued if since is None else since
            batch.append(line)
            try:
                item = self._queue.get_nowait()
            except Empty:
                return since, batch
        if batch:
            self._next_item = item
        else:
            item()
        return since, batch

    def _write_batch(self, batch: list[bytes]) -> None:
        data = b"".join(batch)
        lost = self._write(data)
        self._lost_lines += lost
        self._written_lines += len(batch)
        self._written_bytes += len(data)
        if batch and not lost and (dropped := self.dropped - self._reported_lines):
            if not self._write(self._make_dropped_line(dropped)):
                self._reported_lines += dropped

    def _write(self, data: bytes) -> int:
        """Write *data*, however long that takes; how many of its lines were lost because it failed."""
        lines = data.count(b"\n")
        if self._is_line_incomplete:
            data = b"\n" + data
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._write_part(rest) :]
        except OSError:
            if written := len(data) - len(rest):
                self._is_line_incomplete = not data[:written].endswith(b"\n")
            return min(bytes(rest).count(b"\n"), lines)
        self._is_line_incomplete = False
        return 0

    def _write_part(self, data: memoryview) -> int:
        """Write a part of *data*; how many bytes that was."""
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # Another process that shares the pipe made it non-blocking.
                writable = select.poll()
                writable.register(self._descriptor, select.POLLOUT)
                writable.poll()
