"""No request blocks the event loop: the largest valid and invalid lists for every tool, and bodies for every endpoint.

The tests measure CPU time of the server's process between two ticks of its event loop, so that a busy machine does not
matter. The limit is above the target of 100 ms to allow for slower machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.protocol.message_limits import MAX_LIST_ITEMS, MAX_VALUES
from tests.catalog.examples import examples, objects

from .serving import LATEST_STATEFUL, STATELESS_REVISION, Answer, Json
from .test_security_process import META, Program, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT_SECONDS = 0.25
ATTEMPTS = 5
BODY_BYTES = 4_000_000
MAX_MEMORY_BYTES = 250 << 20
EVERYTHING = "/mcp/x/all"
Place = tuple[str, ...]
ITEMS = "[]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Program]:
    """The product in a process of its own, whose event loop is measured."""
    async with program(tmp_path_factory.mktemp("loop")) as running:
        running.outside.gate.set()
        await running.longest_hold()
        yield running


def lists(schema: Json, path: Place = ()) -> Iterator[tuple[Place, Json]]:
    """The place and the schema of every list in *schema*, including nested ones."""
    for part in schema.get("anyOf", ()):
        yield from lists(part, path)
    if schema.get("type") == "array":
        yield path, schema
        yield from lists(schema.get("items", {}), (*path, ITEMS))
    for name, inner in schema.get("properties", {}).items():
        yield from lists(inner, (*path, name))


def example(schema: Json, name: str = "") -> Any:
    return next(examples(schema, name))


def place_value(schema: Json, path: Place, value: Any, name: str = "") -> Any:
    """An example of *schema* with *value* at the place *path*."""
    if not path:
        return value
    schema = next((part for part in schema.get("anyOf", ()) if part.get("type") in ("array", "object")), schema)
    first, *rest = path
    if first == ITEMS:
        return [place_value(schema["items"], tuple(rest), value, name)]
    inner = schema["properties"][first]
    least = next(objects(schema))
    return {**least, first: place_value(inner, tuple(rest), value, first)}


def largest(schema: Json) -> list[Any]:
    """As many items as *schema* allows and a body can carry."""
    item = example(schema.get("items", {"type": "string"}), "item")
    item_size = len(orjson.dumps(item)) + 1
    values = orjson.dumps(item).count(b",") + orjson.dumps(item).count(b"[") + orjson.dumps(item).count(b"{") + 1
    return [item] * min(schema.get("maxItems", MAX_LIST_ITEMS), BODY_BYTES // item_size, (MAX_VALUES - 100) // values)


LISTS = {tool.name: (tool, list(lists(tool.accepted_schema))) for tool in all_tools()}
EACH = pytest.mark.parametrize("name", [name for name, (_, found) in LISTS.items() if found])


def call(name: str, arguments: Any) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


async def send_and_watch(server: Program, path: str, body: bytes, headers: Json) -> Answer:
    """Return the response to a POST. Meanwhile health checks of a second client succeed, and nothing blocks the loop.

    A request that blocks the loop does so each time; a busy machine only lets other threads run before the loop.
    """
    holds = []
    while len(holds) < ATTEMPTS:
        answer, held = await send_watched(server, path, body, headers)
        holds.append(held)
        if held < LIMIT_SECONDS:
            return answer
    raise AssertionError((path, body[:120], len(body), holds, answer.text[:300]))


async def send_watched(server: Program, path: str, body: bytes, headers: Json) -> tuple[Answer, float]:
    """Return the response, and the CPU seconds for which the event loop was blocked at most."""
    await server.longest_hold()
    request = asyncio.create_task(server.send("POST", path, headers, body))
    checks = 0
    while not request.done() or not checks:
        assert (await server.send("GET", "/healthz", {})).status == 200
        checks += 1
        await asyncio.sleep(0.005)
    return await request, await server.longest_hold()


def legacy(server: Program, token: str) -> Json:
    return server.headers(token, MCP_Protocol_Version=LATEST_STATEFUL)


@pytest.mark.requirement("N2")
@EACH
async def test_n2_tool_lists_do_not_block_the_loop(server: Program, name: str) -> None:
    """The largest valid list is accepted; the largest invalid ones are refused in one sentence with the path and the
    limit."""
    tool, arguments = LISTS[name]
    headers = legacy(server, server.outside.token(name))
    for path, schema in arguments:
        legal = place_value(tool.accepted_schema, path, largest(schema))
        assert tool.argument_problems(tool.coerce_arguments(legal)) == [], path
        answer = await send_and_watch(server, EVERYTHING, orjson.dumps(call(name, legal)), headers)
        text = answer.text
        assert answer.status == 200 and "Invalid arguments" not in text, text[:300]
        most = schema["maxItems"]
        for wrong in ([0] * (MAX_VALUES - 1000), [{}] * (most + 1)):
            body = orjson.dumps(call(name, place_value(tool.accepted_schema, path, wrong)))
            text = (await send_and_watch(server, EVERYTHING, body, headers)).text
            place = "".join("[0]" if step == ITEMS else f".{step}" for step in path).removeprefix(".")
            assert "Invalid arguments" in text and place in text and len(text) < 3_000, (path, text[:300])
    body = orjson.dumps(call(name, place_value(tool.accepted_schema, arguments[0][0], "LIST")))
    refused = await send_and_watch(
        server, EVERYTHING, body.replace(b'"LIST"', b"[" + b"1," * 1_300_000 + b"1]"), headers
    )
    assert refused.status == 400 and f"{MAX_VALUES:,} values" in refused.body["error"]["message"]


def shapes() -> dict[str, bytes]:
    """JSON values of up to 4 MB that are expensive to parse, traverse or validate."""
    most = MAX_VALUES - 100
    return {
        "empty lists, too many": b"[" + b"[]," * 1_300_000 + b"[]]",
        "empty lists": b"[" + b"[]," * (most // 2 - 1) + b"[]]",
        "objects": b"[" + b'{"a":1},' * (most // 2 - 1) + b"{}]",
        "names": b"{" + b",".join(b'"n%d":%d' % (number, number) for number in range(most)) + b"}",
        "a long name": b'{"' + b"aI" * 1_900_000 + b'":1}',
        "a long text": b'"' + b"a " * 1_900_000 + b'"',
        "texts with commas": b"[" + b'"a,b,c,d,e,f,g",' * (most - 1) + b"1]",
        "escapes": b'"' + b"\\ud83d\\ude00" * 330_000 + b'"',
        "quotes": b'"' + b'\\"' * 1_900_000 + b'"',
        "digits": b"9" * 3_900_000,
        "long numbers": b"[" + b"9007199254740993.%s1," % (b"0" * 700) * 5_000 + b"1]",
        "deep": b"[" * 60 + b"]" * 60,
        "deep and wide": b"[" + (b"[" * 50 + b"]" * 50 + b",") * (most // 52) + b"1]",
        "JSON in a text": orjson.dumps("[" + "[]," * 1_200_000 + "[]]"),
        "small JSON in a text": orjson.dumps("[" + "[]," * (most // 2 - 1) + "[]]"),
    }


SHAPES = shapes()
FRAMES = {
    "arguments": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run_query","arguments":%s}}',
    "config": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run_query","arguments":{"config":%s}}}',
    "list": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_result","arguments":'
    b'{"handle":"h","groupBy":%s}}}',
    "another tool's arguments": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"call_operation",'
    b'"arguments":{"name":"create_label","arguments":%s}}}',
    "a write's free object": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"trigger_cloud_flow",'
    b'"arguments":{"flowID":"f","requestBodyJson":%s}}}',
    "tool": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%s}}',
    "_meta": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run_query",'
    b'"_meta":{"progressToken":%s}}}',
    "capabilities": b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"clientInfo":{"name":"x","version":"1"},"capabilities":{"x":%s}}}',
    "prompt": b'{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":%s}}',
    "prompt's arguments": b'{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"monthly_review",'
    b'"arguments":%s}}',
    "resource": b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":%s}}',
    "completion": b'{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":%s,"argument":'
    b'{"name":"a","value":"b"}}}',
    "cursor": b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":%s}}',
    "notification": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"x":%s}}',
    "response": b'{"jsonrpc":"2.0","id":"doit-1","result":{"action":"accept","content":%s}}',
    "method": b'{"jsonrpc":"2.0","id":1,"method":%s}',
    "id": b'{"jsonrpc":"2.0","id":%s,"method":"ping"}',
    "batch": b'[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":%s}}]',
    "nothing around": b"%s",
}


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("frame", FRAMES)
async def test_n2_bodies_do_not_block_the_loop(server: Program, frame: str) -> None:
    """Whichever part of a message is large, it is served or refused, and never an internal error."""
    headers = legacy(server, server.outside.token("frames"))
    for value in SHAPES.values():
        answer = await send_and_watch(server, EVERYTHING, FRAMES[frame] % value, headers)
        assert answer.status in (200, 202, 400) and "Internal error" not in answer.text, answer.text[:300]


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("method", ["tools/call", "prompts/get"])
async def test_n2_client_answers_do_not_block_the_loop(server: Program, method: str) -> None:
    """The newest revision's inputResponses, capabilities and state."""
    token = server.outside.token("answers")
    for value in ("empty lists", "names", "a long text", "deep and wide"):
        for member in ("inputResponses", "requestState", "_meta"):
            big = orjson.loads(SHAPES[value])
            params: Json = {"name": "delete_budget", "arguments": {"id": "free-1"}}
            params["_meta"] = {
                f"{META}protocolVersion": STATELESS_REVISION,
                f"{META}clientCapabilities": {"elicitation": {}},
            }
            if member == "_meta":
                params["_meta"] |= {f"{META}clientCapabilities": {"elicitation": {}, "x": big}}
            else:
                params[member] = {"confirm": {"action": "accept", "content": big}} if member[0] == "i" else big
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            headers = server.headers(
                token, MCP_Protocol_Version=STATELESS_REVISION, Mcp_Method=method, Mcp_Name="delete_budget"
            )
            answer = await send_and_watch(server, EVERYTHING, orjson.dumps(message), headers)
            assert answer.status in (200, 400), answer.text[:300]


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("path", ["/mcp", "/mcp/readonly", "/mcp/x/core", "/sse", "/sse/message?sessionId=x"])
async def test_n2_endpoints_do_not_block_the_loop(server: Program, path: str) -> None:
    """With and without a token, and in a batch of 50 in a session that supports batches."""
    headers = legacy(server, server.outside.token("ends"))
    unauthenticated_headers = {name: value for name, value in headers.items() if name != "Authorization"}
    for shape in ("empty lists, too many", "names", "deep and wide"):
        body = FRAMES["arguments"] % SHAPES[shape]
        assert (await send_and_watch(server, path, body, headers)).status in (200, 400, 404)
        assert (await send_and_watch(server, path, body, unauthenticated_headers)).status == 401


