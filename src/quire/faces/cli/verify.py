"""quire verify: do proofs hold, and what do they prove? Needs no node."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from quire.base.errors import InputError, NotFound, ProofInvalid
from quire.base.rng import system_rng
from quire.dataset.circuit import CircuitParameters
from quire.dataset.sampling import entropy_of_challenge, parse_challenge, parse_entropy
from quire.dataset.storage_proof import (
    MAX_JSON_BYTES,
    StorageProof,
    decode_proof_json,
    parse_host,
)
from quire.faces.cli.circuit_options import circuit_options, places_of
from quire.faces.cli.common import dataset_of, json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.formats.cid import CODEC_PROVING_ROOT, Cid
from quire.kernels.groth16 import VerifyingKey
from quire.services.circuits import Circuits
from quire.services.proof_check import Expected, Verdict, check_proofs, in_words

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("proofs", nargs=-1, required=True, type=_FILE)
@click.option("--cid", help="Dataset that they are to be about; asks the node for its verify root.")
@click.option("--root", help="The same by its verify root: zE4...")
@click.option("--slot", type=int, help="Slot that they are to be about.")
@click.option("--entropy", help="Entropy that they are to answer.")
@click.option("--challenge", help="Instead of it: the 32 bytes of the contract.")
@click.option("--host", help="Address that they are to be worth something to.")
@click.option("--key", type=_FILE, help="Verifying key (.json) or proving key (.zkey).")
@circuit_options
@json_option
@click.pass_obj
def verify_command(
    context: Context,
    proofs: tuple[Path, ...],
    cid: str | None,
    root: str | None,
    slot: int | None,
    entropy: str | None,
    challenge: str | None,
    host: str | None,
    key: Path | None,
    data_dir: Path | None,
    circuit_dir: Path | None,
    profile: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Verify proofs, several of them at little more than the cost of one."""
    expected = Expected(
        _root(context, cid, root),
        slot,
        _entropy(entropy, challenge),
        None if host is None else parse_host(host),
    )
    if key is None:
        circuits = Circuits(places_of(data_dir, circuit_dir, profile, config_file))
        find_key = circuits.find_verifying_key
    else:
        find_key = partial(_given, _key(key))
    found = [_read(path) for path in proofs]
    verdicts = check_proofs(found, find_key, expected, system_rng().randbytes(32))
    _show(proofs, verdicts, as_json)
    bad = sum(not verdict.is_good for verdict in verdicts)
    if bad:
        raise ProofInvalid(f"{bad} of {len(verdicts)} proofs do not hold, or say something else")


def _show(paths: tuple[Path, ...], verdicts: list[Verdict], as_json: bool) -> None:
    if as_json:
        results = [
            {
                "file": str(path),
                "good": verdict.is_good,
                "problem": verdict.problem,
                "says": in_words(verdict.proof),
            }
            for path, verdict in zip(paths, verdicts, strict=True)
        ]
        show_json({"good": all(verdict.is_good for verdict in verdicts), "proofs": results})
        return
    for path, verdict in zip(paths, verdicts, strict=True):
        if verdict.is_good:
            click.echo(f"{path}: it is proved that {in_words(verdict.proof)}")
        else:
            click.echo(f"{path}: NOT PROVED: {verdict.problem}")


def _read(path: Path) -> StorageProof:
    try:
        with path.open("rb") as file:
            return decode_proof_json(file.read(MAX_JSON_BYTES + 1))
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path}: {error.message}") from None


def _given(key: VerifyingKey, _circuit: CircuitParameters) -> VerifyingKey:
    return key


def _key(path: Path) -> VerifyingKey:
    if path.suffix == ".zkey":
        return VerifyingKey.from_zkey(path)
    try:
        return VerifyingKey.from_json(path.read_bytes())
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None


def _root(context: Context, cid: str | None, root: str | None) -> bytes | None:
    if cid is not None and root is not None:
        raise InputError("give either --cid or --root")
    if cid is not None:
        path = f"/datasets/{dataset_of(context, cid)}/slots"
        root = with_client(context, lambda client: client.json("GET", path))["verifyRoot"]
    if root is None:
        return None
    found = Cid.parse(root)
    if found.codec != CODEC_PROVING_ROOT:
        raise InputError(f"{root} is not a verify root; quire slots CID prints it")
    return found.digest


def _entropy(entropy: str | None, challenge: str | None) -> bytes | None:
    if entropy is not None and challenge is not None:
        raise InputError("give either --entropy or --challenge")
    if challenge is not None:
        return entropy_of_challenge(parse_challenge(challenge))
    return None if entropy is None else parse_entropy(entropy)
