"""Random clients, right and wrong requests, crashes: a provider's books agree at any moment."""

from __future__ import annotations

import random

import pytest

from quire.formats.replica_asking import (
    AuditRequest,
    GetRequest,
    ReleaseRequest,
    RenewRequest,
    SegmentData,
    SegmentMap,
    SignRequest,
    StatusRequest,
)
from quire.formats.replica_codes import Code, LeaseState
from quire.point.lease import SIGNED
from quire.point.values import BLOCK_BYTES
from support.provider_kit import (
    CLIENT_KEY,
    DAY,
    OTHER_KEY,
    Customer,
    Place,
    Replica,
    provider_in,
)
from support.store_kit import assert_sound

REPLICAS = [Replica.random(seed, blocks * BLOCK_BYTES - 7) for seed, blocks in enumerate((1, 3, 6))]
LINKS = [bytes([number]) * 16 for number in range(5)]
STEPS = 60


async def step(rng: random.Random, place: Place, customer: Customer) -> None:
    """Say something, right or wrong."""
    link, replica = rng.choice(LINKS), rng.choice(REPLICAS)
    lease = place.provider.leases.find(link)
    if lease is not None and rng.random() < 0.8:  # mostly what fits the link
        replica = next(r for r in REPLICAS if r.sealed_bytes == lease.order.sealed_bytes)
    index = rng.randrange(replica.blocks)
    run = replica.run(index, rng.randint(1, replica.blocks - index))
    match rng.randrange(16):
        case 0 | 1 | 2:
            body = await customer.order(replica, rng.choice((3600, DAY, 3 * DAY, 400 * DAY)))
        case 3 | 4:
            body = replica.map
        case 5:
            body = SegmentMap(replica.root[::-1], replica.leaves, replica.sealed_bytes)
        case 6 | 7 | 8:
            body = run
        case 9:
            data = bytearray(run.data)
            data[rng.randrange(len(data))] ^= 1
            body = SegmentData(index, bytes(data))
        case 10 | 11:
            body = SignRequest(replica.root)
        case 12:
            body = RenewRequest(
                place.now + rng.randint(1, 5) * DAY, (await customer.offer()).digest
            )
        case 13:
            body = rng.choice((ReleaseRequest(), StatusRequest()))
        case 14:
            body = AuditRequest(replica.root, bytes(32), (index,))
        case _:
            body = GetRequest(replica.root, (index,), customer.account, customer.introduction)
    answer = await customer.ask(link, body)
    assert answer.code is not Code.INTERNAL, answer
    assert answer.code in (Code.OK, Code.ALREADY_STORED) or answer.text, answer


async def books_agree(place: Place) -> None:
    """Room, quota and bills follow from the leases; a receipt means that every block is here."""
    provider = place.provider
    live = [each for each in provider.leases if each.at is not LeaseState.DELETED]
    closing = [
        each for each in provider.leases if each.at is LeaseState.DELETED and not each.is_closed
    ]
    held = sum(each.order.blocks for each in live) * BLOCK_BYTES
    slack = sum(each.order.blocks for each in closing) * BLOCK_BYTES
    assert held <= provider.room.held_bytes <= held + slack
    for lease in live:
        if lease.at in SIGNED:
            tree = place.store.tree(lease.root)
            assert tree is not None
            assert tree.present.covers(0, lease.order.blocks)
            assert tree.is_withheld
    billed = {lease.order.client for lease in provider.leases if lease.receipt is not None}
    for customer in place.customers:
        if customer.account not in billed:
            assert place.income.due(customer.account) <= 0


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_clients_say_and_whenever_it_stops_the_books_agree(tmp_path, seed):
    rng = random.Random(seed)
    async with provider_in(tmp_path) as place:
        customers = [await place.customer(key) for key in (CLIENT_KEY, OTHER_KEY)]
        for _ in range(STEPS):
            event = rng.random()
            if event < 0.05:
                await place.close()
                await place.open()
            elif event < 0.10:
                place.advance(rng.choice((60, 3600, DAY, 2 * DAY)))
            elif event < 0.15:
                customer = rng.choice(customers)
                received = place.income.received(customer.account)
                await customer.pay(received + max(0, place.income.due(customer.account)))
            else:
                await step(rng, place, rng.choice(customers))
            await books_agree(place)
        for customer in customers:
            for link in LINKS:
                await customer.ask(link, ReleaseRequest())
        for lease in list(place.provider.leases):
            await place.until(lease.order.link_id, "DELETED")
        await assert_sound(place.store)
        assert place.provider.room.held_bytes == 0
        assert place.store.space().quota_used_bytes == 0
