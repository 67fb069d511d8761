"""Tools and a prompt that send requests to the client: elicitation, sampling, roots."""

from __future__ import annotations

from collections.abc import Mapping

from doit_mcp.catalog.call import Call, MissingClientCapability, Question
from doit_mcp.catalog.prompts.prompt import Prompt, user_message
from doit_mcp.catalog.tools.tool import ContentResult, Tool

from .builders import JsonObject, elicitation_form, make_tool, object_schema, sampling_request, text_result

ELICIT, SAMPLE, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"
STRING: JsonObject = {"type": "string"}
NAME_FORM = elicitation_form("What is your name?", name=STRING)
CONFIRM_FORM = elicitation_form("Please confirm", ok={"type": "boolean"})
OPTIONS = ["option1", "option2", "option3"]
TITLED_OPTIONS = [{"const": f"value{number}", "title": f"Value {number}"} for number in (1, 2, 3)]

DEFAULTS_FORM = elicitation_form(
    "Please check the values",
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
ENUMS_FORM = elicitation_form(
    "Please choose",
    untitledSingle={"type": "string", "enum": OPTIONS},
    titledSingle={"type": "string", "oneOf": TITLED_OPTIONS},
    legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": TITLED_OPTIONS}},
)


def form_value(response: JsonObject, name: str) -> str:
    """The value that the user entered, or "missing"."""
    return str(response.get("content", {}).get(name, "missing"))


async def ask_model(call: Call, arguments: JsonObject) -> ContentResult:
    response = await call.ask("completion", SAMPLE, sampling_request(arguments["prompt"], 100))
    return text_result(f"LLM response: {response['content'].get('text', '')}")


async def ask_user(call: Call, arguments: JsonObject) -> ContentResult:
    response = await call.ask("details", ELICIT, elicitation_form(arguments["message"], username=STRING, email=STRING))
    return text_result(f"User response: {response['action']} {response.get('content', {})}")


async def ask_with_defaults(call: Call, arguments: JsonObject) -> ContentResult:
    return text_result(f"Elicitation completed: {await call.ask('values', ELICIT, DEFAULTS_FORM)}")


async def ask_choices(call: Call, arguments: JsonObject) -> ContentResult:
    return text_result(f"Elicitation completed: {await call.ask('choices', ELICIT, ENUMS_FORM)}")


async def require_sampling(call: Call, arguments: JsonObject) -> ContentResult:
    if "sampling" not in call.client_capabilities:
        raise MissingClientCapability({"sampling": {}})
    return text_result("The client can sample.")


async def ask_after_progress(call: Call, arguments: JsonObject) -> ContentResult:
    await call.report_progress(1, 2, "about to ask")
    return text_result(f"Hello, {form_value(await call.ask('user_name', ELICIT, NAME_FORM), 'name')}!")


async def greet_by_name(call: Call, arguments: JsonObject) -> ContentResult:
    return text_result(f"Hello, {form_value(await call.ask('user_name', ELICIT, NAME_FORM), 'name')}!")


async def ask_capital(call: Call, arguments: JsonObject) -> ContentResult:
    response = await call.ask("capital_question", SAMPLE, sampling_request("What is the capital of France?", 100))
    return text_result(f"The model says: {response['content'].get('text', '')}")


async def ask_roots(call: Call, arguments: JsonObject) -> ContentResult:
    response = await call.ask("client_roots", ROOTS, {})
    return text_result("Roots: " + ", ".join(root["uri"] for root in response["roots"]))


async def ask_with_state(call: Call, arguments: JsonObject) -> ContentResult:
    await call.ask("confirm", ELICIT, CONFIRM_FORM)
    return text_result("state-ok")


async def ask_with_tampered_state(call: Call, arguments: JsonObject) -> ContentResult:
    await call.ask("confirm", ELICIT, CONFIRM_FORM)
    return text_result("The state came back as it went.")


async def ask_several(call: Call, arguments: JsonObject) -> ContentResult:
    responses = await call.ask_all(
        {
            "user_name": Question(ELICIT, NAME_FORM),
            "greeting": Question(SAMPLE, sampling_request("Generate a greeting", 50)),
            "client_roots": Question(ROOTS),
        }
    )
    return text_result(
        f"{form_value(responses['user_name'], 'name')} has {len(responses['client_roots']['roots'])} roots"
    )


async def ask_twice(call: Call, arguments: JsonObject) -> ContentResult:
    name = await call.ask("step1", ELICIT, elicitation_form("Step 1: What is your name?", name=STRING))
    color = await call.ask("step2", ELICIT, elicitation_form("Step 2: What is your favorite color?", color=STRING))
    return text_result(f"{form_value(name, 'name')} likes {form_value(color, 'color')}")


async def ask_supported(call: Call, arguments: JsonObject) -> ContentResult:
    questions = {
        "note": Question(ELICIT, NAME_FORM),
        "thought": Question(SAMPLE, sampling_request("Think of something", 50)),
    }
    await call.ask_all({key: question for key, question in questions.items() if call.can_ask(question)})
    return text_result("Asked for what the client declared.")


async def ask_in_prompt(call: Call, arguments: Mapping[str, str]) -> list[JsonObject]:
    response = await call.ask(
        "user_context", ELICIT, elicitation_form("What context should the prompt use?", context=STRING)
    )
    return [user_message(f"Use this context: {form_value(response, 'context')}")]


PROMPT_SCHEMA = object_schema("prompt", prompt=STRING)
MESSAGE_SCHEMA = object_schema("message", message=STRING)
TOOL_PREFIX = "test_input_required_result"

TOOLS: tuple[Tool, ...] = (
    make_tool("test_sampling", "Ask the client's model", ask_model, PROMPT_SCHEMA),
    make_tool("test_elicitation", "Ask the user", ask_user, MESSAGE_SCHEMA),
    make_tool("test_elicitation_sep1034_defaults", "Ask with defaults", ask_with_defaults),
    make_tool("test_elicitation_sep1330_enums", "Ask for choices", ask_choices),
    make_tool("test_missing_capability", "Needs sampling", require_sampling),
    make_tool("test_streaming_elicitation", "Ask after progress", ask_after_progress),
    make_tool(f"{TOOL_PREFIX}_elicitation", "Ask for a name", greet_by_name),
    make_tool(f"{TOOL_PREFIX}_sampling", "Ask for a capital", ask_capital),
    make_tool(f"{TOOL_PREFIX}_list_roots", "Ask for the roots", ask_roots),
    make_tool(f"{TOOL_PREFIX}_request_state", "Ask and keep a state", ask_with_state),
    make_tool(f"{TOOL_PREFIX}_multiple_inputs", "Ask for three things at once", ask_several),
    make_tool(f"{TOOL_PREFIX}_multi_round", "Ask twice", ask_twice),
    make_tool(f"{TOOL_PREFIX}_tampered_state", "Ask and check the state", ask_with_tampered_state),
    make_tool(f"{TOOL_PREFIX}_capabilities", "Send the supported client requests", ask_supported),
)
PROMPTS: tuple[Prompt, ...] = (
    Prompt(f"{TOOL_PREFIX}_prompt", "Asking prompt", "A prompt that asks first", ask_in_prompt),
)
