"""Fuzz `ChannelMachine.decode` and the records of bills and accounts: what is accepted is written
the same way, and the machine goes on."""

from quire.base.errors import BadEncoding
from quire.chain.hub import HubChannel
from quire.channels.account import Account
from quire.channels.account_record import decode_account, encode_billed, encode_received
from quire.channels.channel import At, Bill, Channel
from quire.channels.channel_machine import ChannelMachine
from quire.channels.channel_record import decode_bill, decode_channel, encode_bill

VECTORS = ()
MACHINE = ChannelMachine()
PAYEE = bytes(range(20))
BILL = Bill("a/0", PAYEE, 7, 1 << 100)
SEEN = HubChannel(1 << 100, 5, 1_800_000_000)
SEEDS = (
    MACHINE.encode(Channel(PAYEE)),
    MACHINE.encode(Channel(PAYEE, At.CHALLENGE, 9, 3, SEEN, 4, 5, BILL, "why")),
    encode_bill(BILL),
    encode_billed(Account(PAYEE, 1 << 90)),
    encode_received(Account(PAYEE, 5, 4, bytes(range(65)), SEEN)),
    b'{"format":1,"channel":{}}',
)


def check(data: bytes) -> None:
    try:
        channel = MACHINE.decode(data)
    except BadEncoding:
        pass
    else:
        assert decode_channel(MACHINE.encode(channel)) == channel
        MACHINE.resume(channel)
        MACHINE.words(channel)
        MACHINE.deadline(channel)
    try:
        bill = decode_bill(data)
        assert decode_bill(encode_bill(bill)) == bill
    except BadEncoding:
        pass
    for billed, received in ((data, None), (None, data)):
        try:
            account = decode_account(billed, received)
        except BadEncoding:
            continue
        assert decode_account(encode_billed(account), encode_received(account)) == account


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
