"""Request bodies: aiohttp's own parser reads forms back, and what cannot be sent is refused."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any, TypedDict, Unpack

import pytest
from aiohttp import BodyPartReader, MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Area, Request, post
from doit_mcp.api.request_bodies import MULTIPART, Body, encode_body, encode_form
from doit_mcp.protocol.json_schema import JsonObject

from .conftest import Api, Seen, respond
from .test_client import Connect

Part = tuple[str | None, str | None, str | None, bytes]


class Fields(TypedDict, total=False):
    provider: str
    file: bytes


class Files(Area):
    """Files."""

    @post("/files", content_type=MULTIPART)
    async def upload(self, **form: Unpack[Fields]) -> JsonObject:
        raise AssertionError("the decorator sends")


async def parts_of(seen: Seen) -> list[Part]:
    """Return the parts of a form as aiohttp reads it: name, file name, content type, content."""
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    content.feed_data(seen.body)
    content.feed_eof()
    reader, parts = MultipartReader({"Content-Type": seen.headers["Content-Type"]}, content), []
    while (part := await reader.next()) is not None:
        assert isinstance(part, BodyPartReader)
        parts.append((part.name, part.filename, part.headers.get("Content-Type"), bytes(await part.read())))
    return parts


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"a,b\n1,2\n", "file.csv", "text/csv"),
        (b"", "file.csv", "text/csv"),
        (b"\r\n--\r\n--a\r\n\x00\xff", "file.csv", "text/csv"),
        (gzip.compress(b"a", mtime=0), "file.csv.gz", "application/gzip"),
        (b"PK\x03\x04...", "file.zip", "application/zip"),
    ],
)
async def test_form_round_trips(api: Api, connect: Connect, content: bytes, name: str, kind: str) -> None:
    api.script = [respond(201, {"batch": "b"})]
    assert await Files(connect()).upload(provider="ü\r\nx: y", file=content) == {"batch": "b"}
    provider, file = await parts_of(api.seen[0])
    assert provider == ("provider", None, None, "ü\r\nx: y".encode()) and file == ("file", name, kind, content)


async def test_form_is_resent_after_a_rejected_credential(api: Api, connect: Connect) -> None:
    api.script = [respond(401, {}), respond(201, {"batch": "b"})]
    assert await Files(connect()).upload(file=b"a") == {"batch": "b"}
    first, second = api.seen
    assert first.body == second.body and first.headers["Content-Type"] == second.headers["Content-Type"]


@given(st.dictionaries(st.sampled_from("abc"), st.binary() | st.text()))
def test_multipart_boundary_is_absent_from_all_parts(fields: dict[str, Any]) -> None:
    body = encode_form(fields)
    boundary = body.content_type.split('"')[1].encode()
    assert body.content.count(boundary) == len(fields) + 1


def test_json_content_type_follows_the_operation() -> None:
    assert encode_body(Request("POST", "/", {}, None), "application/json") is None
    body = encode_body(Request("PATCH", "/", {}, {"a": None}), "application/merge-patch+json")
    assert body == Body(b'{"a":null}', "application/merge-patch+json")


@pytest.mark.parametrize("media", ["application/json", MULTIPART])
def test_unserializable_body_is_rejected(media: str) -> None:
    with pytest.raises(ApiError) as caught:
        encode_body(Request("POST", "/", {}, {"a": "\ud800"}), media)
    assert caught.value.kind == "argument"
