"""Finding tools by words: verbs, nouns, plurals, prefixes, typos, and names that are almost right."""

from __future__ import annotations

from difflib import get_close_matches

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.discovery import ranking
from doit_mcp.catalog.discovery.ranking import (
    MAX_CACHED_CORRECTIONS,
    MAX_CORRECTED_WORDS,
    MAX_QUERY_WORDS,
    ToolFinder,
    stem,
    stem_words,
)
from doit_mcp.catalog.registry import direct_tools

FINDER = ToolFinder(direct_tools())


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("invite a user", "invite_user"),
        ("remove user access", "delete_user"),
        ("who are the users?", "list_users"),
        ("change a user", "update_user"),
        ("DELETE budget", "delete_budget"),
        ("list budgets", "list_budgets"),
        ("share a report with somebody", "get_resource_permissions"),
        ("upload csv", "upload_datahub_csv"),
        ("cancel contract", "cancel_contract"),
        ("resend an invitation", "resend_invite"),
        ("show dimensions", "get_dimension"),
        ("who is my account manager", "list_account_team"),
        ("licence seats google workspace", "list_assets"),
        ("service quotas", "list_service_quotas"),
        ("what roles exist", "list_roles"),
        ("optimization insights", "list_optimization_recommendations"),
    ],
)
def test_relevant_tools_rank_high(query: str, name: str) -> None:
    assert name in [tool.name for tool in FINDER.rank_tools(query)[:2]]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("kubernetes", "run_query"),
        ("kubernetes clusters", "run_query"),
        ("kubernetes namespaces", "run_query"),
        ("costs per namespace", "run_query"),
        ("marketplace", "list_commitments"),
        ("AI models", "ai_spend"),
        ("unit cost", "unit_cost"),
        ("untagged cost", "allocation_coverage"),
        ("spend by team", "cost_breakdown"),
        ("cost per customer", "unit_cost"),
        ("why did my bill go up", "explain_cost_change"),
        ("reserved instances", "list_aws_reserved_instances"),
        ("savings plans", "list_aws_savings_plans"),
        ("rightsizing", "list_optimization_recommendations"),
        ("open a ticket", "create_ticket"),
        ("who owns anomalies", "get_anomalies"),
        ("month-end forecast", "forecast_spend"),
        ("delete a report", "delete_report"),
        ("known issues outage", "get_cloud_incidents"),
    ],
)
def test_questions_in_natural_words_have_one_first_answer(query: str, name: str) -> None:
    assert FINDER.rank_tools(query)[0].name == name


def test_words_do_not_match_by_chance() -> None:
    # Mark, customer and all the others are neither forms nor misspellings of these.
    assert {tool.name for tool in FINDER.rank_tools("marketplace")} == {"get_commitment", "list_commitments"}
    assert not {"get_customer", "update_customer"} & {tool.name for tool in FINDER.rank_tools("cluster")}


@pytest.mark.parametrize(
    ("query", "name"),
    [("alocation", "list_allocations"), ("creat alret", "create_alert"), ("anomalis", "get_anomalies")],
)
def test_typos_are_corrected(query: str, name: str) -> None:
    assert name in [tool.name for tool in FINDER.rank_tools(query)[:3]]


def test_unrelated_words_match_nothing() -> None:
    assert FINDER.rank_tools("xyzzy qqqq") == [] and FINDER.rank_tools("the of a") == [] and FINDER.rank_tools("") == []


def test_rare_words_weigh_more_than_common_ones() -> None:
    assert FINDER.rank_tools("list quotas")[0].name == "list_service_quotas"


def test_ties_keep_their_order() -> None:
    names = [tool.name for tool in FINDER.rank_tools("folder")]
    assert names[:2] == ["list_folders", "get_folder"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("share", "sharing"), ("budgets", "budget"), ("anomalies", "anomaly"), ("created", "create"), ("Users", "user")],
)
def test_word_forms_are_stemmed(one: str, other: str) -> None:
    assert stem_words(one) == stem_words(other)


def test_short_words_are_not_stemmed() -> None:
    assert [stem(word) for word in ("aws", "status", "access", "red", "us")] == ["aws", "status", "access", "red", "us"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("get_budgets", "get_budget"), ("budget_list", "list_budgets"), ("listUsers", "list_users")],
)
def test_misspelled_name_suggests_the_right_one(name: str, near: str) -> None:
    assert near in FINDER.similar_names(name)


@given(st.text(max_size=400))
def test_any_words_can_be_searched(query: str) -> None:
    tools = FINDER.rank_tools(query)
    assert len({tool.name for tool in tools}) == len(tools) and len(FINDER.similar_names(query)) <= 3


@pytest.mark.requirement("N2")
def test_n2_few_unknown_words_are_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing one word with all known words takes a millisecond; results are cached, within a limit."""
    compared: list[str] = []

    def matches(word: str, *others: object) -> list[str]:
        compared.append(word)
        return get_close_matches(word, *others)  # type: ignore[arg-type]  # passed on unchanged

    monkeypatch.setattr(ranking, "get_close_matches", matches)
    finder = ToolFinder(FINDER.tools)
    words = " ".join(f"zqx{number}w" for number in range(MAX_QUERY_WORDS))
    assert finder.rank_tools(words) == [] and len(compared) == MAX_CORRECTED_WORDS
    assert finder.rank_tools("laerts budgtes") and len(compared) == MAX_CORRECTED_WORDS + 2
    assert (
        finder.rank_tools("budgtes laerts")
        and finder.rank_tools(words) == []
        and len(compared) == MAX_CORRECTED_WORDS + 2
    )
    for number in range(MAX_CACHED_CORRECTIONS):
        finder.rank_tools(f"qqz{number}x")
    assert len(finder._corrections) == MAX_CACHED_CORRECTIONS


@pytest.mark.parametrize("polite", ["", "please ", "how do I ", "I want to "])
def test_a_request_that_begins_with_a_verb_leads_to_tools_with_this_verb(polite: str) -> None:
    finder = ToolFinder(direct_tools())
    assert finder.rank_tools(f"{polite}define a region of countries")[0].name == "create_custom_region"


def test_give_me_asks_to_be_shown() -> None:
    finder = ToolFinder(direct_tools())
    assert not finder.rank_tools("give me the customer groups")[0].writes
    assert finder.rank_tools("give a user a customer group")[0].writes
