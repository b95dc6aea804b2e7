"""One random step of a twin: a call that is likely to mean something, or time that passes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from quire.chain.values import Ask, Content, StorageRequest
from support.contract_kit import Setup
from support.contract_twin import Twin, text
from support.walk_hosts import MOST_SLOTS, HostDeeds

DISP = b"DISP"


def a_setup(random: Random) -> tuple[Setup, int]:
    """A configuration, and how many public inputs its verifier takes."""
    pick = random.choice
    is_spread = random.random() < 0.5
    setup = Setup(
        repair_reward=pick((0, 10, 33)),
        max_slashes=pick((1, 2, 3)),
        slash=pick((0, 10, 20, 33)),
        validator_reward=pick((0, 20, 67, 100)),
        period=pick((10, 10, 30)),
        timeout=pick((5, 15, 40)),
        downtime=pick((0, 16, 64, 200)),
        downtime_product=pick((1, 67, 97)),
        max_reservations=pick((1, 2, 3)),
        h_bps=pick((1, 500, 5000, 9999)) if is_spread else 0,
        tail_bps=pick((0, 500, 3333)),
        ttl=pick((0, 20, 100)),
        min_age=pick((0, 4)),
        require_registration=is_spread and random.random() < 0.3,
        repair_window=pick((0, 60, 200)),
        threshold=pick((0, 1, 2, 3, 3)),
        max_delay=pick((0, 30, 60)),
        min_margin=pick((0, 1)),
        deposit=pick((0, 1000)),
    )
    given = setup.max_slashes * setup.slash * setup.validator_reward
    if setup.repair_reward * 100 + given > 100 * 100:
        setup = setup.but(validator_reward=20)
    return setup, pick((3, 4))


class Walk(HostDeeds):
    """Random calls, most of them about the newest requests; wrong ones among them."""

    def __init__(self, twin: Twin, random: Random) -> None:
        super().__init__(twin, random)
        self._nonce = 0
        self._deeds = (
            (self.request, 2),
            (self.reserve, 16),
            (self.fill, 18),
            (self.reserve_and_fill, 12),
            (self.fill_all, 6),
            (self.change_hands, 2),
            (self.squat, 4),
            (self.submit, 8),
            (self.submit_many, 4),
            (self.mark, 10),
            (self.mark_many, 5),
            (self.free, 5),
            (self.withdraw, 4),
            (self.open_repair, 5),
            (self.register, 3),
            (self.unregister, 1),
            (self.delegate, 2),
            (self.burn, 2),
        )

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()
        self.twin.compare_all()

    def step(self) -> None:
        """One call or one wait, and a look at what it was about."""
        if not self._open_requests() and self.random.random() < 0.7:
            self.request()
        elif not self.twin.requests:
            self.register()
        elif self.random.random() < 0.25:
            self.wait()
        else:
            deeds, weights = zip(*self._deeds, strict=True)
            self.random.choices(deeds, weights)[0]()
        if self.random.random() < 0.7:
            self.twin.mine(1, self.random.choice((0, 1, 1, 3)))
        self.look()

    # ---- clients ----

    def request(self) -> None:
        random, client = self.random, self._somebody()
        self._nonce += random.random() < 0.95  # else the same again
        nonce = self._nonce.to_bytes(32, "big")
        if random.random() < 0.25:
            h = random.choice((0, 100, 5000, 9999, 10000, 65535))
            nonce = DISP + h.to_bytes(2, "big") + nonce[6:]
        slots = random.randint(1, MOST_SLOTS)
        duration = random.choice((60, 300, 1000, 3000))
        ask = Ask(
            proof_probability=random.choice((1, 1, 1, 2, 3)),
            price_per_byte_per_second=random.randint(1, 3),
            collateral_per_byte=random.choice((1, 33, 300)),
            slots=slots,
            slot_size=random.choice((1, 77, 1024)),
            duration=duration,
            max_slot_loss=random.randint(0, slots),
        )
        expiry = random.choice((20, duration // 2, duration - 1))
        content = Content(bytes([self._nonce % 256]) * random.choice((1, 38)), random.randbytes(32))
        asked = StorageRequest(client, ask, content, expiry, nonce)
        if random.random() < 0.1:
            asked = self._spoilt(asked)
        caller = client if random.random() < 0.97 else self._somebody()
        error = self.twin.request(caller, asked)
        self._count(error or "requestStorage")

    def _spoilt(self, asked: StorageRequest) -> StorageRequest:
        ask = asked.ask
        return self.random.choice(
            (
                replace(asked, expiry=0),
                replace(asked, expiry=ask.duration),
                replace(asked, content=replace(asked.content, cid=b"")),
                replace(asked, ask=replace(ask, slots=0)),
                replace(asked, ask=replace(ask, max_slot_loss=ask.slots + 1)),
                replace(asked, ask=replace(ask, duration=0)),
                replace(asked, ask=replace(ask, proof_probability=0)),
                replace(asked, ask=replace(ask, price_per_byte_per_second=0)),
                replace(asked, ask=replace(ask, collateral_per_byte=0)),
                replace(asked, ask=replace(ask, duration=self.twin.setup.duration_limit + 1)),
            )
        )

    def withdraw(self) -> None:
        request, _, _ = self._place_where(self._has_ended)
        client = self._rather(self.twin.state.requests[request].request.client)
        if self.random.random() < 0.8:
            self._do(
                client, "withdrawFunds(bytes32)", (request,), lambda each: each.withdraw(request)
            )
        else:
            to = self._somebody()
            self._do(
                client,
                "withdrawFunds(bytes32,address)",
                (request, text(to)),
                lambda each: each.withdraw(request, to),
            )

    # ---- validators, anybody ----

    def mark(self) -> None:
        _, _, slot = self._place_where(self._is_markable)
        period = self._past_period()
        record = self.twin.state.slots.get(slot)
        caller = self._somebody()
        if record is not None and record.host is not None and self.random.random() < 0.2:
            caller = record.host
        self._do(
            caller,
            "markProofAsMissing",
            (slot, period),
            lambda each: each.mark_missing(slot, period),
        )

    def mark_many(self) -> None:
        slots = self.random.choices(self.twin.slots[-8:], k=self.random.randint(0, 6))
        periods = [self._past_period() for _ in slots]
        if self.random.random() < 0.05:
            periods.append(0)
        self._do(
            self._somebody(),
            "markProofsAsMissing",
            (slots, periods),
            lambda each: each.mark_many(slots, periods),
        )

    def open_repair(self) -> None:
        waiting = [r for r in self.twin.requests if self.twin.state.requests[r].waiting]
        request = self.random.choice(waiting) if waiting else self._place()[0]
        self._do(self._somebody(), "openRepair", (request,), lambda each: each.open_repair(request))

    def burn(self) -> None:
        self._do(self._somebody(), "burn", (), lambda each: each.burn())

    # ---- time ----

    def wait(self) -> None:
        """To a moment at which something changes, or one before or after it."""
        twin, random = self.twin, self.random
        now, period = twin.machine.time, twin.terms.period_of(twin.machine.time)
        request, _, slot = self._place()
        waiting = [each for each in self._open_requests() if twin.state.requests[each].waiting]
        if waiting and random.random() < 0.5:
            request = waiting[-1]
        record = twin.state.requests[request]
        start = twin.terms.period_start(period)
        near = [
            twin.terms.period_end(period),
            twin.terms.period_end(period),
            start + twin.terms.timeout,
            now + random.randint(0, 40),
        ]
        reserved = [each.reserved_at for each in twin.ledger().reservations_of(slot)]
        near += [each + twin.setup.ttl for each in reserved[:1]]
        far = [record.expires_at, record.ends_at]
        if record.waiting:
            freed = twin.ledger().slot(request, record.waiting[0]).since
            near += 4 * [freed + twin.setup.max_delay]
        goal = random.choice(near if random.random() < 0.9 else far)
        seconds = max(0, goal - now + random.choice((-1, 0, 0, 1, 1, 1)))
        blocks = random.choice((1, 1, 2, 5, 17)) if random.random() < 0.97 else 300
        twin.mine(blocks, seconds)
        self._count("wait")
