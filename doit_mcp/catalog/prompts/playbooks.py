"""Playbooks: prompts for FinOps work that users start by name."""

from __future__ import annotations

from collections.abc import Mapping

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..skills.collection import skill_body
from . import completions
from .prompt import Prompt, PromptArgument, user_message


def make_playbook(name: str, title: str, description: str, text: str, *arguments: PromptArgument) -> Prompt:
    """Return a prompt with a single user message: the *text*, followed by the values of its arguments."""
    instructions = "\n".join(line.strip() for line in text.strip().splitlines())

    async def render(call: Call, values: Mapping[str, str]) -> list[JsonObject]:
        value_lines = [
            f"{argument.name}: {values[argument.name]}" for argument in arguments if values.get(argument.name)
        ]
        return [user_message("\n".join([instructions, *([""] if value_lines else []), *value_lines]))]

    return Prompt(name, title, description, render, arguments)


def make_skill_playbook(
    name: str, title: str, description: str, skill: str, request: str, *arguments: PromptArgument
) -> Prompt:
    """Return a prompt with the *request*, followed by the text of a *skill*."""
    text = f"{request} Follow this method; fetch guide:reading-answers explains the answers.\n\n{skill_body(skill)}"
    return make_playbook(name, title, description, text, *arguments)


STATUS_ARGUMENT = PromptArgument(
    "status", "Only tickets with this status.", completer=completions.values_completer(*completions.TICKET_STATUSES)
)
PLATFORM_ARGUMENT = PromptArgument(
    "platform", "Only tickets about this platform.", completer=completions.complete_platform
)
PRODUCT_ARGUMENT = PromptArgument("product", "Only tickets about this product.", completer=completions.complete_product)

FINOPS_PLAYBOOKS = (
    make_playbook(
        "cloud_overview",
        "Cloud overview",
        "Recent cost, anomalies and incidents across all clouds.",
        """Call get_cloud_overview and summarize the result in one sentence: total cost of the last 30 days, the largest
        costs, and anything unusual. If a part failed, say which. Show details only if I ask.""",
    ),
    make_skill_playbook(
        "month_end_review",
        "Month-end review",
        "The cost of a month, why it changed from the previous month, and what to do about it.",
        "month-end-review",
        "Review a month of cloud spending: the last full month, unless I name one below.",
        PromptArgument("month", "The month, YYYY-MM.", completer=completions.complete_month),
    ),
    make_playbook(
        "explain_bill_jump",
        "Explain a bill jump",
        "Why the bill changed, down to the resources and prices that caused it.",
        """Find out why the cloud bill changed.
        1. Call explain_cost_change for the periods below (by default, the last full month and the month before).
        2. Call it again with a filter on the service or project that drives the change most, until you find the SKU.
        3. Determine whether price, usage or something new caused the change, and since which day, using run_query
        with timeInterval day.
        4. Check get_anomalies for the same service and days.
        Report the cause, its share of the change, its start, its owner according to labels, and whether it will
        continue.""",
        PromptArgument(
            "after", "The period to explain: YYYY-MM, or first and last day.", completer=completions.complete_month
        ),
        PromptArgument("before", "The period to compare it with.", completer=completions.complete_month),
        PromptArgument("cloud", "Only this cloud.", completer=completions.values_completer(*completions.CLOUDS)),
    ),
    make_skill_playbook(
        "triage_anomalies",
        "Triage anomalies",
        "Which of the newest cost anomalies need attention, and what caused them.",
        "anomaly-triage",
        "Review the ongoing cost anomalies; only those of the severity below, if given.",
        PromptArgument(
            "severity", "Only this severity.", completer=completions.values_completer(*completions.SEVERITIES)
        ),
    ),
    make_skill_playbook(
        "set_up_budget",
        "Set up a budget",
        "A budget with an amount based on past spend, and thresholds that alert in time.",
        "budget-setup",
        "Help me set up a budget for the scope below.",
        PromptArgument("scope", "What the budget covers, e.g. a service, project, label or team.", required=True),
        PromptArgument("amount", "Limit per period."),
        PromptArgument("like", "A budget to use as a template.", completer=completions.complete_budget_name),
    ),
    make_skill_playbook(
        "commitment_decision",
        "Commitment decision",
        "Whether to buy, wait or let a commitment expire, with the evidence and the risk.",
        "commitment-decision",
        "Help me decide on commitments; only for the cloud below, if given.",
        PromptArgument("cloud", "Only this cloud.", completer=completions.values_completer(*completions.CLOUDS)),
    ),
    make_playbook(
        "weekly_digest",
        "Weekly digest",
        "The spend of the last seven final days and what needs attention, to be scheduled for every Monday.",
        """Every Monday morning, send me a digest of our cloud costs.
        Call weekly_digest once, with the currency below if given (if it is not in your tool list, run it with
        read_operation). Then write at most 150 words:
        1. One sentence: spend of its seven days (period) against the seven days before (comparedWith), with the dates of
        both, currency and change in percent. Later days are not final; the next digest has them.
        2. The two largest drivers of the change.
        3. What needs attention, the most urgent first: new anomalies with their owner, budgets that are exceeded or at
        risk with the day, invoices to pay with the due date, tickets that wait for our reply.
        4. The largest saving per month that is open, and the savings in overlaps that depend on it.
        Name every part in failed as unknown. Do not compute figures that the answer does not have, do not add up
        amounts of different kinds, and change nothing. If nothing needs attention, say so in one sentence.""",
        PromptArgument("currency", "Such as EUR; default: the customer's own."),
    ),
    make_skill_playbook(
        "weekly_savings_plan",
        "Savings plan of the week",
        "What to do this week to save money, who does it, and what last week's actions saved.",
        "weekly-savings-plan",
        "Make the savings plan of this week.",
    ),
)

