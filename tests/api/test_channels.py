"""Payment channels of whole nodes: what one pays, the other has, and what the API says of it."""

from __future__ import annotations

from support.live import memory_network
from support.pay_kit import PAYEE, PAYEE_KEY, PAYER, PAYER_KEY, a_hub_world
from support.retail_nodes import introduce, retail_node


async def test_two_nodes_pay_each_other(tmp_path):
    world, network = a_hub_world(), memory_network()
    async with (
        retail_node(tmp_path / "one", world, PAYER_KEY, network) as one,
        retail_node(tmp_path / "two", world, PAYEE_KEY, network) as two,
    ):
        await introduce(one, two)
        await one.retail.payments.fund(PAYEE, 100)
        await two.retail.payments.fund(PAYER, 70)
        for number in range(4):
            assert await one.retail.payments.pay(f"a/{number}", two.peer, PAYEE, 100) == 100 * (
                number + 1
            )
            assert await two.retail.payments.pay(f"b/{number}", one.peer, PAYER, 70) == 70 * (
                number + 1
            )
        assert two.retail.income.account(PAYER).received == 400
        assert one.retail.income.account(PAYEE).received == 280
        assert await two.retail.claiming.claim_all() == 400
        assert await one.retail.claiming.claim_all() == 280
        assert await two.hub.balance() == 400
        assert await one.hub.balance() == 280
