"""Request bodies for tests that call every operation, directly or through tools."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

METRIC: Body = {"type": "basic", "value": "cost"}
GOOGLE: Body = {"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}
BY_CLOUD: Body = {
    "dataSource": "billing",
    "metrics": [METRIC],
    "timeRange": {"mode": "last", "amount": 2, "unit": "month"},
    "timeInterval": "month",
    "group": [{"type": "fixed", "id": "cloud_provider"}],
}
ALERT: Body = {
    "name": "Google by month",
    "config": {
        "metric": METRIC,
        "timeInterval": "month",
        "condition": "value",
        "operator": "gt",
        "value": 1000,
        "scopes": [GOOGLE],
    },
}
BUDGET: Body = {
    "name": "Google",
    "amount": 1000,
    "currency": "USD",
    "type": "recurring",
    "timeInterval": "month",
    "startPeriod": 1_790_812_800_000,
    "scopes": [GOOGLE],
}
ALLOCATION: Body = {
    "name": "Google only",
    "description": "All of Google Cloud",
    "rule": {"components": [{**GOOGLE, "key": "cloud_provider", "mode": "is"}], "formula": "A"},
}
del ALLOCATION["rule"]["components"][0]["id"]
THEME: Body = {"name": "Plain", "primaryColor": "#336699", "colors": {"light": ["#336699"], "dark": ["#99ccff"]}}
NOTE: Body = {"content": "Release", "timestamp": "2026-11-01T00:00:00Z"}
CONTRACT: Body = {
    "name": "Resale",
    "startDate": "2026-11-01T00:00:00Z",
    "renewalPolicy": "auto",
    "invoicesEmail": "a@acme.example",
    "contractUpdatesEmail": "b@acme.example",
    "billingProfile": {"name": "A"},
}
TEMPLATE: Body = {"name": "Resale of AWS", "platform": "amazon-web-services", "eligibleFrom": "2026-11-01T00:00:00Z"}
EVENT: Body = {
    "provider": "Meters",
    "id": "one",
    "time": "2026-11-01T00:00:00Z",
    "dimensions": [{"key": "team", "type": "label", "value": "a"}],
    "metrics": [{"type": "cost", "value": 1.5}],
}
CSV = "usage_date,id,label.team,metric.cost\n2026-11-01T00:00:00Z,two,a,1.5\n"
TICKET: Body = {
    "subject": "Why is BigQuery dear?",
    "body": "It jumped.",
    "severity": "high",
    "platform": "google_cloud_platform",
    "product": "BigQuery",
}
INSIGHT: Body = {
    "key": "mine",
    "title": "Mine",
    "shortDescription": "Of my own",
    "cloudProvider": "aws",
    "categories": ["FinOps"],
}
RESOURCE: Body = {
    "resourceId": "r-1",
    "resultType": "potential_daily_savings",
    "account": "1",
    "cloudProvider": "aws",
    "result": {"value": 2.5},
}
ACCOUNT = "444455556666"
ROLE: Body = {"accountID": ACCOUNT, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/DoiT", "enabledFeatures": ["core"]}
BUNDLE = {
    "kind": "cloudflow.doit.com/FlowBundle",
    "schemaVersion": 1,
    "rootFlow": "main",
    "flows": [
        {
            "key": "main",
            "name": "Greet",
            "firstNode": "start",
            "nodes": [
                {"key": "start", "name": "Start", "type": "manualTrigger", "transitions": [{"target": "greet"}]},
                {
                    "key": "greet",
                    "name": "Greet",
                    "type": "codeNode",
                    "parameters": {"code": 'return {message: "hello"};', "schema": "{}"},
                },
            ],
        }
    ],
}
