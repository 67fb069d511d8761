"""Tools and a prompt that ask the client: for a person's words, a model's, or its roots."""

from __future__ import annotations

from collections.abc import Mapping

from doit_mcp.catalog.call import Call, CannotAsk, Question
from doit_mcp.catalog.prompts.prompt import Prompt, user_text
from doit_mcp.catalog.tools.tool import Content, Tool

from .making import JsonObject, an_object, form, sample, text, tool

ELICIT, SAMPLE, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"
STRING: JsonObject = {"type": "string"}
NAME = form("What is your name?", name=STRING)
CONFIRM = form("Please confirm", ok={"type": "boolean"})
OPTIONS = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{number}", "title": f"Value {number}"} for number in (1, 2, 3)]

DEFAULTS = form(
    "Please check the values",
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
ENUMS = form(
    "Please choose",
    untitledSingle={"type": "string", "enum": OPTIONS},
    titledSingle={"type": "string", "oneOf": TITLED},
    legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": TITLED}},
)


def said(answer: JsonObject, name: str) -> str:
    """What a person filled in, or that there is nothing."""
    return str(answer.get("content", {}).get(name, "nobody"))


async def sampling(call: Call, arguments: JsonObject) -> Content:
    answer = await call.ask("completion", SAMPLE, sample(arguments["prompt"], 100))
    return text(f"LLM response: {answer['content'].get('text', '')}")


async def elicitation(call: Call, arguments: JsonObject) -> Content:
    answer = await call.ask("details", ELICIT, form(arguments["message"], username=STRING, email=STRING))
    return text(f"User response: {answer['action']} {answer.get('content', {})}")


async def defaults(call: Call, arguments: JsonObject) -> Content:
    return text(f"Elicitation completed: {await call.ask('values', ELICIT, DEFAULTS)}")


async def enums(call: Call, arguments: JsonObject) -> Content:
    return text(f"Elicitation completed: {await call.ask('choices', ELICIT, ENUMS)}")


async def missing_capability(call: Call, arguments: JsonObject) -> Content:
    if "sampling" not in call.capabilities:
        raise CannotAsk({"sampling": {}})
    return text("The client can sample.")


async def streaming_elicitation(call: Call, arguments: JsonObject) -> Content:
    await call.progress(1, 2, "about to ask")
    return text(f"Hello, {said(await call.ask('user_name', ELICIT, NAME), 'name')}!")


async def greet_by_name(call: Call, arguments: JsonObject) -> Content:
    return text(f"Hello, {said(await call.ask('user_name', ELICIT, NAME), 'name')}!")


async def capital(call: Call, arguments: JsonObject) -> Content:
    answer = await call.ask("capital_question", SAMPLE, sample("What is the capital of France?", 100))
    return text(f"The model says: {answer['content'].get('text', '')}")


async def roots(call: Call, arguments: JsonObject) -> Content:
    answer = await call.ask("client_roots", ROOTS, {})
    return text("Roots: " + ", ".join(root["uri"] for root in answer["roots"]))


async def request_state(call: Call, arguments: JsonObject) -> Content:
    await call.ask("confirm", ELICIT, CONFIRM)
    return text("state-ok")


async def tampered_state(call: Call, arguments: JsonObject) -> Content:
    await call.ask("confirm", ELICIT, CONFIRM)
    return text("The state came back as it went.")


async def several(call: Call, arguments: JsonObject) -> Content:
    answers = await call.ask_all(
        {
            "user_name": Question(ELICIT, NAME),
            "greeting": Question(SAMPLE, sample("Generate a greeting", 50)),
            "client_roots": Question(ROOTS),
        }
    )
    return text(f"{said(answers['user_name'], 'name')} has {len(answers['client_roots']['roots'])} roots")


async def two_rounds(call: Call, arguments: JsonObject) -> Content:
    name = await call.ask("step1", ELICIT, form("Step 1: What is your name?", name=STRING))
    color = await call.ask("step2", ELICIT, form("Step 2: What is your favorite color?", color=STRING))
    return text(f"{said(name, 'name')} likes {said(color, 'color')}")


async def what_is_declared(call: Call, arguments: JsonObject) -> Content:
    questions = {"note": Question(ELICIT, NAME), "thought": Question(SAMPLE, sample("Think of something", 50))}
    await call.ask_all({key: question for key, question in questions.items() if call.can_ask(question)})
    return text("Asked for what the client declared.")


async def prompted(call: Call, arguments: Mapping[str, str]) -> list[JsonObject]:
    answer = await call.ask("user_context", ELICIT, form("What context should the prompt use?", context=STRING))
    return [user_text(f"Use this context: {said(answer, 'context')}")]


PROMPT = an_object("prompt", prompt=STRING)
MESSAGE = an_object("message", message=STRING)
ROUNDS = "test_input_required_result"

TOOLS: tuple[Tool, ...] = (
    tool("test_sampling", "Ask the client's model", sampling, PROMPT),
    tool("test_elicitation", "Ask the user", elicitation, MESSAGE),
    tool("test_elicitation_sep1034_defaults", "Ask with defaults", defaults),
    tool("test_elicitation_sep1330_enums", "Ask for choices", enums),
    tool("test_missing_capability", "Needs sampling", missing_capability),
    tool("test_streaming_elicitation", "Ask after progress", streaming_elicitation),
    tool(f"{ROUNDS}_elicitation", "Ask for a name", greet_by_name),
    tool(f"{ROUNDS}_sampling", "Ask for a capital", capital),
    tool(f"{ROUNDS}_list_roots", "Ask for the roots", roots),
    tool(f"{ROUNDS}_request_state", "Ask and keep a state", request_state),
    tool(f"{ROUNDS}_multiple_inputs", "Ask for three things at once", several),
    tool(f"{ROUNDS}_multi_round", "Ask twice", two_rounds),
    tool(f"{ROUNDS}_tampered_state", "Ask and check the state", tampered_state),
    tool(f"{ROUNDS}_capabilities", "Ask for what can be asked", what_is_declared),
)
PROMPTS: tuple[Prompt, ...] = (Prompt(f"{ROUNDS}_prompt", "Asking prompt", "A prompt that asks first", prompted),)
