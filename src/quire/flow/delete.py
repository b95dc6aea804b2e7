"""Stage 9: a dataset is taken out of this node.

Blocks that another dataset also has stay. The announcer withdraws the CIDs, because it follows the
store (announce.py). Other nodes keep what they have: deletion is local.
"""

from __future__ import annotations

from quire.base.events import EventBus
from quire.flow.fetch import Fetches
from quire.formats.cid import Cid, is_manifest
from quire.store.store import Store


async def delete_dataset(cid: Cid, *, store: Store, fetches: Fetches, events: EventBus) -> bool:
    """Stop fetching and forget a dataset; whether it was here. Any CID is taken."""
    if not is_manifest(cid):
        return False
    await fetches.cancel(cid)
    was_here = await store.delete(cid)
    if was_here:
        events.publish("dataset.deleted", str(cid), "deleted on request")
    return was_here
