"""What is free, what is charged, and how far a peer may be behind with paying."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.base.units import MIB
from quire.channels.tab import CREDIT_BYTES, DOUBT_BYTES, Admitted, Tab, cost

FREE = 64 * MIB
PRICE = 1000  # of a MiB
PIECE = MIB // 4


def serve(tab: Tab, size_bytes: int, due: int | None = None, price: int = PRICE) -> int:
    """Ask for so much in pieces until it is refused; bytes that were charged."""
    charged = 0
    for _ in range(size_bytes // PIECE):
        request = tab.admit(PIECE, price, FREE, due)
        if not isinstance(request, Admitted):
            raise AssertionError(f"{request} tokens are asked for")
        charged += tab.serve(request, FREE)
    return charged


def test_a_peer_without_money_starts_on_the_free_tier_and_is_then_asked_for_one_piece() -> None:
    tab = Tab()
    assert serve(tab, FREE) == 0
    assert tab.free_left(FREE) == 0
    assert tab.admit(PIECE, PRICE, FREE, None) == cost(PIECE, PRICE)


def test_the_allowance_comes_back_with_the_next_day_and_is_a_gift_then() -> None:
    tab = Tab()
    tab.on_day(1)
    serve(tab, FREE)
    tab.on_day(2)
    assert serve(tab, FREE) == 0
    assert tab.given_bytes == 2 * FREE


def test_a_peer_that_gives_as_much_as_it_takes_never_pays() -> None:
    tab = Tab()
    tab.on_day(1)
    for _ in range(40):
        assert serve(tab, 32 * MIB) == 0
        tab.took(32 * MIB)
    assert (tab.billed, tab.charged_bytes) == (0, 0)


def test_credit_of_the_balance_outlasts_the_day() -> None:
    tab = Tab()
    tab.on_day(1)
    tab.took(100 * MIB)
    tab.on_day(2)
    assert tab.free_left(FREE) == 164 * MIB
    assert serve(tab, 164 * MIB) == 0


def test_what_straddles_the_allowance_is_charged_to_the_byte() -> None:
    tab = Tab(ahead_bytes=FREE - 1000)
    request = tab.admit(PIECE, PRICE, FREE, 0)
    assert isinstance(request, Admitted)
    assert tab.serve(request, FREE) == PIECE - 1000
    assert tab.parts == (PIECE - 1000) * PRICE


def test_a_known_payer_is_served_one_credit_and_not_a_byte_more() -> None:
    tab = Tab(ahead_bytes=FREE)
    assert serve(tab, CREDIT_BYTES, due=0) == CREDIT_BYTES
    assert tab.admit(PIECE, PRICE, FREE, 0) == cost(PIECE, PRICE)


def test_requests_under_way_count_against_the_credit() -> None:
    tab = Tab(ahead_bytes=FREE)
    under_way = [tab.admit(PIECE, PRICE, FREE, 0) for _ in range(4)]
    assert all(isinstance(each, Admitted) for each in under_way)
    assert tab.admit(PIECE, PRICE, FREE, 0) == 250
    first = under_way[0]
    assert isinstance(first, Admitted)
    tab.drop(first)
    assert isinstance(tab.admit(PIECE, PRICE, FREE, 0), Admitted)


def test_what_is_promised_ahead_is_served_besides_the_credit() -> None:
    tab = Tab(ahead_bytes=FREE)
    assert serve(tab, 3 * MIB, due=-2 * PRICE) == 3 * MIB
    assert tab.admit(PIECE, PRICE, FREE, -2 * PRICE) == 250


def test_a_payment_bills_what_was_served_and_nothing_twice() -> None:
    tab = Tab(ahead_bytes=FREE)
    serve(tab, MIB, due=0)
    assert tab.paid(-PRICE) == PRICE
    assert tab.paid(0) == 0
    assert (tab.billed, tab.owed(0)) == (PRICE, 0)


def test_a_reply_that_never_left_is_not_charged() -> None:
    tab = Tab(ahead_bytes=FREE - 1000)
    request = tab.admit(PIECE, PRICE, FREE, 0)
    assert isinstance(request, Admitted)
    tab.serve(request, FREE)
    tab.take_back(request)
    assert tab == Tab(ahead_bytes=FREE - 1000)


def test_what_a_broken_line_may_have_lost_is_not_asked_for_until_it_is_paid() -> None:
    tab = Tab(ahead_bytes=FREE)
    serve(tab, MIB, due=0)
    tab.line_broke(PRICE)
    assert tab.owed(0) == 0
    assert tab.paid(-600) == 600  # it says that it had more than half of it
    assert tab.paid(-400 - 300) == 400  # and then the rest, and 300 ahead
    assert (tab.billed, tab.doubtful_parts) == (PRICE, 0)


def test_breaking_lines_again_and_again_is_no_way_to_have_it_free() -> None:
    tab = Tab(ahead_bytes=FREE)
    had = 0
    for _ in range(100):
        request = tab.admit(MIB, PRICE, FREE, 0)
        if isinstance(request, Admitted):
            had += tab.serve(request, FREE)
            tab.line_broke(PRICE)
    assert had == DOUBT_BYTES + CREDIT_BYTES


def test_the_price_of_a_request_is_that_of_its_admission() -> None:
    tab = Tab(ahead_bytes=FREE)
    cheap = tab.admit(PIECE, 1000, FREE, -10_000)
    dear = tab.admit(PIECE, 3000, FREE, -10_000)
    assert isinstance(cheap, Admitted)
    assert isinstance(dear, Admitted)
    tab.serve(dear, FREE)
    tab.serve(cheap, FREE)
    assert tab.owed(0) == 1000


def test_small_bytes_are_rounded_once_in_the_sum() -> None:
    tab = Tab(ahead_bytes=FREE)
    for _ in range(1024):
        request = tab.admit(1024, 1, FREE, -10)
        assert isinstance(request, Admitted)
        tab.serve(request, FREE)
    assert tab.owed(0) == 1


def test_a_price_of_nothing_charges_nothing() -> None:
    tab = Tab()
    assert serve(tab, 4 * FREE, price=0) == 0
    assert tab.given_bytes == 4 * FREE


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "serve", "drop", "lose", "took", "pay", "break", "day"]),
        st.integers(1, 3 * MIB),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_the_credit_is_never_exceeded_and_every_bill_was_served(
    steps: list[tuple[str, int]],
) -> None:
    tab, received, is_known, day = Tab(), 0, False, 0
    pending: list[Admitted] = []
    sent: list[Admitted] = []
    served_parts = 0
    for what, amount in steps:
        due = tab.billed - received if is_known else None
        if what == "ask":
            request = tab.admit(amount, PRICE, 2 * MIB, due)
            if isinstance(request, Admitted):
                pending.append(request)
            else:
                assert request > 0
        elif what == "serve" and pending:
            sent.append(pending.pop(0))
            tab.serve(sent[-1], 2 * MIB)
            served_parts += sent[-1].charged * PRICE
        elif what == "lose" and sent and sent[-1].charged * PRICE <= tab.parts - tab.billed * MIB:
            tab.take_back(sent[-1])
            served_parts -= sent.pop().charged * PRICE
        elif what == "drop" and pending:
            tab.drop(pending.pop())
        elif what == "took":
            tab.took(amount)
        elif what == "pay":
            received, is_known = received + amount // 1000, True
            tab.paid(tab.billed - received)
        elif what == "break":
            tab.line_broke(PRICE)
            if sent and sent[-1].charged * PRICE <= tab.doubtful_parts and amount % 2:
                tab.take_back(sent[-1])  # what was being sent is known later
                served_parts -= sent.pop().charged * PRICE
        elif what == "day":
            day += 1
            tab.on_day(day)
        assert tab.parts + tab.doubtful_parts == served_parts
        assert tab.billed * MIB <= served_parts + MIB
        assert tab.doubtful_parts >= 0
        assert tab.unbilled >= 0
        if not pending:
            assert (tab.pending_bytes, tab.pending_parts) == (0, 0)
