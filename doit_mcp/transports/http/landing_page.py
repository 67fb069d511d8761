"""Owns the page for people at ``/``: what this server is, and how to connect each client to it."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote, urlencode, urlsplit

import orjson

from ...protocol.jsonrpc import JsonObject
from ...settings_parsing import LOOPBACK

# What the clients call this server in their lists.
NAME = "doit"

QUESTIONS = (
    "What did we spend last month by cloud and by service, and what changed from the month before?",
    "Why did our AWS bill jump last week?",
    "Which budgets will run out before the month ends?",
    "Show this week's cost anomalies, the most expensive first, and what caused them.",
    "What will this quarter cost if nothing changes?",
    "What did our ten most expensive projects cost in each of the last six months?",
    "Split the Kubernetes bill by team, and say what nobody owns.",
    "Which support tickets are still open, and which has waited longest?",
    "Which invoices are overdue, and how much do we owe in total?",
    "Make a budget of 20,000 dollars a month for the data platform and alert me at 80 percent.",
)

_SENTENCE = re.compile(r".+?(?<!e\.g)(?<!i\.e)[.!?](?=\s+[A-Z`]|$)")


class Html(str):
    """Text that is HTML already; every other text is escaped on its way into a template."""

    __slots__ = ()


def render(
    resource_url: str,
    auth_server_url: str,
    tools: Sequence[tuple[str, str]],
    toolsets: Sequence[str] = (),
) -> tuple[bytes, dict[str, str]]:
    """The page as UTF-8, and the headers it has to be sent with, ``Content-Type`` among them.

    *resource_url* is the server's public base URL and *auth_server_url* the issuer where people sign in. *tools* are
    the title and the description of each listed tool, in the order of the list; of a description the first sentence is
    shown. *toolsets* are the names that ``/mcp/x/…`` takes. The page depends on nothing else: render it once.
    """
    base = resource_url.rstrip("/")
    style, script = _file("page.css"), _file("page.js")
    page = _fill(
        "page.html",
        style=Html(style),
        script=Html(script),
        base=base,
        auth_url=auth_server_url,
        auth_host=urlsplit(auth_server_url).netloc,
        address=_code(f"{base}/mcp", "the server URL"),
        notice=_fill("loopback.html") if urlsplit(base).hostname in LOOPBACK else "",
        clients=_clients(base),
        questions=_items(_fill("question.html", text=text) for text in QUESTIONS),
        tools=_tools(tools),
        paths=_items(_path(base, path, text) for path, text in _paths(toolsets)),
        toolsets=_toolsets(toolsets),
    )
    return page.encode(), _headers(style, script)


def first_sentence(text: str) -> str:
    """The first sentence of *text* on one line; all of it where no sentence ends."""
    line = " ".join(text.split())
    found = _SENTENCE.match(line)
    return found[0] if found else line


def _headers(style: str, script: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # For browsers that do not know frame-ancestors.
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "public, max-age=300",
    }


def _source(inline: str) -> str:
    """The source expression that allows exactly this inline element (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


def _clients(base: str) -> Html:
    url = f"{base}/mcp"
    word = shlex.quote(url)
    remote = {"command": "npx", "args": ["-y", "mcp-remote", url]}
    typed = {"type": "http", "url": url}
    added = shlex.quote(orjson.dumps({"name": NAME, **typed}).decode())
    return _fill(
        "clients.html",
        url=_code(url, "the server URL"),
        claude_code=_code(f"claude mcp add --transport http {NAME} {word}", "the command"),
        cursor_link=cursor_link(url),
        cursor_json=_json({"mcpServers": {NAME: {"url": url}}}),
        vscode_link=vscode_link(url),
        vscode_json=_json({"servers": {NAME: typed}}),
        vscode_command=_code(f"code --add-mcp {added}", "the command"),
        gemini=_code(f"gemini mcp add --transport http {NAME} {word}", "the command"),
        gemini_json=_json({"mcpServers": {NAME: {"httpUrl": url}}}),
        codex=_code(f"codex mcp add {NAME} --url {word}", "the command"),
        inspector=_code(f"npx @modelcontextprotocol/inspector --transport http --server-url {word}", "the command"),
        remote_json=_json({"mcpServers": {NAME: remote}}),
        sse=_code(f"{base}/sse", "the SSE URL"),
        curl=_code(_curl(word), "the command"),
    )


def cursor_link(url: str) -> str:
    """The link that makes Cursor offer to add the server at *url* (its documented install link)."""
    config = base64.b64encode(orjson.dumps({"url": url})).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{urlencode({'name': NAME, 'config': config})}"


def vscode_link(url: str) -> str:
    """The link that makes VS Code offer to add the server at *url* (its documented URL handler)."""
    return "vscode:mcp/install?" + quote(orjson.dumps({"name": NAME, "type": "http", "url": url}), safe="")


def _curl(word: str) -> str:
    return "\n".join(
        (
            f"curl {word} \\",
            '  -H "Authorization: Bearer $DOIT_API_KEY" \\',
            "  -H 'Content-Type: application/json' \\",
            "  -H 'Accept: application/json, text/event-stream' \\",
            """  -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'""",
        )
    )


def _tools(tools: Sequence[tuple[str, str]]) -> Html:
    if not tools:
        return Html()
    listed = _items(_fill("tool.html", title=title, text=first_sentence(text)) for title, text in tools)
    return _fill("tools.html", tools=listed)


def _paths(toolsets: Sequence[str]) -> list[tuple[str, str]]:
    areas = [name for name in toolsets if name not in ("core", "all")] or ["core"]
    return [
        ("/mcp", "The usual tools, listed above."),
        ("/mcp/readonly", "The same without anything that changes data."),
        (f"/mcp/x/{areas[0]}", "One toolset."),
        (f"/mcp/x/{','.join(areas[:2])}/readonly", "Several toolsets, without anything that changes data."),
        ("/mcp/x/all", "Every tool there is, for clients that can hold so many."),
        ("/mcp?tools=list_budgets,get_anomalies", "Single tools, by name."),
    ]


def _path(base: str, path: str, text: str) -> Html:
    return _fill("path.html", url=_code(base + path, path), text=text)


def _toolsets(toolsets: Sequence[str]) -> Html:
    if not toolsets:
        return Html()
    return _fill("toolsets.html", names=_items(_fill("toolset.html", name=name) for name in toolsets))


def _json(value: JsonObject) -> Html:
    return _code(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), "the configuration")


def _code(text: str, what: str) -> Html:
    """Text to copy; *what* tells people who do not see the page what the button copies."""
    return _fill("code.html", text=text, what=what)


def _items(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


def _fill(template: str, /, **values: str) -> Html:
    safe = {name: value if isinstance(value, Html) else escape(value) for name, value in values.items()}
    return Html(Template(_file(template)).substitute(safe).rstrip("\n"))


def _file(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
