"""The landing page at ``/``, which describes this server and how to connect each client to it."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

import orjson

from ...protocol.jsonrpc import JsonObject
from ...settings import Settings
from ...settings.host_names import LOOPBACK_HOSTS
from .html_templates import Html, join_html, page_headers, read_template, render_head, render_template
from .sandbox_info import SandboxInfo

TITLE = "DoiT MCP: your cloud costs in the assistant you use"
DESCRIPTION = "Connect ChatGPT, Claude, Cursor and other MCP clients to DoiT Cloud Intelligence."
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

EXAMPLE_TOOLSETS = ("budgets", "anomalies")

CURL_NOTE = "Send a DoiT API token as the bearer token. Keep it in an environment variable, not in a shared file:"
SANDBOX_CURL_NOTE = "Send the API token of a sandbox user as the bearer token:"

_FIRST_SENTENCE = re.compile(r".+?(?<!e\.g)(?<!i\.e)[.!?](?=\s+[A-Z`]|$)")


def render_page(
    resource_url: str,
    auth_server_url: str,
    tools: Sequence[tuple[str, str]],
    toolsets: Sequence[str] = (),
    sandbox: SandboxInfo | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> tuple[bytes, dict[str, str]]:
    """Return the page as UTF-8 and the headers to send it with, including ``Content-Type``.

    *resource_url* is the server's public base URL and *auth_server_url* the issuer where users sign in. *tools* are the
    title and description of each listed tool, in list order; only the first sentence of a description is shown.
    *toolsets* are the names that ``/mcp/x/…`` accepts. *sandbox* describes the sandbox, whose users the page names.
    *links* are texts and URLs in the footer. The page depends on nothing else, so it can be rendered once.
    """
    base = resource_url.rstrip("/")
    style, script = read_template("page.css"), read_template("page.js")
    page = render_template(
        "page.html",
        head=render_head(TITLE, style, DESCRIPTION),
        script=Html(script),
        base=base,
        auth_url=auth_server_url,
        auth_host=urlsplit(auth_server_url).netloc,
        address=_render_code(f"{base}/mcp", "the server URL"),
        notice=_render_notices(base, sandbox),
        clients=_render_clients(base, sandbox),
        sandbox=_render_sandbox(base, sandbox) if sandbox is not None else "",
        questions=join_html(render_template("question.html", text=text) for text in EXAMPLE_QUESTIONS),
        tools=_render_tools(tools),
        paths=join_html(_render_path(base, path, text) for path, text in _example_paths(toolsets)),
        toolsets=_render_toolsets(toolsets),
        sandbox_nav=Html('<a href="#sandbox">Sandbox users</a>') if sandbox is not None else "",
        console="DoiT console" if sandbox is None else "Sandbox dashboard",
        links=join_html(render_template("link.html", text=text, url=url) for text, url in links),
    )
    return page.encode(), {**page_headers(style, script), "Cache-Control": "public, max-age=300"}


def policy_links(settings: Settings) -> list[tuple[str, str]]:
    """Return the texts and URLs of the policies and the support page that the operator set."""
    links = [("Privacy policy", settings.privacy_url), ("Terms of service", settings.terms_url)]
    return [(text, url) for text, url in (*links, ("Support", settings.support_url)) if url]


def first_sentence(text: str) -> str:
    """Return the first sentence of *text* on one line, or all of it if no sentence ends."""
    line = " ".join(text.split())
    match = _FIRST_SENTENCE.match(line)
    return match[0] if match else line


def _is_loopback(base: str) -> bool:
    return urlsplit(base).hostname in LOOPBACK_HOSTS


def _render_notices(base: str, sandbox: SandboxInfo | None) -> Html:
    notices = [render_template("sandbox_notice.html", base=base)] if sandbox is not None else []
    return join_html([*notices, *([render_template("loopback.html")] if _is_loopback(base) else [])])


def _render_sandbox(base: str, sandbox: SandboxInfo) -> Html:
    accounts = (
        render_template(
            "account.html",
            email=account.email,
            access=account.access,
            password=account.password,
            token=_render_code(account.token, f"the API token of {account.email}"),
        )
        for account in sandbox.accounts
    )
    return render_template("sandbox.html", base=base, dashboard_url=sandbox.dashboard_url, accounts=join_html(accounts))


def _render_clients(base: str, sandbox: SandboxInfo | None) -> Html:
    url = f"{base}/mcp"
    local = _is_loopback(base)
    quoted_url = shlex.quote(url)
    remote_config = {"command": "npx", "args": ["-y", "mcp-remote", url]}
    http_config = {"type": "http", "url": url}
    vscode_config = shlex.quote(orjson.dumps({"name": SERVER_NAME, **http_config}).decode())
    return render_template(
        "clients.html",
        url=_render_code(url, "the server URL"),
        chatgpt_open=Html() if local else Html(" open"),
        claude_code_open=Html(" open") if local else Html(),
        unreachable=render_template("unreachable.html") if local else Html(),
        claude_button=Html() if local else render_template("claude_button.html", link=claude_link(url)),
        claude_code=_render_code(f"claude mcp add --transport http {SERVER_NAME} {quoted_url}", "the command"),
        cursor_link=cursor_link(url),
        cursor_json=_render_json({"mcpServers": {SERVER_NAME: {"url": url}}}),
        vscode_link=vscode_link(url),
        vscode_json=_render_json({"servers": {SERVER_NAME: http_config}}),
        vscode_command=_render_code(f"code --add-mcp {vscode_config}", "the command"),
        gemini=_render_code(f"gemini mcp add --transport http {SERVER_NAME} {quoted_url}", "the command"),
        gemini_json=_render_json({"mcpServers": {SERVER_NAME: {"httpUrl": url}}}),
        codex=_render_code(f"codex mcp add {SERVER_NAME} --url {quoted_url}", "the command"),
        copilot_json=_render_json({"mcpServers": {SERVER_NAME: {**http_config, "tools": ["*"]}}}),
        windsurf_json=_render_json({"mcpServers": {SERVER_NAME: {"serverUrl": url}}}),
        goose_yaml=_render_code(_goose_config(url), "the configuration"),
        inspector=_render_code(
            f"npx @modelcontextprotocol/inspector --transport http --server-url {quoted_url}", "the command"
        ),
        remote_json=_render_json({"mcpServers": {SERVER_NAME: remote_config}}),
        sse=_render_code(f"{base}/sse", "the SSE URL"),
        framework=_render_code(_framework_example(url, sandbox), "the example"),
        curl_note=SANDBOX_CURL_NOTE if sandbox else CURL_NOTE,
        curl=_render_code(_curl_command(quoted_url, sandbox), "the command"),
    )


def claude_link(url: str) -> str:
    """Return the link that makes Claude on the web offer to add the server at *url* as a custom connector."""
    parameters = {"modal": "add-custom-connector", "connectorName": "DoiT", "connectorUrl": url}
    return f"https://claude.ai/customize/connectors?{urlencode(parameters)}"


def cursor_link(url: str) -> str:
    """Return the link that makes Cursor offer to add the server at *url* (its documented install link)."""
    config = base64.b64encode(orjson.dumps({"url": url})).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{urlencode({'name': SERVER_NAME, 'config': config})}"


def vscode_link(url: str) -> str:
    """Return the link that makes VS Code offer to add the server at *url* (its documented URL handler)."""
    return "vscode:mcp/install?" + quote(orjson.dumps({"name": SERVER_NAME, "type": "http", "url": url}), safe="")


def _goose_config(url: str) -> str:
    # A JSON string is a YAML string, too.
    quoted_url = orjson.dumps(url).decode()
    return "\n".join(
        (
            "extensions:",
            f"  {SERVER_NAME}:",
            "    enabled: true",
            f"    name: {SERVER_NAME}",
            "    type: streamable_http",
            f"    uri: {quoted_url}",
            "    timeout: 300",
        )
    )


def _framework_example(url: str, sandbox: SandboxInfo | None) -> str:
    imports = ["from langchain_mcp_adapters.client import MultiServerMCPClient"]
    if sandbox is not None:
        token = f'"Bearer {sandbox.accounts[0].token}"'
    else:
        imports, token = ["import os", "", *imports], """f"Bearer {os.environ['DOIT_API_KEY']}\""""
    return "\n".join(
        (
            *imports,
            "",
            "client = MultiServerMCPClient({",
            f'    "{SERVER_NAME}": {{',
            '        "transport": "streamable_http",',
            # A JSON string is a Python string, too.
            f'        "url": {orjson.dumps(url).decode()},',
            f'        "headers": {{"Authorization": {token}}},',
            "    }",
            "})",
            "tools = await client.get_tools()",
        )
    )


