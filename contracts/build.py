"""Compiles the contracts into the artefacts that Quire ships.

    python contracts/build.py            write src/quire/chain/artefacts
    python contracts/build.py --check    only say whether they are what the sources compile to

Needs node and npm; the compiler itself comes from package-lock.json.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
ARTEFACTS = HERE.parent / "src" / "quire" / "chain" / "artefacts"
SHIPPED = (
    *("ChannelHub", "Groth16Verifier", "Marketplace"),
    *("SubmissionBonds", "TestToken", "TestVerifier"),
)
SETTINGS: dict[str, Any] = {
    "evmVersion": "paris",
    "optimizer": {"enabled": True, "runs": 200},
    # Through Yul: 2.8 kB smaller, without it the marketplace is beyond CODE_LIMIT.
    "viaIR": True,
    # Comments do not change the bytecode; `sourceHash` says what it was made from.
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
}
OUTPUTS = (
    "abi",
    "evm.bytecode.object",
    "evm.bytecode.linkReferences",
    "evm.deployedBytecode.object",
    "evm.methodIdentifiers",
    "storageLayout",
)
_NUMBERS = re.compile(r"\)\d+")  # of the compiler's tree: every edit changes them
CODE_LIMIT = 24_576  # bytes of a contract, EIP-170


class CompileError(Exception):
    """The sources do not compile; the message is the compiler's."""


def compile_sources(sources: Iterable[Path], compiler: Path) -> dict[str, dict[str, Any]]:
    """Artefacts by contract name. `compiler`: where its npm packages are installed."""
    texts = {path.name: path.read_text() for path in sorted(sources)}
    settings = {**SETTINGS, "outputSelection": {"*": {"*": list(OUTPUTS)}}}
    asked = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": settings,
    }
    run = subprocess.run(  # noqa: S603
        ["node", str(HERE / "compile.js"), str(compiler)],  # noqa: S607
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(run.stdout)
    problems = [error["formattedMessage"] for error in answer["output"].get("errors", [])]
    if problems:
        raise CompileError("\n".join(problems))
    digest = hashlib.sha256()
    for name, text in texts.items():
        digest.update(f"{name}\n{len(text)}\n{text}".encode())
    return {
        name: _artefact(contract, answer["version"], digest.hexdigest())
        for found in answer["output"]["contracts"].values()
        for name, contract in found.items()
    }


def _artefact(contract: dict[str, Any], version: str, source_hash: str) -> dict[str, Any]:
    evm = contract["evm"]
    storage = contract["storageLayout"]["storage"]
    return {
        "abi": contract["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "compiler": version,
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "linkReferences": evm["bytecode"]["linkReferences"],
        "methodIdentifiers": evm["methodIdentifiers"],
        "settings": SETTINGS,
        "sourceHash": source_hash,
        "storageLayout": [
            {
                "label": entry["label"],
                "offset": entry["offset"],
                "slot": entry["slot"],
                "type": _NUMBERS.sub(")", entry["type"]),
            }
            for entry in storage
        ],
    }


def as_text(artefact: dict[str, Any]) -> str:
    return json.dumps(artefact, indent=1, sort_keys=True) + "\n"


def shipped(compiler: Path) -> dict[str, str]:
    """The files that belong into the artefacts directory, by name."""
    made = compile_sources(SOURCES.glob("*.sol"), compiler)
    return {f"{name}.json": as_text(made[name]) for name in SHIPPED}


def main(arguments: list[str]) -> int:
    if not (HERE / "node_modules" / "solc").exists():
        install = ["npm", "ci", "--ignore-scripts", "--no-audit"]
        subprocess.run(install, cwd=HERE, check=True)  # noqa: S603
    changed = 0
    for name, text in shipped(HERE).items():
        path = ARTEFACTS / name
        if not path.exists() or path.read_text() != text:
            changed += 1
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        size = len(json.loads(text)["deployedBytecode"]) // 2 - 1
        print(f"{name:24}{size:7} of {CODE_LIMIT} bytes")
    print(f"{changed} changed")
    return 1 if "--check" in arguments and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
