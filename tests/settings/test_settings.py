"""The settings: every variable, all problems reported at once, and no secrets in errors."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import doit_mcp
from doit_mcp.settings import Settings, parsers
from doit_mcp.settings.declaration import Variable
from doit_mcp.settings.errors import BadSettings
from doit_mcp.settings.groups import WEB_CLIENT_ORIGINS
from doit_mcp.settings.parsers import Choice, Integer

from .variables import FIELDS, VARIABLES, problems

SECRETS = ("MCP_TOKEN_EXCHANGE_SECRET", "DOIT_API_KEY", "DOIT_MCP_REDIS_URL")


def test_defaults_are_for_production() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.resource_url == "https://mcp.doit.com"
    assert settings.console_base == settings.auth_server_url == "https://console.doit.com"
    assert settings.accepted_origins == {"https://mcp.doit.com", *WEB_CLIENT_ORIGINS}
    assert settings.accepted_hosts == {"mcp.doit.com", "mcp.doit.com:443", "mcp.doit.com.", "mcp.doit.com.:443"}


GIVEN: list[tuple[str, str, Any]] = [
    ("DOIT_MCP_HOST", "0.0.0.0", "0.0.0.0"),
    ("DOIT_MCP_PORT", "0", 0),
    ("DOIT_MCP_VIEW_DOMAIN", "https://mcp.doit.com", "https://mcp.doit.com"),
    ("DOIT_MCP_WORKERS", "2", 2),
    ("DOIT_MCP_EVENTS", "no", False),
    ("DOIT_MCP_EVENTS_PER_PRINCIPAL", "5", 5),
    ("DOIT_MCP_EVENTS_POLL_S", "30", 30),
    ("DOIT_MCP_EVENTS_CALLS_PER_MINUTE", "10", 10),
    ("DOIT_MCP_EVENTS_HOLD_S", "0", 0),
    ("DOIT_MCP_EVENTS_RECEIVERS", "Hooks.example.org, chatgpt.com", ("hooks.example.org", "chatgpt.com")),
    ("DOIT_MCP_EVENTS_PRIVATE_RECEIVERS", "10.0.0.5:8443", ("10.0.0.5:8443",)),
    ("DOIT_MCP_EVENTS_INGEST_SECRET", f"whsec_{'h' * 40}", f"whsec_{'h' * 40}"),
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
    ("DOIT_MCP_PRIVACY_URL", "https://example.com/privacy", "https://example.com/privacy"),
    ("DOIT_MCP_TERMS_URL", "https://example.com/terms/", "https://example.com/terms"),
    ("DOIT_MCP_SUPPORT_URL", "https://example.com/support", "https://example.com/support"),
    ("DOIT_MCP_OPENAI_CHALLENGE", " verify-Me_1.2~ ", "verify-Me_1.2~"),
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
    ("OTEL_METRICS_EXPORTER", "none", "none"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "5000", 5_000),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/", "http://collector:4318"),
    ("DOIT_MCP_LOG_LEVEL", "DEBUG", "debug"),
    ("DOIT_MCP_LOG_FORMAT", "JSON", "json"),
    ("DOIT_MCP_OFFER_SECRETS", "true", True),
    ("DOIT_MCP_OPENAPI", "/etc/doit-mcp/openapi.json", "/etc/doit-mcp/openapi.json"),
    ("DOIT_MCP_CONFIRM_CHANGES", "Always", "always"),
    ("DOIT_MCP_AUDIT_REQUIRED", "true", True),
]


def sample_values(declared: Variable) -> list[tuple[str, Any]]:
    """Texts and values that the setting accepts; [] if they do not follow from its parser."""
    match declared.parse:
        case Integer(minimum=minimum, maximum=maximum):
            return [(str(minimum), minimum), (str(maximum), maximum)]
        case Choice(choices=choices):
            return [(choice.upper(), choice) for choice in choices]
        case parsers.parse_boolean:
            return [("yes", True), ("NO", False)]
        case parsers.parse_text:
            return [(" sample ", "sample")]
        case parsers.parse_url:
            return [("https://example.org/sample/", "https://example.org/sample")]
    return []


NOT_GIVEN = VARIABLES.keys() - {variable for variable, _, _ in GIVEN}
DERIVED = [(name, *sample) for name in sorted(NOT_GIVEN) for sample in sample_values(VARIABLES[name])]


def test_samples_follow_from_parsers() -> None:
    """Each kind of setting whose samples are derived, with a setting that declares it."""
    names = ("DOIT_MCP_DRAIN_S", "DOIT_MCP_LOG_FORMAT", "DOIT_MCP_EVENTS", "TENANT_ID", "DOIT_API_BASE")
    for name in names:
        samples = sample_values(VARIABLES[name])
        assert samples, name
        for text, value in samples:
            assert getattr(Settings.from_environment({name: text}), FIELDS[name]) == value
    assert not sample_values(VARIABLES["DOIT_MCP_STATE_SECRETS"])


@pytest.mark.parametrize(("variable", "text", "value"), [*GIVEN, *DERIVED])
def test_each_variable(variable: str, text: str, value: Any) -> None:
    settings = Settings.from_environment({variable: text})
    assert getattr(settings, FIELDS[variable]) == value


def test_all_variables_are_tested() -> None:
    given = {variable for variable, _, _ in (*GIVEN, *DERIVED)}
    missing, unknown = sorted(set(VARIABLES) - given), sorted(given - set(VARIABLES))
    assert not missing, f"add a value of {', '.join(missing)} to GIVEN in tests/settings/test_settings.py"
    assert not unknown, f"doit_mcp/settings/groups.py declares no {', '.join(unknown)}: remove it from GIVEN"
    again = [name for name, times in Counter(one.name for one in Settings.variables().values()).items() if times > 1]
    assert not again, f"doit_mcp/settings/groups.py: several settings have the variable {', '.join(again)}"


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_default_is_a_value_that_the_variable_can_have(variable: str) -> None:
    declared = VARIABLES[variable]
    if declared.default_text:
        assert declared.parse(declared.default_text) == declared.default, (
            f"doit_mcp/settings/groups.py: the parser of {variable} does not accept its default {declared.default!r}"
        )


def read_from_settings(node: ast.AST) -> set[str]:
    """The attributes of settings that code reads: from a variable or an attribute called settings, or from the
    application.
    """
    return {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute)
        and re.search(r"(^|[^\w.]|self\._?)settings$|\[(\w+\.)?SETTINGS\]$", ast.unparse(one.value))
    }


def used_settings() -> set[str]:
    """The fields that the package reads outside their class, also by properties that it reads."""
    package = Path(doit_mcp.__file__).parent
    home = package / "settings" / "__init__.py"
    trees = [ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py") if path != home]
    used = set().union(*map(read_from_settings, trees))
    declared = ast.parse(home.read_text("utf-8"))
    [own] = (node for node in declared.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    properties = {node.name: node for node in own.body if isinstance(node, ast.FunctionDef)}
    pending = [name for name in used if name in properties]
    while pending:
        for one in ast.walk(properties[pending.pop()]):
            if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self" and one.attr not in used:
                used.add(one.attr)
                pending += [one.attr] if one.attr in properties else []
    return used


USED = used_settings()


def test_only_attributes_of_settings_count_as_used() -> None:
    """Objects of other types have attributes with the names of settings."""
    tree = ast.parse(
        "settings.a, self._settings.b, app[SETTINGS].c, app[keys.SETTINGS].d, other.e, doit.settings.f, my_settings.g"
    )
    assert read_from_settings(tree) == {"a", "b", "c", "d"}


@pytest.mark.parametrize("field", FIELDS.values())
def test_a_setting_is_used(field: str) -> None:
    assert field in USED, (
        f"doit_mcp/settings/groups.py: nothing uses the setting {field}: pass it to the part that needs it, in"
        " doit_mcp/transports/catalog_wiring.py for the catalog (tools and their behavior) of all transports, or in"
        " doit_mcp/transports/http/app.py for the HTTP server"
    )


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_empty_variable_is_not_set(text: str) -> None:
    assert Settings.from_environment(dict.fromkeys(VARIABLES, text)) == Settings()


def test_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOIT_MCP_PORT", "1234")
    assert Settings.from_environment().port == 1234


def test_flags_override_the_environment() -> None:
    settings = Settings.from_environment({"DOIT_MCP_PORT": "1", "DOIT_MCP_HOST": "h"}, {"DOIT_MCP_PORT": "2"})
    assert (settings.port, settings.host) == (2, "h")


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
def test_own_origin_and_host_match_browser_spelling(url: str, origin: str, host: str) -> None:
    settings = Settings.from_environment({"MCP_RESOURCE_URL": url, "DOIT_MCP_ALLOWED_HOSTS": "Inner:1"})
    assert settings.own_origin == origin
    assert origin in settings.accepted_origins
    assert {host, "inner:1"} <= settings.accepted_hosts


def test_all_problems_are_reported_in_order() -> None:
    wrong = {"MCP_RESOURCE_URL": "y", "DOIT_MCP_PORT": "x", "DOIT_MCP_LOG_LEVEL": "z", "DOIT_MCP_DRAIN_S": "25"}
    assert [problem.split()[0] for problem in problems(wrong)] == list(wrong)[:3]


def test_secrets_are_not_in_the_repr() -> None:
    variables = dict.fromkeys(SECRETS, "hush-hush") | {"DOIT_MCP_REDIS_URL": "redis://:hush-hush@host"}
    settings = Settings.from_environment(variables)
    assert "hush-hush" not in repr(settings) + str(settings)
    assert (settings.exchange_secret, settings.api_key) == ("hush-hush", "hush-hush")


FILES = (
    *("MCP_TOKEN_EXCHANGE_SECRET", "DOIT_MCP_STATE_SECRETS", "DOIT_MCP_REDIS_URL", "DOIT_MCP_EVENTS_INGEST_SECRET"),
    "DOIT_API_KEY",
)
WEBHOOK_SECRET = f"whsec_{'h' * 40}"
EXAMPLES = {"DOIT_MCP_REDIS_URL": "redis://:hush@redis", "DOIT_MCP_EVENTS_INGEST_SECRET": WEBHOOK_SECRET}


@pytest.mark.requirement("N22")
@pytest.mark.parametrize("variable", FILES)
def test_n22_secrets_are_read_from_files(variable: str, tmp_path: Path) -> None:
    """Secrets can be files as Docker and Kubernetes mount them: symlinks, with a newline after the secret."""
    secret = EXAMPLES.get(variable, "h" * 40)
    (tmp_path / "data").write_text(f"  {secret}\n")
    file = tmp_path / "secret"
    file.symlink_to(tmp_path / "data")
    settings = Settings.from_environment({f"{variable}_FILE": str(file), variable: "  "})
    value = getattr(settings, FIELDS[variable])
    assert value == ((secret,) if variable == "DOIT_MCP_STATE_SECRETS" else secret)


@pytest.mark.requirement("N22")
@pytest.mark.parametrize("variable", FILES)
def test_n22_files_without_a_secret_are_rejected(variable: str, tmp_path: Path) -> None:
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
def test_n22_child_process_gets_the_value_and_not_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes receive the values, because the files may have changed or been deleted by then."""
    variables = {
        "MCP_TOKEN_EXCHANGE_SECRET": "h" * 40,
        "DOIT_MCP_STATE_SECRETS": f"{'N' * 32},derived",
        "DOIT_API_KEY": "k e y",
        "DOIT_MCP_REDIS_URL": "redis://:hush@redis",
    }
    for variable, text in variables.items():
        (tmp_path / variable).write_text(text)
        monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / variable))
    monkeypatch.setenv("DOIT_MCP_PORT", "1")
    settings = Settings.from_environment(flags={"DOIT_MCP_PORT": "2"})
    for variable in variables:
        (tmp_path / variable).unlink()
    environment = settings.child_environment({"DOIT_MCP_PORT": "2"})
    assert Settings.from_environment(environment) == settings and settings.port == 2
    assert not [name for name in environment if name.startswith(tuple(variables)) and name.endswith("_FILE")]
    monkeypatch.undo()
    monkeypatch.setenv("DOIT_API_KEY", "key")
    monkeypatch.setenv("DOIT_API_KEY_FILE", " ")
    assert Settings.from_environment().child_environment({})["DOIT_API_KEY"] == "key"


