"""Playbooks: prompts for FinOps work that users start by name."""

from __future__ import annotations

from collections.abc import Mapping

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from . import completions
from .prompt import Prompt, PromptArgument, user_message


def playbook(name: str, title: str, description: str, text: str, *arguments: PromptArgument) -> Prompt:
    """Return a prompt with a single user message: the *text*, followed by the values of its arguments."""
    instructions = "\n".join(line.strip() for line in text.strip().splitlines())

    async def render(call: Call, values: Mapping[str, str]) -> list[JsonObject]:
        value_lines = [
            f"{argument.name}: {values[argument.name]}" for argument in arguments if values.get(argument.name)
        ]
        return [user_message("\n".join([instructions, *([""] if value_lines else []), *value_lines]))]

    return Prompt(name, title, description, render, arguments)


STATUS_ARGUMENT = PromptArgument(
    "status", "Only tickets in this state.", completer=completions.values_completer(*completions.TICKET_STATUSES)
)
PLATFORM_ARGUMENT = PromptArgument(
    "platform", "Only tickets about this platform.", completer=completions.complete_platform
)
PRODUCT_ARGUMENT = PromptArgument("product", "Only tickets about this product.", completer=completions.complete_product)

FINOPS_PLAYBOOKS = (
    playbook(
        "cloud_overview",
        "Cloud overview",
        "A first look at cost, anomalies and incidents of all clouds.",
        """Call get_cloud_overview and sum the result up in one sentence: what the clouds cost in the last 30 days,
        what costs most, and whether anything is unusual. If a part failed, say which. Show details only if I ask.""",
    ),
    playbook(
        "month_end_review",
        "Month-end review",
        "What a month cost, why it differs from the one before, and what to do about it.",
        """Review a month of cloud spending (the last whole month, unless one is named below).
        1. explain_cost_change with after set to the month: total, change, and the drivers by service and project.
        2. get_anomalies for what happened in it, list_budgets for the budgets that were exceeded.
        3. forecast_spend for where the running month is going.
        4. get_savings_summary for what could be saved.
        Write half a page: the figures with their currency, the three main reasons for the change, what is at
        risk, and three things to do, each with what it is worth. Keep measured and assumed apart.""",
        PromptArgument("month", "The month, YYYY-MM.", completer=completions.complete_month),
    ),
    playbook(
        "explain_bill_jump",
        "Explain a bill jump",
        "Why the bill went up, down to the resources and prices behind it.",
        """Find out why the cloud bill changed.
        1. explain_cost_change for the periods below (the last whole month and the one before, if none are given).
        2. For the largest driver call it again with a filter on that service or project, until the cause is a
        SKU.
        3. Say whether price, usage or something new caused it, and since which day: run_query with timeInterval
        day.
        4. Look in get_anomalies for the same service and days.
        Answer with the cause, its share of the change, since when, who owns it as far as labels tell, and whether
        it will go on.""",
        PromptArgument(
            "after", "The period to explain: YYYY-MM, or first and last day.", completer=completions.complete_month
        ),
        PromptArgument("before", "What to compare it with.", completer=completions.complete_month),
        PromptArgument("cloud", "Only this cloud.", completer=completions.values_completer(*completions.CLOUDS)),
    ),
    playbook(
        "triage_anomalies",
        "Triage anomalies",
        "Which of the newest cost anomalies need somebody, and what each is about.",
        """Go through the cost anomalies that still last.
        1. get_anomalies sorted by costOfAnomaly, the largest first; of one severity only, if one is named below.
        2. get_anomaly for the five largest: SKUs, resources, since when.
        3. run_query by day for the same service and project: is it over, steady or growing?
        Give a table: anomaly, cost above the expected, cause, verdict (act now, watch, expected), and next step.
        Change nothing and open no ticket unless I ask for it.""",
        PromptArgument(
            "severity", "Only this severity.", completer=completions.values_completer(*completions.SEVERITIES)
        ),
    ),
    playbook(
        "set_up_budget",
        "Set up a budget",
        "A budget with an amount that fits what was spent, and thresholds that warn in time.",
        """Help me to set up a budget for what is named below.
        1. list_budgets with its name: is there one already? Then propose update_budget instead.
        2. cost_trend or run_query with the budget's filter: the last six months.
        3. Propose an amount (with the calculation), interval, filters (values as list_dimensions spells them) and
        three thresholds. Wait for my yes before create_budget.""",
        PromptArgument("scope", "What it covers, e.g. a service, project, label or team.", required=True),
        PromptArgument("amount", "Limit of one period."),
        PromptArgument("like", "A budget to take as a model.", completer=completions.complete_budget_name),
    ),
)

