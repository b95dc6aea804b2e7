"""What the settings say of the chain: where it is, which contract, whose account."""

from __future__ import annotations

from quire.base.errors import BadConfig
from quire.chain.evm.opening import MarketSettings
from quire.chain.fees import FeeSettings
from quire.chain.key_file import open_key_file
from quire.chain.keystore import open_keystore
from quire.chain.wallet import Wallet
from quire.market.validation import Share
from quire.node.config import NodeConfig
from quire.node.profile import Profile

DEFAULT_PROVIDER = "ws://localhost:8545"
NO_ACCOUNT = (
    "Persistence enabled, but no Ethereum account was set: give a file with its key, "
    "--eth-private-key, or --eth-keystore with --eth-password-file"
)


def wants_chain(config: NodeConfig) -> bool:
    return config.persistence or config.eth_provider is not None


def market_settings(config: NodeConfig, profile: Profile) -> MarketSettings:
    """Which chain and contracts."""
    return MarketSettings(
        url=config.eth_provider or DEFAULT_PROVIDER,
        contract=config.marketplace_address,
        known=profile.chain.contracts,
        key_hash=profile.chain.key_hash,
        hub=config.hub_address,
        known_hubs=profile.chain.hubs,
        bonds=config.bonds_address,
        known_bonds=profile.chain.bonds,
        fees=FeeSettings(max_priority_fee=config.max_priority_fee_per_gas),
        depth=config.confirmations,
    )


def check_account(config: NodeConfig) -> None:
    """Raises BadConfig when a chain is wanted and nobody's key is named."""
    if wants_chain(config) and config.eth_private_key is None and config.eth_keystore is None:
        raise BadConfig(NO_ACCOUNT)


def open_account(config: NodeConfig) -> Wallet:
    """The account. Blocks for half a second where its key is encrypted.

    Raises   BadConfig, UnsafePermissions, EnvironmentProblem
    """
    check_account(config)
    if config.eth_private_key is not None:
        return open_key_file(config.eth_private_key.expanduser())
    assert config.eth_keystore is not None
    assert config.eth_password_file is not None
    return open_keystore(config.eth_keystore.expanduser(), config.eth_password_file.expanduser())


def validator_share(config: NodeConfig) -> Share:
    return Share(
        config.validator_max_slots, config.validator_groups or 0, config.validator_group_index
    )
