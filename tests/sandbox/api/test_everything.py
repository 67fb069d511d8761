"""Operations of the API document, called in sequence on state created through the API, without the server.

Each response must be successful and valid under the document. The tests of the areas cover what operations do;
``tests/server/test_all_tools.py`` calls every operation, through the tools.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from doit_mcp.sandbox.accounts import ACME, User
from tests import api_document

from ..bodies import (
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
from ..steps import fill, pick
from .conftest import ADMIN, EMPLOYEE, GLOBEX, VIEWER, Party

STREAM = {"Accept": "text/event-stream"}
PATCH = {"Content-Type": "application/merge-patch+json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b0undary"}
UPLOAD = (
    '--b0undary\r\nContent-Disposition: form-data; name="provider"\r\n\r\nMeters\r\n--b0undary\r\n'
    f'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n{CSV}\r\n--b0undary--\r\n'
).encode()
Words = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A request: *operation* as in the document, the *parts* of its path; *keep* names values of the response to
    remember.
    """

    operation: str
    parts: Words = field(default_factory=dict)
    body: object = None
    query: Words = field(default_factory=dict)
    keep: Words = field(default_factory=dict)
    headers: Words = field(default_factory=dict)
    who: User = ADMIN


def life(path: str, name: str, body: Words, changes: Words, at: str = "id", verb: str = "PATCH") -> list[Step]:
    """Steps that list, create, read and update; a delete follows later."""
    item = {re.findall(r"\{(\w+)\}$", path)[0]: f"${name}"}
    parent = path.rpartition("/")[0]
    return [
        Step(f"POST {parent}", body=body, keep={name: at}),
        Step(f"GET {parent}"),
        Step(f"GET {path}", item),
        Step(f"{verb} {path}", item, body=changes),
    ]