@pytest.mark.requirement("N22")
def test_n22_only_secrets_come_from_files() -> None:
    assert Settings.from_environment({"DOIT_MCP_PORT_FILE": "/nowhere"}) == Settings()
    secret = [declared.name for declared in VARIABLES.values() if declared.is_secret]
    assert secret == list(FILES), "list the settings with is_secret=True in FILES in tests/settings/test_settings.py"


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
def test_n22_weak_or_duplicate_state_secrets_are_rejected(text: str, problem: str) -> None:
    assert problems({"DOIT_MCP_STATE_SECRETS": text}) == [f"DOIT_MCP_STATE_SECRETS {problem}."]


@pytest.mark.requirement("N22")
def test_n22_derived_means_the_exchange_secret() -> None:
    variables = {"MCP_TOKEN_EXCHANGE_SECRET": "exchange"}
    assert "hush" not in repr(Settings.from_environment({"DOIT_MCP_STATE_SECRETS": "hush" * 8}))
    assert Settings.from_environment(variables).effective_state_secrets == ("exchange",)
    settings = Settings.from_environment(variables | {"DOIT_MCP_STATE_SECRETS": f"{'N' * 32}\nderived"})
    assert settings.effective_state_secrets == ("N" * 32, "exchange")
    assert Settings.from_environment({"DOIT_MCP_STATE_SECRETS": "N" * 32}).effective_state_secrets == ("N" * 32,)


@given(st.sampled_from(sorted(set(VARIABLES) - set(SECRETS))), st.text(min_size=5))
def test_any_value_is_accepted_or_rejected_without_repeating_it(variable: str, text: str) -> None:
    try:
        Settings.from_environment({variable: text})
    except BadSettings as bad:
        (problem,) = bad.problems
        assert problem.startswith(variable) and len(problem) < 200


def test_settings_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # frozen
