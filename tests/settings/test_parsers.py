"""Parsers: what they accept, and errors that never repeat the value."""

from __future__ import annotations

import pytest

from doit_mcp.settings import Settings
from doit_mcp.settings.host_names import LOOPBACK_HOSTS
from doit_mcp.settings.parsers import Integer, parse_url

from .variables import FIELDS, VARIABLES, problems

NUMBERS = {name: declared.parse for name, declared in VARIABLES.items() if isinstance(declared.parse, Integer)}


@pytest.mark.parametrize("variable", NUMBERS)
def test_numbers_have_bounds(variable: str) -> None:
    bounds = NUMBERS[variable]
    for edge in (bounds.minimum, bounds.maximum):
        assert getattr(Settings.from_environment({variable: str(edge)}), FIELDS[variable]) == edge
    beyond = [str(bounds.minimum - 1), str(bounds.maximum + 1)]
    for text in [*beyond, "1.5", "1e3", "x", "0x10", "٣", "²", "1_000", "9" * 5000]:
        assert problems({variable: text}) == [
            f"{variable} must be a whole number from {bounds.minimum} to {bounds.maximum}."
        ]


URLS = [name for name, declared in VARIABLES.items() if declared.parse is parse_url]


@pytest.mark.parametrize("variable", URLS)
@pytest.mark.parametrize(
    "text",
    [
        "host",
        "//host",
        "ftp://host",
        "https://",
        "https:///path",
        "https://host?",
        "https://host?q=1",
        "https://host#",
        "https://me@host",
        "https://:secret@host",
        "https://host:0",
        "https://host:99999",
        "https://host:x",
        "https://[::1",
        "https://[:::1]",
        "https://ho st",
        "https://host/a\nb",
        "https://höst",
        "http://host",
        "http://127.0.0.1.example.org",
    ],
)
def test_invalid_urls_are_rejected(variable: str, text: str) -> None:
    (problem,) = problems({variable: text})
    assert problem.startswith(f"{variable} must be a")
    assert len(problem) < 160 and "secret" not in problem


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "tökén", "x" * 501])
def test_invalid_tokens_are_rejected(text: str) -> None:
    assert problems({"DOIT_MCP_OPENAI_CHALLENGE": text}) == [
        "DOIT_MCP_OPENAI_CHALLENGE must be a token of at most 500 printable ASCII characters without spaces."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "redis://host",
        "rediss://user:p%40ss@host.example:6380/15",
        "redis://[::1]:6379",
        "unix:///run/redis.sock",
        "unix://user:pass@/run/redis.sock?db=1",
        "redis+sentinel://sentinel-1:26379,sentinel-2/state",
        "rediss+sentinel://u:p%40ss@[::1]:1,b/state.x/3?sentinel_username=u&sentinel_password=p",
        "redis+cluster://node",
        "rediss+cluster://:p@a:1,b:2,c:3/",
    ],
)
def test_redis_urls(text: str) -> None:
    assert Settings.from_environment({"DOIT_MCP_REDIS_URL": text}).redis_url == text


@pytest.mark.parametrize(
    "text",
    [
        "host",
        "http://host",
        "redis://",
        "redis://host:0",
        "redis://host:99999",
        "redis://host/x",
        "redis://:secret@",
        "redis://host?ssl_cert_reqs=none",
        "unix://secret",
        "unix://",
        "redis://a b",
        "redis+sentinel://host",
        "redis+sentinel://host/",
        "redis+sentinel://host:99999/state",
        "redis+sentinel://host,/state",
        "redis+sentinel://:secret@/state",
        "redis+sentinel://host/state/x",
        "redis+sentinel://host/state?ssl=secret",
        "redis+cluster://host/state",
        "redis+cluster://a,b:0",
        f"redis+cluster://{','.join('abcdefghij')}",
        "unix+cluster://host",
    ],
)
def test_invalid_redis_urls_are_rejected(text: str) -> None:
    (problem,) = problems({"DOIT_MCP_REDIS_URL": text})
    assert problem.startswith("DOIT_MCP_REDIS_URL must be a URL") and "secret" not in problem


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
def test_plain_http_requires_loopback(host: str) -> None:
    url = f"http://[{host}]:1" if ":" in host else f"http://{host}:1"
    assert Settings.from_environment({"MCP_RESOURCE_URL": url}).own_origin == url


@pytest.mark.parametrize("text", ["*", "null", "host", "https://host/", "https://host/x", "https://a,*", "https://a:0"])
def test_unmatchable_origins_are_rejected(text: str) -> None:
    (problem,) = problems({"DOIT_MCP_ALLOWED_ORIGINS": text})
    assert problem.startswith("DOIT_MCP_ALLOWED_ORIGINS must be origins")


def test_default_port_of_an_origin_is_dropped() -> None:
    settings = Settings.from_environment({"DOIT_MCP_ALLOWED_ORIGINS": "https://a:443 http://b:80 https://c:80"})
    assert settings.allowed_origins == ("https://a", "http://b", "https://c:80")


@pytest.mark.parametrize("text", ["*", "https://host", "host/", "a:b", "[::1", "a:99999"])
def test_unmatchable_hosts_are_rejected(text: str) -> None:
    (problem,) = problems({"DOIT_MCP_ALLOWED_HOSTS": text})
    assert problem.startswith("DOIT_MCP_ALLOWED_HOSTS must be names")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("off", False)])
def test_booleans(text: str, value: bool) -> None:
    assert Settings.from_environment({"DOIT_MCP_ADVERTISE_OFFLINE_ACCESS": text}).advertise_offline_access is value
    assert problems({"DOIT_MCP_ADVERTISE_OFFLINE_ACCESS": "maybe"}) == [
        "DOIT_MCP_ADVERTISE_OFFLINE_ACCESS must be true or false."
    ]


def test_log_levels() -> None:
    assert problems({"DOIT_MCP_LOG_LEVEL": "loud"}) == [
        "DOIT_MCP_LOG_LEVEL must be one of debug, info, warning, error."
    ]
