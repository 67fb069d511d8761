"""Reads of lists and objects that a change mentions. Unreadable ones are left out."""

from __future__ import annotations

from ...api.errors import ApiError
from ...api.pagination import LARGE_PAGE_SIZE, parse_page
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.series import structured_content
from ..tools.tool import ContentResult, Tool
from .change_rows import name_of
from .state_reader import MAX_READ_PAGES


def row_name(row: JsonObject) -> str:
    """Return the address of a user, or the name of any other object; "" without one."""
    return str(row.get("email") or name_of(row) or "")


async def read_name(call: Call, reader: Tool, reference: JsonObject) -> str:
    """Return the name of an object; "" if it cannot be read."""
    return row_name(await read_object(call, reader, {"id": reference["objectId"]}) or {})


async def read_object(call: Call, reader: Tool, arguments: JsonObject) -> JsonObject | None:
    """Return the object that *reader* shows; None if it cannot be read."""
    try:
        result = await reader.run(call, arguments)
    except ApiError as error:
        if error.kind == "credential":
            raise
        return None
    return None if isinstance(result, ContentResult) else structured_content(result)


async def read_rows(call: Call, reader: Tool, arguments: JsonObject) -> list[JsonObject] | None:
    """Return the rows of all pages of a list, or the one object that *reader* shows; None if it cannot be read, or if
    there are too many pages."""
    with_page_size = {**arguments, "maxResults": LARGE_PAGE_SIZE}
    sent: JsonObject = arguments if reader.argument_problems(with_page_size) else with_page_size
    rows: list[JsonObject] = []
    token = ""
    for _ in range(MAX_READ_PAGES):
        try:
            result = await reader.run(call, {**sent, "pageToken": token} if token else sent)
        except ApiError as error:
            if error.kind == "credential":
                raise
            return None
        if isinstance(result, ContentResult):
            return None
        if not reader.rows_key:
            return [structured_content(result)]
        page = parse_page(structured_content(result), reader.rows_key)
        rows += page.rows
        if not page.next_token or page.next_token == token or not reader.is_paginated:
            return rows
        token = page.next_token
    return None
