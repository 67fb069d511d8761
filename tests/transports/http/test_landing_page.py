"""The landing page: its content, the escaping of settings, and the restrictions of its headers."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shlex
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.toolsets import Selection
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.transports.http.landing_page import claude_link, cursor_link, first_sentence, render_page, vscode_link
from doit_mcp.transports.http.sandbox_info import SampleAccount, SandboxInfo

BASE = "https://mcp.example.com"
ISSUER = "https://console.example.com"
TOOLS = [("Cost breakdown", "Show what a period cost. Use it for one period."), ("Search", "Find things")]
TOOLSETS = ["core", "all", "anomalies", "budgets"]
VOID = {"meta", "link", "br", "img", "input", "rect", "path"}


@dataclass(slots=True)
class ParsedPage:
    """The parsed page."""

    tags: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    text: str = ""
    inline: dict[str, list[str]] = field(default_factory=lambda: {"style": [], "script": []})


class Reader(HTMLParser):
    """Parses a page; an element that is closed out of order is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = ParsedPage()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.tags[tag] += 1
        self.seen.attributes += [(name, value or "") for name, value in attrs]
        self.seen.ids += [value or "" for name, value in attrs if name == "id"]
        self.seen.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]
        if tag == "code":
            self.seen.codes.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag, f"</{tag}> at line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.seen.inline:
            self.seen.inline[self.open[-1]].append(data)
            return
        self.seen.text += data
        if "code" in self.open:
            self.seen.codes[-1] += data


def read(html: bytes) -> ParsedPage:
    reader = Reader()
    reader.feed(html.decode())
    reader.close()
    assert reader.open == []
    return reader.seen


@pytest.fixture(scope="module")
def page() -> ParsedPage:
    return read(render_page(BASE, ISSUER, TOOLS, TOOLSETS)[0])


def test_every_client_gets_the_server_url(page: ParsedPage) -> None:
    url = f"{BASE}/mcp"
    assert url in page.codes
    assert f"claude mcp add --transport http doit {url}" in page.codes
    assert f"codex mcp add doit --url {url}" in page.codes
    assert f"gemini mcp add --transport http doit {url}" in page.codes
    assert f"npx @modelcontextprotocol/inspector --transport http --server-url {url}" in page.codes
    assert f"{BASE}/sse" in page.codes
    configurations = [json.loads(code) for code in page.codes if code.startswith("{")]
    assert configurations == [
        {"mcpServers": {"doit": {"url": url}}},
        {"servers": {"doit": {"type": "http", "url": url}}},
        {"mcpServers": {"doit": {"httpUrl": url}}},
        {"mcpServers": {"doit": {"type": "http", "url": url, "tools": ["*"]}}},
        {"mcpServers": {"doit": {"serverUrl": url}}},
        {"mcpServers": {"doit": {"command": "npx", "args": ["-y", "mcp-remote", url]}}},
    ]


def test_curl_reads_the_token_from_the_environment(page: ParsedPage) -> None:
    (command,) = (code for code in page.codes if code.startswith("curl"))
    words = shlex.split(command)
    assert words[:2] == ["curl", f"{BASE}/mcp"]
    assert "Authorization: Bearer $DOIT_API_KEY" in words
    assert json.loads(words[words.index("-d") + 1])["params"] == {"name": "get_cloud_overview"}


def test_install_links_contain_the_url(page: ParsedPage) -> None:
    assert cursor_link(f"{BASE}/mcp") in page.links and vscode_link(f"{BASE}/mcp") in page.links
    cursor = parse_qs(urlsplit(cursor_link("https://h/a+b?c=d&e=ü")).query)
    assert cursor["name"] == ["doit"]
    assert json.loads(base64.b64decode(cursor["config"][0])) == {"url": "https://h/a+b?c=d&e=ü"}
    scheme, _, configuration = vscode_link("https://h/a+b?c=d&e=ü").partition("?")
    assert scheme == "vscode:mcp/install"
    assert json.loads(unquote(configuration)) == {"name": "doit", "type": "http", "url": "https://h/a+b?c=d&e=ü"}


