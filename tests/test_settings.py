"""The settings: every variable, all problems reported at once, and no secrets in errors."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.settings import WEB_CLIENT_ORIGINS, BadSettings, Settings
from doit_mcp.settings_parsing import LOOPBACK_HOSTS, Integer, url

VARIABLES = {declared.name: declared for declared in Settings.variables().values()}
FIELDS = {declared.name: field for field, declared in Settings.variables().items()}
SECRETS = ("MCP_TOKEN_EXCHANGE_SECRET", "DOIT_API_KEY", "DOIT_MCP_REDIS_URL")


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        Settings.from_environment(environment)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_nothing_set_means_the_defaults_of_production() -> None:
    found = Settings.from_environment({})
    assert found == Settings()
    assert (found.host, found.port) == ("127.0.0.1", 8080)
    assert found.resource_url == "https://mcp.doit.com"
    assert found.console_base == found.auth_server_url == "https://console.doit.com"
    assert found.accepted_origins == {"https://mcp.doit.com", *WEB_CLIENT_ORIGINS}
    assert found.accepted_hosts == {"mcp.doit.com"}


GIVEN: list[tuple[str, str, Any]] = [
    ("DOIT_MCP_HOST", "0.0.0.0", "0.0.0.0"),
    ("DOIT_MCP_PORT", "0", 0),
    ("DOIT_MCP_WORKERS", "2", 2),
    ("MCP_RESOURCE_URL", "https://mcp.example.org/base/", "https://mcp.example.org/base"),
    ("AUTH_SERVER_URL", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    ("DOIT_API_BASE", "http://[::1]:9000/api", "http://[::1]:9000/api"),
    ("DOIT_CONSOLE_BASE", "https://console.example.org", "https://console.example.org"),
    ("MCP_TOKEN_EXCHANGE_SECRET", " s3cret ", "s3cret"),
    ("DOIT_MCP_STATE_SECRETS", f"{'N' * 32}, derived", ("N" * 32, "derived")),
    ("DOIT_API_KEY", "key", "key"),
    ("CUSTOMER_CONTEXT", "EE8CtpzYiKp0dVAESVrB", "EE8CtpzYiKp0dVAESVrB"),
    ("TENANT_ID", "t", "t"),
    ("DOIT_MCP_ALLOWED_ORIGINS", "https://A.example, http://b:6274", ("https://a.example", "http://b:6274")),
    ("DOIT_MCP_ALLOWED_HOSTS", "A.example b.example:8080,[::1]:80", ("a.example", "b.example:8080", "[::1]:80")),
    ("DOIT_MCP_TRUSTED_PROXIES", "10.0.0.0/8, FD00::/8 192.0.2.1", ("10.0.0.0/8", "fd00::/8", "192.0.2.1/32")),
    ("DOIT_MCP_ADVERTISE_OFFLINE_ACCESS", "No", False),
    ("DOIT_MCP_SESSION_IDLE_S", "60", 60),
    ("DOIT_MCP_SESSIONS_PER_PRINCIPAL", "2", 2),
    ("DOIT_MCP_SESSIONS_TOTAL", "3", 3),
    ("DOIT_MCP_STREAMS_PER_PRINCIPAL", "4", 4),
    ("DOIT_MCP_CALLS_PER_PRINCIPAL", "5", 5),
    ("DOIT_MCP_CALLS_TOTAL", "6", 6),
    ("DOIT_MCP_CALLS_PER_MINUTE", "600", 600),
    ("DOIT_MCP_MAX_BODY", "1024", 1024),
    ("DOIT_MCP_BODY_TIMEOUT_S", "7", 7),
    ("DOIT_MCP_KEEP_ALIVE_S", "8", 8),
    ("DOIT_MCP_KEEP_ALIVE_TIMEOUT_S", "620", 620),
    ("DOIT_MCP_DRAIN_S", "0", 0),
    ("DOIT_MCP_REDIS_URL", "redis://:hush@redis:6379/1", "redis://:hush@redis:6379/1"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/", "http://collector:4318"),
    ("DOIT_MCP_LOG_LEVEL", "DEBUG", "debug"),
    ("DOIT_MCP_AUDIT_REQUIRED", "true", True),
]


@pytest.mark.parametrize(("variable", "text", "value"), GIVEN)
def test_each_variable(variable: str, text: str, value: Any) -> None:
    found = Settings.from_environment({variable: text})
    assert getattr(found, FIELDS[variable]) == value


def test_all_variables_are_tested() -> None:
    assert {variable for variable, _, _ in GIVEN} == set(VARIABLES)
    assert len(VARIABLES) == len(fields(Settings))


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_an_empty_variable_is_not_set(text: str) -> None:
    assert Settings.from_environment(dict.fromkeys(VARIABLES, text)) == Settings()


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOIT_MCP_PORT", "1234")
    assert Settings.from_environment().port == 1234


def test_flags_override_the_environment() -> None:
    found = Settings.from_environment({"DOIT_MCP_PORT": "1", "DOIT_MCP_HOST": "h"}, {"DOIT_MCP_PORT": "2"})
    assert (found.port, found.host) == (2, "h")


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


URLS = [name for name, declared in VARIABLES.items() if declared.parse is url]


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
def test_invalid_urls_are_refused(variable: str, text: str) -> None:
    (problem,) = problems({variable: text})
    assert problem.startswith(f"{variable} must be a")
    assert len(problem) < 160 and "secret" not in problem


@pytest.mark.parametrize(
    "text",
    [
        "redis://host",
        "rediss://user:p%40ss@host.example:6380/15",
        "redis://[::1]:6379",
        "unix:///run/redis.sock",
        "unix://user:pass@/run/redis.sock?db=1",
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
    ],
)
def test_invalid_redis_urls_are_refused(text: str) -> None:
    (problem,) = problems({"DOIT_MCP_REDIS_URL": text})
    assert problem.startswith("DOIT_MCP_REDIS_URL must be a URL") and "secret" not in problem


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
def test_plain_http_is_for_loopback(host: str) -> None:
    url = f"http://[{host}]:1" if ":" in host else f"http://{host}:1"
    assert Settings.from_environment({"MCP_RESOURCE_URL": url}).own_origin == url


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://MCP.Example.org/base", "https://mcp.example.org", "mcp.example.org"),
        ("https://mcp.example.org:443", "https://mcp.example.org", "mcp.example.org"),
        ("https://mcp.example.org:8443", "https://mcp.example.org:8443", "mcp.example.org:8443"),
        ("http://localhost:80/x", "http://localhost", "localhost"),
        ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_own_origin_and_host_are_as_browsers_write_them(url: str, origin: str, host: str) -> None:
    found = Settings.from_environment({"MCP_RESOURCE_URL": url, "DOIT_MCP_ALLOWED_HOSTS": "Inner:1"})
    assert found.own_origin == origin
    assert origin in found.accepted_origins
    assert found.accepted_hosts == {host, "inner:1"}


@pytest.mark.parametrize("text", ["*", "null", "host", "https://host/", "https://host/x", "https://a,*", "https://a:0"])
def test_origins_that_could_never_match_are_refused(text: str) -> None:
    (problem,) = problems({"DOIT_MCP_ALLOWED_ORIGINS": text})
    assert problem.startswith("DOIT_MCP_ALLOWED_ORIGINS must be origins")


def test_the_default_port_of_an_origin_is_dropped() -> None:
    found = Settings.from_environment({"DOIT_MCP_ALLOWED_ORIGINS": "https://a:443 http://b:80 https://c:80"})
    assert found.allowed_origins == ("https://a", "http://b", "https://c:80")


@pytest.mark.parametrize("text", ["*", "https://host", "host/", "a:b", "[::1", "a:99999"])
def test_hosts_that_could_never_match_are_refused(text: str) -> None:
    (problem,) = problems({"DOIT_MCP_ALLOWED_HOSTS": text})
    assert problem.startswith("DOIT_MCP_ALLOWED_HOSTS must be names")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("off", False)])
def test_booleans(text: str, value: bool) -> None:
    assert Settings.from_environment({"DOIT_MCP_ADVERTISE_OFFLINE_ACCESS": text}).advertise_offline_access is value
    assert problems({"DOIT_MCP_ADVERTISE_OFFLINE_ACCESS": "maybe"}) == [
        "DOIT_MCP_ADVERTISE_OFFLINE_ACCESS must be true or false."
    ]


def test_levels() -> None:
    assert problems({"DOIT_MCP_LOG_LEVEL": "loud"}) == [
        "DOIT_MCP_LOG_LEVEL must be one of debug, info, warning, error."
    ]


def test_all_problems_come_at_once_and_in_order() -> None:
    wrong = {"DOIT_MCP_PORT": "x", "MCP_RESOURCE_URL": "y", "DOIT_MCP_LOG_LEVEL": "z", "DOIT_MCP_DRAIN_S": "25"}
    assert [problem.split()[0] for problem in problems(wrong)] == list(wrong)[:3]


def test_secrets_are_not_shown() -> None:
    given = dict.fromkeys(SECRETS, "hush-hush") | {"DOIT_MCP_REDIS_URL": "redis://:hush-hush@host"}
    found = Settings.from_environment(given)
    assert "hush-hush" not in repr(found) + str(found)
    assert (found.exchange_secret, found.api_key) == ("hush-hush", "hush-hush")


FILES = ("MCP_TOKEN_EXCHANGE_SECRET", "DOIT_MCP_STATE_SECRETS", "DOIT_API_KEY", "DOIT_MCP_REDIS_URL")


@pytest.mark.requirement("N22")
@pytest.mark.parametrize("variable", FILES)
def test_n22_secrets_are_read_from_files(variable: str, tmp_path: Path) -> None:
    """Secrets can be files as Docker and Kubernetes mount them: symlinks, with a newline after the secret."""
    secret = "redis://:hush@redis" if variable == "DOIT_MCP_REDIS_URL" else "h" * 40
    (tmp_path / "data").write_text(f"  {secret}\n")
    file = tmp_path / "secret"
    file.symlink_to(tmp_path / "data")
    found = Settings.from_environment({f"{variable}_FILE": str(file), variable: "  "})
    value = getattr(found, FIELDS[variable])
    assert value == ((secret,) if variable == "DOIT_MCP_STATE_SECRETS" else secret)


@pytest.mark.requirement("N22")
@pytest.mark.parametrize("variable", FILES)
def test_n22_files_that_hold_no_secret_are_refused(variable: str, tmp_path: Path) -> None:
    file, name = tmp_path / "hush", f"{variable}_FILE"
    assert problems({name: str(file)}) == [f"{name} names a file that cannot be read: No such file or directory."]
    assert problems({name: str(tmp_path)}) == [f"{name} names a file that cannot be read: Is a directory."]
    for content in (b"", b" \n", b"x" * 70_000):
        file.write_bytes(content)
        assert problems({name: str(file)}) == [
            f"{name} must name a file that contains the secret, of 1 to 65536 bytes."
        ]
    file.write_bytes(b"a\0b")
    assert problems({name: str(file)}) == [f"{name} must name a file of text without null characters."]
    file.write_bytes(b"\xff\xfe")
    assert problems({name: str(file)}) == [f"{name} must name a file of UTF-8 text."]
    file.write_bytes(b"secret")
    assert problems({name: str(file), variable: "other"}) == [
        f"{variable} and {name} are both set; set only one of them."
    ]


@pytest.mark.requirement("N22")
def test_n22_another_process_gets_what_was_read_and_not_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Child processes receive the values, because the files may have changed or been deleted by then."""
    given = {
        "MCP_TOKEN_EXCHANGE_SECRET": "h" * 40,
        "DOIT_MCP_STATE_SECRETS": f"{'N' * 32},derived",
        "DOIT_API_KEY": "k e y",
        "DOIT_MCP_REDIS_URL": "redis://:hush@redis",
    }
    for variable, text in given.items():
        (tmp_path / variable).write_text(text)
        monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / variable))
    monkeypatch.setenv("DOIT_MCP_PORT", "1")
    found = Settings.from_environment(flags={"DOIT_MCP_PORT": "2"})
    for variable in given:
        (tmp_path / variable).unlink()
    environment = found.child_environment({"DOIT_MCP_PORT": "2"})
    assert Settings.from_environment(environment) == found and found.port == 2
    assert not [name for name in environment if name.startswith(tuple(given)) and name.endswith("_FILE")]
    monkeypatch.undo()
    monkeypatch.setenv("DOIT_API_KEY", "key")
    monkeypatch.setenv("DOIT_API_KEY_FILE", " ")
    assert Settings.from_environment().child_environment({})["DOIT_API_KEY"] == "key"


