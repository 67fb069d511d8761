"""Every tool, called over HTTP against the sandbox: no call fails because the sandbox lacks data, and each result fits
its schema. Requests and responses of the API fit its document.

The content of results is tested with each tool. Ids come from earlier results.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from doit_mcp.api import AREAS
from doit_mcp.catalog.discovery.tools import with_discovery
from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.tools.untested import is_untested
from doit_mcp.sandbox.accounts import ACME, GLOBEX, User
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.access import GrantLookup
from doit_mcp.sandbox.api.app import PATH_PREFIXES
from doit_mcp.sandbox.api.signup import CODE
from doit_mcp.sandbox.api.tenants import ApiRequest
from doit_mcp.sandbox.tool_examples import tool_examples
from doit_mcp.server.catalog import catalog_factory
from scripts.spec_places import declared_places, place_key
from tests import api_document
from tests.sandbox.bodies import (
    ACCOUNT,
    ALERT,
    ALLOCATION,
    BUDGET,
    BUNDLE,
    BY_CLOUD,
    CONTRACT,
    CSV,
    EVENT,
    INSIGHT,
    NOTE,
    RESOURCE,
    ROLE,
    TEMPLATE,
    THEME,
    TICKET,
)
from tests.sandbox.missing_routes import describe_missing_routes
from tests.sandbox.steps import fill, pick, resolve_example
from tests.transports.http.serving import ADMIN, EMPLOYEE, OTHER_USER, VIEWER, Session, Site, serving

EVERYTHING = "/mcp/x/all"
Words = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A call of a *tool*; *keep* maps names to places in its result that later steps use. *wait* is how many seconds later
    it is for the sandbox.
    """

    tool: str
    arguments: Words = field(default_factory=dict)
    keep: Words = field(default_factory=dict)
    who: User = ADMIN
    wait: float = 0.0


def life(thing: str, things: str, made: Words, changes: Words, at: str = "id", named: str = "id") -> list[Step]:
    """Create, list, get and update; the calls that delete come later."""
    value_by_name = {named: f"${thing}"}
    return [
        Step(f"create_{thing}", made, {thing: at}),
        Step(f"list_{things}"),
        Step(f"get_{thing}", value_by_name),
        Step(f"update_{thing}", value_by_name | changes),
    ]


