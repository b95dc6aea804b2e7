"""How a call of a contract is sent, and why it was refused."""

from __future__ import annotations

from quire.base.errors import RpcRefused
from quire.chain.outgoing import Transaction
from quire.chain.port import Receipt
from quire.chain.reverts import reverted
from quire.chain.sender import Sender


async def send_call(sender: Sender, transaction: Transaction, doing: str) -> Receipt:
    """Returns when it is in a block. `doing`: name of the call. Raises Reverted, and what sending
    raises."""
    try:
        return await sender.send(transaction)
    except RpcRefused as refusal:
        if refusal.data is None:
            raise
        raise reverted(refusal.data, doing) from None
