"""Random calls of a hub twin that are likely to mean something, wrong ones among them."""

from __future__ import annotations

from collections import Counter
from random import Random

from quire.chain.eip712 import voucher_digest
from quire.chain.hub import CHALLENGE_SECONDS, Claim
from quire.chain.values import NO_ADDRESS, Address
from quire.kernels.signing import HALF_ORDER, sign_recoverable
from support.hub_twin import PEOPLE, HubTwin
from support.hub_world import KEYS, MOST

ORDER = 2 * HALF_ORDER + 1
KEY_OF = dict(zip(PEOPLE, KEYS, strict=True))
SUMS = (0, 1, 10, 50, 1000)


class HubWalk:
    """`counts`: how often which call succeeded, or was refused with which error."""

    def __init__(self, twin: HubTwin, random: Random) -> None:
        self.twin = twin
        self.random = random
        self.counts: Counter[str] = Counter()
        self._made: list[tuple[Address, Claim]] = []  # payee and voucher, the newest last

    def steps(self, count: int) -> None:
        deeds = (
            (self.deposit, 3),
            (self.withdraw, 2),
            (self.allocate, 6),
            (self.claim, 10),
            (self.claim_again, 3),
            (self.request_close, 3),
            (self.release, 4),
            (self.set_delegate, 3),
            (self.wait, 6),
        )
        calls, weights = zip(*deeds, strict=True)
        for _ in range(count):
            self.random.choices(calls, weights)[0]()

    # ---- deeds ----

    def deposit(self) -> None:
        self._count("deposit", self.twin.deposit(self._somebody(), self._sum()))

    def withdraw(self) -> None:
        who = self._somebody()
        has = self.twin.rules(who).balance(who)
        amount = self.random.choice((self._sum(), has, has + 1))
        self._count("withdraw", self.twin.withdraw(who, amount))

    def allocate(self) -> None:
        who, random = self._somebody(), self.random
        sums = [(self._somebody(), self._sum()) for _ in range(random.randint(0, 3))]
        if sums and random.random() < 0.05:
            sums[-1] = (NO_ADDRESS, 1)
        if sums and random.random() < 0.05:
            sums[0] = (sums[0][0], random.choice((MOST, MOST - 1)))
        self._count("allocate", self.twin.allocate(who, sums))

    def claim(self) -> None:
        """Mostly what can be claimed, of channels that have something."""
        open_ones = [pair for pair, channel in self.twin.state.hub.channels.items() if channel.free]
        payee = self._somebody()
        if open_ones and self.random.random() < 0.9:
            payee = self.random.choice(open_ones)[1]
        payers = [payer for payer, taker in open_ones if taker == payee] or [self._somebody()]
        chosen = self.random.sample(payers, self.random.randint(1, min(3, len(payers))))
        claims = [self._voucher(payer, payee) for payer in chosen]
        self._made += [(payee, each) for each in claims]
        self._count("claim", self.twin.claim(payee, claims))

    def claim_again(self) -> None:
        """A voucher from before, now and then by somebody else."""
        if not self._made:
            return
        payee, voucher = self.random.choice(self._made[-8:])
        if self.random.random() < 0.1:
            payee = self._somebody()
        self._count("claim", self.twin.claim(payee, [voucher]))

    def request_close(self) -> None:
        payer, payee = self._pair()
        self._count("requestClose", self.twin.request_close(payer, payee))

    def release(self) -> None:
        closing = [pair for pair, each in self.twin.state.hub.channels.items() if each.close_at]
        due = [pair for pair in closing if self._close_at(pair) <= self.twin.now]
        pair = self.random.choice(due or closing or [self._pair()])
        self._count("release", self.twin.release(*pair))

    def set_delegate(self) -> None:
        who = self._somebody(3)
        signer = self.random.choice((None, *PEOPLE[3:]))
        self._count("setDelegate", self.twin.set_delegate(who, signer))

    def wait(self) -> None:
        """To a moment at which something changes, or one before or after it."""
        twin, random = self.twin, self.random
        moments = [each.close_at for each in twin.state.hub.channels.values()]
        moments += [each.until for each in twin.state.hub.delegations.values()]
        to_come = [each for each in moments if each > twin.now]
        if to_come and random.random() < 0.7:
            target = random.choice(to_come) + random.choice((-1, 0, 1))
        else:
            target = twin.now + random.choice((1, 60, CHALLENGE_SECONDS // 4))
        twin.world.machine.to_time(max(target, twin.now + 1))

    # ---- choices ----

    def _voucher(self, payer: Address, payee: Address) -> Claim:
        twin, random = self.twin, self.random
        channel = twin.channel(payer, payee)
        sums = (channel.claimed + 1, channel.deposit, random.randint(0, channel.deposit))
        rare = (channel.deposit + 1, channel.claimed, 0, MOST)
        cumulative = min(MOST, random.choice(sums if random.random() < 0.9 else rare))
        key = self._signing_key(payer)
        whom = payee if random.random() < 0.97 else self._somebody()
        digest = voucher_digest(twin.world.separator, payer, whom, cumulative)
        signature = sign_recoverable(key, digest)
        if random.random() < 0.05:
            signature = self._spoilt(signature)
        return Claim(payer, cumulative, signature)

    def _signing_key(self, payer: Address) -> bytes:
        """The payer's, its delegates', now and then of somebody else."""
        its = self.twin.rules(payer).delegation(payer)
        delegates = [each for each in (its.signer, its.previous) if each is not None]
        if delegates and self.random.random() < 0.6:
            return KEY_OF[self.random.choice(delegates)]
        return KEY_OF[payer if self.random.random() < 0.97 else self._somebody()]

    def _spoilt(self, signature: bytes) -> bytes:
        s = ORDER - int.from_bytes(signature[32:64], "big")
        high = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
        return self.random.choice((high, signature[:64], signature + b"\0", bytes(65)))

    def _pair(self) -> tuple[Address, Address]:
        known = list(self.twin.state.hub.channels)
        if known and self.random.random() < 0.9:
            return self.random.choice(known)
        return self._somebody(), self._somebody()

    def _close_at(self, pair: tuple[Address, Address]) -> int:
        return self.twin.state.hub.channels[pair].close_at

    def _somebody(self, first: int = len(PEOPLE)) -> Address:
        return self.random.choice(PEOPLE[:first])

    def _sum(self) -> int:
        return self.random.choice(SUMS)

    def _count(self, name: str, error: str) -> None:
        self.counts[error or name] += 1