LARGE: Words = {
    **BY_CLOUD,
    "timeRange": {"mode": "last", "amount": 30, "unit": "day"},
    "timeInterval": "day",
    "group": [{"id": "project_id", "type": "fixed"}, {"id": "sku_description", "type": "fixed"}],
}
COSTS = [
    Step("validate_user"),
    Step("get_cloud_overview"),
    Step("cost_trend", {"months": 3, "groupBy": "cloud"}),
    Step("compare_spend", {"period2": {"from": "$from", "to": "$to"}}),
    Step("forecast_spend"),
    Step("run_query", {"config": LARGE}, {"handle": "handle"}),
    Step("query_result", {"handle": "$handle", "groupBy": ["project_id"]}),
    Step("list_optimization_recommendations", {}, {"source": "insights.0.source", "key": "insights.0.key"}),
    Step("get_insight", {"source": "$source", "key": "$key"}),
    Step("get_insight_resources", {"source": "$source", "key": "$key"}),
    Step("get_savings_summary"),
    Step("search", {"query": "budgets"}, {"hit": "results.0.id"}),
    Step("fetch", {"id": "$hit"}),
    Step("get_anomalies", {}, {"anomaly": "anomalies.0.id"}),
    Step("get_anomaly", {"id": "$anomaly"}),
    Step("explain_anomaly", {"id": "$anomaly"}),
    Step("update_anomaly_review", {"id": "$anomaly", "reviewStatus": "UNDER_REVIEW"}),
    Step("list_service_quotas"),
]
ANALYTICS = [
    *life("folder", "folders", {"name": "Mine"}, {"description": "x"}),
    *life("alert", "alerts", ALERT, {"config": ALERT["config"]}),
    *life("allocation", "allocations", ALLOCATION, {"name": "Google"}),
    *life("annotation", "annotations", NOTE, {"content": "Again"}),
    *life("label", "labels", {"name": "Mine", "color": "teal"}, {"name": "Ours"}),
    *life("budget", "budgets", BUDGET, {"amount": 2000}),
    Step("create_report", {"name": "R", "config": BY_CLOUD, "labels": ["$label"]}, {"report": "id"}),
    Step("list_reports"),
    Step("get_report_results", {"id": "$report"}),
    Step("get_report_config", {"id": "$report"}),
    Step("update_report", {"id": "$report", "name": "S"}),
    Step("start_query_run", {"query": BY_CLOUD}, {"query_run": "operationId"}),
    Step("start_report_run", {"id": "$report"}, {"report_run": "operationId"}),
    Step("get_report_run", {"operationId": "$report_run"}),
    Step("get_report_run_results", {"operationId": "$report_run", "fileOutput": "pdf"}),
    Step("cancel_report_run", {"operationId": "$query_run"}),
    Step("create_custom_theme", THEME, {"theme": "id"}),
    Step("list_themes"),
    Step("get_theme", {"id": "$theme"}),
    Step("update_theme", {"id": "$theme", "newName": "Plainer"}),
    Step("set_active_theme", {"themeId": "$theme"}),
    Step("get_active_theme"),
    Step("assign_objects_to_label", {"id": "$label", "add": [{"objectId": "$budget", "objectType": "budget"}]}),
    Step("get_label_assignments", {"id": "$label"}),
    Step("list_budget_suggestions", {}, {"first": "items.0.id", "second": "items.1.id"}),
    Step("accept_budget_suggestion", {"id": "$first", "budgetId": "$budget"}),
    Step("dismiss_budget_suggestion", {"id": "$second"}),
    Step("get_resource_permissions", {"resourceType": "budgets", "resourceId": "$budget"}),
    Step(
        "update_resource_permissions",
        {
            "resourceType": "budgets",
            "resourceId": "$budget",
            "permissions": [{"user": ADMIN.email, "role": "owner"}, {"user": VIEWER.email, "role": "viewer"}],
        },
    ),
    *(
        Step(f"delete_{tool}", {"id": f"${kept}"})
        for tool, kept in (
            ("alert", "alert"),
            ("allocation", "allocation"),
            ("annotation", "annotation"),
            ("custom_theme", "theme"),
            ("budget", "budget"),
            ("report", "report"),
            ("label", "label"),
            ("folder", "folder"),
        )
    ),
]
HOLDER = {"customerID": ACME.id}
NEW = HOLDER | {"contractID": "$contract"}
BILLING = [
    Step("list_invoices", {"filter": "platform:amazon-web-services"}, {"invoice": "invoices.0.id"}),
    Step("get_invoice", {"id": "$invoice"}),
    Step("get_billing_explainer_per_payer", {"invoiceMonth": "$month"}),
    Step("list_contracts", {}, {"old": "contracts.0.id"}),
    Step("get_contract", {"contractID": "$old"}, {"profile": "versions.0.billingProfile.id"}),
    Step("get_entity_invoice_explainer", {"billingProfileId": "$profile", "invoiceNumber": "$invoice"}),
    # Contracts of a customer are written by its parent, which is DoiT.
    Step("create_contract", HOLDER | CONTRACT, {"contract": "contractId"}, EMPLOYEE),
    Step("update_contract", NEW | CONTRACT | {"name": "Better"}, who=EMPLOYEE),
    Step("cancel_contract", HOLDER | {"contractID": "$old", "reason": "Over"}, who=EMPLOYEE),
    Step("activate_contract", NEW, who=EMPLOYEE),
    *life("contract_template", "contract_templates", TEMPLATE, TEMPLATE, "templateId", "templateID"),
    Step("list_shared_payers"),
    Step("list_shared_payer_management_accounts"),
    Step(
        "list_shared_payer_account_mappings",
        {},
        {"child": "items.0.customerId", "linked": "items.1.assetId"},
    ),
    Step("reassign_shared_payer_account", {"assetId": "$linked", "toCustomerId": "$child"}),
    Step("assign_contract_template", {"templateID": "$contract_template", "customerIds": ["$child"]}),
    Step("archive_contract_template", {"templateID": "$contract_template"}),
    Step("create_asset", {"accountName": "lab", "rootEmail": "root@acme.example"}),
    Step("list_assets", {"filter": "type:g-suite"}, {"asset": "assets.0.id"}),
    Step("get_asset", {"id": "$asset"}),
    Step("update_asset", {"id": "$asset", "quantity": 99}),
    Step(
        "list_billing_transfer_accounts",
        {},
        {
            "root": "items.0.dpmaId",
            "reseller": "items.0.tenants.0.customerId",
            "account": "items.0.tenants.0.resellerPmaAccountId",
        },
    ),
    Step("get_billing_transfer_account_status"),
    Step(
        "create_billing_transfer_handshakes",
        {
            "dpmaId": "$root",
            "items": [
                {"resellerCustomerId": "$reseller", "resellerPmaAccountId": "700000000001"},
            ],
        },
    ),
    Step("list_billing_transfer_end_customers", {"dpmaId": "$root", "resellerPmaAccountId": "$account"}),
    Step("list_reseller_end_customers", {"resellerPmaAccountId": "$account"}),
    Step("list_billing_transfer_reseller_accounts", who=OTHER_USER),
    Step(
        "list_billing_transfer_reseller_tenants",
        {},
        {
            "above": "items.0.dpmaId",
            "own": "items.0.resellerPmaAccountId",
            "client": "items.0.tenants.0.ecCustomerId",
        },
        OTHER_USER,
    ),
    Step(
        "create_billing_transfer_mappings",
        {
            "dpmaId": "$above",
            "resellerPmaAccountId": "$own",
            "items": [
                {"ecAccountId": "700000000002", "ecCustomerId": "$client"},
            ],
        },
        who=OTHER_USER,
    ),
]
ORGANIZATION = {"managementAccountId": "$organization"}
BILLING_ACCOUNT = {"billingAccountId": "$billing_account"}
COMMITMENTS = [
    Step("list_aws_organizations", {}, {"organization": "items.0.managementAccountId"}),
    Step("get_aws_organization", ORGANIZATION),
    Step("list_aws_member_accounts", ORGANIZATION, {"member": "items.0.memberAccountId"}),
    Step("get_aws_member_account", ORGANIZATION | {"memberAccountId": "$member"}),
    Step("list_aws_savings_plans", ORGANIZATION),
    Step("list_aws_reserved_instances", ORGANIZATION),
    Step("list_aws_recommendations", ORGANIZATION),
    Step("get_aws_recommendation", ORGANIZATION | {"serviceId": "compute"}),
    Step("list_aws_planned_purchases", ORGANIZATION),
    Step("list_aws_organizations_settings"),
    Step("list_gcp_billing_accounts", {}, {"billing_account": "items.0.billingAccountId"}),
    Step("get_gcp_billing_account", BILLING_ACCOUNT),
    Step("list_gcp_resource_cuds", BILLING_ACCOUNT | {"status": "active"}),
    Step("list_gcp_spend_cuds", BILLING_ACCOUNT),
    Step("list_gcp_recommendations", BILLING_ACCOUNT),
    Step("get_gcp_recommendation", BILLING_ACCOUNT | {"gcp_service": "compute"}),
    Step("list_gcp_planned_purchases", BILLING_ACCOUNT | {"gcp_service": "cloud_sql", "region": "europe_west1"}),
    Step("list_gcp_billing_accounts_settings"),
    Step("list_commitment_policies"),
    Step("get_commitment_policy", {"policyId": "steady_growth"}),
]
REPORT = {
    **{"provider": "Mine", "schemaTemplate": "anthropic-spend-report@1"},
    **{"periodStart": "2026-10-01", "periodEnd": "2026-10-31", "records": [{"Workspace": "Default", "Cost": "12.50"}]},
}
DATAHUB = [
    Step("create_datahub_dataset", {"name": "Mine"}),
    Step("list_datahub_datasets"),
    Step("get_datahub_dataset", {"name": "Mine"}),
    Step("update_datahub_dataset", {"name": "Mine", "description": "x"}),
    Step("send_datahub_events", {"events": [EVENT]}),
    Step("upload_datahub_csv", {"provider": "Meters", "csv": CSV}),
    Step("export_datahub_dataset_records", {"name": "Orders", "startTime": "$start", "endTime": "$end"}),
    Step("import_datahub_provider_records", REPORT),
    Step("delete_datahub_events_by_filter", {"dataset": "Meters", "eventIds": ["one"]}),
    Step("delete_datahub_dataset", {"name": "Mine"}),
    Step("delete_datahub_datasets", {"datasets": ["Meters"]}),
]
USER, CONNECTED = {"id": "$user"}, {"accountID": ACCOUNT}
USER_STEPS = [
    Step("list_account_team"),
    Step("get_customer"),
    Step("update_customer", {"settings": {"currency": "EUR"}}),
    Step("list_users"),
    Step("list_organizations"),
    Step("invite_user", {"email": "new@acme.example"}, {"user": "user.id"}),
    Step("update_user", USER | {"firstName": "New"}),
    Step("resend_invite", USER),
    Step("cancel_invite", USER),
    Step("delete_user", USER),
    Step("get_cloud_connect_supported_features", {"accountID": "111122223333"}),
    Step("create_account_role", ROLE),
    Step("get_aws_account", CONNECTED),
    Step("update_aws_feature", CONNECTED | {"enabledFeatures": []}),
    Step("delete_account_role", CONNECTED),
]
REGION, GROUP = {"customRegionId": "$region"}, {"customerGroupId": "$group"}
SCOPE = {"targetCustomerId": ACME.id}
USER_SCOPE = SCOPE | {"userId": "$colleague"}
USER_GROUP = {"customerGroupId": "$partners", "userGroupId": "$userGroup"}
ACCESS_STEPS = [
    *life("role", "roles", {"name": "Mine", "permissions": ["costs.read"]}, {"description": "x"}),
    Step("delete_role", {"id": "$role"}),
    Step("list_users", {"email": ADMIN.email}, {"colleague": "users.0.id"}),
    Step("list_customer_groups", {}, {"partners": "customerGroups.0.id"}),
    Step("create_customer_group", {"name": "Mine", "memberCustomerIds": [ACME.id]}, {"group": "id"}),
    Step("get_customer_group", GROUP),
    Step("update_customer_group", GROUP | {"name": "Ours"}),
    Step("assign_customer_group_user", GROUP | {"userId": "$colleague"}),
    Step("list_customer_group_users", GROUP),
    Step("unassign_customer_group_user", GROUP | {"userId": "$colleague"}),
    Step("delete_customer_group", GROUP),
    Step(
        "list_customer_group_user_groups",
        {"customerGroupId": "$partners"},
        {"userGroup": "userGroups.0.userGroupId"},
    ),
    Step("unassign_customer_group_user_group", USER_GROUP),
    Step("assign_customer_group_user_group", USER_GROUP),
    Step("create_custom_region", {"name": "DACH", "countryCodes": ["DE", "CH"]}, {"region": "id"}),
    Step("get_custom_region", REGION),
    Step("update_custom_region", REGION | {"countryCodes": ["DE"]}),
    Step("update_customer_geographic_scope", SCOPE | {"type": "global"}),
    Step("get_customer_geographic_scope", SCOPE),
    Step("delete_customer_geographic_scope", SCOPE),
    Step("update_user_geographic_scope", USER_SCOPE | {"type": "country", "countryCode": "DE"}),
    Step("get_user_geographic_scope", USER_SCOPE),
    Step("delete_user_geographic_scope", USER_SCOPE),
    Step("delete_custom_region", REGION),
]
SERVICE_ACCOUNT_STEPS = [
    *life(
        "service_account",
        "service_accounts",
        {"name": "Mine", "permissions": ["cloudAnalyticsReadOnly"]},
        {"description": "x"},
    ),
    Step("create_service_account", {"name": "Other", "dryRun": True}),
    Step("list_service_account_tokens", {"serviceAccountId": "$service_account"}),
    Step("create_service_account_token", {"serviceAccountId": "$service_account", "name": "ci"}, {"key": "id"}),
    Step("get_service_account_token", {"serviceAccountId": "$service_account", "id": "$key"}),
    Step(
        "update_service_account_token", {"serviceAccountId": "$service_account", "id": "$key", "tokenState": "disabled"}
    ),
    Step("delete_service_account_token", {"serviceAccountId": "$service_account", "id": "$key"}),
    Step("delete_service_account", {"id": "$service_account"}),
]
TRIAL = {"signupRequestId": "$trial"}
SIGNUP_STEPS = [
    Step("create_signup_request", {"email": "cto@initech.example", "companyName": "Initech"}, {"trial": "id"}),
    Step("get_signup_request", TRIAL),
    Step("resend_signup_verification", TRIAL, wait=61),
    Step("verify_signup_request", TRIAL | {"code": CODE}, {"activation": "activationToken"}),
    Step("create_signup_session", TRIAL | {"activationToken": "$activation"}, wait=60),
]
ON_TICKET = {"ticketId": "$ticket"}
SUPPORT = [
    Step("list_platforms"),
    Step("list_products", {"platform": "google_cloud_platform"}),
    Step("create_ticket", {"ticket": TICKET}, {"ticket": "id"}),
    Step("list_tickets"),
    Step("get_ticket", {"id": "$ticket"}),
    Step("create_ticket_comment", ON_TICKET | {"body": "More of it."}),
    Step("list_ticket_comments", ON_TICKET),
    Step("add_ticket_tags", ON_TICKET | {"tags": ["q4"]}),
    Step("list_ticket_tags", ON_TICKET),
    Step("remove_ticket_tags", ON_TICKET | {"tags": ["q4"]}),
    Step("update_ticket", ON_TICKET | {"status": "solved"}),
]
LAYER = {"id": "$layer"}
DIAGRAMS = [
    Step("get_cloud_diagram_components", {"type": ["infrastructure"]}, {"layer": "scheme.*.statussheet.0.ssid"}),
    Step("export_cloud_diagram_json", LAYER, {"node": "nodes.0._id"}),
    Step("get_statussheet_components", LAYER | {"node": ["$node"]}),
    Step("find_cloud_diagrams", {"resources": ["$node"]}),
    Step("search_cloud_diagrams", {"query": "production"}),
    Step("get_cloud_diagrams_stats", {"start": "$start", "end": "$end"}),
    Step("get_cloud_diagram_cost_snapshot", {"layerId": "$layer", "startDate": "$from", "endDate": "$to"}),
    Step("list_cloud_diagram_layer_snapshots", LAYER, {"snapshot": "snapshots.0._id"}),
    Step("get_cloud_diagram_layer_snapshot", LAYER | {"snapshot_id": "$snapshot"}),
    Step("get_cloud_diagram_resource_relationships", {"layerId": "$layer", "resourceId": "$node"}),
    Step("list_cloud_diagram_activity_groups", {"ss_id": "$layer"}),
    Step("list_cloud_diagram_node_activities", {"ss_id": "$layer", "nodeId": "$node"}),
]
MINE = {"sourceID": "public-api", "insightKey": "mine"}
INSIGHTS = [
    Step("post_insight_result", INSIGHT),
    Step("post_insight_resource_results", MINE | {"resourceResults": [RESOURCE]}),
    Step("update_insight_status", {"key": "mine", "status": "acknowledged"}),
    Step("delete_insight_result", MINE),
    Step("post_insight_results", {"results": [INSIGHT | {"key": "batch", "resourceResults": [RESOURCE]}]}),
    Step("delete_insight_results", {"insightKey": "batch"}),
]
ASSISTANTS = [
    Step("ask_ava_streaming", {"question": "What did we spend?"}),
    Step(
        "ask_ava_sync",
        {"question": "And now?", "ephemeral": False},
        {
            "conversation": "conversationId",
            "answer": "answerId",
        },
    ),
    Step("ava_feedback", {"conversationId": "$conversation", "answerId": "$answer", "feedback": {"positive": True}}),
    Step("delete_ava_conversation", {"conversationId": "$conversation"}),
    Step("build_cloud_flow", {"question": "Tell me of idle disks."}),
    Step("list_cloudflows", {}, {"flow": "items.0.id", "scheduled": "items.2.id", "hook": "items.3.id"}),
    Step("refine_cloudflow", {"flowId": "$flow", "question": "Weekly."}),
    Step("test_cloudflow", {"flowId": "$flow", "dryRun": True}),
    Step("test_cloudflow", {"flowId": "$flow"}, {"run": "id"}),
    Step("list_cloudflow_runs", {"flowId": "$flow", "mode": "test"}),
    Step("get_cloudflow_run", {"flowId": "$flow", "runId": "$run"}),
    Step("stop_cloudflow_run", {"flowId": "$flow"}),
    Step("start_cloudflow_run", {"flowId": "$scheduled", "payload": {"day": "Monday"}}),
    Step("export_cloudflow", {"flowId": "$flow"}),
    Step("import_cloudflow", {"bundle": BUNDLE, "dryRun": True}),
    Step("import_cloudflow", {"bundle": BUNDLE}),
    Step("trigger_cloud_flow", {"flowID": "$hook"}),
    Step("list_cloudflow_templates", {}, {"flowTemplate": "items.0.id"}),
    Step("get_cloudflow_template", {"templateId": "$flowTemplate"}),
    *life(
        "cloudflow_connection",
        "cloudflow_connections",
        {"name": "Mine", "awsConfig": {"roleName": "r"}},
        {"enabled": False},
        "connectionId",
        "connectionId",
    ),
    Step("delete_cloudflow_connection", {"connectionId": "$cloudflow_connection"}),
]
DISCOVERY = [
    Step("find_operation", {"query": "invite a user"}),
    Step("read_operation", {"name": "list_users"}),
    Step("call_operation", {"name": "create_label", "arguments": {"name": "Another", "color": "lime"}}),
    Step("search_customers", {"domains": [GLOBEX.domain]}, {"other": "customers.0.id"}, EMPLOYEE),
    Step("change_customer", {"customerContext": "$other"}, who=EMPLOYEE),
]
STEPS = [
    *COSTS,
    *ANALYTICS,
    *BILLING,
    *COMMITMENTS,
    *DATAHUB,
    *USER_STEPS,
    *ACCESS_STEPS,
    *SERVICE_ACCOUNT_STEPS,
    *SIGNUP_STEPS,
    *SUPPORT,
    *DIAGRAMS,
    *INSIGHTS,
    *ASSISTANTS,
    *DISCOVERY,
]

