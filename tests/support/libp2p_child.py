"""A node in a process of its own, to be killed: prints its peer id and address, and echoes."""

from __future__ import annotations

import asyncio

from conform.transport import ECHO, MAX, echo
from support.libp2p import make_node


async def main() -> None:
    node = make_node()
    node.serve(ECHO, echo, max_message_bytes=MAX)
    await node.start()
    print(node.peer_id, node.listen_addresses()[0], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
