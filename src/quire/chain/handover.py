"""Signing transactions of one account and handing them to the node of the chain."""

from __future__ import annotations

from quire.base.errors import RpcRefused
from quire.chain.fees import Fees, FeeSettings, first_fees
from quire.chain.heads import Heads
from quire.chain.outgoing import Transaction
from quire.chain.quantity import quantity
from quire.chain.receipt import Verdict, verdict_of
from quire.chain.rpc import Rpc
from quire.chain.wallet import Signed, Unsigned, Wallet


class Handover:
    """One account at one chain. Every call may raise ChainUnreachable."""

    def __init__(
        self, rpc: Rpc, heads: Heads, wallet: Wallet, chain_id: int, settings: FeeSettings
    ) -> None:
        self.wallet = wallet
        self.settings = settings
        self._rpc = rpc
        self._heads = heads
        self._chain_id = chain_id

    async def fees(self) -> Fees:
        """What to offer now."""
        base_fee = self._heads.newest.block.base_fee
        gas_price = 0
        if base_fee is None:
            gas_price = quantity(await self._rpc.call("eth_gasPrice"), "gas price")
        return first_fees(self.settings, base_fee, gas_price)

    def sign(self, transaction: Transaction, nonce: int, gas: int, fees: Fees) -> Signed:
        to, data, value = transaction.to, transaction.data, transaction.value
        return self.wallet.sign(Unsigned(self._chain_id, nonce, to, data, value, gas, fees))

    async def send(self, signed: Signed) -> tuple[Verdict, RpcRefused | None]:
        """What the node says to it, and its words when it does not take it."""
        try:
            await self._rpc.call("eth_sendRawTransaction", [f"0x{signed.raw.hex()}"])
        except RpcRefused as refusal:
            verdict = verdict_of(refusal)
            if verdict is Verdict.NONCE_USED and await self._is_known(signed):
                verdict = Verdict.TAKEN  # sent before, over a connection that was lost
            return verdict, refusal
        return Verdict.TAKEN, None

    async def _is_known(self, signed: Signed) -> bool:
        answer = await self._rpc.call("eth_getTransactionByHash", [f"0x{signed.hash.hex()}"])
        return answer is not None