STEPS_PLACE = "STEPS in tests/server/test_all_tools.py"
DIFFERENT = {
    "delete_datahub_events_by_filter": "the document allows one member only, which would select all events of a dataset",
    "search_cloud_diagrams": "the document describes one member of props here, and leaves props open elsewhere",
}
"""Tools whose requests or responses differ from the document, and why."""


def describe_crash(request: web.Request, error: Exception) -> str:
    """Name the handler of the sandbox that raises *error*, and the line where it does."""
    operation = api_document.operation_of(request.method, request.raw_path.partition("?")[0])
    place = declared_places().get(place_key(*operation))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{' '.join(operation)}: {place.handler if place else 'no handler'} raises {type(error).__name__}: {error}"
        f" ({frame.filename}:{frame.lineno})"
    )


class CheckedApi(Api):
    """The sandbox's API; *crashes* describes the exceptions of its handlers, *problems* lists how its requests and responses differ from the document, *skipped_seconds* is how
    far its clock is ahead.
    """

    def __init__(self) -> None:
        self.skipped_seconds = 0.0
        super().__init__(clock=lambda: time.time() + self.skipped_seconds)
        self.asked: set[tuple[str, str]] = set()
        self.sent: list[tuple[str, str]] = []
        self.problems: list[str] = []
        self.crashes: list[str] = []

    def register(self, app: web.Application, lookup: GrantLookup) -> None:
        super().register(app, lookup)
        app.middlewares.append(self._check)

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Exception as error:
            self.crashes.append(describe_crash(request, error))
            raise
        if request.path.startswith(PATH_PREFIXES):
            asked = request.method, request.raw_path.partition("?")[0]
            self.sent.append(api_document.operation_of(*asked))
            self.asked.add(self.sent[-1])
            wrong = api_document.request_problems(*asked, await request.read())
            body = response.body if isinstance(response, web.Response) else None
            if isinstance(body, bytes) or body is None:
                wrong += api_document.problems(*asked, response.status, response.content_type, body or b"")
            self.problems += [f"{' '.join(asked)}: {problem}" for problem in wrong]
        return response


