"""Sends the transactions of one account: nonces, gas, fees, and waiting until each is in a block.

A transaction is estimated first, so that what the contract would refuse is refused before anything
is sent. One that no block takes is replaced by one that offers more; one whose block is taken back
by a re-organisation is sent again, also after its receipt was told. Read next: `outbox`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quire.base.errors import ChainError, InsufficientFunds, NotMined, QuireError, RpcRefused
from quire.chain.fees import Fees, FeeSettings, higher_fees
from quire.chain.handover import Handover
from quire.chain.heads import Heads
from quire.chain.outbox import Outbox
from quire.chain.outgoing import Outgoing, Transaction
from quire.chain.port import Receipt
from quire.chain.quantity import quantity
from quire.chain.receipt import Mined, Verdict, verdict_of
from quire.chain.rpc import Rpc
from quire.chain.wallet import Wallet

WAIT_SECONDS = 3600.0  # for a chain that makes no blocks
HANDOVER_TRIES = 5
DEFAULT_FEES = FeeSettings()


class Sender:
    """One account at one chain, from `start` to `stop`.

    depth  blocks on top of the one with the transaction, before it counts as done"""

    def __init__(
        self,
        rpc: Rpc,
        heads: Heads,
        wallet: Wallet,
        chain_id: int,
        settings: FeeSettings = DEFAULT_FEES,
        *,
        depth: int = 0,
    ) -> None:
        self.wallet = wallet
        self._rpc = rpc
        self._heads = heads
        self._handover = Handover(rpc, heads, wallet, chain_id, settings)
        self._outbox = Outbox(rpc, heads, self._handover, depth)
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        self._outbox.start()

    async def stop(self) -> None:
        await self._outbox.stop()

    async def send(self, transaction: Transaction) -> Receipt:
        """Returns when it is in a block.

        Raises  RpcRefused         it would revert, or did: `data` is what the contract gave
                InsufficientFunds  the account cannot pay for the gas; nothing was sent
                NotMined           no block took it; it may still be taken
                ChainUnreachable   nobody knows whether it was sent
        """
        outcome = (await self.send_many([transaction]))[0]
        if isinstance(outcome, QuireError):
            raise outcome
        return outcome

    async def send_many(self, transactions: Sequence[Transaction]) -> list[Receipt | QuireError]:
        """Send them with nonces in a row; for each its receipt, or what `send` would raise.
        One does not see what those before it do: each is estimated as of now."""
        estimates = await self._estimates(transactions)
        async with self._turn:
            sent = [
                await self._dispatched(transaction, estimate)
                for transaction, estimate in zip(transactions, estimates, strict=True)
            ]
        return [
            await self._settled(outgoing) if isinstance(outgoing, Outgoing) else outgoing
            for outgoing in sent
        ]

    async def balance(self) -> int:
        """Wei of the account, as of the newest block."""
        answer = await self._rpc.call("eth_getBalance", [self.wallet.address_text, "latest"])
        return quantity(answer, "balance")

    # ---- before it is sent ----

    async def _estimates(self, transactions: Sequence[Transaction]) -> list[int | RpcRefused]:
        calls = [("eth_estimateGas", [self._shape(t), "pending"]) for t in transactions]
        return [
            answer
            if isinstance(answer, RpcRefused)
            else quantity(answer, "gas") * transaction.gas_percent // 100
            for transaction, answer in zip(transactions, await self._rpc.batch(calls), strict=True)
        ]

    def _shape(self, transaction: Transaction) -> dict[str, str]:
        return {
            "from": self.wallet.address_text,
            "to": f"0x{transaction.to.hex()}",
            "data": f"0x{transaction.data.hex()}",
            "value": hex(transaction.value),
        }

    async def _check_funds(self, cost: int, gas: int, fees: Fees) -> None:
        """Raises InsufficientFunds when the account cannot pay for this and all on their way."""
        balance, promised = await self.balance(), self._outbox.promised_wei
        if promised and balance < promised + cost:
            await self._outbox.look()  # some of them may be paid for already
            balance, promised = await self.balance(), self._outbox.promised_wei
        if balance < promised + cost:
            others = f" besides {promised} wei for those on their way" if promised else ""
            raise InsufficientFunds(
                f"account {self.wallet.address_text} has {balance} wei, and a transaction may cost "
                f"{cost} wei ({gas} gas at up to {fees.most} wei){others}; "
                f"send it {promised + cost - balance} wei more",
                balance=balance,
                needed=promised + cost,
            )

    async def _free_nonce(self, at_least: int = 0) -> int:
        """The lowest that neither the chain nor a transaction of ours has: gaps are filled."""
        answer = await self._rpc.call(
            "eth_getTransactionCount", [self.wallet.address_text, "pending"]
        )
        nonce = max(quantity(answer, "nonce"), at_least)
        while nonce in self._outbox.nonces:
            nonce += 1
        return nonce

    # ---- sending, and afterwards ----

    async def _dispatched(
        self, transaction: Transaction, estimate: int | RpcRefused
    ) -> Outgoing | QuireError:
        if isinstance(estimate, RpcRefused):
            is_poor = verdict_of(estimate) is Verdict.POOR
            return InsufficientFunds(estimate.message) if is_poor else estimate
        try:
            return await self._dispatch(transaction, estimate)
        except (ChainError, InsufficientFunds) as error:
            return error

    async def _dispatch(self, transaction: Transaction, gas: int) -> Outgoing:
        """Sign it with the next nonce and hand it to the node. Under the lock."""
        fees = await self._handover.fees()
        nonce = await self._free_nonce()
        refusal: RpcRefused | None = None
        for _ in range(HANDOVER_TRIES):
            await self._check_funds(gas * fees.most + transaction.value, gas, fees)
            signed = self._handover.sign(transaction, nonce, gas, fees)
            verdict, refusal = await self._handover.send(signed)
            match verdict:
                case Verdict.TAKEN:
                    newest = self._heads.newest.block.head.number
                    done = asyncio.get_running_loop().create_future()
                    outgoing = Outgoing(transaction, nonce, gas, fees, [signed], newest, done)
                    self._outbox.add(outgoing)
                    return outgoing
                case Verdict.NONCE_USED | Verdict.NONCE_BUSY:
                    nonce = await self._free_nonce(nonce + 1)
                case Verdict.FEE_LOW:
                    now = await self._handover.fees()
                    fees = higher_fees(fees, now, self._handover.settings) or fees
                case Verdict.POOR if refusal is not None:
                    raise InsufficientFunds(refusal.message)
                case _:
                    break
        raise refusal or NotMined("the chain's node did not take the transaction")

    async def _settled(self, outgoing: Outgoing) -> Receipt | QuireError:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                mined = await outgoing.done
            return mined.receipt if mined.has_succeeded else await self._failure(outgoing, mined)
        except TimeoutError:
            return NotMined(
                f"transaction 0x{outgoing.sent[-1].hash.hex()} is in no block after "
                f"{WAIT_SECONDS:.0f} s; does the chain still make blocks?"
            )
        except ChainError as error:
            return error

    async def _failure(self, outgoing: Outgoing, mined: Mined) -> RpcRefused:
        """Why a transaction in a block failed, found by doing the same again (market.md 4.7)."""
        receipt = mined.receipt
        shape = self._shape(outgoing.transaction) | {"gas": hex(outgoing.gas)}
        blocks = [hex(receipt.block), hex(max(0, receipt.block - 1))]
        for answer in await self._rpc.batch([("eth_call", [shape, block]) for block in blocks]):
            if isinstance(answer, RpcRefused) and answer.data is not None:
                return answer
        why = "ran out of gas" if receipt.gas_used >= outgoing.gas else "gave no reason"
        return RpcRefused(
            f"transaction 0x{receipt.hash.hex()} failed in block {receipt.block} and {why}",
            data=b"",
        )
