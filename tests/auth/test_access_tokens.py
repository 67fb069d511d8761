"""Verification of access tokens: header, signature and claims, without I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from doit_mcp.auth.access_tokens import (
    LEEWAY_SECONDS,
    P256_ORDER,
    AccessTokenRules,
    check_access_token,
    find_signing_key,
    looks_like_access_token,
    read_principal,
)
from doit_mcp.auth.errors import AuthError
from doit_mcp.auth.principal import Principal

from .minting import BASE, HEADER, ISSUER, NOW, Signer, base64url, claims, encode_members, make_unsigned

RULES = AccessTokenRules.from_urls(ISSUER, BASE)


def verify(token: str, by: Signer, now: float = NOW, rules: AccessTokenRules = RULES) -> Principal:
    """The principal after all three steps, in the order of the authenticator."""
    compact = check_access_token(token, rules, now)
    if find_signing_key(compact, by.named, rules) is None:
        raise AuthError(401, "invalid_token", "signature")
    return read_principal(compact)


def rejection(token: str, by: Signer, now: float = NOW) -> AuthError:
    with pytest.raises(AuthError) as caught:
        verify(token, by, now)
    return caught.value


def assert_401(token: str, by: Signer, now: float = NOW) -> None:
    error = rejection(token, by, now)
    assert (error.status, error.error) == (401, "invalid_token")
    assert token not in error.description


def test_valid_token_identifies_the_caller(signer: Signer) -> None:
    token = signer.token()
    claims = verify(token, signer)
    assert (claims.subject, claims.customer, claims.employee, claims.kind) == (
        "admin@acme.example",
        "acme",
        False,
        "jwt",
    )
    assert (claims.token, claims.expires) == (token, NOW + 3600)
    assert token not in repr(claims)


@pytest.mark.requirement("T1")
@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "nOnE", "ES384", "es256", "ES256K", "", None, 256, True, ["ES256"], {"alg": "ES256"}],
)
def test_t1_algorithm_is_fixed(signer: Signer, alg: Any) -> None:
    assert_401(signer.token(header={"alg": alg}), signer)
    assert_401(make_unsigned({**HEADER, "alg": alg}, claims()), signer)
    assert_401(make_unsigned({**HEADER, "alg": alg}, claims(), base64url(bytes(64))), signer)


@pytest.mark.requirement("T1")
def test_t1_rejects_hmac_with_public_key_material(signer: Signer) -> None:
    public = signer.private.public_key()
    materials = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        json.dumps(signer.jwk()).encode(),
        b"",
    ]
    for alg, hash_ in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512"), ("ES256", "sha512")):
        for material in materials:
            signed = f"{base64url(encode_members({**HEADER, 'alg': alg}))}.{base64url(encode_members(claims()))}"
            mac = hmac.new(material, signed.encode(), getattr(hashlib, hash_)).digest()
            assert_401(f"{signed}.{base64url(mac)}", signer)


@pytest.mark.requirement("T1")
def test_t1_rejects_other_key_types(signer: Signer) -> None:
    keys: list[tuple[str, Any]] = [
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
    ]
    for alg, key in keys:
        assert_401(jwt.encode(claims(), key, algorithm=alg, headers={"kid": "mcp-access"}), signer)
    assert_401(jwt.encode(claims(), keys[0][1], algorithm="PS256", headers={"kid": "mcp-access"}), signer)
    assert_401(Signer().token(), signer)


@pytest.mark.requirement("T2")
@pytest.mark.parametrize(
    "kid",
    [
        None,
        "",
        "mcp",
        "MCP-ACCESS",
        "mcp-access ",
        " mcp-access",
        "mcp-access\x00",
        "id-token",
        1,
        True,
        ["mcp-access"],
        {"kid": "mcp-access"},
        "../../etc/passwd",
        "mcp-access' OR 1=1",
        "https://evil.example/jwks.json",
        "x" * 3000,
    ],
)
def test_t2_key_id_must_match_exactly(signer: Signer, kid: Any) -> None:
    assert_401(signer.token(header={"kid": kid}), signer)


@pytest.mark.requirement("T3")
@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_t3_ignores_keys_named_by_the_token(signer: Signer, name: str) -> None:
    mine = Signer()
    value = mine.jwk() if name == "jwk" else ["MIIB"] if name == "x5c" else "https://evil.example/jwks.json"
    assert_401(mine.token(header={name: value}), signer)
    assert verify(signer.token(header={name: value}), signer).subject == "admin@acme.example"


@pytest.mark.requirement("T5")
@pytest.mark.parametrize(
    "extension",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"crit": "exp"},
        {"crit": ["x"], "x": 1},
    ],
)
def test_t5_rejects_critical_extensions(signer: Signer, extension: dict[str, Any]) -> None:
    assert_401(signer.token(header=extension), signer)


@pytest.mark.requirement("T6")
def test_t6_accepts_only_raw_64_byte_signatures_in_range(signer: Signer) -> None:
    signed, _, good = signer.token().rpartition(".")
    raw = base64.urlsafe_b64decode(good + "==")
    zero, r_value, order = bytes(32), (1).to_bytes(32), P256_ORDER.to_bytes(32)
    crafted = [
        b"",
        bytes(64),
        zero + raw[32:],
        raw[:32] + zero,
        order + raw[32:],
        raw[:32] + order,
        b"\xff" * 64,
        r_value + r_value,
        signer.der(signed.encode()),
        raw[:63],
        raw + b"\x00",
        raw + raw,
        b"\x00" + raw,
        raw[32:] + raw[:32],
        raw[:32],
        bytes(65),
        (P256_ORDER + 1).to_bytes(32) + raw[32:],
    ]
    for signature in crafted:
        assert_401(f"{signed}.{base64url(signature)}", signer)
    for text in (good + "=", good + "==", good + "A", good[:-1], good + "\n", " " + good, good + ".", f"{good}.{good}"):
        assert_401(f"{signed}.{text}", signer)


@pytest.mark.requirement("T6")
def test_t6_base64url_has_one_valid_encoding(signer: Signer) -> None:
    """The last character of 64 encoded bytes has four unused bits, which must not give a second valid token."""
    token = signer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = alphabet.index(token[-1])
    for other in range(place + 1, place + 16):
        assert_401(token[:-1] + alphabet[other], signer)


@pytest.mark.requirement("T7")
@pytest.mark.parametrize(
    "issuer",
    [
        None,
        "",
        ISSUER + "/",
        ISSUER + ".evil.example",
        ISSUER[:-1],
        "https://evil.example/" + ISSUER,
        [ISSUER],
        ISSUER.upper(),
        {"iss": ISSUER},
        True,
        1,
        " " + ISSUER,
        ISSUER + "\x00",
        "http" + ISSUER[5:],
    ],
)
def test_t7_issuer_must_match_exactly(signer: Signer, issuer: Any) -> None:
    assert_401(signer.token(iss=issuer), signer)


OURS = [
    "",
    "/",
    "/mcp",
    "/mcp/",
    "/sse",
    "/sse/",
    "/mcp/readonly",
    "/mcp/x/core",
    "/mcp/x/core,budgets/readonly",
    "/mcp/x/core%2Cbudgets",
    "/mcp/x/core/",
    "/MCP",
    "/Mcp/ReadOnly",
    "//mcp",
    "/mcp//",
    "/SSE/",
    "/mcp?toolsets=budgets",
    "/MCP/?readOnly=true&Toolsets=budgets%2Canomalies",
]
FOREIGN = [
    ".evil.example",
    ":443",
    "@evil.example",
    "/mcp/..",
    "/mcp/../admin",
    "/mcp/./x",
    "/mcp//x",
    "/mcp/x/a/b",
    "/mcpx",
    "/sse/x",
    "/sse/message",
    "/api",
    "//",
    "?x=1",
    "/mcp?x=1",
    "/mcp?",
    "/mcp?toolsets=budgets&x=1",
    "/mcp?toolsets=https://evil.example",
    "//evil.example/mcp",
    "\N{KELVIN SIGN}/mcp",
    "/mcp/x/tic\N{KELVIN SIGN}ets",
    "#mcp",
    "/mcp/x#f",
    "/mcp/%2e%2e",
    "/mcp/x y",
    "/mcp\\x",
    "/mcp/x\n",
    "/mcp/é",
]


@pytest.mark.requirement("T8", "M56")
@pytest.mark.parametrize("path", OURS)
def test_t8_accepts_own_urls_as_audience(signer: Signer, path: str) -> None:
    for audience in (BASE + path, [BASE + path], ["https://other.example", BASE + path]):
        assert verify(signer.token(aud=audience), signer).customer == "acme"
    slashed = AccessTokenRules.from_urls(ISSUER, BASE + "/")
    assert verify(signer.token(aud=BASE + path), signer, rules=slashed).customer == "acme"


@pytest.mark.requirement("T8")
def test_t8_every_base_url_of_the_server_is_an_audience(signer: Signer) -> None:
    rules = AccessTokenRules.from_urls(ISSUER, "http://127.0.0.1:8080", "http://localhost:8080/")
    for base in ("http://127.0.0.1:8080", "http://localhost:8080"):
        for path in ("", "/", "/mcp"):
            assert verify(signer.token(aud=base + path), signer, rules=rules).customer == "acme"
    for audience in ("http://localhost:80801", "http://localhost:80801/mcp", "http://localhost/mcp", BASE):
        with pytest.raises(AuthError):
            verify(signer.token(aud=audience), signer, rules=rules)


@pytest.mark.requirement("T8", "M56")
@pytest.mark.parametrize(
    "audience",
    [BASE + path for path in FOREIGN]
    + [
        None,
        "",
        [],
        [[]],
        {},
        1,
        True,
        {"aud": BASE},
        [BASE, 1],
        [[BASE]],
        "https://other.example",
        ISSUER,
        "cmp",
        "mcp.doit.com",
        BASE[:-1],
        BASE.upper(),
        " " + BASE,
        f"{BASE} https://other.example",
        "http" + BASE[5:],
        "https://evil.example/" + BASE,
        "client-1",
        "/mcp",
    ],
    ids=repr,
)
def test_t8_rejects_other_audiences(signer: Signer, audience: Any) -> None:
    assert_401(signer.token(aud=audience), signer)


@pytest.mark.requirement("T8")
def test_t8_base_url_path_is_part_of_the_audience(signer: Signer) -> None:
    below = AccessTokenRules.from_urls(ISSUER, BASE + "/doit")
    assert verify(signer.token(aud=BASE + "/doit/mcp"), signer, rules=below).customer == "acme"
    with pytest.raises(AuthError):
        verify(signer.token(aud=BASE + "/mcp"), signer, rules=below)


@pytest.mark.requirement("T9")
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1800000000", True, [], {}, "", -1, 1e18, 10**400, 10**30, "inf"], ids=repr)
def test_t9_times_must_be_numbers(signer: Signer, name: str, value: Any) -> None:
    token = signer.raw(encode_members(HEADER), json.dumps({**claims(), name: value}).encode())
    assert_401(token, signer)


def without(name: str) -> dict[str, Any]:
    return {name: None}


@pytest.mark.requirement("T9")
@pytest.mark.parametrize("name", ["exp", "iat"])
def test_t9_exp_and_iat_are_required(signer: Signer, name: str) -> None:
    assert_401(signer.token(**without(name)), signer)
    assert_401(signer.raw(encode_members(HEADER), json.dumps({**claims(), name: None}).encode()), signer)


@pytest.mark.requirement("T9")
def test_t9_nbf_may_be_absent_but_not_null(signer: Signer) -> None:
    assert verify(signer.token(nbf=int(NOW)), signer)
    assert_401(signer.raw(encode_members(HEADER), json.dumps({**claims(), "nbf": None}).encode()), signer)


@pytest.mark.requirement("T9")
def test_t9_token_is_valid_from_nbf_to_exp(signer: Signer) -> None:
    assert verify(signer.token(exp=NOW + 10.5), signer, NOW + 10)
    assert_401(signer.token(exp=NOW + 10), signer, NOW + 10)
    assert_401(signer.token(exp=NOW - 100), signer)
    for name in ("iat", "nbf"):
        soon: dict[str, Any] = {name: NOW + LEEWAY_SECONDS}
        later: dict[str, Any] = {name: NOW + LEEWAY_SECONDS + 1}
        assert verify(signer.token(**soon), signer)
        assert_401(signer.token(**later), signer)
    assert LEEWAY_SECONDS <= 60


@pytest.mark.requirement("T10")
@pytest.mark.parametrize("name", ["sub", "customer_context", "cid", "flow_id", "jti"])
@pytest.mark.parametrize("value", [None, 1, True, ["a"], {"a": "b"}, 1.5], ids=repr)
def test_t10_claims_must_be_strings(signer: Signer, name: str, value: Any) -> None:
    assert_401(signer.token(**{name: value}), signer)


@pytest.mark.requirement("T10")
def test_t10_empty_customer_is_accepted_and_empty_subject_rejected(signer: Signer) -> None:
    assert verify(signer.token(customer_context=""), signer).customer == ""
    assert_401(signer.token(sub=""), signer)


@pytest.mark.requirement("T10")
@pytest.mark.parametrize("value", [False, "true", "True", 1, 1.0, [True], {"true": True}, None], ids=repr)
def test_t10_only_json_true_marks_an_employee(signer: Signer, value: Any) -> None:
    assert verify(signer.token(doit_employee=value), signer).employee is False
    assert verify(signer.token(doit_employee=True), signer).employee is True


@pytest.mark.requirement("T11")
@pytest.mark.parametrize(
    "scope",
    [
        None,
        "",
        "mcp",
        "mcp:toolsx",
        "xmcp:tools",
        "mcp:tools:read",
        "MCP:TOOLS",
        "mcp:tools,x",
        "mcp:tools\tx",
        "mcp: tools",
        ["mcp:tools"],
        1,
        {"mcp:tools": True},
        True,
    ],
    ids=repr,
)
def test_t11_scope_must_match_an_entire_word_or_403(signer: Signer, scope: Any) -> None:
    error = rejection(signer.token(scope=scope), signer)
    assert (error.status, error.error, error.scope) == (403, "insufficient_scope", "mcp:tools")


@pytest.mark.requirement("T11")
@pytest.mark.parametrize("scope", ["mcp:tools", "a mcp:tools", "mcp:tools b", "a  mcp:tools "])
def test_t11_scope_position_does_not_matter(signer: Signer, scope: str) -> None:
    assert verify(signer.token(scope=scope), signer)


@pytest.mark.requirement("T11")
def test_t11_forged_token_without_scope_is_401(signer: Signer) -> None:
    assert_401(Signer().token(scope=None), signer)
    assert_401(signer.token(scope=None, exp=NOW - 1), signer)
    assert_401(signer.token(scope=None, aud="https://other.example"), signer)


PAYLOADS = [
    b"",
    b"[]",
    b"null",
    b"1",
    b'"text"',
    b"true",
    b"{",
    b"{}{}",
    b"{} x",
    b"\xff\xfe",
    b'{"sub":"\xff"}',
    b'{"a":NaN}',
    b"[" * 100_000,
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'{"exp":' + b"9" * 5000 + b"}",
    b'{"exp":1e400}',
    b'{"sub":"\\ud800"}',
    json.dumps(claims()).encode("utf-16"),
    b"\xef\xbb\xbf" + encode_members(claims()),
    encode_members(claims()) + b"\x00",
]


@pytest.mark.requirement("T13")
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_t13_signed_but_malformed_payloads_and_headers_are_401(signer: Signer, payload: bytes) -> None:
    assert_401(signer.raw(encode_members(HEADER), payload), signer)
    assert_401(signer.raw(payload, encode_members(claims())), signer)


@pytest.mark.requirement("T13")
def test_t13_deeply_nested_extra_claims_are_harmless(signer: Signer) -> None:
    deep = b'{"deep":' + b"[" * 900 + b"]" * 900 + b"," + encode_members(claims())[1:]
    assert verify(signer.raw(encode_members(HEADER), deep), signer)


def test_nesting_beyond_pyjwts_limit_raises_no_other_error(signer: Signer) -> None:
    """orjson parses 1,024 levels. What the json module of PyJWT can parse depends on the version of Python."""
    deep = b'{"deep":' + b"[" * 1010 + b"]" * 1010 + b","
    header, payload = encode_members(HEADER), encode_members(claims())
    for token in (signer.raw(deep + header[1:], payload), signer.raw(header, deep + payload[1:])):
        compact = check_access_token(token, RULES, NOW)
        try:
            assert find_signing_key(compact, signer.named, RULES) == b"the key"
        except AuthError as error:
            assert (error.status, error.error) == (401, "invalid_token")


@pytest.mark.requirement("T13")
@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b", "a.b.c.d", "a.b.c", "é.b.c", "\udcff.b.c", "a b.c.d"])
def test_t13_non_tokens_are_401(signer: Signer, token: str) -> None:
    error = rejection(token, signer)
    assert error.status == 401


@pytest.mark.requirement("X1")
def test_x1_recognizes_access_tokens_in_every_disguise(signer: Signer) -> None:
    token = signer.token()
    header, payload, signature = token.split(".")
    other = base64url(encode_members({"alg": "HS256", "kid": "x"}))
    disguises = [
        token,
        token + "=",
        token + ".x",
        "x" + token,
        token[:-20],
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f"{other}.{payload}.{signature}",
        f"x.{payload}",
        payload,
        header,
        f"{header}.@@@.x",
        f"{header}~{payload}",
        signer.token(iss="https://evil.example"),
        signer.token(header={"kid": "x"}),
        signer.token(exp=1),
        signer.token(header={"kid": "x"}, iss=ISSUER + "/"),
        signer.token(header={"kid": "x"}, iss=[ISSUER]),
        signer.token(header={"kid": "x"}, iss="https://evil.example"),  # also meant for this server
        make_unsigned({"alg": "none"}, claims()),
        Signer().token(),
        base64.b64encode(encode_members(claims())).decode(),
    ]
    for disguise in disguises:
        assert looks_like_access_token(disguise, RULES), disguise
    for foreign in (
        "an-opaque-token",
        "a.b.c",
        "eyJ",
        make_unsigned({"alg": "HS256"}, {"sub": "a@b.example"}),
        "x" * 8000,
        "." * 8000,
        "AAAA." * 1600,
    ):
        assert not looks_like_access_token(foreign, RULES), foreign


def test_accepts_a_signature_of_any_listed_key(signer: Signer) -> None:
    second = Signer()
    keys = {b"first": signer.private.public_key(), b"second": second.private.public_key()}
    for by, name in ((signer, b"first"), (second, b"second")):
        assert _signer_of(by.token(), keys) == name
    assert _signer_of(signer.token(), {}) is None


@pytest.mark.parametrize(
    "other", [AccessTokenRules.from_urls(ISSUER + "/x", BASE), AccessTokenRules.from_urls(ISSUER, BASE + "/x")]
)
def test_issuer_and_audience_are_also_checked_with_the_signature(signer: Signer, other: AccessTokenRules) -> None:
    compact = check_access_token(signer.token(), RULES, NOW)
    with pytest.raises(AuthError) as caught:
        find_signing_key(compact, signer.named, other)
    assert (caught.value.status, caught.value.error, caught.value.__cause__) == (401, "invalid_token", None)


@pytest.mark.parametrize("name", ["sub", "customer_context", "jti", "exp"])
def test_required_claims_are_also_checked_with_the_signature(signer: Signer, name: str) -> None:
    """What was checked and what is verified are the same bytes, so a token that changed in between is refused."""
    compact = check_access_token(signer.token(), RULES, NOW)
    with pytest.raises(AuthError):
        find_signing_key(replace(compact, token=signer.token(**without(name))), signer.named, RULES)


def _signer_of(token: str, keys: dict[bytes, ec.EllipticCurvePublicKey]) -> bytes | None:
    return find_signing_key(check_access_token(token, RULES, NOW), keys, RULES)
