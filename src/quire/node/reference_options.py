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
    "eth-account": "this node signs with its own key: eth-private-key, or eth-keystore",
    "request-cache-size": "as many requests as are needed are remembered",
    "circom-graph": "witnesses are made by the program of circom-wasm",
    "prover-backend": "there is one prover, for both kinds of circuits",
    "simulate-proof-failures": "proofs are made in earnest, or not at all",
}

SHORT = {
    "disc-port": "u",
    "cache-size": "c",
}

# Sub-commands of the reference, which stand before their options. Proofs are made by every node
# that has a circuit's key, so the second one adds nothing.
SUB_COMMANDS = {"persistence": ("--persistence=true",), "prover": ()}

# Variables such as CODEX_STORAGE_QUOTA count where the one of Quire is not set.
ENVIRONMENT_PREFIXES = ("CODEX_", "ARCHIVIST_", "PROMETHEI_")


def why_without_effect(name: str) -> str:
    """The warning for an option that is taken and has no effect; empty for all others."""
    reason = WITHOUT_EFFECT.get(name)
    return f"{name} has no effect here: {reason}" if reason else ""
