"""The landing page at ``/``, which describes this server and how to connect each client to it."""

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
from ...settings import Settings
from ...settings_parsing import LOOPBACK_HOSTS

# The name of this server in client configurations.
SERVER_NAME = "doit"

EXAMPLE_QUESTIONS = (
    "What did we spend last month by cloud and by service, and what changed from the month before?",
    "Why did our AWS bill jump last week?",
    "Which budgets will run out before the month ends?",
    "Show this week's cost anomalies, the most expensive first, and what caused them.",
    "What will this quarter cost if nothing changes?",
    "What did our ten most expensive projects cost in each of the last six months?",
    "Split the Kubernetes bill by team, and show what has no owner.",
    "Which support tickets are still open, and which has waited longest?",
    "Which invoices are overdue, and how much do we owe in total?",
    "Create a budget of 20,000 dollars a month for the data platform and alert me at 80 percent.",
)

_FIRST_SENTENCE = re.compile(r".+?(?<!e\.g)(?<!i\.e)[.!?](?=\s+[A-Z`]|$)")


class Html(str):
    """Text that is already HTML. Any other text is escaped when a template is rendered."""

    __slots__ = ()


def render_page(
    resource_url: str,
    auth_server_url: str,
    tools: Sequence[tuple[str, str]],
    toolsets: Sequence[str] = (),
    *,
    links: Sequence[tuple[str, str]] = (),
) -> tuple[bytes, dict[str, str]]:
    """Return the page as UTF-8 and the headers to send it with, including ``Content-Type``.

    *resource_url* is the server's public base URL and *auth_server_url* the issuer where users sign in. *tools* are the
    title and description of each listed tool, in list order; only the first sentence of a description is shown.
    *toolsets* are the names that ``/mcp/x/…`` accepts. *links* are texts and URLs in the footer. The page depends on nothing else, so it can be rendered once.
    """
    base = resource_url.rstrip("/")
    style, script = _read_template("page.css"), _read_template("page.js")
    page = _render_template(
        "page.html",
        style=Html(style),
        script=Html(script),
        base=base,
        auth_url=auth_server_url,
        auth_host=urlsplit(auth_server_url).netloc,
        address=_render_code(f"{base}/mcp", "the server URL"),
        notice=_render_template("loopback.html") if urlsplit(base).hostname in LOOPBACK_HOSTS else "",
        clients=_render_clients(base),
        questions=_join(_render_template("question.html", text=text) for text in EXAMPLE_QUESTIONS),
        tools=_render_tools(tools),
        paths=_join(_render_path(base, path, text) for path, text in _example_paths(toolsets)),
        toolsets=_render_toolsets(toolsets),
        links=_join(_render_template("link.html", text=text, url=url) for text, url in links),
    )
    return page.encode(), _headers(style, script)


def policy_links(settings: Settings) -> list[tuple[str, str]]:
    """Return the texts and URLs of the policies and the support page that the operator set."""
    links = [("Privacy policy", settings.privacy_url), ("Terms of service", settings.terms_url)]
    return [(text, url) for text, url in (*links, ("Support", settings.support_url)) if url]


def first_sentence(text: str) -> str:
    """Return the first sentence of *text* on one line, or all of it if no sentence ends."""
    line = " ".join(text.split())
    match = _FIRST_SENTENCE.match(line)
    return match[0] if match else line


