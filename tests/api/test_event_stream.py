"""The event stream parser yields the same events however the bytes are split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.event_stream import MAX_EVENT_BYTES, EventStreamParser, StreamError

LINES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\ufeff"), max_size=20)
ENDS = st.sampled_from(["\n", "\r", "\r\n"])


def parse(*chunks: bytes) -> list[str]:
    parser = EventStreamParser()
    return [data for chunk in chunks for data in parser.feed(chunk)]


@given(st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5), ENDS, st.data())
def test_any_chunking_gives_the_same_events(events: list[list[str]], end: str, data: st.DataObject) -> None:
    text = "".join("".join(f"data: {line}{end}" for line in lines) + end for lines in events).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[first:last] for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parse(*pieces) == ["\n".join(lines) for lines in events] == parse(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_events_or_a_stream_error(content: bytes) -> None:
    try:
        assert all(isinstance(data, str) for data in parse(content))
    except StreamError:
        with pytest.raises(UnicodeDecodeError):
            content.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data:a\n\n", ["a"]),
        ("data:  a\n\n", [" a"]),
        ("data\n\n", [""]),
        ("\ufeffdata: a\n\n", ["a"]),
        (": comment\nevent: x\nid: 1\nretry: 5\ndata: a\ndata: b\n\n", ["a\nb"]),
        ("event: x\n\n\n", []),
        ("data: unfinished\n", []),
        ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]),
    ],
)
def test_fields_follow_the_sse_standard(text: str, expected: list[str]) -> None:
    assert parse(text.encode()) == expected


def test_event_size_is_limited_across_lines() -> None:
    with pytest.raises(StreamError):
        parse(b"data: " + b"x" * MAX_EVENT_BYTES)
    with pytest.raises(StreamError):
        parse(*[b"data: " + b"x" * 1000 + b"\n"] * (MAX_EVENT_BYTES // 1000))
    with pytest.raises(StreamError):
        list(EventStreamParser(max_event_bytes=10).feed(b"data: 0123456789\n"))
