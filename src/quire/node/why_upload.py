"""How a file that is kept as replicas stands, in words: its links, what is waited for, its map."""

from __future__ import annotations

from collections import Counter

from quire.base.units import format_size, format_time
from quire.services.retail.upload_status import LinkStatus, UploadStatus

LINKS_TOLD = 8  # of those that are on their way


def upload_in_words(upload: UploadStatus) -> list[str]:
    """The file, and each link on its way, as far as they are few."""
    size, until = format_size(upload.size_bytes), format_time(upload.expires_at)
    least, most = min(upload.replicas, default=0), max(upload.replicas, default=0)
    there = f"{least} of each chunk" if least == most else f"{least} to {most} of a chunk"
    renewed = ", then renewed" if upload.is_autorenewed else ""
    found = [
        f"This node keeps {upload.cid} at providers: {upload.state}: {upload.words}.",
        f"{size} until {until}{renewed}; {upload.redundancy} replicas wanted, {there} are there.",
        f"{upload.paid} tokens were paid for it.",
    ]
    counts = Counter(link.state for link in upload.links)
    if counts:
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        found.append(f"Its links: {told}.")
    if upload.map_version:
        found.append(f"Version {upload.map_version} of the map of its replicas is the newest.")
    else:
        found.append("There is no map of its replicas yet: nobody else can find them.")
    going = [link for link in upload.links if link.is_under_way]
    for link in going[:LINKS_TOLD]:
        where = f"Link {link.link_id} (chunk {link.chunk}) at {link.peer}"
        found += [f"{where} is {link.state}: {link.words}.", *_what_next(link)]
    if len(going) > LINKS_TOLD:
        found.append(f"{len(going) - LINKS_TOLD} more are on their way.")
    return found


def link_in_words(upload: UploadStatus, link: LinkStatus) -> list[str]:
    """One link of it."""
    what = f"replica {link.replica} of chunk {link.chunk} of {upload.cid}"
    blocks = f"{link.acked_blocks} of {link.blocks} blocks were acknowledged"
    return [
        f"This node has {what} at {link.peer}. It is {link.state}: {link.words}.",
        f"{blocks}; {link.paid} tokens were paid.",
        *_what_next(link),
    ]


def _what_next(link: LinkStatus) -> list[str]:
    found = []
    if link.next_deadline is not None:
        reason, at = link.next_deadline
        found.append(f"Next: {reason}, until {format_time(at)}.")
    if link.trouble:
        found.append(f"It is tried again, because: {link.trouble}.")
    return found
