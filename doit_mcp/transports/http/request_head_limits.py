"""Bounds on request heads: bytes are counted before the HTTP parser, which keeps all it is given, sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Protocol

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError

# Request line and headers together, and trailers. Tokens have at most 8 KB, so an honest head is far smaller.
MAX_HEAD_BYTES = 32 << 10
# The path and query of a request.
MAX_TARGET_BYTES = 8 << 10
MAX_HEADERS = 100
# What the sizes and line breaks of chunks may add to half of the data in them: a chunk of one byte costs as much as one
# of many. It is more than the 256 KB that were received when the parser pauses, which count before they are parsed.
MAX_CHUNK_FRAMING_BYTES = 512 << 10
# Requests that one connection has sent ahead of the one that is being answered.
MAX_PIPELINED_REQUESTS = 8
END_OF_HEAD = b"\r\n\r\n"
END_OF_HEAD_BYTES = len(END_OF_HEAD)
END_OF_CHUNKS = b"0\r\n\r\n"
NO_REQUESTS: tuple[Sequence[tuple[RawRequestMessage, StreamReader]], bool, bytes] = ((), False, b"")

ParsedRequest = tuple[RawRequestMessage, StreamReader]


class HeadTooLarge(HttpProcessingError):
    """The head of a request, or what surrounds the chunks of its body, is larger than MAX_HEAD_BYTES."""

    code = 431


class ChunksTooSmall(HttpProcessingError):
    """The chunks of a body have more framing than MAX_CHUNK_FRAMING_BYTES and half of their data."""

    code = 400


class TooManyPipelinedRequests(HttpProcessingError):
    """More than MAX_WAITING_REQUESTS requests wait on one connection."""


class RequestParser(Protocol):
    """The part of aiohttp's request parser that its protocol uses."""

    def feed_data(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        """Requests whose heads ended in *data*, whether the connection was upgraded, and what follows the upgrade."""

    def feed_eof(self) -> object:
        """The client sends nothing more."""

    def pause_reading(self) -> None:
        """Stop after the present part of the body."""

    def message_consumed(self) -> None:
        """A request was taken from the queue."""

    def set_upgraded(self, value: bool) -> None:
        """Whether what follows is another protocol."""


class HeadParser:
    """Feeds aiohttp's *parser* and raises HttpProcessingError once a head is too large or too many requests wait.

    *unfinished* is called with the bytes of a head that has begun and not ended, and with 0 once it has ended, and when
    the first bytes arrive; *waiting* holds the requests that were parsed and not taken yet.
    """

    __slots__ = (
        "feed_eof",
        "pause_reading",
        "message_consumed",
        "set_upgraded",
        "_parser",
        "_on_head_bytes",
        "_waiting",
        "_began",
        "_between_requests",
        "_failed",
        "_head",
        "_head_end",
        "_body_left",
        "_chunks",
        "_chunk_data",
        "_framing",
        "_chunk_bytes",
    )

    def __init__(self, parser: RequestParser, on_head_bytes: Callable[[int], None], waiting: Sized) -> None:
        self._parser, self._on_head_bytes, self._waiting = parser, on_head_bytes, waiting
        self.feed_eof, self.pause_reading = parser.feed_eof, parser.pause_reading
        self.message_consumed, self.set_upgraded = parser.message_consumed, parser.set_upgraded
        # Whether anything was received, and whether the next byte begins a request.
        self._began = self._between_requests = False
        self._failed = False
        # Of the head that has begun: its bytes so far, and the last three of them.
        self._head, self._head_end = 0, b""
        # Of the body that is being received: bytes still to come, or the chunked body itself.
        self._body_left = 0
        self._chunks: StreamReader | None = None
        # Bytes of chunks so far, and bytes received since the last of them that were not part of a chunk.
        self._chunk_data, self._framing = 0, 0
        # Bytes received of the chunked body, its framing included.
        self._chunk_bytes = 0

    def ignore_rest(self) -> None:
        """Parse nothing more of what the client sends."""
        self._failed, self._between_requests = True, False

    def feed_data(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        """As the parser's method."""
        try:
            if not self._between_requests or len(data) > MAX_HEAD_BYTES:
                return self._feed_slow_path(data)
            fed = self._parser.feed_data(data)
            messages = fed[0]
            if len(messages) == 1 and not self._waiting:
                payload = messages[0][1]
                # Exactly one request, as nearly always, so there is nothing to count. It has no chunks, since what
                # surrounds those makes them longer than their content.
                if data.find(END_OF_HEAD) + END_OF_HEAD_BYTES + payload.total_bytes == len(data) and payload.is_eof():
                    return fed
            self._account(data, messages, 0)
            return fed
        except HttpProcessingError:
            # aiohttp would report every further piece of an unreadable request as one more error.
            self._failed, self._between_requests = True, False
            if self._chunks is not None:
                self._chunks.set_exception(RequestPayloadError("the chunked body is not valid"))
            raise

    def _feed_slow_path(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        if self._failed:
            return NO_REQUESTS
        if not self._began:
            self._began = True
            self._on_head_bytes(0)
        if len(data) > MAX_HEAD_BYTES or self._body_left:
            return self._feed_in_pieces(data)
        fed = self._parser.feed_data(data)
        self._account(data, fed[0], 0)
        return fed

    def _feed_in_pieces(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        found: list[ParsedRequest] = []
        while data:
            size = self._body_left or MAX_HEAD_BYTES
            piece, data = data[:size], data[size:]
            messages, upgraded, tail = self._parser.feed_data(piece)
            self._account(piece, messages, len(found))
            found += messages
            if upgraded:
                return found, True, tail + data
        return found, False, b""

    def _account(self, piece: bytes, messages: Sequence[ParsedRequest], found: int) -> None:
        """Count *piece*, in which *messages* were found; *found* others were in earlier pieces of the same data."""
        if messages:
            if len(self._waiting) + found + len(messages) > MAX_PIPELINED_REQUESTS:
                raise TooManyPipelinedRequests(code=400, message="Too many requests wait on this connection")
            self._end_heads(piece, messages)
        elif self._body_left:
            self._body_left -= len(piece)
        elif self._chunks is not None:
            self._receive_chunks(self._chunks, piece)
        elif piece:
            self._extend_head(piece)
        self._between_requests = not (self._head or self._body_left or self._chunks is not None)

    def _extend_head(self, piece: bytes) -> None:
        # The parser skips line breaks before a request.
        piece = piece if self._head else piece.lstrip(b"\r\n")
        if piece:
            self._head += len(piece)
            self._head_end = (self._head_end + piece[-3:])[-3:]
            self._check_size(self._head)
            self._on_head_bytes(self._head)

    def _end_heads(self, piece: bytes, messages: Sequence[ParsedRequest]) -> None:
        """Find where the last of *messages* ends in *piece*; what follows begins another head."""
        data, position, before, guessed = piece, 0, 0, False
        if self._head:
            data, before = self._head_end + piece, self._head - len(self._head_end)
            self._head, self._head_end = 0, b""
            self._on_head_bytes(0)
        elif self._chunks is not None:
            position, self._chunks, guessed = _find_end_of_chunks(data, 0), None, True
        for message, payload in messages:
            while not before and data[position : position + 1] in (b"\r", b"\n"):
                position += 1
            end = data.find(END_OF_HEAD, position)
            if end < 0:
                # It was held back by the parser, or follows chunks of which the end was not found.
                break
            self._check_size(before + end + END_OF_HEAD_BYTES - position)
            position, before = end + END_OF_HEAD_BYTES, 0
            if not message.chunked:
                position += int(message.headers.get("Content-Length", "0"))
            elif payload.is_eof():
                position, guessed = _find_end_of_chunks(data, position), True
            else:
                self._chunks, self._chunk_data, self._framing = payload, payload.total_bytes, 0
                self._chunk_bytes = 0
                return
        if guessed and (message.chunked or payload is EMPTY_PAYLOAD):
            # Only an unfinished head can follow, in which there is no such end.
            position = data.rfind(END_OF_HEAD) + END_OF_HEAD_BYTES
        if position > len(data):
            self._body_left = position - len(data)
        elif position < len(data):
            self._extend_head(data[position:])

    def _receive_chunks(self, payload: StreamReader, piece: bytes) -> None:
        if payload.is_eof():
            self._chunks = None
            self._extend_head(piece[piece.rfind(END_OF_HEAD) + END_OF_HEAD_BYTES :] if END_OF_HEAD in piece else piece)
            return
        self._framing = self._framing + len(piece) if payload.total_bytes == self._chunk_data else 0
        self._chunk_data = payload.total_bytes
        self._check_size(self._framing)
        self._chunk_bytes += len(piece)
        if self._chunk_bytes > MAX_CHUNK_FRAMING_BYTES + payload.total_bytes * 3 // 2:
            raise ChunksTooSmall(message="the chunks of the body are too small")

    @staticmethod
    def _check_size(size: int) -> None:
        if size > MAX_HEAD_BYTES:
            raise HeadTooLarge(message=f"larger than {MAX_HEAD_BYTES} bytes")


def _find_end_of_chunks(data: bytes, position: int) -> int:
    """Where a chunked body in *data* ends, unless its chunks contain the same bytes or it has trailers."""
    end = data.find(END_OF_CHUNKS, position)
    return position if end < 0 else end + len(END_OF_CHUNKS)
