"""Random calls of a twin of bonds that are likely to mean something, wrong ones among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from quire.chain.abi import request_id
from quire.chain.bonds import CLAIM_SECONDS, Promise, promise_digest
from quire.chain.values import Address, Ask, Content, SlotId, SlotState, StorageRequest
from quire.kernels.signing import HALF_ORDER, sign_recoverable
from support.bonds_twin import AGGREGATORS, HOSTS, BondsTwin
from support.bonds_world import KEYS
from support.contract_twin import PEOPLE, text, words_of

ORDER = 2 * HALF_ORDER + 1
KEY_OF = dict(zip(AGGREGATORS, KEYS, strict=True))
CLIENT, VALIDATOR = PEOPLE[0], PEOPLE[4]
SLOTS = 3
SUMS = (0, 1, 10, 50, 1000)
MOST = 2**128 - 1


class BondsWalk:
    """`counts`: how often which call succeeded, or was refused with which error."""

    def __init__(self, twin: BondsTwin, random: Random) -> None:
        self.twin = twin
        self.random = random
        self.counts: Counter[str] = Counter()
        self._missed: list[tuple[Address, SlotId, int]] = []  # host, slot, period; newest last
        self._made: list[tuple[Address, Promise, bytes]] = []  # caller and claim
        self._requests = 0

    def steps(self, count: int) -> None:
        deeds = (
            (self.deposit, 3),
            (self.announce, 3),
            (self.withdraw, 3),
            (self.appoint, 5),
            (self.pass_period, 6),
            (self.claim, 12),
            (self.claim_again, 2),
            (self.wait, 1),
        )
        calls, weights = zip(*deeds, strict=True)
        for _ in range(count):
            self.random.choices(calls, weights)[0]()

    # ---- deeds ----

    def deposit(self) -> None:
        amount = MOST if self.random.random() < 0.03 else self.random.choice(SUMS)
        self._count("deposit", self.twin.deposit(self._aggregator(), amount))

    def announce(self) -> None:
        who = self._aggregator()
        has = self.twin.bond(who).amount
        amount = self.random.choice((0, 1, has // 2, has // 2, has, has + 1))
        self._count("announce", self.twin.announce(who, min(amount, MOST)))

    def withdraw(self) -> None:
        leaving = [each for each in AGGREGATORS if self.twin.bond(each).leaving]
        who = self.random.choice(leaving or AGGREGATORS)
        due = self.twin.bond(who).leaves_at
        if due > self.twin.now and self.random.random() < 0.7:
            self._to(due + self.random.choice((-1, 0, 1)))
        self._count("withdraw", self.twin.withdraw(who))

    def appoint(self) -> None:
        self._appoint(self.random.choice(HOSTS), self._aggregator(), self.random.random() < 0.8)

    def pass_period(self) -> None:
        """To the next one; of those before, some proofs are marked as missing."""
        held = self._held() or self._fill()
        terms, market = self.twin.market.terms, self.twin.market
        if self.random.random() < 0.3:
            self._submit(held)
        period = terms.period_of(self.twin.now)
        self._to(terms.period_end(period) + self.random.choice((0, 1, 1, 2)))
        for slot in held:
            host = market.ledger().host(slot)
            if host is None or self.random.random() < 0.3:
                continue
            marked = market.send(
                VALIDATOR,
                "markProofAsMissing",
                (slot, period),
                lambda each, slot=slot: each.mark_missing(slot, period),
            )
            if not marked or self.random.random() < 0.1:
                self._missed.append((host, slot, period))

    def claim(self) -> None:
        """Mostly of a proof that was missed and not claimed yet."""
        random, terms = self.random, self.twin.market.terms
        oldest = terms.period_of(self.twin.now - CLAIM_SECONDS)
        while not self._missed or (self._missed[-1][2] < oldest and random.random() < 0.8):
            self.pass_period()
        host, slot, period = random.choice(self._missed[-4:])
        aggregator = self._aggregator()
        is_allowed = self.twin.market.ledger().delegation(host, aggregator).is_allowed
        if not is_allowed and random.random() < 0.5:
            self._appoint(host, aggregator, True)
        has = self.twin.bond(aggregator).amount
        amount = random.choice((1, 1, 20, has // 4 + 1, has // 2 + 1, has + 1, 2**255))
        promise = Promise(aggregator, host, slot, period, amount)
        if random.random() < 0.1:
            promise = self._changed(promise)
        signed = promise if random.random() < 0.95 else self._changed(promise)
        key = KEY_OF[aggregator if random.random() < 0.97 else self._aggregator()]
        signature = sign_recoverable(key, promise_digest(self.twin.domain, signed))
        if random.random() < 0.05:
            signature = self._spoilt(signature)
        caller = host if random.random() < 0.97 else random.choice(PEOPLE)
        self._made.append((caller, promise, signature))
        end = terms.period_end(period) + CLAIM_SECONDS
        if random.random() < 0.05:
            self._to(end + random.choice((-1, 0)))
        self._count("claim", self.twin.claim(caller, promise, signature))

    def claim_again(self) -> None:
        if self._made:
            self._count("claim", self.twin.claim(*self.random.choice(self._made[-4:])))

    def wait(self) -> None:
        self._to(self.twin.now + self.random.choice((1, 60, CLAIM_SECONDS // 4)))

    # ---- the market ----

    def _held(self) -> list[SlotId]:
        market = self.twin.market
        ledger = market.ledger()
        return [
            slot for slot in market.slots[-SLOTS:] if ledger.slot_state(slot) is SlotState.FILLED
        ]

    def _fill(self) -> list[SlotId]:
        """A new request, its slots at the hosts in turn; the next period begins."""
        market, terms = self.twin.market, self.twin.market.terms
        self._requests += 1
        ask = Ask(1, 1, 100, SLOTS, 8, 20 * 24 * 3600, SLOTS)
        content = Content(bytes(38), self.random.randbytes(32))
        asked = StorageRequest(CLIENT, ask, content, 600, self._requests.to_bytes(32, "big"))
        assert not market.request(CLIENT, asked)
        request = request_id(asked)
        for index, slot in enumerate(market.slots[-SLOTS:]):
            host = HOSTS[index % len(HOSTS)]
            place = (request, index)
            market.send(host, "reserveSlot", place, lambda each, at=place: each.reserve_slot(*at))
            proof = market.right_proof(host, slot, asked, index)
            error = market.send(
                host,
                "fillSlot",
                (*place, words_of(proof)),
                lambda each, at=place, proof=proof: each.fill_slot(*at, proof),
            )
            assert not error
        self._to(terms.period_end(terms.period_of(self.twin.now)))
        return self._held()

    def _submit(self, slots: list[SlotId]) -> None:
        """Some aggregator tries it with one of them."""
        market, slot, caller = self.twin.market, self.random.choice(slots), self._aggregator()
        record = self.twin.state.slots[slot]
        asked = self.twin.state.requests[record.request_id].request
        proof = market.right_proof(record.host or b"", slot, asked, record.slot_index)
        market.send(
            caller,
            "submitProofs",
            ([slot], [words_of(proof)]),
            lambda each: each.submit_proofs([slot], [proof]),
        )

    def _appoint(self, host: Address, delegate: Address, is_allowed: bool) -> None:
        self.twin.market.send(
            host,
            "setProofDelegate",
            (text(delegate), is_allowed),
            lambda each: each.set_proof_delegate(delegate, is_allowed),
        )

    # ---- choices ----

    def _changed(self, promise: Promise) -> Promise:
        random = self.random
        return random.choice(
            (
                replace(promise, amount=0),
                replace(promise, amount=promise.amount + 1),
                replace(promise, period=max(0, promise.period + random.choice((-1, 1)))),
                replace(promise, slot_id=random.choice(self.twin.market.slots)),
                replace(promise, host=random.choice(HOSTS)),
                replace(promise, aggregator=self._aggregator()),
            )
        )

    def _spoilt(self, signature: bytes) -> bytes:
        s = ORDER - int.from_bytes(signature[32:64], "big")
        high = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
        return self.random.choice((high, signature[:64], signature + b"\0", bytes(65)))

    def _aggregator(self) -> Address:
        return self.random.choice(AGGREGATORS)

    def _to(self, timestamp: int) -> None:
        self.twin.market.mine(1, max(1, timestamp - self.twin.now))

    def _count(self, name: str, error: str) -> None:
        self.counts[error or name] += 1
