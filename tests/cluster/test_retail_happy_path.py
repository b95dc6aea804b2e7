"""A file at paid providers, on real processes: all that the acceptance scenario says, exactly."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import pytest

from quire.base.units import MIB
from quire.formats.peer_id import decode_peer_id
from support.receipts import links_in, signer_of
from support.replica_street import CLIENT, READER, replica_street

ROOT = Path(__file__).parents[2]
DATA = random.Random(7).randbytes(40 * MIB)
PADDED_BYTES, RECORDS, CHUNK_BLOCKS = 42_991_616, 657, (256, 256, 145)
CIPHERTEXT_BYTES, TAG_BYTES = 43_002_128, 16  # a tag for each record
REDUNDANCY, TERM = 3, 86_400


def windows_found(tmp_path: Path, data: bytes, disks: list[Path]) -> list[str]:
    """Where 32 bytes of the data are on a disk, in words; what went wrong with looking."""
    (tmp_path / "plain").write_bytes(data)
    command = [sys.executable, "-m", "demo.scan", str(tmp_path / "plain"), *map(str, disks)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [] if found.returncode == 0 else (found.stdout + found.stderr).splitlines()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_file_is_kept_by_providers_paid_and_read_elsewhere_with_its_capability_alone(
    tmp_path: Path,
) -> None:
    async with replica_street(tmp_path) as street:
        await street.client()
        names = await street.providers(5)
        file = await street.put(DATA, redundancy=REDUNDANCY, seconds=TERM)
        await street.until_state(file, "UPLOADED")

        status = await street.status(file)
        assert status["size"] == PADDED_BYTES + RECORDS * TAG_BYTES == CIPHERTEXT_BYTES
        assert -(-CIPHERTEXT_BYTES // 65_536) == RECORDS == sum(CHUNK_BLOCKS)
        links = sorted(status["links"], key=lambda link: link["chunk"])
        assert [link["state"] for link in links] == ["SIGNED"] * 9
        assert len({link["peer"] for link in links}) >= 3
        for chunk, of_chunk in groupby(links, key=lambda link: link["chunk"]):
            here = list(of_chunk)
            assert [link["blocks"] for link in here] == [CHUNK_BLOCKS[chunk]] * REDUNDANCY
            assert len({link["peer"] for link in here}) == REDUNDANCY

        promised = {name: await street.promised(name) for name in names}
        billed = {name: await street.billed(name) for name in names}
        assert promised == billed
        assert sum(billed.values()) == int(status["paid"]) > 0
        await street.town.kill(CLIENT)

        owed = dict.fromkeys(names, 0)
        kept = links_in(street.node(CLIENT).data_dir)
        assert len(kept) == len(links)
        for link in kept:
            assert link.receipt is not None
            name, terms = street.name_of(link.order.peer), link.receipt.terms
            account = street.town.market.account(name)
            assert signer_of(link.receipt, street.town.market.hub.domain) == account
            assert terms.provider == account
            assert terms.client == street.town.market.account(CLIENT)
            assert terms.peer == sha256(decode_peer_id(link.order.peer)).digest()
            assert terms.sealed_bytes == link.order.sealed_bytes
            seconds = terms.expires_at - terms.starts_at
            owed[name] += terms.sealed_bytes * terms.price_byte_second * seconds
        assert owed == billed
        assert sum(link.order.sealed_bytes for link in kept) == REDUNDANCY * CIPHERTEXT_BYTES

        await street.town.kill(CLIENT, and_delete=True)
        await street.reader(knows=names[0])
        assert await street.read(READER, file) == DATA

        disks = [street.node(name).data_dir for name in names]
        assert await asyncio.to_thread(windows_found, tmp_path, DATA, disks) == []
