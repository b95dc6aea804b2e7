"""Bytes of accounts and vouchers in a payee's journal, and back. JSON, with bytes as base64."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from quire.base.errors import BadEncoding
from quire.chain.hub import HubChannel
from quire.chain.values import ADDRESS_BYTES
from quire.channels.account import Account
from quire.channels.voucher import MAX_CUMULATIVE
from quire.formats.pay import MAX_SIGNATURE_BYTES

FORMAT = 1
_ENDLESS_TIME = 1 << 64


@dataclass(frozen=True, slots=True)
class _Billed:
    format: int
    payer: bytes
    billed: int
    forgiven: int = 0


@dataclass(frozen=True, slots=True)
class _Received:
    format: int
    payer: bytes
    received: int
    signature: bytes
    seen: HubChannel


def encode_billed(account: Account) -> bytes:
    """What he was billed, and forgiven."""
    record = _Billed(FORMAT, account.payer, account.billed, account.forgiven)
    return msgspec.json.encode(record)


def encode_received(account: Account) -> bytes:
    """His best voucher, and his channel as the hub said last."""
    return msgspec.json.encode(
        _Received(FORMAT, account.payer, account.received, account.signature, account.seen)
    )


def decode_account(billed: bytes | None, received: bytes | None) -> Account:
    """What both records of an account were made of; one of them may never have been written. When
    the hub was looked at is not kept: it is looked at again. Raises BadEncoding."""
    try:
        owes = None if billed is None else msgspec.json.decode(billed, type=_Billed)
        has = None if received is None else msgspec.json.decode(received, type=_Received)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of an account cannot be read: {error}") from None
    if any(each is not None and each.format != FORMAT for each in (owes, has)):
        raise BadEncoding(f"the record of an account has another format than {FORMAT}")
    payers = {each.payer for each in (owes, has) if each is not None}
    if len(payers) != 1 or len(payer := payers.pop()) != ADDRESS_BYTES:
        raise BadEncoding("the records of an account do not name one payer")
    account = Account(payer)
    if owes is not None:
        account = replace(account, billed=owes.billed, forgiven=owes.forgiven)
    if has is not None:
        account = replace(account, received=has.received, signature=has.signature, seen=has.seen)
    _check(account)
    return account


def _check(account: Account) -> None:
    seen = account.seen
    for each in (account.received, seen.deposit, seen.claimed):
        if not 0 <= each <= MAX_CUMULATIVE:
            raise BadEncoding("the record of an account has a sum out of its range")
    if min(account.billed, account.forgiven) < 0 or not 0 <= seen.close_at < _ENDLESS_TIME:
        raise BadEncoding("the record of an account has numbers that cannot be")
    if len(account.signature) > MAX_SIGNATURE_BYTES:
        raise BadEncoding(f"a signature of {len(account.signature)} bytes is too long")
