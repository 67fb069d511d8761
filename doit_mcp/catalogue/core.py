"""The usual tools: what a client is shown when it chooses nothing. The rest can be called all the same."""

from __future__ import annotations

CORE = frozenset(
    """
    cost_breakdown run_query list_reports get_report_results
    list_budgets get_budget create_budget update_budget
    get_anomalies get_anomaly
    list_invoices get_invoice
    list_tickets create_ticket
    refine_cloudflow validate_user
    """.split()
)
