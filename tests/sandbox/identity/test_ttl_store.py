"""The provider's bounded store: limits and lifetimes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.identity.codes import AuthorizationCodes
from doit_mcp.sandbox.identity.ttl_store import TtlStore, hash_secret

from ..conftest import Clock

LIMIT = 3


@given(
    st.lists(
        st.tuples(st.just("put"), st.sampled_from("abcdef"), st.integers(1, 20))
        | st.tuples(st.sampled_from(["pop", "swap"]), st.sampled_from("abcdef"), st.just(0))
        | st.tuples(st.just("wait"), st.just(""), st.integers(1, 15)),
        max_size=60,
    )
)
def test_store_matches_a_simple_model(steps: list[tuple[str, str, int]]) -> None:
    clock = Clock()
    store: TtlStore[int] = TtlStore(LIMIT, clock)
    # A simple model: key, expiry and value, oldest first.
    model: list[tuple[str, float, int]] = []
    for number, (step, key, amount) in enumerate(steps):
        model = [item for item in model if item[1] > clock.now]
        if step == "put":
            store.put(key, number, amount)
            model = [item for item in model if item[0] != key][-(LIMIT - 1) :] + [(key, clock.now + amount, number)]
        elif step == "pop":
            assert store.pop(key) == next((value for name, _, value in model if name == key), None)
            model = [item for item in model if item[0] != key]
        elif step == "swap":
            store.replace(key, -number)
            model = [(name, end, -number if name == key else value) for name, end, value in model]
        else:
            clock.advance(amount)
        expected = {name: value for name, end, value in model if end > clock.now}
        assert {name: store.get(name) for name in "abcdef"} == {name: expected.get(name) for name in "abcdef"}


def test_expired_entries_are_evicted_first() -> None:
    clock = Clock()
    store: TtlStore[str] = TtlStore(2, clock)
    store.put("long", "long", 100)
    store.put("short", "short", 1)
    clock.advance(2)
    store.put("new", "new", 100)
    assert (store.get("long"), store.get("short"), store.get("new")) == ("long", None, "new")


def test_any_secret_has_a_digest() -> None:
    assert len({hash_secret(text) for text in ("", "a", "\udcff", "\u00fc")}) == 4


def test_unknown_code_cannot_be_redeemed() -> None:
    ended: list[str] = []
    AuthorizationCodes(Clock(), ended.append).mark_used("unknown", "flow")
    assert ended == []
