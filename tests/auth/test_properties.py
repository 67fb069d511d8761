"""Properties of bearer tokens: any input is accepted or refused, and never causes another error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.auth.access_tokens import AccessTokenRules, check_access_token, find_signing_key, looks_like_access_token
from doit_mcp.auth.bearer import read_bearer_token
from doit_mcp.auth.errors import AuthError
from doit_mcp.auth.jws import find_json_objects, parse_jws
from doit_mcp.auth.www_authenticate import resource_metadata, www_authenticate_value
from doit_mcp.protocol.base64url import decode_base64url, encode_base64url

from .minting import BASE, HEADER, ISSUER, NOW, Signer, claims, encode_members

RULES = AccessTokenRules.from_urls(ISSUER, BASE)
KEY = Signer()
HONEST = KEY.token()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def verdict(token: str) -> int:
    """200 for a token that verifies, else the status."""
    try:
        compact = check_access_token(token, RULES, NOW)
    except AuthError as error:
        return error.status
    return 200 if find_signing_key(compact, KEY.named, RULES) is not None else 401


@given(st.binary(max_size=200))
def test_any_header_bytes_are_400_or_401_or_a_valid_token(raw: bytes) -> None:
    for header in (raw.decode("utf-8", "surrogateescape"), "Bearer " + raw.decode("latin-1")):
        try:
            token = read_bearer_token([header])
        except AuthError as error:
            assert error.status in (400, 401)
            continue
        assert token.isascii() and token.isprintable() and " " not in token
        assert verdict(token) == 401
        looks_like_access_token(token, RULES)


@given(st.text(max_size=200))
def test_any_text_as_a_token_is_401(text: str) -> None:
    assert verdict(text) == 401
    assert all(isinstance(item, dict) for item in find_json_objects(text))


@pytest.mark.requirement("T13")
@given(st.binary(max_size=80), st.binary(max_size=200))
def test_any_signed_bytes_are_401(header: bytes, payload: bytes) -> None:
    assert verdict(KEY.raw(header, payload)) == 401
    assert verdict(KEY.raw(encode_members(HEADER), payload)) == 401


@given(st.sampled_from(sorted(claims())), JSON)
def test_any_claim_value_raises_no_other_error(name: str, value: Any) -> None:
    token = KEY.raw(encode_members(HEADER), json.dumps({**claims(), name: value}).encode())
    assert verdict(token) in (200, 401)


@given(st.sampled_from(["kid", "alg", "typ", "crit", "jwk"]), JSON)
def test_any_header_value_raises_no_other_error(name: str, value: Any) -> None:
    status = verdict(KEY.raw(json.dumps({**HEADER, name: value}).encode(), encode_members(claims())))
    expected = 200 if name in ("typ", "jwk") or value == HEADER.get(name) else 401
    # Without NaN, but orjson may refuse numbers beyond what JSON can represent.
    assert status in (expected, 401)


@given(st.integers(0, len(HONEST) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_one_changed_character_is_401(place: int, character: str) -> None:
    token = HONEST[:place] + character + HONEST[place + 1 :]
    assert verdict(token) == (200 if token == HONEST else 401)


@pytest.mark.requirement("X1")
@given(st.integers(0, len(HONEST) - 1))
def test_x1_truncated_access_token_is_401_and_usually_recognized(length: int) -> None:
    assert verdict(HONEST[:length]) == 401
    if length >= HONEST.index("."):
        assert looks_like_access_token(HONEST[:length], RULES)


@given(st.binary(max_size=100))
def test_base64url_round_trips(raw: bytes) -> None:
    assert decode_base64url(encode_base64url(raw)) == raw


@given(st.text(max_size=60))
def test_base64url_has_one_valid_encoding(text: str) -> None:
    raw = decode_base64url(text)
    assert raw is None or encode_base64url(raw) == text


@given(st.text(max_size=60))
def test_challenge_is_one_header_for_any_content(text: str) -> None:
    value = www_authenticate_value(BASE, "/mcp/" + text, error=text, description=text, scope=text, offline_access=True)
    assert value.isascii() and value.isprintable()
    assert value.count('"') == 8 and "\\" not in value
    document = resource_metadata(BASE, "/mcp/" + text, ISSUER, offline_access=True)
    assert document["resource"].isascii() and document["resource"].startswith(BASE + "/mcp/")


@pytest.mark.parametrize("text", ["", "a", "a.b", "é.é.é"])
def test_parsing_returns_none_for_other_texts(text: str) -> None:
    assert parse_jws(text) is None
