"""Bytes and texts of what the marketplace contract speaks of: requests, ids, addresses.

    request id = keccak256(abi.encode(request))      slot id = keccak256(abi.encode(id, slot index))

The nonce is part of the request, so that equal orders have different ids. eth_abi is loaded with
the first request that is encoded.

Source   market.md 1.1, 1.5; EIP-55; vectors/market.json
"""

from __future__ import annotations

import re
from typing import Any

from quire.base.errors import BadEncoding, InputError
from quire.chain.values import (
    ADDRESS_BYTES,
    ID_BYTES,
    Address,
    Ask,
    Content,
    RequestId,
    SlotId,
    StorageRequest,
)
from quire.kernels.keccak import keccak256

ASK = "(uint256,uint256,uint256,uint64,uint64,uint64,uint64)"
REQUEST = f"(address,{ASK},(bytes,bytes32),uint64,bytes32)"
CID_BYTES_MAX = 128  # of the text of a request; the reference's are 38

_ADDRESS = re.compile(r"0[xX]([0-9a-fA-F]{40})")
_ID = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")


def encode_request(request: StorageRequest) -> bytes:
    """abi.encode(request): 544 bytes with a CID of 33 to 64. Raises InputError."""
    return encode([REQUEST], [request_values(request)])


def decode_request(data: bytes) -> StorageRequest:
    """The opposite; only what the encoder writes is taken. Raises BadEncoding."""
    (values,) = decode([REQUEST], data)
    request = request_of(values)
    if len(request.content.cid) > CID_BYTES_MAX:
        raise BadEncoding(
            f"a storage request has a CID of {len(request.content.cid)} bytes; "
            f"at most {CID_BYTES_MAX} are taken"
        )
    if encode_request(request) != data:
        raise BadEncoding(f"the {len(data)} bytes of a storage request are not as ABI writes them")
    return request


def request_values(request: StorageRequest) -> tuple[Any, ...]:
    """The request as nested values in ABI order."""
    ask, content = request.ask, request.content
    return (
        request.client,
        ask_values(ask),
        (content.cid, content.merkle_root),
        request.expiry,
        request.nonce,
    )


def ask_values(ask: Ask) -> tuple[int, ...]:
    return (
        ask.proof_probability,
        ask.price_per_byte_per_second,
        ask.collateral_per_byte,
        ask.slots,
        ask.slot_size,
        ask.duration,
        ask.max_slot_loss,
    )


def request_of(values: Any) -> StorageRequest:
    """A request from nested values as eth_abi decodes them."""
    client, ask, (cid, merkle_root), expiry, nonce = values
    return StorageRequest(told_address(client), Ask(*ask), Content(cid, merkle_root), expiry, nonce)


def request_id(request: StorageRequest) -> RequestId:
    """Raises InputError."""
    return keccak256(encode_request(request))


def slot_id(request_id: RequestId, slot_index: int) -> SlotId:
    assert len(request_id) == ID_BYTES
    assert slot_index >= 0
    return keccak256(request_id + slot_index.to_bytes(32, "big"))


def id_text(value: bytes) -> str:
    """A request or slot id as people and the API see it: 0x and 64 digits."""
    return "0x" + value.hex()


def parse_id(text: str) -> bytes:
    """A request or slot id, with or without 0x. Raises BadEncoding."""
    found = _ID.fullmatch(text)
    if found is None:
        raise BadEncoding(
            f"{_shown(text)} is not an id of a request or slot; it is 0x and 64 hexadecimal digits"
        )
    return bytes.fromhex(found[1])


def address_text(address: Address) -> str:
    """With the capital letters that check it (EIP-55)."""
    digits = address.hex()
    check = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        d.upper() if c >= "8" else d for d, c in zip(digits, check[:40], strict=True)
    )


def told_address(text: str) -> Address:
    """An address as eth_abi decodes it: right by construction."""
    return bytes.fromhex(text.removeprefix("0x"))


def parse_address(text: str) -> Address:
    """An account or contract. Capital and small letters mixed have to be those of EIP-55.

    Raises   BadEncoding
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise BadEncoding(f"{_shown(text)} is not an address; it is 0x and 40 hexadecimal digits")
    digits = found[1]
    address = bytes.fromhex(digits)
    assert len(address) == ADDRESS_BYTES
    if digits not in (digits.lower(), digits.upper(), address_text(address)[2:]):
        raise BadEncoding(
            f"{text} is mistyped: its capital letters do not fit (EIP-55). If it is right, write "
            f"{address_text(address)}"
        )
    return address


def encode(types: list[str], values: list[Any]) -> bytes:
    """abi.encode. Raises InputError where a value does not fit its type."""
    from eth_abi.abi import encode as abi_encode
    from eth_abi.exceptions import EncodingError

    try:
        return bytes(abi_encode(types, values))
    except EncodingError as error:
        raise InputError(f"a value does not fit the contract's types: {error}") from None


def decode(types: list[str], data: bytes) -> tuple[Any, ...]:
    """abi.decode; addresses are texts. Raises BadEncoding."""
    from eth_abi.abi import decode as abi_decode
    from eth_abi.exceptions import DecodingError

    try:
        return tuple(abi_decode(types, data))
    except (DecodingError, OverflowError, ValueError) as error:
        raise BadEncoding(f"{len(data)} bytes are not values as ABI writes them: {error}") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
