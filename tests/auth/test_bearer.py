"""The bearer token in Authorization headers: accepted forms, refusals and size."""

from __future__ import annotations

import pytest

from doit_mcp.auth.bearer import read_bearer_token, token_digest
from doit_mcp.auth.errors import AuthError

TOKEN = "abc.DEF-123_~+/"


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER {TOKEN}", f"bEaReR   {TOKEN}"])
def test_h1_scheme_is_case_insensitive(value: str) -> None:
    assert read_bearer_token([value]) == TOKEN


@pytest.mark.requirement("H1")
def test_h1_padding_is_part_of_the_token() -> None:
    assert read_bearer_token([f"Bearer {TOKEN}=="]) == TOKEN + "=="


@pytest.mark.requirement("H1")
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        TOKEN,
        f" Bearer {TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer\t{TOKEN}",
        f"Bearer{TOKEN}",
        f"Basic {TOKEN}",
        f"Token {TOKEN}",
        f"Bearer: {TOKEN}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer {TOKEN} x=1",
        f"Bearer {TOKEN},x",
        f"Bearer token={TOKEN}",
        f'Bearer "{TOKEN}"',
        "Bearer é",
        "Bearer \udcff",
        "Bearer a=b",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN}\r\nX: y",
        "Bearer \x00",
        "Bearer =",
        f"DPoP {TOKEN}",
        "ＢＥＡＲＥＲ abc",
        f"Bearer Bearer {TOKEN}",
        "ſearer abc",
    ],
    ids=repr,
)
def test_h1_rejects_every_other_credential_form(value: str) -> None:
    with pytest.raises(AuthError) as caught:
        read_bearer_token([value])
    assert (caught.value.status, caught.value.error) == (401, "invalid_token")
    assert TOKEN not in caught.value.description


@pytest.mark.requirement("H2")
def test_h2_missing_header_means_no_credential() -> None:
    """The authenticator receives only Authorization headers, so nothing else can be a credential."""
    with pytest.raises(AuthError) as caught:
        read_bearer_token([])
    assert (caught.value.status, caught.value.error) == (401, "invalid_token")


@pytest.mark.requirement("H3")
@pytest.mark.parametrize("second", [f"Bearer {TOKEN}", "Bearer other", "", "Basic x"])
def test_h3_two_headers_are_rejected_even_if_equal(second: str) -> None:
    for values in ([f"Bearer {TOKEN}", second], [second, f"Bearer {TOKEN}"]):
        with pytest.raises(AuthError) as caught:
            read_bearer_token(values)
        assert (caught.value.status, caught.value.error) == (400, "invalid_request")


@pytest.mark.requirement("H9")
@pytest.mark.parametrize("size", [8_193, 8_250, 100_000, 10_000_000])
def test_h9_oversized_token_is_rejected_before_processing(size: int) -> None:
    with pytest.raises(AuthError) as caught:
        read_bearer_token(["Bearer " + "x" * size])
    assert caught.value.status == 401
    assert read_bearer_token(["Bearer " + "x" * 8_192])


@pytest.mark.requirement("H9")
@pytest.mark.parametrize("separator", [".", "~", ".~"])
def test_h9_token_of_a_thousand_segments_is_rejected(separator: str) -> None:
    with pytest.raises(AuthError) as caught:
        read_bearer_token(["Bearer " + separator.join(["eyJhIjoxfQ"] * 33)])
    assert caught.value.status == 401
    assert read_bearer_token(["Bearer " + ".".join("x" * 32)])


def test_tokens_are_cached_by_their_full_hash() -> None:
    assert len(token_digest(TOKEN)) == 32 and token_digest(TOKEN) != token_digest(TOKEN + "=")
