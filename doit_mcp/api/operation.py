"""Declaration of DoiT API operations, and the layout of their arguments as a request.

One rule applies to all: arguments named in the path go into the path, those unpacked from a TypedDict form the body,
and the rest form the query. Absent arguments are omitted; None is sent as null (bodies only).

    @get("/analytics/v1/labels", items="labels")
    async def list_labels(self, *, maxResults: MaxResults = None, pageToken: PageToken = None) -> JsonObject:
        \"\"\"List labels. (The description of the tool, for a model.)\"\"\"
        ...

The method's name is the tool's name; names that start with an underscore are not tools. If a tool's arguments or result
differ from the API's, declare the API's own form under such a name, and offer it with an ordinary method:

    @get("/analytics/v1/labels/{id}")
    async def _label(self, *, id: Id) -> JsonObject: ...

    @offers(_label)
    async def get_label(self, *, id: Id = "", name: Name = "") -> Annotated[JsonObject, Label]:
        \"\"\"Show one label, by id or by name.\"\"\"
        return await self._label(id=id or await id_of(name, self._labels, "name"))

All other facts about the tool are in the decorator too (facts.py). A write, for example, says whether it asks the user
and which method reads the object that it changes.

A declaration that lacks something raises TypeError when it is imported (declaration_checks.py).

The return annotation is the tool's output schema: JsonObject alone for an object or page without described fields,
``Annotated[JsonObject, Record]`` with a TypedDict (total=False) for fields worth naming, ``list[JsonObject]`` for a
bare list. A response of another type raises ApiError; a write may also return an empty response (None).
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import Parameter
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, Unpack, cast

from ..protocol.json_schema import JsonObject, function_parameters
from .answer_types import answer_type, check_answer
from .declaration_checks import check_fact_names, check_permissions, check_signature, declaration_error
from .entity_tags import send_to_version
from .facts import OperationFacts, ToolFacts
from .request_encoding import Query, encode_segment, query_value

HttpMethod = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
F = TypeVar("F", bound=Callable[..., Any])

PLACEHOLDER = re.compile(r"{(\w+)}")
IF_MATCH = "If-Match"
"""Key of the entity tag among the arguments of an operation with needs_if_match. No parameter has such a name."""


class Decorator(Protocol):
    """A decorator that keeps the type of the method."""

    def __call__(self, function: F, /) -> F: ...


class Request(NamedTuple):
    """One request to the API.

    *path* is percent-encoded, *query* is not. *body* is None if the request has no body. *if_match* is the value of the
    header If-Match; "" if the request has none.
    """

    method: str
    path: str
    query: Query
    body: JsonObject | None
    if_match: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API as its method declares it; see OperationFacts for the fields with defaults."""

    name: str
    method: HttpMethod
    path: str
    description: str
    read_only: bool
    """It changes nothing, so it may be repeated."""
    placeholders: tuple[str, ...]
    parameters: tuple[str, ...]
    """The names of the query parameters."""
    has_body: bool
    function: Callable[..., Any] = field(repr=False, compare=False)
    """The method that offers it; its signature defines the schemas of arguments and result."""
    stream: bool = False
    """The response is an event stream."""
    items: str = ""
    title: str = ""
    narrow_hint: str = ""
    slow: bool | None = None
    open_world: bool | None = None
    destructive: bool | None = None
    needs_idempotency_key: bool = False
    content_type: str = "application/json"
    body_argument: str = ""
    text_member: str = ""
    header_members: Mapping[str, str] = field(default_factory=dict, compare=False)
    needs_if_match: bool = False
    unauthenticated: bool = False
    retry_after_member: str = ""
    page_size: int = 0
    facts: ToolFacts = field(default_factory=ToolFacts, repr=False, compare=False)

    @property
    def retryable(self) -> bool:
        """Whether the same request may be sent again if its outcome is unknown."""
        return self.read_only or self.needs_idempotency_key

    def build_request(self, arguments: Mapping[str, Any]) -> Request:
        """Return the request for *arguments*. Raises ApiError ("argument") if a value cannot be a path segment."""
        if self.page_size and arguments.get("maxResults") is None:
            arguments = {**arguments, "maxResults": self.page_size}
        path = self.path
        if self.placeholders:
            path = PLACEHOLDER.sub(lambda found: encode_segment(found[1], arguments[found[1]]), path)
        query = {name: query_value(arguments[name]) for name in self.parameters if arguments.get(name) is not None}
        return Request(self.method, path, query, self._make_body(arguments), arguments.get(IF_MATCH, ""))

    def _make_body(self, arguments: Mapping[str, Any]) -> JsonObject | None:
        if self.body_argument:
            body: JsonObject | None = arguments[self.body_argument]
            return body
        if not self.has_body:
            return None
        placed = {*self.placeholders, *self.parameters, IF_MATCH}
        return {name: arguments[name] for name in arguments if name not in placed}


