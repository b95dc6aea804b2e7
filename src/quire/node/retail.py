"""The parts of a node that buy and sell by the byte: how they are joined, started and stopped.

hub (chain) ─► payments (as payer) ─► vouchers over /quire/pay ─► income (as payee) ─► claims
    └────────► choice ◄── offers of providers over /quire/replica
                    └──────────────── journal of trading ──────────────┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import BadConfig
from quire.chain.hub import Hub
from quire.channels.claims import ClaimPolicy
from quire.channels.topup import TopUpPolicy
from quire.net.answering import Answering
from quire.net.identity import Identity
from quire.net.requests import Requests
from quire.net.transport import Transport
from quire.node.config import NodeConfig
from quire.node.keeping import Keeping, KeepingPorts, join_keeping
from quire.node.parts import Ground, Parts
from quire.node.profile import Protocols
from quire.node.retail_choice import choice_of
from quire.node.retail_providing import NO_HUB, provider_settings
from quire.node.trading import Trading
from quire.services.caching.terms import Account
from quire.services.paying.claiming import Claiming
from quire.services.paying.pay_protocol import serve_payments
from quire.services.paying.payee import Payee
from quire.services.paying.payer import Payer, PayerPorts
from quire.services.paying.voucher_line import VoucherLine
from quire.services.pointers import Pointers
from quire.services.providing.ports import ProviderPorts
from quire.services.providing.provider import Provider, serve_replicas
from quire.services.providing.settings import ProviderSettings
from quire.services.retail.providers import Providers
from quire.store.journal import Journal


@dataclass(frozen=True, slots=True)
class RetailPorts:
    """What retail stands on. `sign`: a digest, 32 bytes, with the account's key, 65 bytes."""

    hub: Hub
    journal: Journal
    sign: Callable[[bytes], bytes]
    transport: Transport
    protocols: Protocols


@dataclass(frozen=True, slots=True)
class RetailSettings:
    """`channel_deposit`: the room that a top-up makes; `claim_from`: unclaimed tokens of a payer
    that are claimed. In the smallest unit of the token; 0: as the policies have it."""

    channel_deposit: int = 0
    claim_from: int = 0


@dataclass(slots=True)
class Retail:
    """Built when the node has a chain with a hub of payment channels."""

    hub: Hub
    payments: Payer
    income: Payee
    claiming: Claiming
    requests: Requests
    answering: list[Answering]
    choice: Providers | None = None
    keeping: Keeping | None = None
    provider: Provider | None = None

    async def start(self) -> None:
        """After trading, whose journal it uses. Raises StoreCorrupt."""
        await self.income.start()
        await self.payments.start()
        self.claiming.start()
        if self.choice is not None:
            await self.choice.start()
        if self.provider is not None:
            await self.provider.start()
        if self.keeping is not None:
            await self.keeping.start()

    async def stop(self) -> None:
        """In the opposite order, before trading. What is under way goes on with the next start."""
        if self.keeping is not None:
            await self.keeping.stop()
        if self.choice is not None:
            await self.choice.stop()
        await self.claiming.stop()
        for each in self.answering:
            await each.stop()
        if self.provider is not None:
            await self.provider.stop()
        self.requests.stop()
        await self.payments.stop()
        await self.income.stop()

    async def deposit(self, amount: int) -> None:
        """Tokens into the hub; uploads that wait for them go on. Raises as `Hub.deposit`."""
        await self.hub.deposit(amount)
        if self.keeping is not None:
            await self.keeping.uploads.funds_came()


def retail_of(
    config: NodeConfig,
    protocols: Protocols,
    identity: Identity,
    ground: Ground,
    parts: Parts,
    trading: Trading,
    pointers: Pointers,
) -> Retail | None:
    """What the settings say; None where the chain has no hub. Before the transport starts.

    Raises   BadConfig  see retail_choice, retail_providing
    """
    chain = trading.chain
    if chain is None or chain.hub is None:
        if config.provider:
            raise BadConfig(NO_HUB)
        return None
    sign = chain.sender.wallet.sign_digest
    ports = RetailPorts(chain.hub, trading.journal, sign, parts.transport, protocols)
    settings = RetailSettings(config.channel_deposit, config.claim_from)
    retail = join_retail(ports, settings, ground)
    if parts.caching is not None:
        account = Account(retail.payments, retail.income, chain.hub.domain)
        parts.caching.attach(trading.journal, account)
    retail.choice = choice_of(
        config,
        protocols.replica,
        identity,
        ground,
        parts.transport,
        parts.finder,
        retail.requests,
        chain.hub,
        trading.journal,
    )
    join_client(retail, retail.choice, ports, identity, ground, parts, pointers)
    terms = provider_settings(config)
    if terms is not None:
        join_providing(retail, terms, ports, identity, ground, parts, pointers)
    return retail


def join_client(
    retail: Retail,
    choice: Providers,
    ports: RetailPorts,
    identity: Identity,
    ground: Ground,
    parts: Parts,
    pointers: Pointers,
) -> None:
    """What a node has that keeps files at providers, and reads them."""
    retail.choice = choice
    keeping = KeepingPorts(
        hub=ports.hub,
        journal=ports.journal,
        store=parts.store,
        finder=parts.finder,
        requests=retail.requests,
        choice=choice,
        payments=retail.payments,
        pointers=pointers,
        identity=identity,
        protocol=ports.protocols.replica,
    )
    retail.keeping = join_keeping(keeping, ground)


def join_providing(
    retail: Retail,
    settings: ProviderSettings,
    ports: RetailPorts,
    identity: Identity,
    ground: Ground,
    parts: Parts,
    pointers: Pointers,
) -> None:
    """What a node has that keeps sealed replicas of others."""
    stands_on = ProviderPorts(
        store=parts.store,
        journal=ports.journal,
        hub=ports.hub,
        income=retail.income,
        identity=identity,
        sign=ports.sign,
        pointers=pointers,
        clock=ground.clock,
        events=ground.events,
        waits=ground.waits,
    )
    retail.provider = Provider(stands_on, settings, parts.announcer.announce)
    answering = serve_replicas(ports.transport, ports.protocols.replica, retail.provider)
    retail.answering.append(answering)


def join_retail(ports: RetailPorts, settings: RetailSettings, ground: Ground) -> Retail:
    """Join the parts; nothing runs yet. To be called before the transport starts."""
    hub, journal, pay = ports.hub, ports.journal, ports.protocols.pay
    clock, events, waits = ground.clock, ground.events, ground.waits
    requests = Requests(ports.transport)
    line = VoucherLine(requests, pay, waits)
    payments = Payer(
        PayerPorts(hub, journal, line, ports.sign),
        clock=clock,
        events=events,
        waits=waits,
        policy=TopUpPolicy(settings.channel_deposit),
    )
    income = Payee(hub, journal, events)
    policy = ClaimPolicy(threshold=settings.claim_from)
    claiming = Claiming(hub, income, events=events, waits=waits, policy=policy)
    answering = [serve_payments(ports.transport, pay, income, events)]
    return Retail(hub, payments, income, claiming, requests, answering)