@pytest.fixture
def api() -> CheckedApi:
    """The sandbox's API, which compares its requests and responses with the document."""
    return CheckedApi()


@pytest.fixture
async def site(api: CheckedApi) -> AsyncIterator[Site]:
    """The product with this API."""
    async with serving(make=catalog_factory(offer_secrets=True), api=api) as server:
        yield server


def dates() -> Words:
    """Date ranges for which the sandbox has data."""
    first = datetime.fromtimestamp(time.time(), UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = first - timedelta(days=1)
    start = end.replace(day=1)
    return {
        "month": f"{start:%Y-%m}",
        "from": f"{start:%Y-%m-%d}",
        "to": f"{end:%Y-%m-%d}",
        "start": f"{start:%Y-%m-%d}T00:00:00Z",
        "end": f"{end:%Y-%m-%d}T00:00:00Z",
    }


TOOLS = with_discovery((*direct_tools(), *employee_tools()))
NAMED = {tool.name: tool for tool in TOOLS}
WRITING_OPERATIONS = {
    (operation.method, operation.path)
    for area in AREAS.values()
    for operation in area.operations
    if not operation.read_only
}


def call_params(tool: Tool, arguments: Words) -> Words:
    """The parameters of ``tools/call``. Only call_operation runs untested tools."""
    if not is_untested(tool):
        return {"name": tool.name, "arguments": arguments}
    return {"name": "call_operation", "arguments": {"name": tool.name, "input": arguments}}


EXAMPLES = tool_examples(time.time())
EXAMPLE_FILE = "doit_mcp/sandbox/tool_examples.py"


def derived_step(tool: Tool) -> Step | None:
    """The step for a read that has an example, or whose required arguments have a fixed set of values.

    Other tools are in STEPS.
    """
    if not tool.writes and tool.name in EXAMPLES:
        return Step(tool.name, EXAMPLES[tool.name])
    schema = tool.accepted_schema
    values = {name: schema["properties"][name].get("enum") for name in schema.get("required", ())}
    if tool.writes or not all(values.values()):
        return None
    return Step(tool.name, {name: value[0] for name, value in values.items()})


def test_every_tool_is_in_the_table() -> None:
    called = Counter(step.tool for step in STEPS)
    missing = [
        f"add {f'a Step to {STEPS_PLACE}' if tool.writes else f'an example to {EXAMPLE_FILE}'} for {tool.name}"
        f" ({tool.declared_in})"
        for tool in TOOLS
        if tool.name not in called and derived_step(tool) is None and tool.resolve_approval is None
    ]
    unknown = sorted(called.keys() - {tool.name for tool in TOOLS})
    again = [step.tool for number, step in enumerate(STEPS) if step in STEPS[:number]]
    assert not missing, "\n".join(missing)
    assert not unknown, f"STEPS in tests/server/test_all_tools.py calls unknown tools: {', '.join(unknown)}"
    assert not again, f"STEPS in tests/server/test_all_tools.py has the same step twice: {', '.join(again)}"


async def structured_content(session: Session, tool: str, arguments: Words) -> Words:
    """Return the structured content of a successful call."""
    params = call_params(NAMED[tool], arguments)
    result = (await session.post(session.site.request("tools/call", params), path=EVERYTHING)).result
    assert not result.get("isError"), (tool, result)
    content: Words = result["structuredContent"]
    return content


async def approved_content(session: Session, content: Words, schema: jsonschema_rs.Validator) -> Words:
    """Return the content of a result; if it is a prepared change, that of the applied change."""
    if content.get("status") != "approval_required":
        return content
    assert schema.is_valid(content), content
    token = {"approvalToken": content["approvalToken"]}
    params = {"name": "confirm_action", "arguments": token}
    result = (await session.post(session.site.request("tools/call", params), path=EVERYTHING)).result
    assert not result.get("isError"), result
    applied: Words = result["structuredContent"]
    return applied


async def test_every_result_matches_its_schema(site: Site, api: CheckedApi) -> None:
    assert not (missing := describe_missing_routes()), "; ".join(missing)
    listed = (await site.send_stateless("tools/list", user=EMPLOYEE, path=EVERYTHING)).result["tools"]
    schemas = {
        definition["name"]: jsonschema_rs.validator_for(definition.get("outputSchema", True)) for definition in listed
    }
    schemas |= {
        tool.name: jsonschema_rs.validator_for(tool.output_schema or True) for tool in TOOLS if is_untested(tool)
    }
    # In a session, because change_customer stores its choice there.
    sessions = {user: await site.initialize(user=user) for user in (ADMIN, OTHER_USER, EMPLOYEE)}
    days = dates()
    called = {step.tool for step in STEPS}
    derived = [step for tool in TOOLS if tool.name not in called and (step := derived_step(tool)) is not None]
    for step in (*STEPS, *derived):
        api.problems.clear()
        api.sent.clear()
        api.skipped_seconds += step.wait
        arguments = await resolve_example(fill(step.arguments, days), partial(structured_content, sessions[step.who]))
        params = call_params(NAMED[step.tool], arguments)
        answer = await sessions[step.who].post(site.request("tools/call", params), path=EVERYTHING)
        result = answer.result
        assert not api.crashes, f"{step.tool}: {'; '.join(dict.fromkeys(api.crashes))}"
        assert not result.get("isError"), (
            f"{step.tool} fails: {result['content'][0]['text']} Give arguments that the sandbox accepts in"
            f" {STEPS_PLACE if step in STEPS else f'an example in {EXAMPLE_FILE}'}"
        )
        changing = sorted(" ".join(sent) for sent in {*api.sent} & WRITING_OPERATIONS)
        assert NAMED[step.tool].writes or not changing, (
            f"{step.tool} needs writes=True in its decorator: it sends {', '.join(changing)}"
        )
        content = await approved_content(sessions[step.who], result["structuredContent"], schemas[step.tool])
        wrong = [f"{list(error.instance_path)}: {error.message}" for error in schemas[step.tool].iter_errors(content)]
        assert not wrong, (step.tool, wrong, content)
        assert not api.problems or step.tool in DIFFERENT, f"{step.tool} differs from the document: {api.problems}"
        assert api.problems or step.tool not in DIFFERENT, f"{step.tool}: remove it from DIFFERENT"
        days |= {name: pick(content, place) for name, place in step.keep.items()}
    unused = sorted(" ".join(one) for one in {*api_document.operations()} - api.asked)
    assert not unused, f"no Step of {STEPS_PLACE} and no example in {EXAMPLE_FILE} sends {', '.join(unused)}"


async def test_a_crash_of_the_sandbox_names_its_handler(
    site: Site, api: CheckedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(request: ApiRequest, rows: list[Words]) -> None:
        raise KeyError("createTime")

    monkeypatch.setattr(ApiRequest, "paginate", fail)
    await site.call("list_labels")
    crash = api.crashes[0]
    assert crash.startswith(
        "GET /analytics/v1/labels: doit_mcp/sandbox/api/areas/labels.py: list_labels raises KeyError: 'createTime' ("
    )
    assert crash.endswith(f"{__file__}:{fail.__code__.co_firstlineno + 1})")
