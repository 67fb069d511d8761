"""The WWW-Authenticate challenge and the protected resource metadata."""

from __future__ import annotations

import re

import pytest

from doit_mcp.auth.www_authenticate import resource_metadata, resource_metadata_path, www_authenticate_value

from .minting import BASE, ISSUER

PATHS = ["", "/mcp", "/sse", "/mcp/readonly", "/mcp/x/core,budgets/readonly"]


@pytest.mark.requirement("H6")
@pytest.mark.parametrize("path", PATHS)
def test_h6_challenge_names_the_metadata_of_its_path(path: str) -> None:
    value = www_authenticate_value(
        BASE, path, error="invalid_token", description="The token has expired.", scope="mcp:tools", offline_access=False
    )
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', value))
    assert value.startswith("Bearer ")
    assert parameters == {
        "resource_metadata": f"{BASE}/.well-known/oauth-protected-resource{path}",
        "error": "invalid_token",
        "error_description": "The token has expired.",
        "scope": "mcp:tools",
    }
    assert parameters["resource_metadata"] == BASE + resource_metadata_path(path)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_h7_metadata_describes_the_requested_path(path: str, slash: str) -> None:
    assert resource_metadata(BASE + slash, path, ISSUER, offline_access=True) == {
        "resource": BASE + path,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["mcp:tools", "mcp:resources", "offline_access"],
        "bearer_methods_supported": ["header"],
        "resource_name": "DoiT Cloud Intelligence",
    }


@pytest.mark.requirement("H7")
def test_h7_offline_access_is_configurable() -> None:
    document = resource_metadata(BASE, "/mcp", ISSUER, offline_access=False)
    assert document["scopes_supported"] == ["mcp:tools", "mcp:resources"]
    for offline_access, scope in ((False, "mcp:tools"), (True, "mcp:tools offline_access")):
        value = www_authenticate_value(
            BASE, "/mcp", error="e", description="d", scope="mcp:tools", offline_access=offline_access
        )
        assert value.endswith(f', scope="{scope}"')


@pytest.mark.requirement("H8")
def test_h8_base_url_path_is_a_prefix() -> None:
    assert resource_metadata(BASE + "/doit", "/mcp", ISSUER, offline_access=True)["resource"] == BASE + "/doit/mcp"
    value = www_authenticate_value(BASE + "/doit", "/mcp", error="e", description="d", scope="s", offline_access=True)
    assert f'"{BASE}/doit/.well-known/oauth-protected-resource/mcp"' in value


@pytest.mark.requirement("H8")
def test_h8_path_and_description_cannot_escape_their_quotes() -> None:
    nasty = 'a"b\\c\r\nSet-Cookie: x=1 \x00 é \udcff'
    value = www_authenticate_value(
        BASE, "/mcp/" + nasty, error=nasty, description=nasty, scope=nasty, offline_access=True
    )
    assert value.count('"') == 8 and "\r" not in value and "\n" not in value and "\\" not in value
    assert value.isascii() and value.isprintable()
