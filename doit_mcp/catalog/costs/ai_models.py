"""AI models in bills: which services sell them, and the model, kind and number of tokens that a SKU stands for."""

from __future__ import annotations

import re
from decimal import Decimal

AI_PROVIDERS = ("openai", "anthropic")
"""Parts of the names of clouds that sell nothing but AI."""
AI_SERVICES = (
    "bedrock",
    "vertex ai",
    "openai",
    "anthropic",
    "claude",
    "gemini",
    "generative ai",
    "foundry",
)
"""Parts of the names of services that sell AI models."""
RELATED_SERVICES = (
    *("sagemaker", "comprehend", "rekognition", "textract", "amazon kendra", "amazon lex", "amazon polly"),
    *("amazon transcribe", "amazon translate", "amazon personalize", "amazon q business", "amazon q developer"),
    *("ai platform", "automl", "dialogflow", "document ai", "cloud vision", "cloud speech", "cloud natural language"),
    *("cloud translation", "machine learning", "cognitive services", "azure ai"),
)
"""Parts of the names of services for machine learning that mostly sell other things than the use of AI models."""

_FAMILIES = (
    *("claude", "chatgpt", "gpt", r"o[134](?=-|\b)"),
    *("gemini", "gemma", "imagen", "veo"),
    *("llama", "mistral", "mixtral", "ministral", "jamba", "deepseek", "qwen", r"phi(?=[ -]?\d)"),
    *("nova", r"titan(?: text| image| multimodal)?", r"command[ -](?:r\b|a\b|light)"),
    *("text-embedding", "dall-e", "whisper", "sora"),
)
"""Names of model families, as regular expressions."""
_VARIANTS = (
    r"v?\d+(?:[.]\d+)*(?:[bkmo](?![a-z]))?",
    *("sonnet", "opus", "haiku", "instant"),
    *("mini", "nano", "micro", "small", "medium", "large", "turbo", "lite", "pro", "flash", "ultra", "premier"),
    *("instruct", "preview", "latest", "r1", "exp", "embeddings?", "embed", "express", "canvas", "reel", "sonic"),
)
_MODEL = re.compile(
    rf"(?<![a-z])(?:{'|'.join(_FAMILIES)})(?:[ _.-]?(?:{'|'.join(_VARIANTS)})(?!(?!v\d|sonnet|opus|haiku)[a-z]))*",
    re.IGNORECASE,
)
# A number must not follow a digit or comma, so the search tries each long number once and not at every digit.
_TOKEN_UNIT = re.compile(
    r"(?:(?<![\w,])(?P<number>\d[\d,]*) ?|\b)(?:(?P<scale>k|m|thousand|million) ?)?tokens?\b", re.IGNORECASE
)
MAX_UNIT_CHARACTERS = 200
MAX_NUMBER_CHARACTERS = 15
MAX_TOKENS = Decimal(10) ** 18
"""Longer units, numbers and counts are not plausible, so they are ignored."""
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000, "thousand": 1_000, "million": 1_000_000}
_KIND_WORDS = {
    "cached": frozenset(("cache", "cached", "cchd")),
    "output": frozenset(("output", "outp", "outputtokens", "completion")),
    "input": frozenset(("input", "inp", "inputtokens", "prompt")),
}
"""Words of SKUs for each kind of tokens. Cached first: cached tokens are input tokens with a lower price."""
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")


def find_model(*texts: str) -> str | None:
    """Return the name of the model in the first of the *texts* that names one; None if none does."""
    for text in texts:
        found = [match.group().strip(" _.-") for match in _MODEL.finditer(text)]
        if found:
            # A family alone, such as Claude in Claude Sonnet, says less than a longer name.
            return max(found, key=len)
    return None


def model_key(model: str) -> str:
    """Return what all spellings of a model's name have in common."""
    return _NOT_ALPHANUMERIC.sub("", model.casefold())


def token_kind(sku: str) -> str | None:
    """Return whether a SKU is for cached, input or output tokens; None if it does not say."""
    words = set(_NOT_ALPHANUMERIC.split(sku.casefold()))
    return next((kind for kind, names in _KIND_WORDS.items() if words & names), None)


def count_tokens(usage: Decimal, unit: str | None) -> Decimal | None:
    """Return the number of tokens of a *usage* in a pricing unit; None if the unit is not tokens, or not plausible."""
    match = _TOKEN_UNIT.search((unit or "")[:MAX_UNIT_CHARACTERS])
    if match is None or len(match["number"] or "") > MAX_NUMBER_CHARACTERS:
        return None
    number = int((match["number"] or "1").replace(",", ""))
    tokens = usage * number * _SCALES[(match["scale"] or "").casefold()]
    return tokens if abs(tokens) <= MAX_TOKENS else None
