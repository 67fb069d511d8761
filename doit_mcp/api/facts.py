"""Facts: what a declaration states about its tool besides name, signature and description.

Each fact is stated once: in the decorator of an operation in ``api/areas``, or in that of a composed tool in
``catalog``. The catalog checks that no required fact is missing when it makes the tools.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from ..protocol.json_schema import JsonObject
from .permissions import Permission

Reader = Callable[..., Any] | str
"""A method of an area that is a tool, or its name if it is defined further down. It only reads, unless a fact states
otherwise."""
TableShape = Literal["query", "report", "top_groups"]
Refusal = Callable[[JsonObject, JsonObject], str]
"""Returns why the API refuses a write with these arguments to an object with this state ({} if unknown), as a sentence;
"" if it does not."""
UndoneBy = Literal["change", "removal", "nothing"]


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The reason why a write that changes, deletes or reaches outside the account does not always ask the user."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dependents:
    """Objects that refer to the object of a write: the rows of a list, or one object, whose *member* has its id.

    - *kind*: what one of them is called.
    - *arguments*: arguments that select the rows. "{id}" is the id of the object, and "{customerId}", for example, that
      member of its state. Without *member*, all selected rows refer to the object.
    - *is_nested*: the dependents of these objects depend on the object, too.
    - *row_id*: the member with the id of a row.
    - *names_with*: names rows that have only ids, like the fact of the same name.
    - *ids_in*: the argument with the ids, if they do not identify the object of the write.
    - *shows*: members that are shown beside the name of a row, even if they are unknown.
    - *must_exist*: the write is refused if there are no such objects.
    - *refuses*: the API refuses the write while such an object refers to its object by id.
    - *details_with*: shows one row, which can have the id anywhere, if the list does not have it. In
      *details_arguments*, "{row}" is the id of the row.
    - *named_in*: types of conditions whose values can also be the name of the object.
    """

    kind: str
    reader: Reader
    member: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    is_nested: bool = False
    row_id: str = "id"
    names_with: Reader | Mapping[str, Reader] | None = None
    ids_in: str = ""
    shows: tuple[str, ...] = ()
    must_exist: bool = False
    refuses: bool = False
    details_with: Reader | None = None
    details_arguments: Mapping[str, str] = field(default_factory=lambda: {"id": "{row}"})
    named_in: frozenset[str] = frozenset()


def refused_while(dependents: Iterable[Dependents]) -> tuple[Dependents, ...]:
    """Return the *dependents* of a deletion that the API refuses while any of them exists."""
    return tuple(replace(one, refuses=True) for one in dependents)


REVERSIBLE = Unconfirmed("It can be reversed, and clients ask for approval.")
ASKS_BY_ARGUMENTS = Unconfirmed("It asks if its arguments reach outside the account or mention an address.")
WORDS_OF_THE_USER = Unconfirmed("It sends what the user wrote or approved, and clients ask for approval of their own.")


class ToolFacts(TypedDict, total=False):
    """Facts about operations and composed tools."""

    default_list: bool
    """Listed if the client selects no toolset. Each listed tool takes context from the model: see scripts/tokens."""
    discovery_list: bool
    """Listed in the toolset "discovery", whose tools find and call all others."""
    always_loaded: bool
    """Loaded at the start by clients that load other tools on demand."""
    alias: str
    """A former name: not listed, but still accepted in calls."""
    permission: Permission | None
    """The permission that the API reference requires; the API itself returns a 403 without a reason. If one operation
    of an area states it, all must: None if the reference names none."""
    result_table: TableShape
    """The shape of the table in results. Large tables are stored under a handle, for query_result."""
    may_continue: bool
    """The API may accept the write and finish it later (status 202), so nothing may say that it is done."""
    max_result_characters: int
    """Characters of a result that clients should accept without truncating it."""
    view: bool
    """Hosts of MCP Apps show its result in the view (catalog/views)."""
    identifies_account: bool
    """The result tells clients which account they are connected to."""
    untested: str
    """Why it may not work: a sentence for models. Such a tool is in no list, and only the discovery tools run it."""
    secrets: tuple[str, ...]
    """Members of the result that are secrets, such as a new token. Such a tool exists only if a setting allows it. Its
    result is shown once: it is not stored for repeated calls or resumed streams, and the call never becomes a task."""

    confirm: bool | Unconfirmed
    """Whether a write asks the user before each call; required for all writes. Even if not, it asks if its arguments
    reach outside the account. A write that changes, deletes or reaches outside states the reason instead of False."""
    preview_with: Reader | None
    """The tool that reads the object of a write, for the question to the user; if it returns a list, the row with the
    object's id is used. None if no tool shows it. Required for writes to existing objects."""
    preview_arguments: Mapping[str, str]
    """The names that *preview_with* has for arguments, by their names in the write, if they differ."""
    preview_constants: Mapping[str, str]
    """The arguments of *preview_with* that have the same value in each call of the write."""
    also_shows: Mapping[str, Reader]
    """The tools that read other objects of a write, for the question to the user, by the argument with the object's id.
    If a tool returns a list, the row with the id is used."""
    effect: str
    """What the write means if its name does not say it, such as who gets access: a sentence for the question."""
    restore_with: Reader
    """The method that creates an equal object from the former values of one that this write deletes, or that sets them
    again. The result of the deletion then says how to call it. It must restore everything that the user set."""
    replaces: bool
    """The update removes the fields that it omits. The question lists them, and the undo restores them all."""
    defaults: Mapping[str, Any]
    """The values that the API gives to fields that such an update omits, instead of removing them."""
    merges: Mapping[str, Mapping[str, str]]
    """The arguments of an update whose omitted members stay unchanged, so the undo restores only the given members.
    Each has the members that the API also clears or ignores, by the member whose change causes that."""
    cleared_by: Mapping[str, Any]
    """The values with which the update clears arguments, by the name of the argument or the path of a member."""
    no_undo: str
    """Why no call restores the former state, although a tool shows it: a sentence for the result."""
    after_restoring: str
    """What is left to do after the undo call, or what else it does: a sentence for its note."""
    employees_can_undo: bool
    """The reason in *no_undo* does not apply to DoiT employees, whose calls restore the former state."""
    undo_with: Reader
    """The tool that undoes the write: it removes what this one adds or adds what it removes, as *adds* and *removes*
    state, or reverses an action. It takes the arguments that it shares with this write."""
    unset_with: Reader
    """The tool that removes what an update sets for the first time: the state before had *unset_state*."""
    unset_state: Mapping[str, Any]
    """Members of the state of an object for which an update sets something for the first time."""
    restored_elsewhere: Mapping[str, str]
    """How another tool restores arguments that had no value and that the update cannot clear: a sentence for each, in
    which {id} is the id of the object."""
    same_as: Mapping[str, str]
    """Arguments of an update that are other forms of the field with this name, which restores both. The path of a
    member has the name of another member."""
    writes_members: str
    """The argument whose items {action, id, ...} also create and update other objects than those that they select."""
    empty_means: Mapping[str, Any]
    """What the API sets instead of an empty list, in words for users, by the name of the argument."""
    computed_if: Mapping[str, tuple[str, str]]
    """Arguments that, if true, make the API compute another one: its name, and a description of the computed value."""
    units: Mapping[str, Callable[[JsonObject], str]]
    """The units of amounts in changes, by their path. Each function takes the object, with the names of arguments, and
    returns a currency code or "%"; "" if the amount has no unit."""
    shared_as: str
    """The resourceType with which get_resource_permissions shows who has access to the object that this write deletes,
    and update_resource_permissions restores it."""
    not_shown: tuple[str, ...]
    """Arguments of an update whose former values *preview_with* never shows."""
    shown_by: Mapping[str, str]
    """Less specific members that *preview_with* shows instead of such arguments, by the name of the argument."""
    names_with: Mapping[str, Reader | Mapping[str, Reader]]
    """The tools that name the objects whose ids are in arguments, by the name of the argument: a list or, for arguments
    with {objectType, objectId}, the tool that shows one object of each type."""
    dependents: tuple[Dependents, ...]
    """The objects that the write affects because they refer to its object. Changes name them."""
    refusal: Refusal
    """Why the API refuses the write. The user is not asked about such a write, and its dry run fails."""
    must_be_listed: tuple[str, ...]
    """Arguments with ids that the API accepts only if the list in *names_with* has them. The write is refused, as by
    *refusal*, for other ids."""
    unique_in: Reader
    """The list of objects among which the argument ``name`` must be unique. The write is refused for a name in use."""
    irreversible: bool
    """No write undoes this one, although it changes an object that exists: it buys or sells something."""
    can_be_restored: bool
    """Another write restores what this one deletes, so the question does not say that it cannot be undone."""
    verify_with: Reader | None
    """The tool that shows whether the effect of the write still holds; None if none does. Default: *preview_with*."""
    adds: str
    """The argument with the items, or the id of the one, that the write adds to the list that *verify_with* reads."""
    removes: str
    """The argument with the items, or the id of the one, that the write removes from that list."""
    sets_status: bool
    """The effect of the write is the status in its result."""
    undone_by: UndoneBy
    """What undoes the write, so that an equal call is not a duplicate: any later write to the same object ("change",
    the default of writes that change or delete something), only its removal (the default of other writes), or nothing,
    as for messages, runs and purchases."""
    targets: tuple[str, ...]
    """Arguments that identify the object of the write, besides those in the path of an operation."""
    has_cost_scope: Literal["budget", "alert"]
    """The write sets the costs that a budget or an alert covers, so its scopes must match some costs."""
    canonical_arguments: Mapping[str, Callable[[Any], Any]]
    """Functions that return the canonical form of an argument that has several spellings."""