ANALYTICS, DIAGRAMS = "/analytics/v1", "/clouddiagrams/v1"
ANALYTICS_STEPS = [
    *life(f"{ANALYTICS}/folders/{{id}}", "folder", {"name": "Mine"}, {"description": "x"}),
    *life(f"{ANALYTICS}/alerts/{{id}}", "alert", ALERT, ALERT),
    *life(f"{ANALYTICS}/allocations/{{id}}", "allocation", ALLOCATION, {"name": "Google"}),
    *life(f"{ANALYTICS}/annotations/{{id}}", "note", NOTE, {"content": "Again"}),
    *life(f"{ANALYTICS}/labels/{{id}}", "label", {"name": "Mine", "color": "teal"}, {"name": "Ours"}),
    *life(f"{ANALYTICS}/settings/themes/{{id}}", "theme", THEME, {"name": "Plainer"}),
    *life(f"{ANALYTICS}/budgets/{{id}}", "budget", BUDGET, {"amount": 2000}),
    *life(
        f"{ANALYTICS}/reports/{{id}}", "report", {"name": "R", "config": BY_CLOUD, "labels": ["$label"]}, {"name": "S"}
    ),
    Step(f"GET {ANALYTICS}/reports/{{id}}/config", {"id": "$report"}),
    Step(f"POST {ANALYTICS}/reports/query", body={"config": BY_CLOUD}),
    Step(f"GET {ANALYTICS}/dimensions", {}),
    Step(f"GET {ANALYTICS}/dimension", query={"type": "fixed", "id": "cloud_provider"}),
    Step(
        f"POST {ANALYTICS}/labels/{{id}}/assignments",
        {"id": "$label"},
        {"add": [{"objectId": "$budget", "objectType": "budget"}]},
    ),
    Step(f"GET {ANALYTICS}/labels/{{id}}/assignments", {"id": "$label"}),
    Step(f"PUT {ANALYTICS}/settings/active-theme", body={"themeId": "$theme"}),
    Step(f"GET {ANALYTICS}/settings/active-theme"),
    Step(f"GET {ANALYTICS}/budget-suggestions", keep={"first": "items.0.id", "second": "items.1.id"}),
    Step(f"POST {ANALYTICS}/budget-suggestions/{{id}}/actions/accept", {"id": "$first"}, {"budgetId": "$budget"}),
    Step(f"POST {ANALYTICS}/budget-suggestions/{{id}}/actions/dismiss", {"id": "$second"}),
    Step(
        "PUT /sharing/v1/{resourceType}/{resourceId}",
        {"resourceType": "budgets", "resourceId": "$budget"},
        {"permissions": [{"user": ADMIN.email, "role": "owner"}, {"user": VIEWER.email, "role": "viewer"}]},
    ),
    Step("GET /sharing/v1/{resourceType}/{resourceId}", {"resourceType": "budgets", "resourceId": "$budget"}),
    Step(f"GET {ANALYTICS}/commitment-manager", keep={"commitment": "commitments.0.id"}),
    Step(f"GET {ANALYTICS}/commitment-manager/{{id}}", {"id": "$commitment"}),
    Step("GET /anomalies/v1", keep={"anomaly": "anomalies.0.id"}),
    Step("GET /anomalies/v1/{id}", {"id": "$anomaly"}),
    Step("GET /anomalies/v1/{id}/explanation", {"id": "$anomaly"}),
    Step("PATCH /anomalies/v1/{id}", {"id": "$anomaly"}, {"customerFeedback": {"reviewStatus": "UNDER_REVIEW"}}),
    *(
        Step(f"DELETE {ANALYTICS}/{kind}/{{id}}", {"id": f"${name}"})
        for kind, name in (
            ("alerts", "alert"),
            ("allocations", "allocation"),
            ("annotations", "note"),
            ("settings/themes", "theme"),
            ("budgets", "budget"),
            ("reports", "report"),
            ("labels", "label"),
            ("folders", "folder"),
        )
    ),
]
HOLDER = {"customerID": ACME.id}
NEW = HOLDER | {"contractID": "$contract"}
CONTRACTS = "/customers/{customerID}/contracts"
BILLING_STEPS = [
    Step("GET /auth/v1/validate"),
    Step(f"GET {CONTRACTS}", HOLDER, keep={"old": "0.id"}),
    Step(
        f"GET {CONTRACTS}/{{contractID}}",
        HOLDER | {"contractID": "$old"},
        keep={"profile": "versions.0.billingProfile.id"},
    ),
    Step(f"POST {CONTRACTS}", HOLDER, CONTRACT, keep={"contract": "contractId"}, who=EMPLOYEE),
    Step(f"POST {CONTRACTS}/{{contractID}}", NEW, {**CONTRACT, "name": "Better"}, who=EMPLOYEE),
    Step(f"POST {CONTRACTS}/{{contractID}}/cancel", HOLDER | {"contractID": "$old"}, who=EMPLOYEE),
    Step(f"POST {CONTRACTS}/{{contractID}}/activate", NEW, who=EMPLOYEE),
    *life("/billing/v1/contract-templates/{templateID}", "template", TEMPLATE, TEMPLATE, "templateId", "PUT"),
    Step("DELETE /billing/v1/contract-templates/{templateID}", {"templateID": "$template"}),
    Step(
        "GET /billing/v1/invoices", query={"filter": "platform:amazon-web-services"}, keep={"invoice": "invoices.0.id"}
    ),
    Step("GET /billing/v1/invoices/{id}", {"id": "$invoice"}),
    Step("GET /billing/v1/billing-explainers/{invoiceMonth}", {"invoiceMonth": "2026-10"}),
    Step(
        "GET /billing/v1/billing-profiles/{billingProfileId}/billing-explainers/{invoiceNumber}",
        {"billingProfileId": "$profile", "invoiceNumber": "$invoice"},
    ),
    Step("POST /billing/v1/createAsset", query={"accountName": "lab", "rootEmail": "root@acme.example"}),
    Step("GET /billing/v1/assets", query={"filter": "type:g-suite"}, keep={"asset": "assets.0.id"}),
    Step("GET /billing/v1/assets/{id}", {"id": "$asset"}),
    Step("PATCH /billing/v1/assets/{id}", {"id": "$asset"}, {"quantity": 99}),
]
TRANSFER = "/billingtransfer/v1"
TRANSFER_STEPS = [
    Step(
        f"GET {TRANSFER}/programmanagementaccounts",
        keep={
            "root": "items.0.dpmaId",
            "reseller": "items.0.tenants.0.customerId",
            "account": "items.0.tenants.0.resellerPmaAccountId",
        },
    ),
    Step(f"GET {TRANSFER}/programmanagementaccounts/status"),
    Step(
        f"POST {TRANSFER}/resellerhandshakes",
        body={
            "dpmaId": "$root",
            "items": [
                {"resellerCustomerId": "$reseller", "resellerPmaAccountId": "700000000001"},
            ],
        },
        headers={"Idempotency-Key": "one"},
    ),
    Step(f"GET {TRANSFER}/end-customers", query={"dpmaId": "$root", "resellerPmaAccountId": "$account"}),
    Step(f"GET {TRANSFER}/resellers/{{resellerPmaAccountId}}/end-customers", {"resellerPmaAccountId": "$account"}),
    Step(
        f"GET {TRANSFER}/reseller-accounts",
        keep={"above": "items.0.dpmaId", "own": "items.0.resellerPmaAccountId"},
        who=GLOBEX,
    ),
    Step(f"GET {TRANSFER}/reseller-accounts/end-customers", keep={"end": "items.0.tenants.0.ecCustomerId"}, who=GLOBEX),
    Step(
        f"POST {TRANSFER}/end-customer-mappings",
        body={
            "dpmaId": "$above",
            "resellerPmaAccountId": "$own",
            "items": [
                {"ecAccountId": "700000000002", "ecCustomerId": "$end"},
            ],
        },
        who=GLOBEX,
    ),
]
AWS = "/ps4commitments/v1/aws"
COMMITMENT_STEPS = [
    Step(f"GET {AWS}/organizations", keep={"organization": "items.0.managementAccountId"}),
    *(
        Step(f"GET {AWS}/organizations/{{managementAccountId}}{tail}", {"managementAccountId": "$organization"} | more)
        for tail, more in (
            ("", {}),
            ("/member-accounts", {}),
            ("/savings-plans", {}),
            ("/reserved-instances", {}),
            ("/recommendations", {}),
            ("/planned-purchases", {}),
            ("/member-accounts/{memberAccountId}", {"memberAccountId": "111122223333"}),
            ("/recommendations/{serviceId}", {"serviceId": "compute"}),
        )
    ),
    Step(f"GET {AWS}/settings"),
]
DATASETS = "/datahub/v1/datasets"
DATAHUB_STEPS = [
    *life(f"{DATASETS}/{{name}}", "dataset", {"name": "Mine"}, {"description": "x"}, "name"),
    Step("POST /datahub/v1/events", body={"events": [EVENT]}),
    Step("POST /datahub/v1/csv/upload", body=UPLOAD, headers=FORM),
    Step("POST /datahub/v1/events/delete", body={"dataset": "Meters", "eventIds": ["one"]}),
    Step(f"DELETE {DATASETS}/{{name}}", {"name": "Mine"}),
    Step(f"DELETE {DATASETS}", body={"datasets": ["Meters"]}),
]
SELF = {"customerId": ACME.id}
USER_STEPS = [
    Step("GET /core/v1/service-quotas"),
    Step("GET /core/v1/cloudincidents", keep={"incident": "incidents.0.id"}),
    Step("GET /core/v1/cloudincidents/{id}", {"id": "$incident"}),
    Step("GET /customers/v1/accountTeam"),
    Step("GET /customers/v1/customers/{customerId}", SELF),
    Step("PATCH /customers/v1/customers/{customerId}", SELF, {"settings": {"currency": "EUR"}}, headers=PATCH),
    Step("GET /iam/v1/users"),
    Step("GET /iam/v1/roles"),
    Step("GET /iam/v1/organizations"),
    Step("POST /iam/v1/users/invite", body={"email": "new@acme.example"}, keep={"user": "user.id"}),
    Step("PATCH /iam/v1/users/{id}", {"id": "$user"}, {"firstName": "New"}),
    Step("POST /iam/v1/users/{id}/actions/resend", {"id": "$user"}, headers={"Idempotency-Key": "two"}),
    Step("POST /iam/v1/users/{id}/actions/cancel", {"id": "$user"}, headers={"Idempotency-Key": "three"}),
    Step("DELETE /iam/v1/users/{id}", {"id": "$user"}),
    Step("GET /core/v1/cloudconnect/supportedFeatures/{accountID}", {"accountID": "111122223333"}),
    Step("POST /core/v1/cloudconnect/aws/accounts", body=ROLE),
    Step("GET /core/v1/cloudconnect/aws/accounts/{accountID}", {"accountID": ACCOUNT}),
    Step("PUT /core/v1/cloudconnect/aws/accounts/{accountID}", {"accountID": ACCOUNT}, {"enabledFeatures": []}),
    Step("DELETE /core/v1/cloudconnect/aws/accounts/{accountID}", {"accountID": ACCOUNT}),
]
TICKETS = "/support/v1/tickets"
ONE = {"ticketId": "$ticket"}
SUPPORT_STEPS = [
    Step("GET /support/v1/metadata/platforms"),
    Step("GET /support/v1/metadata/products", query={"platform": "google_cloud_platform"}),
    *life(f"{TICKETS}/{{ticketId}}", "ticket", {"ticket": TICKET}, {"status": "solved"}),
    Step(f"POST {TICKETS}/{{ticketId}}/comments", ONE, {"body": "More of it."}),
    Step(f"GET {TICKETS}/{{ticketId}}/comments", ONE),
    Step(f"POST {TICKETS}/{{ticketId}}/tags", ONE, {"tags": ["q4"]}),
    Step(f"GET {TICKETS}/{{ticketId}}/tags", ONE),
    Step(f"DELETE {TICKETS}/{{ticketId}}/tags", ONE, {"tags": ["q4"]}),
]
LAYER, NODE = {"id": "$layer"}, {"ss_id": "$layer", "nodeId": "$node"}
DIAGRAM_STEPS = [
    Step(
        f"POST {DIAGRAMS}/scheme/get", query={"type": "infrastructure"}, keep={"layer": "scheme.*.statussheet.0.ssid"}
    ),
    Step(f"GET {DIAGRAMS}/statussheet/{{id}}/export-json", LAYER, keep={"node": "nodes.0._id"}),
    Step(f"POST {DIAGRAMS}/statussheet/{{id}}/get", LAYER, {"node": ["$node"]}),
    Step(f"POST {DIAGRAMS}/scheme/find", body={"resources": ["$node"]}),
    Step(f"POST {DIAGRAMS}/scheme/search", body={"query": "acme production"}),
    Step(f"GET {DIAGRAMS}/scheme/stats", query={"start": "2026-11-01T00:00:00Z", "end": "2026-11-24T00:00:00Z"}),
    Step(f"GET {DIAGRAMS}/statussheet/{{id}}/costs", LAYER, query={"startDate": "2026-11-01", "endDate": "2026-11-20"}),
    Step(f"GET {DIAGRAMS}/statussheet/{{id}}/snapshots", LAYER, keep={"snapshot": "0._id"}),
    Step(f"GET {DIAGRAMS}/statussheet/{{id}}/snapshot", LAYER, query={"snapshot_id": "$snapshot"}),
    Step(f"GET {DIAGRAMS}/statussheet/{{id}}/resources/{{rid}}/relationships", LAYER | {"rid": "$node"}),
    Step(f"GET {DIAGRAMS}/activity", query={"ss_id": "$layer"}),
    Step(f"GET {DIAGRAMS}/activity/node-activities", query=NODE),
]
RESULTS = "/insights/v1/results"
INSIGHT_PATH = f"{RESULTS}/source/{{sourceID}}/insight/{{insightKey}}"
MINE = {"sourceID": "public-api", "insightKey": "mine"}
INSIGHT_STEPS = [
    Step(f"POST {RESULTS}", body={"results": [{**INSIGHT, "resourceResults": [RESOURCE]}]}),
    Step(f"GET {RESULTS}"),
    Step(f"POST {INSIGHT_PATH}", MINE, INSIGHT),
    Step(f"GET {INSIGHT_PATH}", MINE),
    Step(f"POST {INSIGHT_PATH}/resource-results", MINE, {"resourceResults": [RESOURCE]}),
    Step(f"GET {INSIGHT_PATH}/resource-results", MINE),
    Step(
        f"PUT {INSIGHT_PATH}/status",
        MINE,
        {"status": "dismissed", "dismissalDetails": {"reason": "not relevant", "comment": "no"}},
    ),
    Step(f"DELETE {INSIGHT_PATH}", MINE),
    Step(f"DELETE {RESULTS}", query={"insightKey": "mine"}),
]
FLOW = {"flowId": "$flow"}
FLOWS = "/cloudflow/v1/flows"
CONNECTIONS = "/cloudflow/v1/connections"
ASSISTANT_STEPS = [
    Step("POST /ava/v1/ask", body={"question": "What did we spend?"}),
    Step(
        "POST /ava/v1/askSync",
        body={"question": "And now?"},
        keep={"conversation": "conversationId", "answer": "answerId"},
    ),
    Step(
        "POST /ava/v1/feedback",
        body={"conversationId": "$conversation", "answerId": "$answer", "feedback": {"positive": True}},
    ),
    Step("DELETE /ava/v1/deleteConversation", query={"conversationId": "$conversation"}),
    Step("POST /cloudflow/v1/flows/actions/build", body={"question": "Tell me of idle disks."}, headers=STREAM),
    Step("GET /cloudflow/v1/flows", keep={"flow": "items.0.id", "scheduled": "items.2.id", "hook": "items.3.id"}),
    Step("POST /cloudflow/v1/flows/{flowId}/actions/refine", FLOW, {"question": "Weekly."}, headers=STREAM),
    Step(
        f"POST {FLOWS}/{{flowId}}/actions/test-run", FLOW, {}, headers={"Idempotency-Key": "five"}, keep={"run": "id"}
    ),
    Step(f"GET {FLOWS}/{{flowId}}/runs", FLOW),
    Step(f"GET {FLOWS}/{{flowId}}/runs/{{runId}}", FLOW | {"runId": "$run"}),
    Step(f"POST {FLOWS}/{{flowId}}/actions/stop", FLOW),
    Step(f"GET {FLOWS}/{{flowId}}/export", FLOW),
    Step(f"POST {FLOWS}/actions/import", body={"bundle": BUNDLE}, headers={"Idempotency-Key": "six"}),
    Step(f"POST {FLOWS}/{{flowId}}/actions/trigger", {"flowId": "$scheduled"}, {}),
    Step("POST /cloudflow/v1/trigger/{flowId}", {"flowId": "$hook"}, {}),
    Step("GET /cloudflow/v1/templates", keep={"flowTemplate": "items.0.id"}),
    Step("GET /cloudflow/v1/templates/{templateId}", {"templateId": "$flowTemplate"}),
    Step(
        f"POST {CONNECTIONS}",
        body={"name": "Mine", "awsConfig": {}},
        keep={"connection": "connectionId", "version": "etag"},
        headers={"Idempotency-Key": "four"},
    ),
    Step(f"GET {CONNECTIONS}"),
    Step(f"GET {CONNECTIONS}/{{connectionId}}", {"connectionId": "$connection"}),
    Step(
        f"PATCH {CONNECTIONS}/{{connectionId}}",
        {"connectionId": "$connection"},
        {"enabled": False},
        headers={"If-Match": "$version"},
    ),
    Step(f"DELETE {CONNECTIONS}/{{connectionId}}", {"connectionId": "$connection"}),
]
STEPS = [
    *ANALYTICS_STEPS,
    *BILLING_STEPS,
    *TRANSFER_STEPS,
    *COMMITMENT_STEPS,
    *DATAHUB_STEPS,
    *USER_STEPS,
    *SUPPORT_STEPS,
    *DIAGRAM_STEPS,
    *INSIGHT_STEPS,
    *ASSISTANT_STEPS,
]


def test_steps_call_known_operations_once() -> None:
    asked = Counter(step.operation for step in STEPS)
    unknown = sorted(asked.keys() - {f"{method} {path}" for method, path in api_document.operations()})
    again = sorted(operation for operation, times in asked.items() if times > 1)
    assert not unknown, f"STEPS in tests/sandbox/api/test_everything.py has unknown operations: {', '.join(unknown)}"
    assert not again, f"STEPS in tests/sandbox/api/test_everything.py has {', '.join(again)} more than once"


async def test_responses_match_the_document(party: Party) -> None:
    values: Words = {}
    for step in STEPS:
        method, _, path = step.operation.partition(" ")
        for name, value in fill(step.parts, values).items():
            path = path.replace(f"{{{name}}}", str(value))
        answer = await party.send(
            method,
            path,
            fill(step.body, values),
            who=step.who,
            headers=fill(step.headers, values),
            **fill(step.query, values),
        )
        assert 200 <= answer.status < 300, (step.operation, answer)
        values |= {name: pick(answer.json, place) for name, place in step.keep.items()}
