"""The log writer, a daemon thread that writes queued lines so that a stalled log reader never blocks the server.

Writing to a pipe blocks when its reader stops reading. Here only the thread blocks; its queue is bounded, and lines
that do not fit are dropped and counted.
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
# The size of an atomic write to a pipe (POSIX), less the line feed that ends a line which was cut off.
MAX_WRITE_BYTES = select.PIPE_BUF - 1
STALL_SECONDS = 0.5
"""A stream is failing while its oldest line has been waiting for longer than this."""
BATCH_PAUSE_SECONDS = 0.02
"""Pause between two batches of a busy stream: waking the thread costs more than writing a line."""

# The monotonic time when a line was queued, and the line. A tuple is faster to create than an instance of a class.
QueuedLine = tuple[float, bytes]


class MissingLogStream:
    """A stream that the process was started without. All its lines are dropped."""

    failing = True
    pending_lines = 0

    def __init__(self) -> None:
        self.dropped = 0

    @property
    def unreported_lines(self) -> int:
        """The number of lines that are lost without a report: all of them."""
        return self.dropped

    def put(self, line: bytes) -> None:
        """Drop *line*."""
        self.dropped += 1

    def make_flush_event(self) -> Event:
        """Return an event that is already set, because nothing is pending."""
        flushed = Event()
        flushed.set()
        return flushed

    def call_when_flushed(self, function: Callable[[], object]) -> None:
        """Call *function* now, because nothing is pending."""
        function()


class LogStream:
    """Queues lines for *descriptor*, at most *max_lines* of together *max_bytes*.

    *make_dropped_line* makes the line that reports a number of dropped lines. It is written once writing works again.
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
        # No lock: only put() changes the first three numbers, and only the thread changes the others.
        self._queued_lines = self._queued_bytes = self._rejected_lines = 0
        self._written_lines = self._written_bytes = self._lost_lines = self._reported_lines = 0
        # Whether the last line was cut off by an error, so that the next write must begin with a line feed.
        self._is_line_incomplete = False
        # When the oldest line of the current batch was queued; None between batches.
        self._oldest_queued_at: float | None = None
        Thread(target=self._run, name="log", daemon=True).start()

    def put(self, line: bytes) -> None:
        """Queue *line*, which ends with a line feed, or drop it. Never blocks. Not for concurrent callers."""
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
        """The number of lines dropped so far."""
        return self._rejected_lines + self._lost_lines

    @property
    def pending_lines(self) -> int:
        """The number of lines waiting to be written."""
        return self._queued_lines - self._written_lines

    @property
    def unreported_lines(self) -> int:
        """The number of lines that the reader has not received, and whose loss was not reported either."""
        return self.pending_lines + self.dropped - self._reported_lines

    @property
    def failing(self) -> bool:
        """Whether lines are dropped or stalled, or the reader has closed its end."""
        since = self._oldest_queued_at
        stalled = since is not None and time.monotonic() - since > STALL_SECONDS
        return stalled or self.dropped > self._reported_lines or self._is_closed()

    def _is_closed(self) -> bool:
        poll = select.poll()
        # No events are requested, so only errors are reported: POLLERR, POLLHUP, POLLNVAL.
        poll.register(self._descriptor, 0)
        return bool(poll.poll(0))

    def make_flush_event(self) -> Event:
        """Return an event that is set once everything queued so far has been written or lost."""
        flushed = Event()
        self.call_when_flushed(flushed.set)
        return flushed

    def call_when_flushed(self, function: Callable[[], object]) -> None:
        """Call *function* in the writing thread once everything queued so far has been written or lost.

        *function* must not raise.
        """
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
        """Wait for a line. Return when it was queued, and the line with the next ones, up to MAX_WRITE_BYTES."""
        batch: list[bytes] = []
        size, since = 0, None
        item = self._next_item if self._next_item is not None else self._queue.get()
        self._next_item = None
        while isinstance(item, tuple):
            queued_at, line = item
            size += len(line)
            if batch and size > MAX_WRITE_BYTES:
                self._next_item = item
                return since, batch
            since = queued_at if since is None else since
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
        """Write *data*, waiting as long as necessary. Return the number of lines lost to an error."""
        lines = data.count(b"\n")
        if self._is_line_incomplete:
            data = b"\n" + data
        unwritten = memoryview(data)
        try:
            while unwritten:
                unwritten = unwritten[self._write_part(unwritten) :]
        except OSError:
            if written := len(data) - len(unwritten):
                self._is_line_incomplete = not data[:written].endswith(b"\n")
            return min(bytes(unwritten).count(b"\n"), lines)
        self._is_line_incomplete = False
        return 0

    def _write_part(self, data: memoryview) -> int:
        """Write a part of *data*. Return the number of bytes written. Raise OSError."""
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # Another process that shares the pipe made it non-blocking.
                writable = select.poll()
                writable.register(self._descriptor, select.POLLOUT)
                writable.poll()
