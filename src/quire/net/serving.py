"""How every transport serves a channel that a peer opened."""

from __future__ import annotations

from quire.base.errors import PeerError
from quire.net.transport import Channel, OnChannel


async def serve_channel(on_channel: OnChannel, channel: Channel) -> None:
    """Serve one incoming channel; a failing peer ends the channel and nothing else."""
    try:
        await on_channel(channel)
    except PeerError as problem:
        channel.abort(problem.message)
    except BaseException:
        channel.abort("the handler failed")
        raise
    channel.close()
