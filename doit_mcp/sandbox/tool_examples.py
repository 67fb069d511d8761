"""Example arguments of tools, with which a call returns data of the sandbox.

A value ``{"$from": [tool, path]}`` stands for a value in the structured result of another tool, whose arguments may
follow the path. In a path, ``*`` is the first member of an object. Ids differ between customers, so examples contain
none. Tools without an example need no arguments.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

JsonObject = dict[str, Any]


def tool_examples(now: float) -> dict[str, JsonObject]:
    """Return example arguments by tool, with dates before *now*, in epoch seconds."""
    first_day = datetime.fromtimestamp(now, UTC).replace(day=1)
    last_day = first_day - timedelta(days=1)
    month_start, month_end = f"{last_day:%Y-%m}-01", f"{last_day:%Y-%m-%d}"
    return {
        **_cost_examples(),
        **_object_examples(),
        **_billing_examples(f"{last_day:%Y-%m}"),
        **_access_examples(),
        **_commitment_examples(),
        **_diagram_examples(month_start, month_end),
        **_write_examples(),
    }


def _take_from_result(tool: str, path: str, arguments: JsonObject | None = None) -> JsonObject:
    return {"$from": [tool, path, arguments or {}]}


def _access_examples() -> dict[str, JsonObject]:
    role, group = (
        _take_from_result("list_roles", "roles.0.id"),
        _take_from_result("list_customer_groups", "customerGroups.0.id"),
    )
    region = _take_from_result("list_custom_regions", "customRegions.0.id")
    account = _take_from_result("list_service_accounts", "items.0.id")
    tokens = {"serviceAccountId": account}
    customer, user = _take_from_result("get_customer", "id"), _take_from_result("list_users", "users.0.id")
    return {
        "get_role": {"id": role},
        "get_customer_group": {"customerGroupId": group},
        "list_customer_group_users": {"customerGroupId": group},
        "get_custom_region": {"customRegionId": region},
        "get_customer_geographic_scope": {"targetCustomerId": customer},
        "get_user_geographic_scope": {"targetCustomerId": customer, "userId": user},
        "get_service_account": {"id": account},
        "list_service_account_tokens": tokens,
        "get_service_account_token": {
            **tokens,
            "id": _take_from_result("list_service_account_tokens", "items.0.id", tokens),
        },
    }


def _cost_examples() -> dict[str, JsonObject]:
    config = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeRange": {"mode": "last", "amount": 3, "unit": "month"},
        "timeInterval": "month",
        "group": [{"type": "fixed", "id": "cloud_provider"}],
    }
    # Only results with more rows than an answer shows have a handle.
    large_config = {
        **config,
        "timeRange": {"mode": "last", "amount": 30, "unit": "day"},
        "timeInterval": "day",
        "group": [{"type": "fixed", "id": "project_id"}, {"type": "fixed", "id": "sku_description"}],
    }
    run = _take_from_result("start_query_run", "operationId", {"query": config})
    return {
        "cost_breakdown": {"groupBy": "service"},
        "cost_trend": {"months": 6, "groupBy": "cloud"},
        "run_query": {"query": config},
        "query_result": {
            "handle": _take_from_result("run_query", "handle", {"query": large_config}),
            "groupBy": ["project_id"],
        },
        "allocation_coverage": {"by": "label:team"},
        "unit_cost": {"metric": "orders"},
        "search": {"query": "budgets"},
        "fetch": {"id": _take_from_result("search", "results.0.id", {"query": "budgets"})},
        "start_query_run": {"query": config},
        "start_report_run": {"id": _take_from_result("list_reports", "reports.0.id")},
        "get_report_run": {"operationId": run},
        "get_widget": {"widgetId": "current-month-cloud-spend"},
        "get_dimension": {"type": "fixed", "id": "cloud_provider"},
        "find_operation": {"query": "invite a user"},
        "read_operation": {"name": "list_users"},
        "ask_ava_sync": {"question": "What did we spend last month?"},
        "ask_ava_streaming": {"question": "What did we spend last month?"},
    }


def _commitment_examples() -> dict[str, JsonObject]:
    account = {"billingAccountId": _take_from_result("list_gcp_billing_accounts", "items.0.billingAccountId")}
    return {
        "get_gcp_billing_account": account,
        "list_gcp_resource_cuds": account,
        "list_gcp_spend_cuds": account,
        "list_gcp_recommendations": account,
        "get_gcp_recommendation": {**account, "gcp_service": "compute"},
        "list_gcp_planned_purchases": account,
        "what_if_commitment": {"term": "one_year"},
        "get_commitment_policy": {"policyId": _take_from_result("list_commitment_policies", "items.0.id")},
    }


def _object_examples() -> dict[str, JsonObject]:
    recommendation = {
        "source": _take_from_result("list_optimization_recommendations", "insights.0.source"),
        "key": _take_from_result("list_optimization_recommendations", "insights.0.key"),
    }
    ticket = {"ticketId": _take_from_result("list_tickets", "tickets.0.id")}
    # The newest flow is a draft.
    published_flow = _take_from_result("list_cloudflows", "items.1.id")
    return {
        "get_budget": {"id": _take_from_result("list_budgets", "budgets.0.id")},
        "get_report_results": {"id": _take_from_result("list_reports", "reports.0.id")},
        "get_report_config": {"id": _take_from_result("list_reports", "reports.0.id")},
        "get_alert": {"id": _take_from_result("list_alerts", "alerts.0.id")},
        "get_allocation": {"id": _take_from_result("list_allocations", "allocations.0.id")},
        "get_annotation": {"id": _take_from_result("list_annotations", "annotations.0.id")},
        "get_anomaly": {"id": _take_from_result("get_anomalies", "anomalies.0.id")},
        "get_label": {"id": _take_from_result("list_labels", "labels.0.id")},
        "get_label_assignments": {"id": _take_from_result("list_labels", "labels.0.id")},
        "get_resource_permissions": {
            "resourceType": "budgets",
            "resourceId": _take_from_result("list_budgets", "budgets.0.id"),
        },
        "get_cloud_incident": {"id": _take_from_result("get_cloud_incidents", "incidents.0.id")},
        "get_insight": recommendation,
        "get_insight_resources": recommendation,
        "get_ticket": {"id": _take_from_result("list_tickets", "tickets.0.id")},
        "list_ticket_comments": ticket,
        "list_ticket_tags": ticket,
        "list_products": {"platform": "google_cloud_platform"},
        "explain_anomaly": {"id": _take_from_result("get_anomalies", "anomalies.0.id")},
        "list_cloudflow_runs": {"flowId": published_flow},
        "get_cloudflow_run": {
            "flowId": published_flow,
            "runId": _take_from_result("list_cloudflow_runs", "items.0.id", {"flowId": published_flow}),
        },
        "export_cloudflow": {"flowId": published_flow},
        "get_cloudflow_connection": {
            "connectionId": _take_from_result("list_cloudflow_connections", "items.0.connectionId"),
        },
        "get_cloudflow_template": {"templateId": _take_from_result("list_cloudflow_templates", "items.0.id")},
        "get_cloud_connect_supported_features": {"accountID": "111122223333"},
    }


def _billing_examples(month: str) -> dict[str, JsonObject]:
    organization = {"managementAccountId": _take_from_result("list_aws_organizations", "items.0.managementAccountId")}
    member = _take_from_result("list_aws_member_accounts", "items.0.memberAccountId", organization)
    contract = {"contractID": _take_from_result("list_contracts", "contracts.0.id")}
    reseller = {
        "dpmaId": _take_from_result("list_billing_transfer_accounts", "items.0.dpmaId"),
        "resellerPmaAccountId": _take_from_result(
            "list_billing_transfer_accounts", "items.0.tenants.0.resellerPmaAccountId"
        ),
    }
    return {
        "get_invoice": {"id": _take_from_result("list_invoices", "invoices.0.id")},
        "get_entity_invoice_explainer": {
            "billingProfileId": _take_from_result("get_contract", "versions.0.billingProfile.id", contract),
            "invoiceNumber": _take_from_result(
                "list_invoices", "invoices.0.id", {"filter": "platform:amazon-web-services"}
            ),
        },
        "get_contract": contract,
        "get_billing_explainer_per_payer": {"invoiceMonth": month},
        "get_asset": {"id": _take_from_result("list_assets", "assets.0.id")},
        "get_commitment": {"id": _take_from_result("list_commitments", "commitments.0.id")},
        "get_aws_organization": organization,
        "list_aws_member_accounts": organization,
        "get_aws_member_account": {**organization, "memberAccountId": member},
        "list_aws_savings_plans": organization,
        "list_aws_reserved_instances": organization,
        "list_aws_recommendations": organization,
        "get_aws_recommendation": {**organization, "serviceId": "compute"},
        "list_aws_planned_purchases": organization,
        "list_billing_transfer_end_customers": reseller,
        "list_reseller_end_customers": {"resellerPmaAccountId": reseller["resellerPmaAccountId"]},
    }


def _diagram_examples(start: str, end: str) -> dict[str, JsonObject]:
    layer = _take_from_result(
        "get_cloud_diagram_components", "scheme.*.statussheet.0.ssid", {"type": ["infrastructure"]}
    )
    node = _take_from_result("export_cloud_diagram_json", "nodes.0._id", {"id": layer})
    snapshot = _take_from_result("list_cloud_diagram_layer_snapshots", "snapshots.0._id", {"id": layer})
    return {
        "get_cloud_diagram_components": {"type": ["infrastructure"]},
        "export_cloud_diagram_json": {"id": layer},
        "get_statussheet_components": {"id": layer, "node": [node]},
        "find_cloud_diagrams": {"resources": [node]},
        "search_cloud_diagrams": {"query": "production"},
        "get_cloud_diagrams_stats": {"start": f"{start}T00:00:00Z", "end": f"{end}T00:00:00Z"},
        "get_cloud_diagram_cost_snapshot": {"layerId": layer, "startDate": start, "endDate": end},
        "list_cloud_diagram_layer_snapshots": {"id": layer},
        "get_cloud_diagram_layer_snapshot": {"id": layer, "snapshot_id": snapshot},
        "get_cloud_diagram_resource_relationships": {"layerId": layer, "resourceId": node},
        "list_cloud_diagram_activity_groups": {"ss_id": layer},
        "list_cloud_diagram_node_activities": {"ss_id": layer, "nodeId": node},
    }


def _write_examples() -> dict[str, JsonObject]:
    return {
        "create_label": {"name": "Quarterly review", "color": "teal"},
        "create_folder": {"name": "Quarterly review"},
        "create_annotation": {"content": "New region opened", "timestamp": "2026-11-01T00:00:00Z"},
        "create_ticket": {
            "ticket": {
                "subject": "Why did BigQuery costs rise?",
                "body": "They rose last week. Please check our slots.",
                "severity": "normal",
                "platform": "google_cloud_platform",
                "product": "BigQuery",
            }
        },
        "create_datahub_dataset": {"name": "Deliveries"},
        "invite_user": {"email": "new@acme.example"},
        "confirm_action": {
            "approvalToken": _take_from_result("invite_user", "approvalToken", {"email": "new@acme.example"})
        },
        "call_operation": {"name": "create_label", "input": {"name": "Quarterly plan", "color": "lime"}},
    }