class OperationFacts(ToolFacts, total=False):
    """Facts about an operation besides its method, path and signature."""

    items: str
    """Member of the response that has the rows of a list."""
    title: str
    """The tool's title, if the words of its name do not make a good one."""
    narrow_hint: str
    """How to get a smaller result, if it is too large; a sentence."""
    slow: bool
    """The API computes the response, which may take as long as the whole call. Required for a POST that only reads."""
    open_world: bool
    """It reaches outside the customer's account: it sends email, or support engineers act on it. Required for a
    write, unless one of its arguments is marked as reaching outside (markers.py)."""
    destructive: bool
    """Whether a POST changes or deletes something; one that only adds is not destructive. Required for a POST to an
    existing object, that is, with a parameter in its path. Other writes are destructive by their method."""
    needs_idempotency_key: bool
    """The API accepts an Idempotency-Key, so a repeated request has no second effect."""
    content_type: str
    """Content type of the body, if it is not application/json."""
    body_argument: str
    """Name of the argument that is the whole body, an object with any members."""
    text_member: str
    """Member of the result that has the response, which is text instead of JSON."""
    header_members: Mapping[str, str]
    """Members of the result that come from headers of the response, by the header's name."""
    needs_if_match: bool
    """The API requires If-Match, the etag of the version that the write changes. Each call reads it with
    *preview_with*, a method of the same area, and does not overwrite the changes of others (entity_tags.py)."""
    unauthenticated: bool
    """The API requires no credential, so the request has none, and does not name a customer."""
    retry_after_member: str
    """Member of the result with the response's Retry-After header, in seconds, if it has one."""
    page_size: int
    """Rows of a page if the caller does not set maxResults. Default: the API's own."""