def _headers(style: str, script: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src {_csp_source(style)}; script-src {_csp_source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # For browsers that do not support frame-ancestors.
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "public, max-age=300",
    }


def _csp_source(inline: str) -> str:
    """Return the source expression that allows exactly this inline element (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


def _render_clients(base: str) -> Html:
    url = f"{base}/mcp"
    quoted_url = shlex.quote(url)
    remote_config = {"command": "npx", "args": ["-y", "mcp-remote", url]}
    http_config = {"type": "http", "url": url}
    vscode_config = shlex.quote(orjson.dumps({"name": SERVER_NAME, **http_config}).decode())
    return _render_template(
        "clients.html",
        url=_render_code(url, "the server URL"),
        claude_code=_render_code(f"claude mcp add --transport http {SERVER_NAME} {quoted_url}", "the command"),
        cursor_link=cursor_link(url),
        cursor_json=_render_json({"mcpServers": {SERVER_NAME: {"url": url}}}),
        vscode_link=vscode_link(url),
        vscode_json=_render_json({"servers": {SERVER_NAME: http_config}}),
        vscode_command=_render_code(f"code --add-mcp {vscode_config}", "the command"),
        gemini=_render_code(f"gemini mcp add --transport http {SERVER_NAME} {quoted_url}", "the command"),
        gemini_json=_render_json({"mcpServers": {SERVER_NAME: {"httpUrl": url}}}),
        codex=_render_code(f"codex mcp add {SERVER_NAME} --url {quoted_url}", "the command"),
        inspector=_render_code(
            f"npx @modelcontextprotocol/inspector --transport http --server-url {quoted_url}", "the command"
        ),
        remote_json=_render_json({"mcpServers": {SERVER_NAME: remote_config}}),
        sse=_render_code(f"{base}/sse", "the SSE URL"),
        curl=_render_code(_curl_command(quoted_url), "the command"),
    )


def cursor_link(url: str) -> str:
    """Return the link that makes Cursor offer to add the server at *url* (its documented install link)."""
    config = base64.b64encode(orjson.dumps({"url": url})).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{urlencode({'name': SERVER_NAME, 'config': config})}"


def vscode_link(url: str) -> str:
    """Return the link that makes VS Code offer to add the server at *url* (its documented URL handler)."""
    return "vscode:mcp/install?" + quote(orjson.dumps({"name": SERVER_NAME, "type": "http", "url": url}), safe="")


def _curl_command(quoted_url: str) -> str:
    return "\n".join(
        (
            f"curl {quoted_url} \\",
            '  -H "Authorization: Bearer $DOIT_API_KEY" \\',
            "  -H 'Content-Type: application/json' \\",
            "  -H 'Accept: application/json, text/event-stream' \\",
            """  -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'""",
        )
    )


def _render_tools(tools: Sequence[tuple[str, str]]) -> Html:
    if not tools:
        return Html()
    listed = _join(_render_template("tool.html", title=title, text=first_sentence(text)) for title, text in tools)
    return _render_template("tools.html", tools=listed)


def _example_paths(toolsets: Sequence[str]) -> list[tuple[str, str]]:
    areas = [name for name in toolsets if name not in ("core", "all")] or ["core"]
    return [
        ("/mcp", "The default tools, listed above."),
        ("/mcp/readonly", "The default tools, read-only."),
        (f"/mcp/x/{areas[0]}", "One toolset."),
        (f"/mcp/x/{','.join(areas[:2])}/readonly", "Several toolsets, read-only."),
        ("/mcp/x/all", "All tools, for clients that can handle them."),
        ("/mcp?tools=list_budgets,get_anomalies", "Individual tools, by name."),
    ]


def _render_path(base: str, path: str, text: str) -> Html:
    return _render_template("path.html", url=_render_code(base + path, path), text=text)


def _render_toolsets(toolsets: Sequence[str]) -> Html:
    if not toolsets:
        return Html()
    return _render_template(
        "toolsets.html", names=_join(_render_template("toolset.html", name=name) for name in toolsets)
    )


def _render_json(value: JsonObject) -> Html:
    return _render_code(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), "the configuration")


def _render_code(text: str, label: str) -> Html:
    """Render text with a copy button. *label* describes what the button copies to users of screen readers."""
    return _render_template("code.html", text=text, what=label)


def _join(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


def _render_template(template: str, /, **values: str) -> Html:
    safe = {name: value if isinstance(value, Html) else escape(value) for name, value in values.items()}
    return Html(Template(_read_template(template)).substitute(safe).rstrip("\n"))


def _read_template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
