"""quire backup and restore: the catalogue of capabilities, found again from 24 words alone.

catalogue ─► an encrypted dataset ─► its read capability in a signed, encrypted pointer
24 words ─► keys ─► locator ─► the pointer, from any node that keeps it ─► the catalogue
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import click

from quire.base.clock import SystemClock
from quire.base.errors import (
    BadEncoding,
    InputError,
    IntegrityError,
    NotFound,
    Refused,
)
from quire.base.rng import system_rng
from quire.chain.key_file import read_secret
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.dataset.envelope.signed_blob import BlobKeys, SignedBlob, decode_blob
from quire.dataset.envelope.user_keys import UserKeys
from quire.faces.cli.common import json_option, show_json, timeout_option, with_client
from quire.faces.cli.keyring_options import keyring_options, open_keyring, place_of
from quire.faces.cli.main import Context
from quire.faces.client import Client
from quire.faces.encrypting import content_of_bytes, random_plan
from quire.faces.keyring import Keyring, parse_phrase
from quire.faces.remote import open_remote, reading
from quire.flow.encrypt import encrypted
from quire.formats.cap import LiteralCap, parse_cap
from quire.formats.catalogue import (
    CatalogueEntry,
    CataloguePointer,
    decode_catalogue,
    decode_pointer_to,
    encode_catalogue,
    encode_pointer_to,
)
from quire.formats.cid import Cid
from quire.kernels.cipher import NONCE_BYTES

PHRASE = "file with the phrase"
SEARCH_SECONDS = 30.0
FIND_BEFORE_SECONDS = 5.0  # how long an older version is looked for before a new one is made


@click.command()
@keyring_options
@timeout_option
@json_option
@click.pass_obj
def backup_command(
    context: Context,
    keyring: Path | None,
    passphrase_file: Path | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Store the catalogue of your key ring, encrypted, so that its 24 words alone bring it back
    (quire restore). The node and its peers keep the pointer to it."""
    ring = open_keyring(keyring, passphrase_file)
    entries = ring.catalogue()
    seconds = FIND_BEFORE_SECONDS if timeout is None else timeout

    async def back_up(client: Client) -> dict[str, object]:
        return await _back_up(client, ring.keys.pointer, entries, seconds)

    found = with_client(context, back_up)
    if as_json:
        show_json(found)
        return
    click.echo(
        f"{len(entries)} entries are backed up; the pointer to them is kept by this node and "
        f"{found['peersKeeping']} of {found['peersAsked']} peers",
        err=True,
    )


async def _back_up(
    client: Client, keys: BlobKeys, entries: list[CatalogueEntry], seconds: float
) -> dict[str, object]:
    data, now = encode_catalogue(entries), SystemClock().now()
    known = await _find(client, keys, seconds)
    plan = random_plan(Header(len(data)), is_padded=True)
    made = encrypted(plan, content_of_bytes(data))
    cid = Cid.parse(await client.put(made, size=plan.dataset_bytes, block_size=BLOCK_BYTES))
    # A backup has to outlive the default time of an upload.
    await client.json("PUT", f"/datasets/{cid}/pin")
    plain = encode_pointer_to(plan.read_cap(cid).text, int(now), data)
    version = max(int(now * 1000), known.version + 1 if known is not None else 0)
    blob = keys.seal(version, system_rng().randbytes(NONCE_BYTES), plain)
    told: dict[str, object] = await client.json("PUT", "/pointers", body=blob.encode())
    old = None if known is None else _cid_of(keys, known)
    if old is not None and old != cid:
        await _unpin(client, old)
    return {"cid": str(cid), "entries": len(entries), "version": version} | told


@click.command()
@click.option("--phrase-file", type=click.Path(path_type=Path, allow_dash=True), required=True,
              help="File (mode 600) with the 24 words; - for standard input.")  # fmt: skip
@keyring_options
@timeout_option
@json_option
@click.pass_obj
def restore_command(
    context: Context,
    phrase_file: Path,
    keyring: Path | None,
    passphrase_file: Path | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Bring key ring and catalogue back from 24 words, on any machine, through any node."""
    master = parse_phrase(_read_phrase(phrase_file))
    place = place_of(keyring)
    ring = open_keyring(keyring, passphrase_file) if place.exists() else None
    if ring is not None and ring.keys.master != master:
        raise Refused(
            f"{place} is another key ring; give --keyring with a new place, or move it away"
        )
    keys = UserKeys.of(master).pointer
    seconds = SEARCH_SECONDS if timeout is None else timeout

    async def fetch(client: Client) -> list[CatalogueEntry]:
        blob = await _find(client, keys, seconds)
        if blob is None:
            raise NotFound(
                "no node that was asked keeps a backup of this phrase: nothing was ever backed up "
                "with it, or those that keep it cannot be reached now"
            )
        return await _catalogue_of(client, _opened(keys, blob), seconds)

    entries = with_client(context, fetch)
    if ring is None:
        ring = Keyring.create(place, master)
    kept = ring.add(entries)
    facts = {"path": str(place), "entries": len(entries), "inCatalogue": len(kept)}
    if as_json:
        show_json(facts)
        return
    click.echo(
        f"{len(entries)} entries are back in {place}; quire keyring list shows them", err=True
    )


def _read_phrase(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.readline()
    try:
        return read_secret(file, PHRASE).decode()
    except UnicodeDecodeError:
        raise InputError(f"{file} is no text") from None


async def _find(client: Client, keys: BlobKeys, seconds: float) -> SignedBlob | None:
    """The newest version that the node finds; None when it finds none."""
    path = f"/pointers/{keys.locator.hex()}"
    try:
        async with client.open(path, timeout_seconds=seconds) as answer:
            return decode_blob(await answer.read())
    except NotFound:
        return None
    except BadEncoding as error:
        raise IntegrityError(f"the node sent no signed value: {error.message}") from None


def _opened(keys: BlobKeys, blob: SignedBlob) -> CataloguePointer:
    try:
        return decode_pointer_to(keys.open(blob))
    except BadEncoding as error:
        raise IntegrityError(f"the pointer to the catalogue is damaged: {error.message}") from None


def _cid_of(keys: BlobKeys, blob: SignedBlob) -> Cid | None:
    """The dataset that an older pointer names."""
    cap = parse_cap(_opened(keys, blob).cap)
    return None if isinstance(cap, LiteralCap) else cap.cid


async def _unpin(client: Client, cid: Cid) -> None:
    """An older backup may go; it may also not be here at all."""
    try:
        await client.json("DELETE", f"/datasets/{cid}/pin")
    except NotFound:
        return


async def _catalogue_of(
    client: Client, pointer: CataloguePointer, seconds: float
) -> list[CatalogueEntry]:
    """The catalogue: small ones are in the pointer, others are fetched."""
    try:
        if pointer.catalogue is not None:
            return decode_catalogue(pointer.catalogue.encode())
        cap = parse_cap(pointer.cap)
        if isinstance(cap, LiteralCap):
            return decode_catalogue(cap.content)
        remote = await open_remote(client, reading(cap), seconds)
        return decode_catalogue(await _joined(remote.content(0, remote.size)))
    except BadEncoding as error:
        raise IntegrityError(f"the catalogue is damaged: {error.message}") from None


async def _joined(pieces: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(pieces):
        return b"".join([piece async for piece in pieces])
