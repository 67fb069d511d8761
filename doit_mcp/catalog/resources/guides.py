"""Guides for models: how to write queries, and what DoiT's terms mean."""

from __future__ import annotations

QUERY_GUIDE = """\
# How to write queries (run_query, create_report, update_report)

A query is one object, `config`. The least that makes sense:

    {"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}],
     "timeRange": {"mode": "current", "unit": "month"}, "timeInterval": "month",
     "group": [{"id": "service_description", "type": "fixed"}]}

## Period

- The last three months with the running one: `"timeRange": {"mode": "last", "amount": 3, "unit": "month",
  "includeCurrent": true}`.
- Two dates: `"timeRange": {"mode": "custom"}` and beside it `"customTimeRange": {"from": "2026-08-01T00:00:00Z",
  "to": "2026-08-31T23:59:59Z"}`. No unit with mode custom.
- Compare with an earlier period: `"secondaryTimeRange": {"amount": 1, "unit": "month"}`; its rows come as
  secondaryRows.
- `timeInterval` makes one row for each day, week, month, quarter or year. Use the longest that answers the question.

## Groups

- `"group": [{"id": "project_id", "type": "fixed", "limit": {"metric": {"type": "basic", "value": "cost"}, "sort":
  "desc", "value": 10}}]` gives the ten most expensive projects. `"limitAggregation": "top"` adds up the rest.
- Often used with type fixed: cloud_provider, service_description, project_id, project_name, sku_description, region,
  billing_account_id, cost_type. Labels have type label, tags type tag, allocations type attribution.

## Filters

- `"filters": [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["google-cloud"]}]`. Several filters
  must all match; several values of one filter mean any of them.
- Values must be spelled as in the data: list_dimensions finds the dimension, get_dimension its values. Providers are
  amazon-web-services, google-cloud, microsoft-azure.
- `"mode": "contains"` with `"caseInsensitive": true` for a part of a name; `"inverse": true` leaves the values out;
  `"includeNull": true` takes rows without a value too.

## Metrics and more

- Basic metrics: cost, usage, savings. Extended ones by name, e.g. `{"type": "extended", "value": "amortized_cost"}`.
  At most four. Usage adds up only within one SKU: units differ.
- At most two of metricFilter, limitByChange and limits of groups.
- Forecast: `"forecastSettings": {"mode": "totals", "futureTimeIntervals": 3}`; its rows come as forecastRows.
- `"includePromotionalCredits": true` needs timeInterval month, quarter or year.
- `currency` only if another one than the customer's own is wanted.
- `"aggregation": "count"` goes with `"count": {"id": "project_id", "type": "fixed"}`, and neither without the other.

Large answers have a handle: query_result groups, filters and sorts the whole table without asking again.
"""

TERMS_GUIDE = """\
# What the words mean

- **Allocation**: rules that say which costs belong to a team, product or environment. A group of allocations splits
  all costs among its members. Queries know them as attribution and attribution_group.
- **Anomaly**: cost above the range that was to be expected of a service in a project or account. costOfAnomaly is what
  lies above that range, not the whole cost. Active ones still last.
- **Budget**: a limit for one period (day to year) or a fixed stretch of time. Thresholds alert recipients; they stop
  nothing.
- **Commitment**: a contract with a cloud provider to spend an amount within a time. Attainment is what counts so far.
- **Recommendation** (insight): something to do, with savings a day or a risk it removes. Actionable ones are open.
- **Invoice**: what DoiT bills. It can differ from cost in analytics, which follows the providers' own data by the day
  and is some days behind; credits and taxes come with the month's end.
- **Cost, amortized cost**: cost counts a prepaid reservation on the day it is paid, amortized cost spreads it over its
  time.
- **Savings**: what discounts and commitments took off the list price.
- **Cloud incident**: an outage or fault at a cloud provider, as the provider tells it.
"""