def _curl_command(quoted_url: str, sandbox: SandboxInfo | None) -> str:
    token = sandbox.accounts[0].token if sandbox is not None else "$DOIT_API_KEY"
    return "\n".join(
        (
            f"curl {quoted_url} \\",
            f'  -H "Authorization: Bearer {token}" \\',
            "  -H 'Content-Type: application/json' \\",
            "  -H 'Accept: application/json, text/event-stream' \\",
            """  -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_cloud_overview"}}'""",
        )
    )


def _render_tools(tools: Sequence[tuple[str, str]]) -> Html:
    if not tools:
        return Html()
    listed = join_html(render_template("tool.html", title=title, text=first_sentence(text)) for title, text in tools)
    return render_template("tools.html", tools=listed)


def _example_paths(toolsets: Sequence[str]) -> list[tuple[str, str]]:
    areas = [name for name in EXAMPLE_TOOLSETS if name in toolsets] or ["core"]
    return [
        ("/mcp", "The default tools, listed above."),
        ("/mcp/readonly", "The default tools, read-only."),
        (f"/mcp/x/{areas[0]}", "One toolset."),
        (f"/mcp/x/{','.join(areas[:2])}/readonly", "Several toolsets, read-only."),
        ("/mcp/x/all", "All tools. Many clients refuse more than 128, or fail."),
        ("/mcp?tools=list_budgets,get_anomalies", "Individual tools, by name."),
    ]


def _render_path(base: str, path: str, text: str) -> Html:
    return render_template("path.html", url=_render_code(base + path, path), text=text)


def _render_toolsets(toolsets: Sequence[str]) -> Html:
    if not toolsets:
        return Html()
    return render_template(
        "toolsets.html", names=join_html(render_template("toolset.html", name=name) for name in toolsets)
    )


def _render_json(value: JsonObject) -> Html:
    return _render_code(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), "the configuration")


def _render_code(text: str, label: str) -> Html:
    """Render text with a copy button. *label* describes what the button copies to users of screen readers."""
    return render_template("code.html", text=text, what=label)
