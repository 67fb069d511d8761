"""Parser for event streams (text/event-stream, WHATWG HTML 9.2). No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_EVENT_BYTES = 1 << 20
"""Maximum bytes of an event, including an incomplete line."""


class StreamError(ValueError):
    """The stream exceeds a limit or is not UTF-8."""


@dataclass(slots=True)
class EventStreamParser:
    """Parses chunks of bytes into the data of complete events.

    Lines end with CR, LF or CR LF. Ignores comments and the fields event, id and retry, which the API does not use, and
    an incomplete event at the end of the stream, as the standard requires.
    """

    max_event_bytes: int = MAX_EVENT_BYTES
    _rest: bytes = b""
    _data: list[str] = field(default_factory=list)
    _size: int = 0
    _after_return: bool = False
    _started: bool = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the data of the events that *chunk* completes. Raises StreamError after the valid events.

        Exhaust the iterator before the next call.
        """
        if not chunk:
            return
        if self._after_return:
            chunk = chunk.removeprefix(b"\n")
        buffered = (self._rest + chunk).replace(b"\r\n", b"\n")
        self._after_return = buffered.endswith(b"\r")
        *lines, self._rest = buffered.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if (data := self._read_line(line)) is not None:
                yield data
        if len(self._rest) + self._size > self.max_event_bytes:
            raise StreamError("an event is too long")

    def _read_line(self, raw: bytes) -> str | None:
        """Process one line. Return the data of the event that it ends, if any."""
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
