"""Arguments that appear to name users, addresses, channels or access are marked, or listed here with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.protocol.jsonrpc import JsonObject

WORDS = frozenset(
    "recipient recipients email emails mail mails collaborator collaborators slack teams webhook webhooks url urls uri"
    " link links public cc bcc owner owners permission permissions channel channels user users person people member"
    " members assignee assignees requester role roles contact contacts phone invite invites invitee share shares shared"
    " sharing notify notification notifications subscriber subscribers address addresses domain domains delivery"
    " schedule endpoint callback grant grants viewer viewers editor editors follower followers".split()
)
"""Words in argument names."""
DESCRIBED = re.compile(r"e-?mail|webhook|\bURL\b|Slack|who may|is warned|are warned|invite", re.IGNORECASE)
"""Words in argument descriptions."""
READS = "it only narrows down what is read"
UNMARKED = {
    ("list_users", "email"): READS,
    ("get_anomalies", "includeNotifications"): READS,
    ("get_aws_member_account", "memberAccountId"): READS,
    ("get_cloud_diagram_components", "link"): READS,
    ("get_statussheet_components", "link"): READS,
    ("update_customer", "urlSlug"): "a name in addresses of the console, where nobody is reached; the tool always asks",
    ("find_operation", "query"): "its description has an example about inviting",
    ("search_customers", "domains"): READS,
    ("create_contract", "doitInvoicingEnabled"): "a flag, which names no one",
    ("update_contract", "doitInvoicingEnabled"): "a flag, which names no one",
    ("update_user", "phone"): "a detail of a user in the list; nobody is called, and the tool always asks",
    ("update_user", "phoneExtension"): "a detail of a user in the list; nobody is called, and the tool always asks",
    ("create_contract", "billingProfile.address"): "a postal address; the tool always asks",
    ("update_contract", "billingProfile.address"): "a postal address; the tool always asks",
    ("trigger_cloud_flow", "requestBodyJson"): "the payload has no schema; the tool is outward and always asks",
    ("get_user_geographic_scope", "userId"): READS,
    ("create_signup_request", "source.channel"): "a word for statistics; the tool always asks",
    ("verify_signup_request", "code"): "a code that arrived by email; the tool always asks",
    **dict.fromkeys(
        (
            *(("assign_customer_group_user", "userId"), ("unassign_customer_group_user", "userId")),
            *(
                ("assign_customer_group_user_group", "userGroupId"),
                ("unassign_customer_group_user_group", "userGroupId"),
            ),
            *(("update_user_geographic_scope", "userId"), ("delete_user_geographic_scope", "userId")),
        ),
        "the object of the write, a user of the account; the tool always asks, and the question names it",
    ),
}
"""Arguments that match but are not marked."""


def arguments_of(schema: JsonObject, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    for name, member in schema.get("properties", {}).items():
        yield (*path, name), member
        yield from arguments_of(member, (*path, name))
    if "items" in schema:
        yield from arguments_of(schema["items"], path)
    for option in schema.get("anyOf", ()):
        yield from arguments_of(option, path)


def looks_external(name: str, schema: JsonObject) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    formats = {part.get("format") for part in (schema, schema.get("items", {}))}
    described = bool(DESCRIBED.search(schema.get("description", "")))
    return bool(words & WORDS) or described or bool(formats & {"email", "uri", "idn-email", "iri", "uri-reference"})


def covers(path: tuple[str, ...], marked: tuple[tuple[str, ...], ...]) -> bool:
    """Return whether the argument, something that contains it, or a part of it is marked."""
    return any(path[: len(prefix)] == prefix or prefix[: len(path)] == path for prefix in marked)


def find_unmarked(tool: Tool) -> set[tuple[str, str]]:
    arguments = arguments_of(tool.accepted_schema)
    return {
        (tool.name, ".".join(path))
        for path, schema in arguments
        if looks_external(path[-1], schema) and not covers(path, tool.external_target_paths)
    }


@pytest.mark.requirement("N11")
def test_n11_every_argument_that_names_users_is_marked_or_exempt() -> None:
    paths = {path for tool in (*all_tools(), *employee_tools()) for path in find_unmarked(tool)}
    unexpected = [f"{path} of {tool}" for tool, path in sorted(paths - UNMARKED.keys())]
    assert not unexpected, (
        f"{', '.join(unexpected)}: if it names users, addresses or accounts, add EXTERNAL_TARGET "
        "(doit_mcp/api/markers.py) to its annotation; if not, list it in UNMARKED in this file with the reason"
    )
    assert paths == UNMARKED.keys(), "remove what no longer exists from UNMARKED"


@pytest.mark.requirement("N11")
def test_n11_only_writes_have_recipients_and_matching_hints() -> None:
    reaching = [tool for tool in all_tools() if tool.external_target_paths]
    assert len(reaching) > 15
    for tool in reaching:
        assert tool.writes and tool.annotations["openWorldHint"] is True, tool.name
    for tool in all_tools():
        if tool.linked_text_paths:
            assert tool.writes and tool.annotations["openWorldHint"] is True, tool.name
        if tool.writes and not tool.external_target_paths and not tool.linked_text_paths:
            assert tool.annotations["openWorldHint"] is tool.open_world, tool.name


INSTRUCTS = re.compile(
    r"plain (?:words|language)|Markdown|MDX|HTML|Shown to people|in a sentence|easy to do", re.IGNORECASE
)
"""Words in the descriptions of texts that an assistant acts on, or that other users see with links."""
UNMENTIONED = {
    ("ask_ava_streaming", "question"): "she answers the user, and changes nothing",
    ("create_ticket", "ticket.body"): "support staff read what the user wanted said; the tool is outward",
}


@pytest.mark.requirement("N11")
def test_n11_instructions_and_link_texts_are_marked_or_exempt() -> None:
    paths = {
        (tool.name, ".".join(path))
        for tool in (*all_tools(), *employee_tools())
        if tool.writes
        for path, schema in arguments_of(tool.accepted_schema)
        if INSTRUCTS.search(schema.get("description", "")) and not covers(path, tool.linked_text_paths)
    }
    assert paths == UNMENTIONED.keys()


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("refine_cloudflow", "question"),
        ("build_cloud_flow", "question"),
        ("post_insight_result", "title shortDescription detailedDescriptionMdx easyWinDescription"),
    ],
)
def test_n11_marked_text_arguments(name: str, path: str) -> None:
    tool = next(tool for tool in all_tools() if tool.name == name)
    assert {".".join(keys) for keys in tool.linked_text_paths} == set(path.split())


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("update_budget", "collaborators recipients recipientsSlackChannels public"),
        ("create_budget", "collaborators recipients recipientsSlackChannels public"),
        ("create_alert", "recipients recipientsSlackChannels"),
        ("update_alert", "recipients recipientsSlackChannels"),
        ("update_resource_permissions", "permissions public"),
        ("update_customer", "settings.allowedInviteDomains contact.emails"),
        ("invite_user", "email roleId"),
        ("create_contract", "invoicesEmail contractUpdatesEmail"),
        ("create_asset", "rootEmail"),
        ("post_insight_result", "reportUrl"),
    ],
)
def test_n11_marked_recipient_arguments(name: str, path: str) -> None:
    tool = next(tool for tool in all_tools() if tool.name == name)
    assert {".".join(keys) for keys in tool.external_target_paths} == set(path.split())
