"""Facts: what a declaration says about its tool beyond name, signature and description.

Each fact is written once: in the decorator of an operation in ``api/areas``, or in that of a composed tool in
``catalog``. When the catalog makes the tools, it checks that no fact is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

Reader = Callable[..., Any] | str
"""A method of an area that is offered as a tool and only reads; its name, if it is defined further down."""
TableShape = Literal["query", "report"]
UndoneBy = Literal["change", "removal", "nothing"]


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Why a write does not always ask the user, although it changes, deletes or reaches outside of the account."""

    reason: str


REVERSIBLE = Unconfirmed("It can be reversed, and clients ask for approval.")
ASKS_BY_ARGUMENTS = Unconfirmed("It asks if its arguments reach outside of the account or mention an address.")
WORDS_OF_THE_USER = Unconfirmed("It contains the user's own words, and clients ask for approval.")


class ToolFacts(TypedDict, total=False):
    """Facts that operations and composed tools share."""

    default_list: bool
    """Listed where a client selects nothing. Each such tool costs the client's model context: see scripts/tokens."""
    discovery_list: bool
    """Listed in the toolset "discovery", by which all other tools are found."""
    always_loaded: bool
    """At hand from the start in clients that load other tools only when they need them."""
    alias: str
    """A former name. It is not listed, but calls by it reach the tool."""
    permission: str
    """The permission that the API's document asks for; the API itself answers with a bare 403."""
    result_table: TableShape
    """The shape of the table in its answers. Large tables are kept under a handle, for query_result."""
    states_currency: bool
    """Its answers get the currency that the API leaves out; with *result_table*."""
    max_result_characters: int
    """Characters of an answer that clients should take without shortening it."""
    identifies_account: bool
    """Clients learn from it which account they are connected to."""

    confirm: bool | Unconfirmed
    """Every write: whether it asks the user before each call. One that does not still asks if its arguments reach
    outside of the account. False is not enough for a write that changes, deletes or reaches outside: give the reason."""
    preview_with: Reader | None
    """Writes about a thing that exists: what reads it, for the question to the user. Of a list, the row with its id is
    read. None: no tool shows it."""
    preview_arguments: Mapping[str, str]
    """What *preview_with* calls an argument that has another name in the write."""
    verify_with: Reader | None
    """What reads whether the effect of the write still holds; *preview_with*, if left out. None: no tool shows it."""
    adds: str
    """The argument whose items are added to the list that *verify_with* reads."""
    removes: str
    """The argument whose items are removed from that list."""
    sets_status: bool
    """The effect of the write is the status that it answers with."""
    undone_by: UndoneBy
    """What makes an equal call a new one: any later write about the same thing ("change", the default of writes that
    change or delete something), only its removal (the default of others), or nothing: messages, runs, purchases."""
    targets: tuple[str, ...]
    """Arguments that say what the write is about, besides those in the path of an operation."""
    canonical_arguments: Mapping[str, Callable[[Any], Any]]
    """For an argument that can be spelled in several ways: the function that returns its one form."""


class OperationFacts(ToolFacts, total=False):
    """What a declaration says about its operation beyond method, path and signature."""

    items: str
    """Key of the answer under which the rows of a list are."""
    title: str
    """The tool's title, where the words of its name are not good enough."""
    narrow_hint: str
    """How to ask for less, for answers that are too large; a sentence."""
    slow: bool
    """The API computes the answer: it may take as long as the whole call."""
    open_world: bool
    """It reaches recipients outside of the customer's account: users get email, support engineers start to work."""
    destructive: bool
    """It deletes or ends something, although it is a POST."""
    needs_idempotency_key: bool
    """The API expects an Idempotency-Key, so that repeating the request does nothing twice."""
    content_type: str
    """Content type of the body, where it is not application/json."""
    body_argument: str
    """Name of the one argument that is the body: an object whose members the caller chooses."""
