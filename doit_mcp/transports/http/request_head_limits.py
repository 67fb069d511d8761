"""Limits on request heads and chunk framing, enforced around the HTTP parser, which buffers everything it is fed."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Protocol

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError

# Request line and headers together, and trailers. Tokens have at most 8 KB, so legitimate heads are far smaller.
MAX_HEAD_BYTES = 32 << 10
# The path and query of a request.
MAX_TARGET_BYTES = 8 << 10
MAX_HEADERS = 100
# Framing (chunk sizes and line breaks) that a body may have in excess of half its data: a chunk of one byte costs as
# much as a large one. More than the 256 KB received by the time the parser pauses, which count before they are parsed.
MAX_CHUNK_FRAMING_BYTES = 512 << 10
# Requests that a connection may send ahead of the one being handled.
MAX_PIPELINED_REQUESTS = 8
END_OF_HEAD = b"\r\n\r\n"
END_OF_HEAD_BYTES = len(END_OF_HEAD)
END_OF_CHUNKS = b"0\r\n\r\n"
NO_REQUESTS: tuple[Sequence[tuple[RawRequestMessage, StreamReader]], bool, bytes] = ((), False, b"")

ParsedRequest = tuple[RawRequestMessage, StreamReader]


class HeadTooLarge(HttpProcessingError):
    """The head of a request, or framing between chunks of its body, is larger than MAX_HEAD_BYTES."""

    code = 431


class ChunksTooSmall(HttpProcessingError):
    """The chunks of a body have more framing than MAX_CHUNK_FRAMING_BYTES plus half of their data."""

    code = 400


class TooManyPipelinedRequests(HttpProcessingError):
    """More than MAX_PIPELINED_REQUESTS requests wait on one connection."""


class RequestParser(Protocol):
    """The methods of aiohttp's request parser that its protocol calls."""

    def feed_data(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        """Return requests whose heads end in *data*, whether the connection was upgraded, and the bytes after that."""

    def feed_eof(self) -> object:
        """Handle the end of the client's data."""

    def pause_reading(self) -> None:
        """Pause after the current part of the body."""

    def message_consumed(self) -> None:
        """Record that a request was taken from the queue."""

    def set_upgraded(self, value: bool) -> None:
        """Set whether the connection switched to another protocol."""


class HeadParser:
    """Feeds aiohttp's *parser* and raises HttpProcessingError once a head is too large or too many requests wait.

    *on_head_bytes* is called with the size of an unfinished head as it grows, and with 0 when the first bytes arrive
    and when a head ends. *waiting* holds the requests that were parsed but not yet taken.
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
        # The unfinished head: its size so far, and its last three bytes.
        self._head, self._head_end = 0, b""
        # The body being received: its remaining bytes, or the chunked body itself.
        self._body_left = 0
        self._chunks: StreamReader | None = None
        # Bytes of chunk data so far, and bytes of framing received since the last of them.
        self._chunk_data, self._framing = 0, 0
        # Bytes received of the chunked body, including framing.
        self._chunk_bytes = 0

    def ignore_rest(self) -> None:
        """Discard everything else that the client sends."""
        self._failed, self._between_requests = True, False

    def feed_data(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        """Feed *data* to the parser, like :meth:`RequestParser.feed_data`. Raise HttpProcessingError."""
        try:
            if not self._between_requests or len(data) > MAX_HEAD_BYTES:
                return self._feed_slow_path(data)
            fed = self._parser.feed_data(data)
            messages = fed[0]
            if len(messages) == 1 and not self._waiting:
                payload = messages[0][1]
                # Usually the data is exactly one request, so there is nothing to count. It has no chunks, because
                # their framing would make the body longer than its content.
                if data.find(END_OF_HEAD) + END_OF_HEAD_BYTES + payload.total_bytes == len(data) and payload.is_eof():
                    return fed
            self._count_piece(data, messages, 0)
            return fed
        except HttpProcessingError:
            # aiohttp would report an error for every further piece of an invalid request.
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
        self._count_piece(data, fed[0], 0)
        return fed

    def _feed_in_pieces(self, data: bytes) -> tuple[Sequence[ParsedRequest], bool, bytes]:
        requests: list[ParsedRequest] = []
        while data:
            size = self._body_left or MAX_HEAD_BYTES
            piece, data = data[:size], data[size:]
            messages, upgraded, tail = self._parser.feed_data(piece)
            self._count_piece(piece, messages, len(requests))
            requests += messages
            if upgraded:
                return requests, True, tail + data
        return requests, False, b""

    def _count_piece(self, piece: bytes, messages: Sequence[ParsedRequest], found_before: int) -> None:
        """Count *piece*, in which *messages* were found, after *found_before* in earlier pieces of the same data."""
        if messages:
            if len(self._waiting) + found_before + len(messages) > MAX_PIPELINED_REQUESTS:
                raise TooManyPipelinedRequests(code=400, message="Too many requests are waiting on this connection")
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
        """Find where the last of *messages* ends in *piece*. The rest starts another head."""
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
                # The parser held it back, or it follows chunks whose end was not found.
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
            # Only an unfinished head can follow, and it does not contain END_OF_HEAD.
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
    """Return where a chunked body in *data* ends. Wrong if its chunks contain END_OF_CHUNKS or it has trailers."""
    end = data.find(END_OF_CHUNKS, position)
    return position if end < 0 else end + len(END_OF_CHUNKS)
