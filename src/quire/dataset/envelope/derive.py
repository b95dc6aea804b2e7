"""From a capability to those that can less. There is no way back."""

from __future__ import annotations

from quire.base.errors import BadCap
from quire.dataset.envelope.keys import FileKeys
from quire.formats.cap import Cap, ReadCap, RepairCap, VerifyCap


def repair_of(cap: Cap) -> RepairCap:
    """Raises   BadCap  a verify or literal capability: nothing can be repaired with it"""
    match cap:
        case ReadCap():
            keys = FileKeys.of(cap.file_key, cap.suite)
            return RepairCap(cap.suite, cap.flags, cap.cid, keys.commit, keys.seal_root)
        case RepairCap():
            return cap
        case VerifyCap():
            raise BadCap("a repair capability cannot be made from a verify capability")
        case _:
            raise BadCap("a literal capability is its content: there is nothing to repair")


def verify_of(cap: Cap) -> VerifyCap:
    """Raises   BadCap  a literal capability: there is no dataset"""
    match cap:
        case ReadCap():
            commit = FileKeys.of(cap.file_key, cap.suite).commit
            return VerifyCap(cap.suite, cap.flags, cap.cid, commit)
        case RepairCap():
            return VerifyCap(cap.suite, cap.flags, cap.cid, cap.commit)
        case VerifyCap():
            return cap
        case _:
            raise BadCap("a literal capability is its content: there is nothing to verify")
