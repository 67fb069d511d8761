"""Event streams (text/event-stream, WHATWG HTML section 9.2) as bytes in, event data out. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_EVENT_BYTES = 1 << 20
"""Bytes of one event, its unfinished line included."""


class StreamError(ValueError):
    """The stream breaks a bound or is not UTF-8."""


@dataclass(slots=True)
class EventStreamParser:
    """Feed it bytes as they come; it gives the data of each event that a blank line has ended.

    Lines end with CR, LF or CR LF. Comments and the fields event, id and retry are read and dropped: the API names no
    events. An event that is unfinished at the end of the stream is dropped, as the standard says.
    """

    max_event_bytes: int = MAX_EVENT_BYTES
    _rest: bytes = b""
    _data: list[str] = field(default_factory=list)
    _size: int = 0
    _after_return: bool = False
    _started: bool = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of the events that *chunk* completes, before StreamError for what comes behind them. Has to be read
        to its end."""
        if not chunk:
            return
        if self._after_return:
            chunk = chunk.removeprefix(b"\n")
        pieces = (self._rest + chunk).replace(b"\r\n", b"\n")
        self._after_return = pieces.endswith(b"\r")
        *lines, self._rest = pieces.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if (data := self._read_line(line)) is not None:
                yield data
        if len(self._rest) + self._size > self.max_event_bytes:
            raise StreamError("an event is too long")

    def _read_line(self, raw: bytes) -> str | None:
        """Take one line; the event's data if the line ends an event that has any."""
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            raise StreamError("the stream is not UTF-8") from None
        if not self._started:
            self._started, line = True, line.removeprefix("\ufeff")
        if not line:
            data, self._data, self._size = self._data, [], 0
            return "\n".join(data) if data else None
        name, _, value = line.partition(":")
        if name == "data":
            self._size += len(raw)
            if self._size > self.max_event_bytes:
                raise StreamError("an event is too long")
            self._data.append(value.removeprefix(" "))
        return None
