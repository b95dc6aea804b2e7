"""Who may sign vouchers for whom, as the hub says.

A payer signs himself, or his delegate does. A delegate that is dismissed goes on signing for
CHALLENGE_SECONDS by the contract, so who is known to be one is believed for a part of that.
"""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import QuireError
from quire.chain.hub import CHALLENGE_SECONDS, Hub
from quire.chain.values import Address
from quire.channels.voucher import (
    Voucher,
    domain_separator,
    introduction_digest,
    signer_of,
    voucher_digest,
)
from quire.kernels.signing import recover_address
from quire.services.paying.together import Together

GOOD_SECONDS = CHALLENGE_SECONDS / 4  # of the chain
REMEMBERED = 4096  # delegates


class Signers:
    """As one account sees it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._separator = domain_separator(hub.domain)
        self._known: dict[Address, tuple[Address, float]] = {}  # payer -> delegate, seen at
        self._looks: Together[Address, Address | None] = Together(self._read)

    async def stop(self) -> None:
        await self._looks.stop()

    async def is_signed(self, voucher: Voucher) -> bool:
        """By the payer, his delegate, or what he is where he is a contract. Raises
        ChainUnreachable."""
        payer, payee, cumulative = voucher.payer, voucher.payee, voucher.cumulative
        digest = voucher_digest(self._separator, payer, payee, cumulative)
        return await self._speaks(payer, digest, voucher.signature)

    async def is_introduced(
        self, payer: Address, payee: Address, peer: str, introduction: bytes
    ) -> bool:
        """Whether he lets this peer run up bills at the payee. Raises ChainUnreachable."""
        digest = introduction_digest(self._separator, payer, payee, peer)
        return await self._speaks(payer, digest, introduction)

    async def delegate(self, payer: Address) -> Address | None:
        """As of now. Raises ChainUnreachable."""
        found = await self._looks.do(payer)
        if found is not None:
            self._known.pop(payer, None)
            self._known[payer] = (found, self._hub.clock.now())
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return found

    async def is_lasting(self, voucher: Voucher) -> bool:
        """Whether the hub will take it for as long as nothing is dismissed: else it is to be
        claimed at once. Raises ChainUnreachable."""
        signer = signer_of(self._separator, voucher)
        return signer == voucher.payer or (
            signer is not None and signer == await self.delegate(voucher.payer)
        )

    async def _speaks(self, payer: Address, digest: bytes, signature: bytes) -> bool:
        signer = recover_address(signature, digest)
        if signer == payer:
            return True
        if signer is not None:
            delegate, at = self._known.get(payer, (None, 0.0))
            if signer == delegate and self._hub.clock.now() - at <= GOOD_SECONDS:
                return True
            if signer == await self.delegate(payer):
                return True
        return await self._hub.is_signed_by_contract(payer, digest, signature)

    async def _read(self, payers: Sequence[Address]) -> Sequence[Address | QuireError | None]:
        return await self._hub.delegates(payers)
