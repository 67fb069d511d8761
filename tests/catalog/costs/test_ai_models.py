"""Names of models, kinds of tokens and numbers of tokens in bills."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.costs.ai_models import count_tokens, find_model, model_key, token_kind


@pytest.mark.parametrize(
    ("sku", "model", "kind"),
    [
        ("claude-3-5-haiku-20241022, input_tokens", "claude-3-5-haiku-20241022", "input"),
        ("USE1-Claude3.5Sonnet-output-tokens", "Claude3.5Sonnet", "output"),
        ("gpt-4o-mini-2024-07-18, output", "gpt-4o-mini-2024-07-18", "output"),
        ("Gemini 2.0 Flash Text Input - Predictions", "Gemini 2.0 Flash", "input"),
        ("Claude Sonnet 4 (Amazon Bedrock Edition)", "Claude Sonnet 4", None),
        ("$0.0003 per 1K cache read input tokens for Claude Sonnet 4.5", "Claude Sonnet 4.5", "cached"),
        ("gpt-4o 0806 Outp glbl Tokens", "gpt-4o 0806", "output"),
        ("text-embedding-3-large", "text-embedding-3-large", None),
        ("Llama 3.1 70B Instruct", "Llama 3.1 70B Instruct", None),
        ("Titan Text Embeddings V2", "Titan Text Embeddings V2", None),
        ("APN1-NovaLite-input-tokens", "NovaLite", "input"),
        ("o3-mini input", "o3-mini", "input"),
        ("Anthropic Claude: Claude Opus 4.1", "Claude Opus 4.1", None),
        ("Innovation command center", None, None),
        ("Amazon Bedrock Guardrails", None, None),
        ("Standard Storage", None, None),
        ("", None, None),
    ],
)
def test_models_in_skus(sku: str, model: str | None, kind: str | None) -> None:
    assert (find_model(sku), token_kind(sku)) == (model, kind)


def test_service_names_the_model_if_the_sku_does_not() -> None:
    assert find_model("Input tokens", "Claude 3.5 Sonnet (Amazon Bedrock Edition)") == "Claude 3.5 Sonnet"


def test_spellings_of_a_model_are_one() -> None:
    assert len({model_key(name) for name in ("Claude 3.5 Sonnet", "claude-3-5-sonnet", "Claude3.5Sonnet")}) == 1


@pytest.mark.parametrize(
    ("unit", "tokens"),
    [
        ("tokens", 2),
        ("Token", 2),
        ("1K tokens", 2_000),
        ("1M Tokens", 2_000_000),
        ("million tokens", 2_000_000),
        ("1,000 tokens", 2_000),
        ("1000 tokens", 2_000),
        ("characters", None),
        ("Hrs", None),
        (None, None),
        ("999,999,999,999 tokens", 2 * 999_999_999_999),
        ("9" * 16 + " tokens", None),
        ("9" * 5_000 + " tokens", None),
        ("1," * 4_000, None),
        (" " * 200 + "tokens", None),
    ],
)
def test_units_of_tokens(unit: str | None, tokens: int | None) -> None:
    assert count_tokens(Decimal(2), unit) == tokens


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    model = find_model(text)
    assert model is None or (model in text and model_key(model))
    assert token_kind(text) in (None, "input", "cached", "output")
    tokens = count_tokens(Decimal(1), text)
    assert tokens is None or tokens >= 0


def test_implausible_number_of_tokens_is_unknown() -> None:
    assert count_tokens(Decimal("1e17"), "1K tokens") is None
    assert count_tokens(Decimal("1e308"), "tokens") is None
    assert count_tokens(Decimal("1e18"), "tokens") == 10**18
