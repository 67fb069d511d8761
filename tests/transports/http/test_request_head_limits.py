"""Request heads are limited before aiohttp's parser stores them, and only unfinished heads count."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.transports.http.request_head_limits import (
    MAX_HEAD_BYTES,
    MAX_PIPELINED_REQUESTS,
    HeadParser,
    HeadTooLarge,
    TooManyPipelinedRequests,
)

HEAD = b"POST /mcp HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /mcp HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 300 + b"\r\n\r\n"
# Including the end of a head inside it.
DATA = b'{"a":\r\n\r\n"0\r\n\r\n"}'
LENGTH = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(DATA), DATA)
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n\r\n\r\n{\r\n3\r\nabc\r\n0\r\nX-Trailer: z\r\n\r\n"


class Fed:
    """A parser with limits, and what it reported."""

    def __init__(self) -> None:
        loop = asyncio.new_event_loop()
        self.unfinished = 0
        self.messages: list[Any] = []
        self.waiting: list[Any] = []
        protocol = BaseProtocol(loop)
        parser = HttpRequestParser(protocol, loop, 1 << 16, max_line_size=8190, max_field_size=1 << 18)
        self.parser = HeadParser(parser, self._report, self.waiting)
        # The parser is paused while the body is not being read.
        protocol._parser = self.parser  # type: ignore[assignment]  # it has all the methods that aiohttp calls
        loop.close()

    def _report(self, size: int) -> None:
        self.unfinished = size

    def feed(self, data: bytes, consume: bool = True) -> None:
        messages = self.parser.feed_data(data)[0]
        self.messages += messages
        if not consume:
            self.waiting += messages


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], int, list[bytes]]:
    """Requests, the bytes of an unfinished head after them, and both in pieces."""
    requests = draw(st.lists(st.sampled_from([GET, LENGTH, EMPTY, CHUNKED, b"\r\n" + GET]), max_size=6))
    partial = draw(st.integers(0, len(GET) - 1))
    data = b"".join(requests) + GET[:partial]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return requests, partial, [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.requirement("N1")
@given(streams())
def test_n1_unfinished_bytes_belong_to_the_last_head(made: tuple[list[bytes], int, list[bytes]]) -> None:
    requests, partial, pieces = made
    fed = Fed()
    for piece in pieces:
        fed.feed(piece)
    assert len(fed.messages) == len(requests)
    assert all(payload.is_eof() for _, payload in fed.messages)
    # The end of chunks is a guess if another request follows in the same piece; no client sends requests like that.
    if CHUNKED not in requests[:-1]:
        assert fed.unfinished == partial


@pytest.mark.requirement("N1")
@pytest.mark.parametrize("request_", [GET, LENGTH, EMPTY, CHUNKED])
def test_n1_request_may_be_split_anywhere(request_: bytes) -> None:
    for cut in range(len(request_) + 1):
        fed = Fed()
        for piece in (request_[:cut], request_[cut:], request_, GET[:9]):
            fed.feed(piece)
        assert len(fed.messages) == 2 and fed.unfinished == 9, cut


@pytest.mark.requirement("N1")
@pytest.mark.parametrize("size", [MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1])
@pytest.mark.parametrize("piece", [1000, 40_000, 1_000_000])
def test_n1_entire_head_counts(size: int, piece: int) -> None:
    """However it is split, and whether it ends or not."""
    start = HEAD.replace(b"POST", b"GET")
    lines = b"".join(b"X-%02d: %s\r\n" % (number, b"y" * 700) for number in range(90))
    for request in (start + lines[: size - len(start) - 4] + b"\r\n\r\n", (start + lines)[:size]):
        assert len(request) == size
        fed = Fed()
        pieces = [request[at : at + piece] for at in range(0, size, piece)]
        if size <= MAX_HEAD_BYTES:
            for chunk in pieces:
                fed.feed(chunk)
            continue
        with pytest.raises(HeadTooLarge):
            for chunk in pieces:
                fed.feed(chunk)
        # No more data is accepted or reported.
        fed.feed(GET)
        assert fed.messages == []


@pytest.mark.requirement("N1")
def test_n1_body_does_not_count() -> None:
    body = b" " * 1_000_000
    fed = Fed()
    fed.feed(HEAD + b"Content-Length: 1000000\r\n\r\n" + body + GET + GET[:50])
    assert len(fed.messages) == 2 and fed.unfinished == 50


@pytest.mark.requirement("N1")
@pytest.mark.parametrize("endless", [b"X-%d: y\r\n", b"1;name=%d"])
def test_n1_chunk_overhead_is_bounded(endless: bytes) -> None:
    """The parser stores trailers like headers, and chunk extensions have no limit of their own."""
    fed = Fed()
    fed.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + (b"0\r\n" if b":" in endless else b"1"))
    ((_, payload),) = fed.messages
    with pytest.raises(HttpProcessingError):
        for number in range(40_000):
            fed.feed(endless % number if b":" in endless else b";name=value")
    assert payload.exception() is not None


@pytest.mark.requirement("N1")
def test_n1_small_chunks_are_accepted() -> None:
    fed = Fed()
    fed.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(20_000):
        fed.feed(b"1\r\n")
        fed.feed(b"x\r\n")
    fed.feed(b"0\r\n\r\n")
    ((_, payload),) = fed.messages
    assert payload.is_eof() and payload.total_bytes == 20_000 and fed.unfinished == 0


@pytest.mark.requirement("N1")
def test_n1_pipelined_requests_are_bounded() -> None:
    fed = Fed()
    for _ in range(MAX_PIPELINED_REQUESTS):
        fed.feed(GET, consume=False)
    with pytest.raises(TooManyPipelinedRequests):
        fed.feed(GET, consume=False)
    assert len(fed.messages) == MAX_PIPELINED_REQUESTS
    with pytest.raises(TooManyPipelinedRequests):
        Fed().feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)


@pytest.mark.requirement("N1")
def test_n1_leading_line_breaks_are_not_buffered() -> None:
    fed = Fed()
    for _ in range(100):
        fed.feed(b"\r\n" * 1000)
    assert fed.unfinished == 0
    fed.feed(GET)
    assert len(fed.messages) == 1