class Sender(Protocol):
    """What an area needs to send the API requests of one call."""

    @property
    def tenant(self) -> str:
        """The id of the customer that all requests are about; "" if only the credential identifies it."""

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Return the JSON value of the response; None if it has no body. Raise ApiError."""

    def stream(self, operation: Operation, arguments: Mapping[str, Any]) -> AsyncGenerator[JsonObject, None]:
        """Yield the events of the response as they arrive. Raise ApiError, even midway."""

    async def report(self, message: str) -> None:
        """Report progress of the running tool call; does nothing unless the caller asked for it."""


class Area:
    """A group of operations, bound to a sender."""

    operations: ClassVar[tuple[Operation, ...]] = ()

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def __init_subclass__(cls) -> None:
        public = (getattr(member, "operation", None) for name, member in vars(cls).items() if name[0] != "_")
        cls.operations = tuple(operation for operation in public if isinstance(operation, Operation))
        check_permissions((operation.function, operation.facts) for operation in cls.operations)


def operation_of(method: Callable[..., Any]) -> Operation:
    """Return the operation that *method* declares or offers. Raise TypeError for any other function."""
    operation: Operation | None = getattr(method, "operation", None)
    if operation is None:
        raise declaration_error(method, "is not an operation: it needs a decorator such as @get")
    return operation


def make_operation(
    function: Callable[..., Any], method: HttpMethod, path: str, read_only: bool, stream: bool
) -> Operation:
    """Return the operation of a declaring method; its signature defines the query and whether there is a body."""
    placeholders = tuple(PLACEHOLDER.findall(path))
    check_signature(function, placeholders)
    parameters = function_parameters(function).values()
    return Operation(
        name=function.__name__,
        method=method,
        path=path,
        description=description_of(function),
        read_only=read_only,
        placeholders=placeholders,
        parameters=tuple(p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY and p.name not in placeholders),
        has_body=any(p.kind is Parameter.VAR_KEYWORD for p in parameters),
        function=function,
        stream=stream,
    )


def description_of(function: Callable[..., Any]) -> str:
    """Return a function's docstring on one line."""
    return " ".join((function.__doc__ or "").split())


def _declare(
    method: HttpMethod, path: str, facts: OperationFacts, *, read_only: bool = False, stream: bool = False
) -> Decorator:
    own_keywords = ("read_only", "stream") if method == "POST" else ()

    def decorate(function: F) -> F:
        check_fact_names(function, facts, (*OperationFacts.__annotations__, *own_keywords))
        row = replace(make_operation(function, method, path, read_only, stream), **_operation_fields(facts))
        row = replace(row, parameters=tuple(name for name in row.parameters if name != row.body_argument))
        if row.page_size and "maxResults" not in row.parameters:
            raise declaration_error(function, "needs a parameter maxResults, because it has the fact page_size")
        if row.needs_if_match and not facts.get("preview_with"):
            raise declaration_error(function, "needs preview_with=, the method that reads the etag for If-Match")
        expected = answer_type(function)

        @wraps(function)
        async def send(self: Area, /, **arguments: Any) -> Any:
            if row.needs_if_match:
                answer = await _send_to_read_version(self, row, arguments)
            else:
                answer = await self.sender.send(row, arguments)
            return check_answer(answer, expected, read_only=row.read_only)

        @wraps(function)
        def events(self: Area, /, **arguments: Any) -> AsyncGenerator[JsonObject, None]:
            return self.sender.stream(row, arguments)

        declared = events if stream else send
        setattr(declared, "operation", row)
        return cast(F, declared)

    return decorate


async def _send_to_read_version(area: Area, row: Operation, arguments: Mapping[str, Any]) -> Any:
    """Send a write with the etag of its object, which the method in *preview_with* reads."""
    reader: Any = row.facts["preview_with"]
    read = getattr(area, reader if isinstance(reader, str) else reader.__name__)
    target = {name: arguments[name] for name in operation_of(read).placeholders}
    return await send_to_version(
        lambda: read(**target), lambda tag: area.sender.send(row, {**arguments, IF_MATCH: tag})
    )


def _operation_fields(facts: OperationFacts) -> dict[str, Any]:
    """Return *facts* as fields of an operation; those about its tool are in the field facts."""
    about_tool = {name: value for name, value in facts.items() if name in ToolFacts.__annotations__}
    own = {name: value for name, value in facts.items() if name not in about_tool}
    return {**own, "facts": about_tool}


def offers(declaration: Callable[..., Any]) -> Decorator:
    """Offer the operation of *declaration* by a method with a body: its own name, arguments, description and result.

    *declaration* has a name that starts with an underscore, so it is not a tool itself.
    """

    def decorate(function: F) -> F:
        check_signature(function)
        row = operation_of(declaration)
        own = replace(row, name=function.__name__, description=description_of(function), function=function)
        setattr(function, "operation", own)
        return function

    return decorate


def get(path: str, **facts: Unpack[OperationFacts]) -> Decorator:
    """Declare a read by GET."""
    return _declare("GET", path, facts, read_only=True)


def post(path: str, *, read_only: bool = False, stream: bool = False, **facts: Unpack[OperationFacts]) -> Decorator:
    """Declare a POST: with *read_only* a query that changes nothing, with *stream* one that returns an event stream."""
    return _declare("POST", path, facts, read_only=read_only, stream=stream)


def put(path: str, **facts: Unpack[OperationFacts]) -> Decorator:
    """Declare a PUT, which replaces a whole object."""
    return _declare("PUT", path, facts)


def patch(path: str, **facts: Unpack[OperationFacts]) -> Decorator:
    """Declare a PATCH, which leaves omitted fields unchanged."""
    return _declare("PATCH", path, facts)


def delete(path: str, **facts: Unpack[OperationFacts]) -> Decorator:
    """Declare a DELETE."""
    return _declare("DELETE", path, facts)
