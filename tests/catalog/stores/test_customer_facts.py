"""Facts about customers: bounds, lifetime and separation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.stores.customer_facts import CustomerFacts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_facts_are_kept_until_they_are_too_old() -> None:
    clock = Clock()
    facts = CustomerFacts(clock, ttl=10.0).for_customer("ann", "acme")
    assert facts.get("currency") is None
    facts.put("currency", "EUR")
    facts.put("names", {"1": "one"})
    clock.now = 9.9
    assert facts.get("currency") == "EUR" and facts.get("names") == {"1": "one"}
    facts.put("currency", "USD")
    clock.now = 10.0
    assert facts.get("names") is None and facts.get("currency") == "USD"


def test_owners_and_customers_never_share_facts() -> None:
    store = CustomerFacts()
    store.for_customer("ann", "acme").put("currency", "EUR")
    for owner, customer in (("bob", "acme"), ("ann", "globex"), ("ann", None), ("bob", None), ("annacme", "")):
        assert store.for_customer(owner, customer).get("currency") is None
    assert store.for_customer("ann", "acme").get("currency") == "EUR"


def test_the_oldest_facts_are_forgotten_first() -> None:
    store = CustomerFacts(per_customer=2, total=3)
    ann, bob = store.for_customer("ann", ""), store.for_customer("bob", "")
    bob.put("a", 0)
    for name in ("a", "b", "c"):
        ann.put(name, name)
    assert [ann.get(name) for name in ("a", "b", "c")] == [None, "b", "c"] and bob.get("a") == 0
    store.for_customer("cyd", "").put("a", 1)
    assert bob.get("a") is None and ann.get("c") == "c"


def test_large_facts_are_not_remembered() -> None:
    store = CustomerFacts(max_fact_bytes=10, total_bytes=25)
    facts = store.for_customer("ann", "")
    facts.put("a", "x")
    facts.put("a", "x" * 20)
    assert facts.get("a") is None
    facts.put("large", "x" * 18, max_bytes=20)
    assert facts.get("large") == "x" * 18
    facts.put("large", "x" * 19, max_bytes=20)
    assert facts.get("large") is None
    for name in ("a", "b", "c", "d"):
        facts.put(name, "12345678")
    assert [facts.get(name) for name in ("a", "b", "c", "d")] == [None, None, "12345678", "12345678"]


@given(
    puts=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from("123"), st.text(max_size=12)),
        max_size=40,
    )
)
def test_what_is_remembered_is_the_last_value_within_the_bounds(puts: list[tuple[str, str, str, str]]) -> None:
    store = CustomerFacts(per_customer=2, total=5, total_bytes=60)
    latest: dict[tuple[str, str, str], str] = {}
    for owner, customer, name, value in puts:
        store.for_customer(owner, customer).put(name, value)
        latest[owner, customer, name] = value
    remembered = {key: store.for_customer(key[0], key[1]).get(key[2]) for key in latest}
    assert all(value in (None, latest[key]) for key, value in remembered.items())
    kept = [key for key, value in remembered.items() if value is not None]
    assert len(kept) <= 5 and all(sum(key[:2] == pair[:2] for key in kept) <= 2 for pair in kept)
