"""Noise_XX_25519_ChaChaPoly_SHA256 with the payload of libp2p."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from support.reference.bytes_ import Malformed, blob, fields, first_blob
from support.reference.identity import Key, check_signature

NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
PREFIX = b"noise-libp2p-static-key:"
MOST_PLAIN = 65_487


class _Cipher:
    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)
        self._count = 0

    def _nonce(self) -> bytes:
        self._count += 1
        return bytes(4) + (self._count - 1).to_bytes(8, "little")

    def seal(self, data: bytes, extra: bytes = b"") -> bytes:
        return self._aead.encrypt(self._nonce(), data, extra)

    def open(self, data: bytes, extra: bytes = b"") -> bytes:
        return self._aead.decrypt(self._nonce(), data, extra)


class _Symmetric:
    """The handshake's hash, chaining key and cipher."""

    def __init__(self) -> None:
        self.hash = self._chain = NAME
        self._cipher: _Cipher | None = None
        self.mix_hash(b"")

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self._chain, key = self._expand(secret)
        self._cipher = _Cipher(key)

    def seal(self, data: bytes) -> bytes:
        sealed = data if self._cipher is None else self._cipher.seal(data, self.hash)
        self.mix_hash(sealed)
        return sealed

    def open(self, data: bytes) -> bytes:
        plain = data if self._cipher is None else self._cipher.open(data, self.hash)
        self.mix_hash(data)
        return plain

    def split(self) -> tuple[_Cipher, _Cipher]:
        one, other = self._expand(b"")
        return _Cipher(one), _Cipher(other)

    def _expand(self, secret: bytes) -> tuple[bytes, bytes]:
        prk = hmac.digest(self._chain, secret, "sha256")
        one = hmac.digest(prk, b"\x01", "sha256")
        return one, hmac.digest(prk, one + b"\x02", "sha256")


class SecureStream:
    """A connection after the handshake."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inward: _Cipher,
        outward: _Cipher,
        remote_public: bytes,
    ) -> None:
        self.remote_public = remote_public
        self._reader = reader
        self._writer = writer
        self._inward = inward
        self._outward = outward
        self._plain = bytearray()

    async def readexactly(self, count: int) -> bytes:
        while len(self._plain) < count:
            size = int.from_bytes(await self._reader.readexactly(2))
            sealed = await self._reader.readexactly(size)
            if size > 16:
                self._plain += self._inward.open(sealed)
        data = bytes(self._plain[:count])
        del self._plain[:count]
        return data

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), MOST_PLAIN):
            sealed = self._outward.seal(data[at : at + MOST_PLAIN])
            self._writer.write(len(sealed).to_bytes(2) + sealed)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


async def secure(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: Key, *, dials: bool
) -> SecureStream:
    """The handshake. Raises `Malformed` for a peer with another kind of key."""
    state, static, own = _Symmetric(), X25519PrivateKey.generate(), X25519PrivateKey.generate()
    static_public = static.public_key().public_bytes_raw()
    own_public = own.public_key().public_bytes_raw()
    payload = blob(1, key.public) + blob(2, key.sign(PREFIX + static_public))

    async def receive() -> bytes:
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))

    def send(message: bytes) -> None:
        writer.write(len(message).to_bytes(2) + message)

    def remote(data: bytes) -> X25519PublicKey:
        return X25519PublicKey.from_public_bytes(data)

    if dials:
        state.mix_hash(own_public)
        send(own_public + state.seal(b""))
        message = await receive()
        state.mix_hash(message[:32])
        other = remote(message[:32])
        state.mix_key(own.exchange(other))
        other_static = state.open(message[32:80])
        state.mix_key(own.exchange(remote(other_static)))
        public = _check(state.open(message[80:]), other_static)
        sealed = state.seal(static_public)
        state.mix_key(static.exchange(other))
        send(sealed + state.seal(payload))
        outward, inward = state.split()
        return SecureStream(reader, writer, inward, outward, public)
    message = await receive()
    state.mix_hash(message[:32])
    state.open(message[32:])
    other = remote(message[:32])
    state.mix_hash(own_public)
    state.mix_key(own.exchange(other))
    sealed = state.seal(static_public)
    state.mix_key(static.exchange(other))
    send(own_public + sealed + state.seal(payload))
    message = await receive()
    other_static = state.open(message[:48])
    state.mix_key(own.exchange(remote(other_static)))
    public = _check(state.open(message[48:]), other_static)
    inward, outward = state.split()
    return SecureStream(reader, writer, inward, outward, public)


def _check(payload: bytes, static: bytes) -> bytes:
    """The public key of the peer."""
    found = fields(payload)
    public = first_blob(found, 1)
    if not public:
        raise Malformed("no key")
    check_signature(public, PREFIX + static, first_blob(found, 2))
    return public
