"""Both sides of a pair, whatever is lost: nobody pays twice or risks more than is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.base.units import MIB
from quire.channels.owing import STEP_BYTES, Owing
from quire.channels.tab import CREDIT_BYTES, DOUBT_BYTES, Admitted, Tab, cost

PRICE = 997  # of a MiB: nothing comes out even
FREE = MIB
MOST = MIB // 2  # of one request


class Pair:
    """A seller with the account of its payer, a buyer, and what is on its way between them."""

    def __init__(self) -> None:
        self.tab, self.owing = Tab(), Owing()
        self.billed = self.received = 0  # the payer's account at the seller
        self.voucher = 0  # the highest sum that was signed; it may not have come
        self.admitted: list[Admitted] = []
        self.on_its_way: list[int] = []  # charged bytes of replies

    def ask(self, size: int) -> None:
        answer = self.tab.admit(size, PRICE, FREE, self.billed - self.received)
        if isinstance(answer, Admitted):
            self.admitted.append(answer)

    def serve(self) -> None:
        if self.admitted:
            self.on_its_way.append(self.tab.serve(self.admitted.pop(0), FREE))

    def come(self) -> None:
        if self.on_its_way:
            self.owing.came(self.on_its_way.pop(0), PRICE)

    def breaks(self) -> None:
        for each in self.admitted:
            self.tab.drop(each)
        self.admitted, self.on_its_way = [], []
        self.tab.line_broke(PRICE)

    def pay(self, is_ahead: bool) -> None:
        amount = max(self.owing.owes, 0)
        if is_ahead:
            greedy = cost(10 * STEP_BYTES, PRICE)  # whatever the seller asks for
            amount = max(amount, self.owing.may_promise(greedy, PRICE))
        if amount:
            self.owing.promise(amount, 1)
            self.voucher += amount

    def hand_over(self, sum_sent: int) -> None:
        """Vouchers may be lost, repeated and come in any order: the highest counts."""
        self.received = max(self.received, min(sum_sent, self.voucher))

    def bill(self) -> None:
        if self.billed < self.received:
            self.billed += self.tab.paid(self.billed - self.received)

    def check(self) -> None:
        owing, tab = self.owing, self.tab
        assert self.received <= self.voucher == owing.promised
        assert owing.promised <= cost(owing.bought_bytes, PRICE) + cost(STEP_BYTES, PRICE)
        assert owing.bought_bytes <= tab.charged_bytes
        value = cost(tab.charged_bytes, PRICE)
        risk = cost(CREDIT_BYTES, PRICE) + cost(DOUBT_BYTES, PRICE) + 1
        assert value - self.received <= risk
        assert self.billed <= value
        assert tab.given_bytes - tab.charged_bytes <= FREE


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, MOST)),
        st.tuples(st.sampled_from(["serve", "come", "pay", "ahead", "bill", "break"]), st.just(0)),
        st.tuples(st.just("voucher"), st.integers(0, 20_000)),
    ),
    max_size=120,
)


@given(STEPS)
def test_nobody_risks_more_than_is_said(steps: list[tuple[str, int]]) -> None:
    pair = Pair()
    for what, number in steps:
        match what:
            case "ask":
                pair.ask(number)
            case "serve":
                pair.serve()
            case "come":
                pair.come()
            case "pay" | "ahead":
                pair.pay(what == "ahead")
            case "voucher":
                pair.hand_over(number)
            case "bill":
                pair.bill()
            case "break":
                pair.breaks()
        pair.check()


@given(STEPS)
def test_in_the_end_what_came_is_what_is_paid(steps: list[tuple[str, int]]) -> None:
    """When the last voucher has come, both sides have the same sum, but for what was ahead."""
    pair = Pair()
    for what, number in [*steps, *[("serve", 0), ("come", 0)] * 120]:
        if what == "ask":
            pair.ask(number)
        elif what == "serve":
            pair.serve()
        elif what == "come":
            pair.come()
        elif what == "pay":
            pair.pay(False)
        elif what == "bill":
            pair.bill()
    pair.pay(False)
    pair.hand_over(pair.voucher)
    pair.bill()
    assert pair.owing.bought_bytes == pair.tab.charged_bytes
    assert pair.billed == pair.received == cost(pair.tab.charged_bytes, PRICE)
