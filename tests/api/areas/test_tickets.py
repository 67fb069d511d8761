"""Support requests, their platforms and products: requests of every tool."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/support/v1/tickets"


@pytest.mark.parametrize(
    ("area", "name", "arguments", "request_"),
    [
        ("tickets", "get_ticket", {"id": 123}, Request("GET", f"{PATH}/123", {}, None)),
        (
            "tickets",
            "update_ticket",
            {"ticketId": 1, "status": "solved", "assignee": "a@b.example"},
            Request("PATCH", f"{PATH}/1", {}, {"status": "solved", "assignee": "a@b.example"}),
        ),
        ("tickets", "list_ticket_comments", {"ticketId": 1}, Request("GET", f"{PATH}/1/comments", {}, None)),
        (
            "tickets",
            "create_ticket_comment",
            {"ticketId": 1, "body": " b ", "private": False},
            Request("POST", f"{PATH}/1/comments", {}, {"body": " b ", "private": False}),
        ),
        ("tickets", "list_ticket_tags", {"ticketId": 1}, Request("GET", f"{PATH}/1/tags", {}, None)),
        (
            "tickets",
            "add_ticket_tags",
            {"ticketId": 1, "tags": ["a", "b"]},
            Request("POST", f"{PATH}/1/tags", {}, {"tags": ["a", "b"]}),
        ),
        (
            "tickets",
            "remove_ticket_tags",
            {"ticketId": 1, "tags": ["a"]},
            Request("DELETE", f"{PATH}/1/tags", {}, {"tags": ["a"]}),
        ),
        ("platforms", "list_platforms", {}, Request("GET", "/support/v1/metadata/platforms", {}, None)),
        ("products", "list_products", {"platform": None}, Request("GET", "/support/v1/metadata/products", {}, None)),
        (
            "products",
            "list_products",
            {"platform": "google_cloud_platform"},
            Request("GET", "/support/v1/metadata/products", {"platform": "google_cloud_platform"}, None),
        ),
    ],
)
async def test_requests(area: str, name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request(area, name, arguments) == request_


def test_hints_declare_support_operations_as_external() -> None:
    outward = {operation.name for operation in AREAS["tickets"].operations if operation.open_world}
    assert outward == {"create_ticket", "update_ticket", "create_ticket_comment"}