@pytest.mark.requirement("N22")
def test_n22_only_secrets_come_from_files() -> None:
    assert Settings.from_environment({"DOIT_MCP_PORT_FILE": "/nowhere"}) == Settings()
    assert [declared.name for declared in VARIABLES.values() if declared.is_secret] == list(FILES)


@pytest.mark.requirement("N22")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("short", "must be secrets of at least 32 characters each, or the word derived, separated by spaces or commas"),
        (
            f"{'a' * 31} derived",
            "must be secrets of at least 32 characters each, or the word derived, separated by spaces or commas",
        ),
        (f"{'a' * 32} {'a' * 32}", "must be at most 4 different secrets"),
        (" ".join(letter * 32 for letter in "abcde"), "must be at most 4 different secrets"),
    ],
)
def test_n22_state_secrets_that_are_weak_or_doubled_are_refused(text: str, problem: str) -> None:
    assert problems({"DOIT_MCP_STATE_SECRETS": text}) == [f"DOIT_MCP_STATE_SECRETS {problem}."]


@pytest.mark.requirement("N22")
def test_n22_the_word_derived_stands_for_the_secret_of_the_exchange() -> None:
    given = {"MCP_TOKEN_EXCHANGE_SECRET": "exchange"}
    assert "hush" not in repr(Settings.from_environment({"DOIT_MCP_STATE_SECRETS": "hush" * 8}))
    assert Settings.from_environment(given).effective_state_secrets == ("exchange",)
    both = Settings.from_environment(given | {"DOIT_MCP_STATE_SECRETS": f"{'N' * 32}\nderived"})
    assert both.effective_state_secrets == ("N" * 32, "exchange")
    assert Settings.from_environment({"DOIT_MCP_STATE_SECRETS": "N" * 32}).effective_state_secrets == ("N" * 32,)


@given(st.sampled_from(sorted(set(VARIABLES) - set(SECRETS))), st.text(min_size=5))
def test_any_value_is_accepted_or_refused_without_repeating_it(variable: str, text: str) -> None:
    try:
        Settings.from_environment({variable: text})
    except BadSettings as bad:
        (problem,) = bad.problems
        assert problem.startswith(variable) and len(problem) < 200


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
