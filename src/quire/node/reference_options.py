"""The options of the Codex reference: which settings they are here, and which have no effect.

Source   content.md 7.1, 7.2; lineage.md 2.6
"""

from __future__ import annotations

# The reference's name -> the setting's name here. All other names are the same.
ALIASES = {
    "listen-addrs": "listen",
    "bootstrap-node": "bootstrap",
    "overlay-ttl": "block-ttl",
}

# Accepted, with a warning that says why nothing follows from it.
WITHOUT_EFFECT = {
    "disc-port": "peers are found over the addresses of listen, there is no port of its own",
    "repo-kind": "the store has one kind: pack files with an SQLite index",
    "block-retries": "a request asks until its request-timeout has passed, however often",
    "cache-size": "the operating system keeps what is read often in memory",
}

SHORT = {
    "disc-port": "u",
    "cache-size": "c",
}

# Options of the sub-commands `persistence` and `prover`, without those about circuits and keys,
# which are settings here.
MARKETPLACE = frozenset(
    (
        "eth-provider",
        "eth-account",
        "eth-private-key",
        "marketplace-address",
        "validator",
        "validator-max-slots",
        "validator-groups",
        "validator-group-index",
        "reward-recipient",
        "request-cache-size",
        "max-priority-fee-per-gas",
        "circom-graph",
        "prover-backend",
        "persistence",
        "prover",
    )
)
NO_MARKETPLACE = (
    "the marketplace is not there yet; this node stores and exchanges data, it neither buys nor"
    " sells storage"
)

# Variables such as CODEX_STORAGE_QUOTA count where the one of Quire is not set.
ENVIRONMENT_PREFIXES = ("CODEX_", "ARCHIVIST_", "PROMETHEI_")


def why_without_effect(name: str) -> str:
    """The warning for an option that is taken and has no effect; empty for all others."""
    reason = WITHOUT_EFFECT.get(name)
    return f"{name} has no effect here: {reason}" if reason else ""
