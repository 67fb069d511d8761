"""The circuit breaker: what opens it, how it probes, and what it never does."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from doit_mcp.resilience.circuit_breaker import (
    FEW_CALLERS_THRESHOLD,
    MAX_FAILED_PROBERS,
    MAX_OPEN_SECONDS,
    MIN_OPEN_SECONDS,
    PROBE_TIMEOUT_SECONDS,
    CircuitBreaker,
    CircuitOpen,
)
from doit_mcp.resilience.outcome_counts import HALF_WINDOW_SECONDS, MAX_COUNTED_CALLERS, MIN_CALLERS, MIN_OUTCOMES
from doit_mcp.resilience.requester import Requester

pytestmark = pytest.mark.requirement("F8")

LONGEST = MAX_OPEN_SECONDS * 1.2


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("api", clock=clock, random_fraction=lambda: 0.5)


def user_of(number: int) -> Requester:
    """A user of a separate customer."""
    return Requester(number, 1000 + number)


def send(breaker: CircuitBreaker, requester: Requester, operation: str = "operation") -> None:
    """Record a request that fails."""
    breaker.record_failure(breaker.enter(requester), requester, operation)


def fail(breaker: CircuitBreaker, times: int, *, callers: int = MIN_CALLERS, operations: int = 2) -> None:
    """Record consecutive failures of several callers with several operations."""
    for number in range(times):
        send(breaker, user_of(number % callers), f"operation {number % operations}")


def succeed(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.record_success(breaker.enter(user_of(99)))


def retry_after(breaker: CircuitBreaker, requester: Requester | None = None) -> float:
    with pytest.raises(CircuitOpen) as caught:
        breaker.enter(requester or user_of(99))
    return caught.value.retry_after


def open_circuit(breaker: CircuitBreaker) -> None:
    fail(breaker, MIN_OUTCOMES)
    assert breaker.state == "open"


def test_repeated_failures_open_the_circuit_and_report_the_delay(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, MIN_OUTCOMES - 1)
    assert breaker.state == "closed" and breaker.retry_after == 0
    fail(breaker, 1)
    assert breaker.state == "open" and retry_after(breaker) == breaker.retry_after == MIN_OPEN_SECONDS
    clock.now += 3
    assert retry_after(breaker) == MIN_OPEN_SECONDS - 3


def test_few_failures_among_many_successes_do_not_open_it(breaker: CircuitBreaker) -> None:
    succeed(breaker, 3 * MIN_OUTCOMES)
    fail(breaker, 2 * MIN_OUTCOMES)
    assert breaker.state == "closed"
    fail(breaker, MIN_OUTCOMES)
    assert breaker.state == "open"


def test_failures_do_not_count_for_longer_because_of_a_later_outcome(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, MIN_OUTCOMES - 1)
    clock.now += 2 * HALF_WINDOW_SECONDS - 1
    succeed(breaker)
    clock.now += 1
    # With the success, one outcome is missing.
    fail(breaker, MIN_OUTCOMES - 2)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"


@pytest.mark.parametrize("wait", [0.0, HALF_WINDOW_SECONDS - 1])
def test_old_failures_do_not_count(breaker: CircuitBreaker, clock: Clock, wait: float) -> None:
    fail(breaker, MIN_OUTCOMES - 1)
    clock.now += wait
    succeed(breaker)
    clock.now += 2 * HALF_WINDOW_SECONDS
    fail(breaker, MIN_OUTCOMES - 1)
    assert breaker.state == "closed"


def test_window_slides(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, MIN_OUTCOMES - 1)
    clock.now += HALF_WINDOW_SECONDS + 1
    fail(breaker, 1)
    assert breaker.state == "open"


def test_callers_and_operations_are_counted_separately(breaker: CircuitBreaker, clock: Clock) -> None:
    for number in range(MIN_OUTCOMES):
        clock.now += HALF_WINDOW_SECONDS * 1.5 if number == MIN_OUTCOMES // 2 else 0.0
        late = number >= MIN_OUTCOMES // 2
        send(breaker, user_of(number % 2 + late), str(late))
    assert breaker.state == "open"


@pytest.mark.parametrize(("callers", "operations"), [(1, 1), (1, 9), (9, 1)])
def test_one_caller_or_operation_does_not_open_it_for_others(
    breaker: CircuitBreaker, callers: int, operations: int
) -> None:
    fail(breaker, FEW_CALLERS_THRESHOLD - 1, callers=callers, operations=operations)
    succeed(breaker)
    fail(breaker, 10 * FEW_CALLERS_THRESHOLD, callers=callers, operations=operations)
    assert breaker.state == "closed"


def test_single_caller_opens_it_late(breaker: CircuitBreaker) -> None:
    fail(breaker, FEW_CALLERS_THRESHOLD - 1, callers=1)
    assert breaker.state == "closed"
    fail(breaker, 1, callers=1)
    assert breaker.state == "open"


def test_only_operation_of_an_upstream_is_not_counted_separately(clock: Clock) -> None:
    breaker = CircuitBreaker("identity", single_operation=True, clock=clock)
    fail(breaker, MIN_OUTCOMES, operations=1)
    assert breaker.state == "open"


def test_connection_failures_belong_to_no_caller(breaker: CircuitBreaker) -> None:
    for _ in range(MIN_OUTCOMES):
        breaker.record_failure(breaker.enter(user_of(99)), None)
    assert breaker.state == "open"


def test_few_connection_failures_do_not_make_it_global(breaker: CircuitBreaker) -> None:
    breaker.record_failure(breaker.enter(user_of(99)), None)
    succeed(breaker)
    fail(breaker, FEW_CALLERS_THRESHOLD, callers=1)
    assert breaker.state == "closed"


def test_one_probe_succeeds_and_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    open_circuit(breaker)
    clock.now += MIN_OPEN_SECONDS
    assert breaker.state == "half-open"
    probe = breaker.enter(user_of(99))
    assert retry_after(breaker) == PROBE_TIMEOUT_SECONDS
    breaker.record_success(probe)
    assert breaker.state == "closed"
    fail(breaker, MIN_OUTCOMES - 1)
    assert breaker.state == "closed"


def test_failed_probe_extends_the_delay_up_to_a_limit(breaker: CircuitBreaker, clock: Clock) -> None:
    open_circuit(breaker)
    rests = []
    for _ in range(1100):
        clock.now += breaker.retry_after
        send(breaker, user_of(1))
        rests.append(breaker.retry_after)
    assert rests[:3] == [10, 20, 20] and set(rests[3:]) == {MAX_OPEN_SECONDS}
    clock.now += breaker.retry_after
    succeed(breaker)
    open_circuit(breaker)
    assert breaker.retry_after == MIN_OPEN_SECONDS


def test_abandoned_probe_allows_the_next(breaker: CircuitBreaker, clock: Clock) -> None:
    open_circuit(breaker)
    clock.now += MIN_OPEN_SECONDS
    breaker.record_no_outcome(breaker.enter(user_of(99)))
    succeed(breaker)
    assert breaker.state == "closed"


def test_hanging_probe_delays_the_next_briefly(breaker: CircuitBreaker, clock: Clock) -> None:
    open_circuit(breaker)
    clock.now += MIN_OPEN_SECONDS
    slow = breaker.enter(user_of(99))
    clock.now += PROBE_TIMEOUT_SECONDS
    second = breaker.enter(user_of(99))
    retry_after(breaker)
    breaker.record_success(slow)
    assert breaker.state == "closed"
    breaker.record_failure(second, user_of(1))
    breaker.record_no_outcome(second)
    assert breaker.state == "closed"


def test_request_sent_before_opening_records_nothing(breaker: CircuitBreaker, clock: Clock) -> None:
    early = breaker.enter(user_of(99))
    open_circuit(breaker)
    clock.now += MIN_OPEN_SECONDS
    for _ in range(3):
        breaker.record_failure(early, user_of(1))
        breaker.record_success(early)
        breaker.record_no_outcome(early)
    assert breaker.state == "half-open"


@pytest.mark.requirement("N17")
def test_n17_user_with_many_tokens_and_customers_counts_once(breaker: CircuitBreaker) -> None:
    for number in range(10 * FEW_CALLERS_THRESHOLD):
        if breaker.state == "closed":
            send(breaker, Requester(1, number % 9), f"operation {number % 5}")
    # Without a single success the circuit is open, but only for that user.
    assert (
        retry_after(breaker, Requester(1, 99))
        == breaker.retry_after
        == breaker.retry_after_for(Requester(1, 5))
        == MIN_OPEN_SECONDS
    )
    assert breaker.retry_after_for(user_of(2)) == 0
    breaker.record_success(breaker.enter(user_of(2)))
    assert breaker.state == "closed" and breaker.enter(Requester(1, 1))


@pytest.mark.requirement("N17")
def test_n17_many_users_of_two_customers_open_it_for_those_customers(breaker: CircuitBreaker) -> None:
    for number in range(FEW_CALLERS_THRESHOLD):
        send(breaker, Requester(number, 1000 + number % 2), f"operation {number % 5}")
    assert breaker.state == "open"
    assert retry_after(breaker, Requester(99, 1000)) and breaker.retry_after_for(Requester(1, 1002)) == 0


@pytest.mark.requirement("N17")
def test_n17_several_users_of_several_customers_open_it_for_all(breaker: CircuitBreaker) -> None:
    fail(breaker, MIN_OUTCOMES - 1)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert retry_after(breaker, user_of(99)) == MIN_OPEN_SECONDS


@pytest.mark.requirement("N17")
def test_n17_outage_first_seen_by_few_opens_it_for_all(breaker: CircuitBreaker) -> None:
    fail(breaker, FEW_CALLERS_THRESHOLD, callers=1)
    assert retry_after(breaker, user_of(0))
    # One failure of each could be coincidence.
    for number in (1, 2, 1, 2):
        send(breaker, user_of(number), f"operation {number}")
        assert breaker.retry_after_for(user_of(99)) == 0
    for number in (1, 2):
        send(breaker, user_of(number), f"operation {number}")
    assert retry_after(breaker, user_of(99)) == MIN_OPEN_SECONDS


@pytest.mark.requirement("N17")
@pytest.mark.parametrize("successes", [0, 10])
@pytest.mark.parametrize("operations", [1, 5])
@pytest.mark.parametrize("one", ["person", "customer"])
def test_n17_one_constant_and_two_single_failures_do_not_open_it(
    breaker: CircuitBreaker, one: str, operations: int, successes: int
) -> None:
    """The failures of one user, or of one customer's users, count for at most a third of what opens the circuit."""
    succeed(breaker, successes)
    for number in (1, 2):
        send(breaker, user_of(number), "unlucky" if operations > 1 else "operation 0")
    for number in range(10 * FEW_CALLERS_THRESHOLD):
        failing = Requester(3, number) if one == "person" else Requester(100 + number, 3)
        send(breaker, failing, f"operation {number % operations}")
        assert breaker.state == "closed" and breaker.retry_after_for(user_of(99)) == 0


