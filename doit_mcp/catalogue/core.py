"""The usual tools: what a client is shown when it chooses nothing. The rest can be called all the same."""

from __future__ import annotations

CORE = frozenset(
    """
    get_cloud_overview cost_breakdown cost_trend compare_spend explain_cost_change forecast_spend
    get_savings_summary list_optimization_recommendations run_query query_result
    list_reports get_report_results
    list_budgets get_budget create_budget update_budget
    get_anomalies get_anomaly
    list_invoices get_invoice
    list_tickets create_ticket
    refine_cloudflow validate_user
    search fetch
    """.split()
)
