"""Typed stubs of the Rust core, one section per crate behind it.

Buffers may be bytes, bytearray or memoryview (C-contiguous). Digests are 32 bytes each, joined.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

Buffer: TypeAlias = bytes | bytearray | memoryview

# ---- quire-kernel: hashing and the keyed Merkle tree -------------------------------------------

def sha256_blocks(data: Buffer, block_size: int) -> bytes:
    """Digest of each `block_size` piece of `data`; a short last piece is padded with zeros.

    Raises ValueError when data is empty or block_size is 0."""

def verify_blocks(data: Buffer, block_size: int, digests: Buffer) -> int:
    """Index of the first block whose SHA-256 differs from its digest, or -1 when all agree.

    Raises ValueError unless len(data) == block_size * (len(digests) / 32)."""

def merkle_tree(leaves: Buffer) -> bytes:
    """All layers, leaves first, root last. ValueError when empty or not a multiple of 32."""

def merkle_root(leaves: Buffer) -> bytes:
    """The root alone (32 bytes)."""

def range_proof(tree: Buffer, leaf_count: int, start: int, count: int) -> bytes:
    """The proof of leaves [start, start + count) out of a whole tree (layout: kernels.hashing).

    Raises ValueError when the tree's length does not fit leaf_count or the range is empty or out
    of bounds."""

def verify_leaves(leaves: Buffer, start: int, leaf_count: int, proof: Buffer, root: Buffer) -> bool:
    """Whether the leaves stand at `start` in the tree of `leaf_count` leaves with this root.

    False for a proof of wrong length. ValueError when the range is empty or out of bounds."""

def verify_range(
    data: Buffer, block_size: int, start: int, leaf_count: int, proof: Buffer, root: Buffer
) -> bytes | None:
    """Hash whole blocks and verify them as one range; their digests, or None when they lie.

    Raises ValueError when data is empty, not whole blocks, or out of bounds."""

# ---- quire-kernel: Poseidon2 over BN254 ---------------------------------------------------------
# A felt is 32 bytes, little-endian, below the modulus; all others raise ValueError.

def poseidon2_blocks(data: Buffer, block_size: int, cell_size: int) -> bytes:
    """The digest of each block. ValueError unless data is whole blocks and they whole cells."""

def poseidon2_cells(data: Buffer, cell_size: int) -> bytes:
    """The hash of each cell. ValueError unless data is whole cells."""

def poseidon2_felts(data: Buffer) -> bytes:
    """len(data) // 31 + 1 felts."""

def poseidon2_sponge(felts: Buffer, rate: int) -> bytes: ...
def poseidon2_permute(state: Buffer) -> bytes: ...
def poseidon2_compress(a: Buffer, b: Buffer, key: int) -> bytes: ...
def poseidon2_tree(leaves: Buffer) -> bytes:
    """All layers, leaves first, root last. ValueError when empty."""

def poseidon2_root(leaves: Buffer) -> bytes: ...
def poseidon2_path(tree: Buffer, leaf_count: int, index: int) -> bytes:
    """Siblings from the bottom, zeros where there is none."""

def poseidon2_root_of_path(leaf: Buffer, index: int, leaf_count: int, path: Buffer) -> bytes:
    """ValueError also for an index outside and a path of wrong length."""

# ---- quire-kernel: the erasure code -------------------------------------------------------------

ERASURE_ROWS_MAX: int

def erasure_field_bits(k: int, m: int) -> int:
    """8 or 16: the field of the code. ValueError when there is no such code."""

def erasure_encode(rows: Sequence[Buffer], m: int) -> list[bytes]:
    """The `m` parity rows of K data rows. ValueError as in `kernels.erasure`."""

def erasure_rebuild(
    k: int,
    m: int,
    numbers: Sequence[int],  # of `rows`
    rows: Sequence[Buffer],
    wanted: Sequence[int],
) -> list[bytes]:
    """The wanted rows from K or more others. ValueError as in `kernels.erasure`."""

# ---- quire-disk: positioned reads and writes past the page cache -------------------------------

def write_file(cached: int, direct: int, offset: int, data: Buffer) -> None:
    """Write all of `data` at `offset`, past the page cache when offset and length are aligned.

    `cached` and `direct` are descriptors of one file; `direct` was opened with O_DIRECT, or is -1.
    Raises OSError."""

def read_file(
    cached: int, direct: int, offset: int, length: int, fill_cache: bool
) -> tuple[bytes, bool]:
    """`length` bytes, or fewer at the end of the file; and whether the page cache was passed by.

    What the page cache holds is taken from there. `fill_cache` reads the rest through it.
    Raises OSError."""

# ---- quire-proof: Groth16 over BN254 -------------------------------------------------------------
# Errors are ValueError(kind, text); kinds: "malformed", "bad-key", "bad-proof", "witness",
# "cancelled", "io". Encodings: kernels.groth16.

@final
class Cancel:
    """A flag that stops long work of other threads."""

    def __new__(cls) -> Cancel: ...
    def set(self) -> None: ...
    @property
    def is_set(self) -> bool: ...

@final
class Witness:
    """The values of all wires of a circuit; immutable."""

    @staticmethod
    def from_wtns(data: Buffer) -> Witness: ...
    def to_wtns(self) -> bytes: ...
    @property
    def wires(self) -> int: ...
    def public(self, count: int) -> bytes:
        """The first `count` wires after the constant, 32 big-endian bytes each."""

@final
class Groth16Verifier:
    def __new__(cls, words: Buffer) -> Groth16Verifier: ...
    def words(self) -> bytes: ...
    @property
    def public_count(self) -> int: ...
    def verify(self, public: Buffer, proof: Buffer) -> bool: ...
    def verify_batch(
        self, items: list[tuple[bytes, bytes]], seed: Buffer, cancel: Cancel | None
    ) -> list[int]: ...