LEGACY_PLAYBOOKS = (
    make_playbook(
        "expert_inquiries",
        "Expert inquiries",
        "A list of support tickets with DoiT's experts.",
        """List our support tickets with list_tickets, and call them expert inquiries. Keep only those that match the
        arguments below, and show at most limit tickets (10 by default): number, subject, status, product, last
        update, link.""",
        STATUS_ARGUMENT,
        PLATFORM_ARGUMENT,
        PRODUCT_ARGUMENT,
        PromptArgument(
            "limit", "Maximum number of tickets.", completer=completions.values_completer("5", "10", "20", "50")
        ),
    ),
    make_playbook(
        "search_expert_inquiries",
        "Search expert inquiries",
        "Support tickets about a keyword.",
        """Find support tickets about the keyword below: call list_tickets with subject set to it, and repeat with
        pageToken while the result has one. After five pages, ask me whether to continue. Keep only those of the
        given platform and product. Show the number, subject, status and link of each.""",
        PromptArgument("keyword", "What the ticket is about.", required=True),
        PLATFORM_ARGUMENT,
        PRODUCT_ARGUMENT,
    ),
    make_playbook(
        "filter_fields_reference",
        "Filter fields reference",
        "The meaning of global_resource_id in filters.",
        """In filters and groups of run_query, global_resource_id identifies a single cloud resource. On Google Cloud,
        it is the resource's full name (//service.googleapis.com/projects/…); on AWS, its ARN or, without an ARN,
        its id, such as i-… or vol-…. It has values only if the billing export contains resources. Check
        list_dimensions before you use it, and get_dimension for the spelling of its values.""",
    ),
    make_playbook(
        "generate_report_document",
        "Report document",
        "A document with a table from a report.",
        """Create a document from the results of the report we are discussing (get_report_results): a heading, one
        sentence with period, currency and total, a table of the rows, and notable findings.""",
    ),
    make_playbook(
        "generate_anomalies_document",
        "Anomalies document",
        "A document with a table of cost anomalies.",
        """Create a document about our cost anomalies (get_anomalies): a heading, one sentence with their number and
        the cost above expected, and a table: start, service, project or account, severity, cost, status, main
        SKU.""",
    ),
    make_playbook(
        "generate_invoice_details_document",
        "Invoice document",
        "A document with an invoice's line items.",
        """Create a document about the invoice we are discussing (get_invoice): number, date, due date, status, total
        and unpaid balance, then a table of the line items with their amounts and currency.""",
    ),
    make_playbook(
        "query_best_practice",
        "Query best practice",
        "How to write a correct query.",
        """Before you call run_query, look up dimensions (list_dimensions), the spelling of their values
        (get_dimension), and allocations (list_allocations) if I name a team or product. Then query the shortest
        period and the fewest groups that answer the question. State the period, currency and filters with every
        figure.""",
    ),
    make_playbook(
        "dimension_usage_guidance",
        "How to use dimensions",
        "Check dimensions before filtering by them.",
        """Before you filter or group by a dimension, find its type and id with list_dimensions and the exact
        spelling of its values with get_dimension. Use both exactly as returned; never guess them. Labels and tags
        have their own types (label, tag, project_label).""",
    ),
    make_playbook(
        "allocations_usage_guidance",
        "How to use allocations",
        "Use allocations for costs of teams and products.",
        """When I mention a team, product, environment or cost center, first look for an allocation with that name
        (list_allocations, get_allocation), and use it in run_query with type attribution and its id. If none
        exists, use labels or projects.""",
    ),
    make_playbook(
        "document_output_reminder",
        "Documents, not code",
        "Ask for a document instead of code.",
        """Give me results as a document with headings and tables that I can read and share, not as code or raw JSON.""",
    ),
    make_playbook(
        "allow_artifacts",
        "Allow documents",
        "Allow separate documents for long results.",
        """You may put long results into a separate document or file, if you can create one. In the conversation, say
        only what matters.""",
    ),
    make_playbook(
        "generate_report_command",
        "Example of a report",
        "The sequence of calls that produces a report.",
        """Show me how to answer a cost question, with a small example of your choice: list_dimensions to find the
        dimension, get_dimension for its values, run_query with the filter, then one sentence and a table.""",
    ),
    make_playbook(
        "trigger_cloudflow_flow",
        "Trigger a CloudFlow",
        "Start a CloudFlow automation.",
        """Start the CloudFlow with trigger_cloud_flow, using the flow and request body below; if no flow is given,
        call list_cloudflows and let me choose. First tell me what the flow will do, and wait for my approval.
        Afterwards, tell me whether it was started.""",
        PromptArgument("flowID", "Id of the flow.", completer=completions.complete_flow_id),
        PromptArgument("requestBodyJson", "Payload for the flow, as JSON."),
    ),
)

PROMPTS: tuple[Prompt, ...] = (*FINOPS_PLAYBOOKS, *LEGACY_PLAYBOOKS)