@pytest.mark.requirement("N17")
def test_n17_two_constant_and_one_single_failure_do_not_open_it(breaker: CircuitBreaker) -> None:
    send(breaker, user_of(2), "unlucky")
    fail(breaker, 10 * FEW_CALLERS_THRESHOLD, callers=2)
    assert breaker.state == "closed" and breaker.enter(user_of(99)) == 0


@pytest.mark.requirement("N17")
def test_n17_failed_probe_of_a_failing_user_does_not_extend_it_for_others(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    open_circuit(breaker)
    clock.now += MIN_OPEN_SECONDS
    for _ in range(4):
        send(breaker, user_of(0))
        assert breaker.retry_after_for(user_of(0)) == breaker.retry_after >= 2 * MIN_OPEN_SECONDS
        assert breaker.retry_after_for(user_of(7)) == MIN_OPEN_SECONDS
        clock.now += breaker.retry_after
    send(breaker, user_of(0))
    clock.now += MIN_OPEN_SECONDS
    assert retry_after(breaker, user_of(0))
    breaker.record_success(breaker.enter(user_of(7)))
    assert breaker.state == "closed" and breaker.enter(user_of(0))


@pytest.mark.requirement("N17")
def test_n17_memory_is_bounded(breaker: CircuitBreaker, clock: Clock) -> None:
    for number in range(1000):
        breaker.record_failure(0, user_of(number), f"operation {number}")
    for number in range(1000):
        clock.now += LONGEST
        send(breaker, user_of(number))
    assert len(breaker._probers) == MAX_FAILED_PROBERS
    tallies = [
        getattr(tally, name)
        for tally in (breaker._previous_counts, breaker._current_counts)
        for name in tally.__slots__
    ]
    assert all(len(callers) <= MIN_CALLERS for callers in tallies if isinstance(callers, set))
    assert all(len(callers) <= MAX_COUNTED_CALLERS for callers in tallies if isinstance(callers, dict))


class Machine(RuleBasedStateMachine):
    """A model-based test: requests, outcomes and times in any order, compared with a record of them."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.chance = 0.5
        self.breaker = CircuitBreaker("api", clock=self.clock, random_fraction=lambda: self.chance)
        self.flying: list[int] = []
        self.probes: dict[int, float] = {}
        self.bad: list[tuple[float, Requester | None]] = []

    @rule(seconds=st.floats(0, 60), chance=st.floats(0, 1))
    def time_passes(self, seconds: float, chance: float) -> None:
        self.clock.now += seconds
        self.chance = chance

    @rule(caller=st.sampled_from([*map(user_of, range(4))]))
    def request_is_sent(self, caller: Requester) -> None:
        state, rest = self.breaker.state, self.breaker.retry_after_for(caller)
        try:
            ticket = self.breaker.enter(caller)
        except CircuitOpen as shut:
            assert state != "closed" and 0 < shut.retry_after == rest
        else:
            assert rest == 0
            self.flying.append(ticket)
            if self.breaker.retry_after_for(caller):
                # Adding and subtracting times may change the last digit.
                assert state != "closed" and 0 < self.breaker.retry_after <= PROBE_TIMEOUT_SECONDS + 1e-9

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), caller=st.sampled_from([None, *map(user_of, range(4))]), burst=st.integers(1, 40))
    def request_fails(self, data: st.DataObject, caller: Requester | None, burst: int) -> None:
        ticket = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        state = self.breaker.state
        for number in range(burst):
            # A retried request counts once per attempt; a burst is that many requests sent together.
            self.bad.append((self.clock.now, caller))
            self.breaker.record_failure(ticket, caller, f"operation {number % 2}")
        if state == "closed" and self.breaker.state != "closed":
            callers = [caller for when, caller in self.bad if when >= self.clock.now - 2 * HALF_WINDOW_SECONDS]
            assert 2 * len(callers) >= MIN_OUTCOMES
            assert len(set(callers)) >= MIN_CALLERS or None in callers or len(callers) >= FEW_CALLERS_THRESHOLD

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), burst=st.integers(1, 40))
    def request_succeeds(self, data: st.DataObject, burst: int) -> None:
        ticket = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        for _ in range(burst):
            self.breaker.record_success(ticket)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def request_is_canceled(self, data: st.DataObject) -> None:
        ticket = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.breaker.record_no_outcome(ticket)

    @rule()
    def the_upstream_recovers(self) -> None:
        """Whatever happened and whichever request hangs, a request can soon be sent, and one success closes the
        circuit."""
        assert self.breaker.retry_after <= LONGEST
        self.clock.now += self.breaker.retry_after
        succeed(self.breaker)
        assert self.breaker.state == "closed"

    @invariant()
    def circuit_recovers(self) -> None:
        rest = self.breaker.retry_after
        assert 0 <= rest <= LONGEST
        assert all(self.breaker.retry_after_for(user_of(number)) <= rest for number in range(100))
        assert (self.breaker.state == "closed") <= (rest == 0)
        assert (self.breaker.state == "open") <= (rest > 0)


TestMachine = Machine.TestCase
