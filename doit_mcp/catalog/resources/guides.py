"""Guides for models: how to write queries, and what DoiT's terms mean."""

from __future__ import annotations

QUERY_GUIDE = """\
# How to write queries (run_query, create_report, update_report)

A query is one object: `query` of run_query, `report` of create_report and update_report. A minimal query:

    {"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}],
     "timeRange": {"mode": "current", "unit": "month"}, "timeInterval": "month",
     "group": [{"id": "service_description", "type": "fixed"}]}

## Period

- The last three months including the current one: `"timeRange": {"mode": "last", "amount": 3, "unit": "month",
  "includeCurrent": true}`.
- Between two dates: `"timeRange": {"mode": "custom"}` with `"customTimeRange": {"from": "2026-08-01", "to":
  "2026-08-31"}`. Omit unit with mode custom.
- In run_query, a text works too: `"timeRange": "last_month"`, `"2026-Q3"`, `"2026-08-01/2026-08-31"`, `"last_7_days"`,
  `"this_year"`. create_report and update_report need an object.
- Compare with an earlier period: `"secondaryTimeRange": {"amount": 1, "unit": "month"}`. Its rows are in secondaryRows.
- `timeInterval` returns one row per day, week, month, quarter or year, with the column period: 2026-08-01, 2026-08,
  2026-Q3, 2026. Use the longest interval that answers the question. partialPeriods names the periods of rows that the
  answer has only in part: do not compare them with whole ones.

## Groups

- `"group": [{"id": "project_id", "type": "fixed", "limit": {"metric": {"type": "basic", "value": "cost"}, "sort":
  "desc", "value": 10}}]` returns the ten most expensive projects. `total` has everything, and `limited` says that
  rows are missing. `"limitAggregation": "top"` adds up the others.
- Common dimensions of type fixed: cloud_provider, service_description, project_id, project_name, sku_description,
  region, billing_account_id, cost_type. Labels have type label, tags type tag, allocations type attribution.

## Filters

- `"filters": [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["google-cloud"]}]`. A row must match
  all filters, and any of the values of each filter.
- Spell values exactly as in the data: list_dimensions finds the dimension, get_dimension its values. Providers are
  amazon-web-services, google-cloud, microsoft-azure.
- `"mode": "contains"` with `"caseInsensitive": true` matches part of a name; `"inverse": true` excludes the values;
  `"includeNull": true` includes rows without a value.

## Metrics and more

- Basic metrics: cost, usage, savings. Extended metrics by name, e.g. `{"type": "extended", "value": "amortized_cost"}`.
  At most four metrics. Usage needs a group by pricing_unit or SKU, because units differ.
- Use at most two of metricFilter, limitByChange and group limits.
- Forecast: `"forecastSettings": {"mode": "totals", "futureTimeIntervals": 3}`. Its rows are in forecastRows.
- `"includePromotionalCredits": true` requires timeInterval month, quarter or year.
- Set `currency` only for a currency other than the customer's own. The answer states the currency in any case.
- `"aggregation": "count"` requires `"count": {"id": "project_id", "type": "fixed"}`, and vice versa.

Large results have a handle: query_result groups, filters and sorts the whole table without another query.
"""

TERMS_GUIDE = """\
# Terms of DoiT Cloud Intelligence

- **Allocation**: rules that assign costs to a team, product or environment. A group of allocations splits all costs
  among its members. In queries, their types are attribution and attribution_group.
- **Anomaly**: cost of a service in a project or account that exceeds the expected range. costOfAnomaly is only the
  part above that range. Active anomalies are ongoing.
- **Budget**: a spending limit for a recurring period (day to year) or a fixed period. Thresholds alert recipients but
  do not stop spending.
- **Commitment**: a contract with a cloud provider to spend an amount within a period. Attainment is the amount that
  counts toward it so far.
- **Recommendation** (insight): an action that saves money or reduces a risk. Its savings are per day. Actionable ones
  are open.
- **Invoice**: the amount that DoiT bills. It can differ from cost in analytics, which is based on the providers' daily
  data and lags by some days; credits and taxes appear at the end of the month.
- **Cost, amortized cost**: cost counts a prepaid reservation on the day of payment; amortized cost spreads it over the
  reservation's term.
- **Savings**: the reduction of the list price by discounts and commitments.
- **Cloud incident**: an outage or problem at a cloud provider, as the provider reports it.
"""
