"""Spellings of host names."""

from __future__ import annotations

import pytest

from doit_mcp.settings.host_names import host_spellings


@pytest.mark.parametrize(
    ("host", "scheme", "spellings"),
    [
        ("a.example", "https", {"a.example", "a.example:443", "a.example.", "a.example.:443"}),
        ("a.example.:443", "https", {"a.example", "a.example:443", "a.example.", "a.example.:443"}),
        ("a.example", "http", {"a.example", "a.example:80", "a.example.", "a.example.:80"}),
        ("a.example:80", "https", {"a.example:80", "a.example.:80"}),
        ("[::1]", "http", {"[::1]", "[::1]:80"}),
        ("[::1]:8080", "http", {"[::1]:8080"}),
    ],
)
def test_spellings_of_a_host(host: str, scheme: str, spellings: set[str]) -> None:
    assert host_spellings(host, scheme) == spellings