LEGACY_PLAYBOOKS = (
    playbook(
        "expert_inquiries",
        "Expert inquiries",
        "Support tickets with DoiT's experts, as a list.",
        """List our support tickets with list_tickets and call them expert inquiries. Keep only those that fit what
        is given below, and show as many as limit says (10 if it says nothing): number, subject, status, product,
        last update, link.""",
        STATUS_ARGUMENT,
        PLATFORM_ARGUMENT,
        PRODUCT_ARGUMENT,
        PromptArgument("limit", "How many.", completer=completions.values_completer("5", "10", "20", "50")),
    ),
    playbook(
        "search_expert_inquiries",
        "Search expert inquiries",
        "Support tickets about a keyword.",
        """Look for support tickets about the keyword below: list_tickets with subject set to it, page after page
        while a pageToken comes back. After five pages ask me whether to go on. Keep only those of the platform
        and product that are given. Show number, subject, status and link of each.""",
        PromptArgument("keyword", "What the ticket is about.", required=True),
        PLATFORM_ARGUMENT,
        PRODUCT_ARGUMENT,
    ),
    playbook(
        "filter_fields_reference",
        "Filter fields reference",
        "What global_resource_id stands for in filters.",
        """For filters and groups of run_query: global_resource_id names a single cloud resource. On Google Cloud it
        is the resource's full name (//service.googleapis.com/projects/…), on AWS its ARN or, where it has none,
        its id such as i-… or vol-…. It is filled only where the billing export has resources. Ask list_dimensions
        before you use it, and get_dimension for how its values are spelled.""",
    ),
    playbook(
        "generate_report_document",
        "Report document",
        "A document with a table from a report.",
        """Make a document of the results of the report that we talk about (get_report_results): a heading, one
        sentence with period, currency and total, a table of the rows, and what stands out.""",
    ),
    playbook(
        "generate_anomalies_document",
        "Anomalies document",
        "A document with a table of cost anomalies.",
        """Make a document of our cost anomalies (get_anomalies): a heading, one sentence with their number and the
        cost above the expected, and a table: start, service, project or account, severity, cost, status, main
        SKU.""",
    ),
    playbook(
        "generate_invoice_details_document",
        "Invoice document",
        "A document with an invoice's line items.",
        """Make a document of the invoice that we talk about (get_invoice): number, date, due date, status, total and
        what is still to be paid, then a table of the line items with their amounts and currency.""",
    ),
    playbook(
        "query_best_practice",
        "Query best practice",
        "How to come to a query that is right.",
        """Before run_query: look up the dimensions (list_dimensions), the spelling of their values (get_dimension),
        and allocations (list_allocations) where I name a team or a product. Then ask for the shortest period and
        the fewest groups that answer the question. State period, currency and filters with every figure.""",
    ),
    playbook(
        "dimension_usage_guidance",
        "How to use dimensions",
        "Check dimensions before filtering by them.",
        """Before you filter or group by a dimension, find its type and id with list_dimensions and the exact
        spelling of its values with get_dimension. Use both as they are given; never guess them. Labels and tags
        have types of their own (label, tag, project_label).""",
    ),
    playbook(
        "allocations_usage_guidance",
        "How to use allocations",
        "Look for an allocation where a team or product is meant.",
        """Where I speak of a team, product, environment or cost center, look first for an allocation of that name
        (list_allocations, get_allocation) and use it in run_query with type attribution and its id. Without one,
        use labels or projects.""",
    ),
    playbook(
        "document_output_reminder",
        "Documents, not code",
        "Ask for a document instead of program text.",
        """Give me results as a document with headings and tables that I can read and pass on, not as program text or
        raw JSON.""",
    ),
    playbook(
        "allow_artifacts",
        "Allow documents",
        "Long results may go into a document of their own.",
        """You may put long results into a document or file of their own, where you can make one. In the conversation
        say only what matters.""",
    ),
    playbook(
        "generate_report_command",
        "Example of a report",
        "The order of calls that leads to a report.",
        """Show me how a cost question is answered, with a small example of your choice: list_dimensions to find the
        dimension, get_dimension for its values, run_query with the filter, then one sentence and a table.""",
    ),
    playbook(
        "trigger_cloudflow_flow",
        "Trigger a CloudFlow",
        "Start a CloudFlow automation.",
        """Start the CloudFlow with trigger_cloud_flow, using the flow and request body below; if no flow is given,
        show list_cloudflows and let me choose. Tell me what the flow will do and wait for my yes first.
        Afterwards tell me whether it was started.""",
        PromptArgument("flowID", "Id of the flow.", completer=completions.complete_flow_id),
        PromptArgument("requestBodyJson", "What the flow gets, as JSON."),
    ),
)

PROMPTS: tuple[Prompt, ...] = (*FINOPS_PLAYBOOKS, *LEGACY_PLAYBOOKS)