def test_claude_link_contains_the_url(page: ParsedPage) -> None:
    assert claude_link(f"{BASE}/mcp") in page.links
    link = urlsplit(claude_link("https://h/a+b?c=d&e=ü"))
    assert f"{link.scheme}://{link.netloc}{link.path}" == "https://claude.ai/customize/connectors"
    assert parse_qs(link.query) == {
        "modal": ["add-custom-connector"],
        "connectorName": ["DoiT"],
        "connectorUrl": ["https://h/a+b?c=d&e=ü"],
    }


def test_goose_configuration_is_yaml(page: ParsedPage) -> None:
    (configuration,) = (code for code in page.codes if code.startswith("extensions:"))
    goose = yaml.safe_load(configuration)["extensions"]["doit"]
    assert (goose["type"], goose["uri"], goose["enabled"]) == ("streamable_http", f"{BASE}/mcp", True)


@pytest.mark.parametrize("base", [BASE, 'https://h/a"b\\'])
@pytest.mark.parametrize("sandbox", [None, SandboxInfo([SampleAccount("e", "p", "t", "a")], "http://w/", {})])
def test_framework_example_is_python(base: str, sandbox: SandboxInfo | None) -> None:
    parsed = read(render_page(base, ISSUER, [], (), sandbox)[0])
    (example,) = (code for code in parsed.codes if "MultiServerMCPClient" in code)
    tree = compile(example, "example", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert f"{base}/mcp" in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert ("DOIT_API_KEY" in example) is (sandbox is None) is ("Bearer t" not in example)
    assert ("no DoiT account" in parsed.text) is (sandbox is not None)


def test_each_client_has_an_address(page: ParsedPage) -> None:
    clients = (
        "chatgpt claude claude-code cursor vscode codex gemini copilot windsurf goose inspector mcp-remote sse frameworks"
        " scripts"
    )
    assert page.tags["details"] == len(clients.split()) + 1, "one for each client, and the list of toolsets"
    assert set(clients.split()) <= set(page.ids)


def test_local_server_opens_a_client_that_reaches_it() -> None:
    for base, opened in ((BASE, b"chatgpt"), ("http://127.0.0.1:8080", b"claude-code")):
        html = render_page(base, ISSUER, [])[0]
        assert re.findall(rb'<details name="client" id="([a-z-]+)" open>', html) == [opened]
        assert html.count(b"cannot reach this computer") == (2 if base != BASE else 0), "ChatGPT and Claude"
        assert (b"Add to Claude" in html) is (base == BASE)


def test_paths_select_tools(page: ParsedPage) -> None:
    chosen = {code.removeprefix(BASE) for code in page.codes if code.startswith(BASE)}
    assert {"/mcp/readonly", "/mcp/x/budgets", "/mcp/x/budgets,anomalies/readonly", "/mcp/x/all"} <= chosen
    assert set(TOOLSETS) <= set(page.codes)
    for client in ("ChatGPT", "Claude", "Cursor", "VS Code", "Gemini CLI", "Codex CLI", "Windsurf", "Goose", "Copilot"):
        assert client in page.text


def test_the_path_with_all_tools_has_a_warning_that_is_true(page: ParsedPage) -> None:
    assert "Many clients refuse more than 128" in page.text
    catalog = catalog_factory()(Selection(frozenset({"all"})), False)
    assert len(catalog.tools) > 128


def test_tools_are_listed_with_their_first_sentence(page: ParsedPage) -> None:
    assert "Cost breakdown" in page.text and "Show what a period cost." in page.text
    assert "Use it for one period." not in page.text
    assert "Find things" in page.text


def test_page_works_without_tools_and_toolsets() -> None:
    bare = read(render_page(BASE, ISSUER, [])[0])
    assert f"{BASE}/mcp/x/core" in bare.codes
    assert "All toolsets" not in bare.text and "Every client sees these tools" not in bare.text


def test_landmarks_and_fragments(page: ParsedPage) -> None:
    assert page.tags["h1"] == page.tags["main"] == page.tags["header"] == page.tags["footer"] == page.tags["nav"] == 1
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links if link.startswith("#")}
    labels = {value for name, value in page.attributes if name == "aria-labelledby"}
    assert inside | labels <= set(page.ids)
    assert f"{BASE}/healthz" in page.links and ISSUER in page.links