@final
class Groth16Key:
    def __new__(cls, path: os.PathLike[str]) -> Groth16Key: ...
    @property
    def wires(self) -> int: ...
    @property
    def public_count(self) -> int: ...
    @property
    def domain(self) -> int: ...
    @property
    def constraints(self) -> int: ...
    def circuit_hash(self) -> bytes: ...
    def development_circuit(self) -> bytes | None: ...
    def words(self) -> bytes: ...
    def prove(
        self, witness: Witness, seed: Buffer | None, cancel: Cancel | None
    ) -> tuple[bytes, bytes]: ...
    def check(self, seed: Buffer, cancel: Cancel | None) -> None: ...

def groth16_setup(
    r1cs: os.PathLike[str],
    zkey: os.PathLike[str],
    seed: Buffer,
    cancel: Cancel | None,
    progress: Callable[[int, int], None] | None,
) -> bytes:
    """Write a development key; the words of its verifying key. What `progress` raises ends it."""

def r1cs_counts(data: Buffer) -> tuple[int, int, int, int, int]:
    """Outputs, public inputs, private inputs, wires and constraints."""

# ---- quire-net: the libp2p swarm ----------------------------------------------------------------

@final
class Frame:
    """A received message; immutable. `memoryview(frame)` reads it without a copy."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class NetNode:
    """A running swarm with two threads of its own. No method waits for the network.

    Commands that carry an `op` are answered by exactly one event `done`, `opened` or `failed` with
    that number, unless `forget` came first. Events are tuples that begin with a name and a number:

        ("message", channel, Frame)         ("writable", channel)
        ("ended", channel, how, reason)     how: "closed", "broken" or "lied"
        ("incoming", channel, peer, protocol)
        ("done", op, value)                 value: of provide, the number of peers that took it
        ("opened", op, channel)
        ("failed", op, failure, reason)     failure: "silent", "refused", "gone", "mismatch",
                                            "in-use", "address" or "full"
        ("provider", op, peer, [address])   any number of them before "done"
        ("connected", connection, peer, address, outgoing)
        ("disconnected", connection, peer, reason)
        ("identified", 0, peer, agent, [protocol])
        ("listening", 0, address)           ("unlistening", 0, address)
        ("reach", 0, {...})                 the fields of `net.reachability.Reachability`; only when
                                            `nat` was given
        ("stopped", 0)                      the last one

    Texts that do not parse as a peer id, address or protocol raise ValueError.
    """

    def __new__(
        cls,
        private_key: bytes,  # 32, a secp256k1 scalar
        *,
        agent: str,
        kad_protocol: str,
        mdns: bool,
        ping: bool = True,
        max_connections: int,
        idle_seconds: float,
        record_seconds: float,
        nat: str | None = None,  # "none", "upnp" or an external IP address
        relay: tuple[int, int, int, float] | None = None,
        # to serve as one: reservations, circuits, bytes and seconds of a circuit
    ) -> NetNode:
        """Start the threads. RuntimeError when a key or name is bad or the system refuses."""

    @property
    def peer(self) -> str: ...
    @property
    def fd(self) -> int:
        """Readable while `drain` has something to give."""

    def drain(self, max_events: int) -> list[tuple[Any, ...]]: ...
    def listen(self, op: int, address: str) -> None: ...
    def serve(self, protocol: str, max_bytes: int) -> None: ...
    def dial(self, op: int, peer: str, addresses: list[str]) -> None: ...
    def open(
        self, op: int, peer: str, protocol: str, max_bytes: int, timeout_seconds: float
    ) -> None: ...
    def send(self, channel: int, segments: tuple[Buffer, ...]) -> bool | None:
        """True: taken, without a copy where the memory cannot change. False: full, `writable`
        follows. None: the channel has ended. OverflowError when above the channel's limit."""

    def consumed(self, channel: int, length: int) -> None:
        """Give back the credit of one received message."""

    def close(self, channel: int) -> None:
        """End our direction after what is queued."""

    def release(self, channel: int) -> None:
        """Close, and read no more."""

    def reset(self, channel: int) -> None:
        """Drop the stream at once."""

    def provide(self, op: int, key: bytes) -> None: ...
    def stop_providing(self, key: bytes) -> None: ...
    def find_providers(self, op: int, key: bytes) -> None: ...
    def forget(self, op: int) -> None: ...
    def hang_up(self, peer: str) -> None: ...
    def ban(self, peer: str) -> None: ...
    def unban(self, peer: str) -> None: ...
    def stop(self, timeout_seconds: float) -> None:
        """Close everything; the event `stopped` follows."""

    def join(self, timeout_seconds: float) -> None:
        """End the threads. Harmless when repeated."""

# ---- quire-proof: circuits -----------------------------------------------------------------------
# Errors as above. A felt is 32 little-endian bytes.

@final
class StorageCircuit:
    def __new__(
        cls,
        samples: int,
        max_depth: int,
        max_log2_slots: int,
        block_depth: int,
        cell_elements: int,
    ) -> StorageCircuit: ...
    def write_r1cs(self, path: os.PathLike[str]) -> None: ...
    def witness(
        self,
        roots: Buffer,
        numbers: tuple[int, int, int],
        host: Buffer,
        slot_path: Buffer,
        samples: Sequence[tuple[Buffer, Buffer]],
    ) -> Witness:
        """roots: entropy, dataset root, slot root; numbers: slot index, cells of a slot, slots.
        Paths are filled up with zeros."""

def circom_witness(
    program: Buffer,
    signals: Sequence[tuple[str, Buffer]],
    memory_bytes: int,
    steps: int,
    cancel: Cancel | None,
) -> Witness: ...