async def with_batches(server: Program, token: str) -> Json:
    """The headers of a session that supports batches."""
    params: Json = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    opened = await server.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, token)
    return server.headers(token, Mcp_Session_Id=opened.headers["Mcp-Session-Id"])


@pytest.mark.requirement("N2")
async def test_n2_search_batch_yields_to_others(server: Program) -> None:
    """Each request searches for different misspelled words."""
    headers = await with_batches(server, server.outside.token("searches"))
    words = [f"b{number}udgetz" for number in range(800)]
    batch = [
        {**call("find_operation", {"query": " ".join(words[number::50])[:300]}), "id": number} for number in range(50)
    ]
    answer = await send_and_watch(server, "/mcp", orjson.dumps(batch), headers)
    assert len(answer.body) == 50 and all("operations" in str(response) for response in answer.body)


@pytest.mark.requirement("N2")
async def test_n2_batches_do_not_block_the_loop(server: Program) -> None:
    """Fifty messages that share a large body."""
    headers = await with_batches(server, server.outside.token("batch"))
    config = {"metrics": [0] * (MAX_VALUES // 50 - 20)}
    batch = [{**call("run_query", {"config": config}), "id": number} for number in range(50)]
    answer = await send_and_watch(server, EVERYTHING, orjson.dumps(batch), headers)
    assert answer.status == 200 and answer.text.count("query.metrics") >= 50
    assert (await send_and_watch(server, EVERYTHING, orjson.dumps(batch * 2), headers)).status == 400


REFUSED: dict[str, bytes] = {
    "wrong shape": FRAMES["id"] % SHAPES["objects"],
    "too many values": FRAMES["arguments"] % SHAPES["empty lists, too many"],
    "unknown tool": FRAMES["arguments"].replace(b"run_query", b"x") % SHAPES["names"],
    "unknown arguments": FRAMES["arguments"] % SHAPES["names"],
    "wrong items": FRAMES["list"] % (b"[" + b"1," * (MAX_VALUES - 1000) + b"1]"),
    "wrong texts": FRAMES["list"] % SHAPES["texts with commas"],
    "not JSON": b"[" * 3_900_000,
}
REQUESTS = 5


async def cpu_of(server: Program, body: bytes, headers: Json) -> float:
    """Return the CPU seconds of several equal requests."""
    before = server.cpu
    for _ in range(REQUESTS):
        await server.send("POST", EVERYTHING, headers, body)
    return server.cpu - before


async def test_rejected_requests_are_cheap(server: Program) -> None:
    """A refusal costs not much more CPU than the largest accepted upload, and almost none without a valid token."""
    headers = legacy(server, server.outside.token("cost"))
    events = {"events": [{"provider": "a", "time": "2026-01-31T10:00:00Z", "metrics": [{"value": 1, "type": "cost"}]}]}
    events["events"] *= 20_000
    accepted = orjson.dumps(call("send_datahub_events", events))
    assert "Invalid" not in (await server.send("POST", EVERYTHING, headers, accepted)).text
    limit = 2 * await cpu_of(server, accepted, headers) + 0.2
    for name, body in REFUSED.items():
        assert await cpu_of(server, body, headers) < limit, name
    for token in ("", "Bearer wrong", f"Bearer {server.outside.token('x', exp=1)}"):
        unauthenticated_headers = {name: value for name, value in headers.items() if name != "Authorization"}
        unauthenticated_headers |= {"Authorization": token} if token else {}
        assert await cpu_of(server, accepted, unauthenticated_headers) < 0.4 * limit, token[:20]


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("tool", all_tools(), ids=lambda tool: tool.name)
async def test_n2_every_list_has_a_length_limit(tool: Tool) -> None:
    """The published limits are the enforced ones."""
    for path, schema in lists(tool.accepted_schema):
        assert 0 < schema["maxItems"] <= 50_000, path
        item = example(schema.get("items", {"type": "string"}), "item")
        long = place_value(tool.accepted_schema, path, [item] * (schema["maxItems"] + 1))
        assert f"at most {schema['maxItems']} items" in "; ".join(
            tool.argument_problems(tool.coerce_arguments(long))
        ), path


def in_text(count: int) -> str:
    """A list as JSON in a string, as some clients send it."""
    return "[" + "0," * (count - 1) + "0]"


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("name", ["get_statussheet_components", "query_result"])
async def test_n2_lists_in_texts_do_not_block(server: Program, name: str) -> None:
    """Every list of a tool as a string, also inside arguments of a discovery call that are strings themselves."""
    tool = next(tool for tool in all_tools() if tool.name == name)
    text = in_text(MAX_VALUES - 10)
    wrong = {argument: text for argument, schema in tool.accepted_schema["properties"].items() if any(lists(schema))}
    headers = legacy(server, server.outside.token("texts"))
    answer = await send_and_watch(server, EVERYTHING, orjson.dumps(call(name, wrong)), headers)
    assert "Invalid arguments" in answer.text and len(answer.text) < 3_000, answer.text[:300]
    inner = {"name": name, "arguments": orjson.dumps({next(iter(wrong)): text}).decode()}
    answer = await send_and_watch(server, "/mcp", orjson.dumps(call("read_operation", inner)), headers)
    assert "Invalid arguments" in answer.text, answer.text[:300]


@pytest.mark.requirement("N2")
async def test_n2_completion_names_its_prompt_as_text(server: Program) -> None:
    headers = legacy(server, server.outside.token("completions"))
    numbers = b"[" + b",".join(b"1.7976931348%06de300" % number for number in range(170_000)) + b"]"
    body = FRAMES["completion"] % (b'{"type":"ref/prompt","name":%s}' % numbers)
    answer = await send_and_watch(server, EVERYTHING, body, headers)
    assert answer.body["error"]["message"] == "Invalid params: params.ref.name must be text"


@pytest.mark.requirement("N2")
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("update_annotation", {"id": "x", "content": SHAPES["names"]}, "content: must be text"),
        ("get_cloud_diagram_components", {"template": SHAPES["names"]}, "template: "),
        ("query_result", {"handle": "x", "filters": [SHAPES["names"]]}, "filters[0]"),
        ("trigger_cloud_flow", {"flowID": "f", "requestBodyJson": SHAPES["names"]}, "must have at most 20,000 values"),
    ],
)
async def test_n2_large_objects_do_not_hold_the_interpreter(
    server: Program, name: str, arguments: Json, said: str
) -> None:
    """A single step of the library that validates arguments cannot be interrupted, not even in a thread."""
    big = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":%s}}'
    texts = orjson.dumps(arguments, default=lambda value: orjson.Fragment(value))
    answer = await send_and_watch(
        server, EVERYTHING, big % (name.encode(), texts), legacy(server, server.outside.token("objects"))
    )
    assert said in answer.text and len(answer.text) < 5_000, answer.text[:300]


@pytest.mark.requirement("N1")
async def test_n1_large_bodies_of_one_user_use_little_memory(server: Program) -> None:
    """Many at once, each with as many values as fit: beyond the limit they are refused before they are parsed."""
    size = 400_000
    headers = legacy(server, server.outside.token("memory"))
    values = b"[" + b"[]," * (min(size // 3, MAX_VALUES // 2) - 100) + b"[]]"
    body = (FRAMES["list"] % values).ljust(size)
    await server.send("POST", EVERYTHING, headers, body)
    before, most = server.rss, 0
    requests = asyncio.gather(*(server.send("POST", EVERYTHING, headers, body) for _ in range(60)))
    while not requests.done():
        most = max(most, server.rss)
        await asyncio.sleep(0.01)
    statuses = [answer.status for answer in await requests]
    assert set(statuses) <= {200, 429} and 200 in statuses
    assert most - before < MAX_MEMORY_BYTES, (most - before) >> 20
    assert (await server.gauges())["body_bytes"] == 0