def test_no_external_resources_are_loaded(page: ParsedPage) -> None:
    assert not {"img", "iframe", "object", "form", "input", "audio", "video", "base"} & set(page.tags)
    assert page.tags["link"] == 1
    (icon,) = (value for name, value in page.attributes if name == "href" and value.startswith("data:"))
    assert unquote(icon).startswith("data:image/svg+xml,<svg")
    assert not [name for name, _ in page.attributes if name in ("src", "srcset", "style") or name.startswith("on")]
    assert "url(" not in page.inline["style"][0] and "@import" not in page.inline["style"][0]


@pytest.mark.parametrize(
    ("url", "noted"),
    [("http://127.0.0.1:8080", True), ("http://localhost:1", True), ("http://[::1]:1", True), (BASE, False)],
)
def test_page_notes_that_a_loopback_server_is_local(url: str, noted: bool) -> None:
    assert ("runs on your own computer" in read(render_page(url, ISSUER, [])[0]).text) is noted


def test_base_url_path_is_kept() -> None:
    assert "https://example.com/doit/mcp" in read(render_page("https://example.com/doit/", ISSUER, [])[0]).codes


NASTY = """"'><script>alert(1)</script><b onclick=x>&amp;$url$$"""


def test_configuration_and_tools_cannot_inject_html(page: ParsedPage) -> None:
    html, headers = render_page(f"{BASE}/{NASTY}", f"{ISSUER}/{NASTY}", [(NASTY, NASTY)], [NASTY])
    nasty = read(html)
    assert nasty.tags["script"] == 1 and nasty.tags["b"] == page.tags["b"]
    assert not [name for name, _ in nasty.attributes if name.startswith("on")]
    assert NASTY in nasty.codes and f"{ISSUER}/{NASTY}" in nasty.links
    assert headers == render_page(BASE, ISSUER, [])[1], "the headers do not depend on requests"


def test_commands_quote_the_url() -> None:
    codes = read(render_page("https://h/a b;rm -rf '~'", ISSUER, [])[0]).codes
    (command,) = (code for code in codes if code.startswith("claude mcp add"))
    assert shlex.split(command)[-1] == "https://h/a b;rm -rf '~'/mcp"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_tool_text_is_escaped(title: str, description: str) -> None:
    page = read(render_page(BASE, ISSUER, [(title, description)])[0])
    assert title.replace("\r\n", "\n").replace("\r", "\n") in page.text.replace("\r\n", "\n").replace("\r", "\n")
    assert page.tags["script"] == 1


def policy(headers: dict[str, str]) -> dict[str, list[str]]:
    parts = (part.split() for part in headers["Content-Security-Policy"].split(";"))
    return {part[0]: part[1:] for part in parts}


def test_policy_allows_exactly_the_inline_content(page: ParsedPage) -> None:
    allowed = policy(render_page(BASE, ISSUER, TOOLS, TOOLSETS)[1])
    for directive, kind in (("style-src", "style"), ("script-src", "script")):
        (inline,) = page.inline[kind]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert allowed.pop(directive) == [f"'sha256-{digest}'"]
    assert allowed == {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


def test_headers() -> None:
    html, headers = render_page(BASE, ISSUER, TOOLS)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(rb"\$[a-z_]+", html.replace(b"$DOIT_API_KEY", b"")), "a placeholder was left"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Show it. Then more.", "Show it."),
        ("Show it,\n   over lines. More", "Show it, over lines."),
        ("For e.g. AWS and i.e. GCP costs. More.", "For e.g. AWS and i.e. GCP costs."),
        ("Version 1.2 of it. `x` next.", "Version 1.2 of it."),
        ("No end", "No end"),
        ("", ""),
    ],
)
def test_first_sentence(text: str, first: str) -> None:
    assert first_sentence(text) == first
