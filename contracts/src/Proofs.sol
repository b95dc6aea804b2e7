// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";
import "./Types.sol";
import {Records, RequestRecord, SlotRecord} from "./Records.sol";
import {Verification} from "./Verification.sol";

struct ProofStatus {
    bool isRequired;
    bool willBeRequired;
    bytes32 challenge;
    uint8 pointer;
}

/// When a slot has to prove itself, and whether it did.
abstract contract Proofs is Records, Verification {
    error Marketplace_SlotNotAcceptingProofs();
    error Marketplace_ProofNotSubmittedByHost();
    error Proofs_ProofAlreadySubmitted();
    error Proofs_PeriodNotEnded();
    error Proofs_ValidationTimedOut();
    error Proofs_ProofNotMissing();
    error Proofs_ProofNotRequired();
    error Proofs_ProofAlreadyMarkedMissing();
    error Proofs_LengthMismatch();
    error Proofs_TimeoutTooLong();

    event ProofSubmitted(SlotId id);
    event ProofDelegateSet(address indexed host, address indexed delegate, bool isAllowed);

    /// A slot remembers in which of so many periods, up to the last proof, it was proved.
    uint64 private constant REMEMBERED = 24;

    /// A bit for each period that was marked; the key is period / 256.
    mapping(SlotId => mapping(uint256 => uint256)) private _missing;
    mapping(address delegate => mapping(address host => ProofDelegation)) private _delegations;

    constructor(IGroth16Verifier verifier) Verification(verifier) {
        // Whatever can still be marked is remembered.
        if (_timeout / _period > REMEMBERED - 2) revert Proofs_TimeoutTooLong();
    }

    // ---- what is asked ----

    function isProofRequired(SlotId slotId) external view returns (bool) {
        return _isProofRequired(slotId, _currentPeriod());
    }

    function willProofBeRequired(SlotId slotId) external view returns (bool) {
        uint64 period = _currentPeriod();
        return _pointer(slotId, period) < _downtime && _isChosen(slotId, period);
    }

    function slotProbability(SlotId slotId) public view returns (uint256) {
        uint256 probability = _requests[_slots[slotId].requestId].proofProbability;
        return (probability * (256 - _downtime)) / 256;
    }

    /// All of that for many slots, as of this block.
    function proofStatuses(
        SlotId[] calldata slotIds
    ) external view returns (uint64 period, ProofStatus[] memory statuses) {
        period = _currentPeriod();
        statuses = new ProofStatus[](slotIds.length);
        for (uint256 i = 0; i < slotIds.length; i++) {
            uint8 pointer = _pointer(slotIds[i], period);
            bool isChosen = _isChosen(slotIds[i], period);
            bool isDown = pointer < _downtime;
            statuses[i] = ProofStatus(
                isChosen && !isDown,
                isChosen && isDown,
                _challenge(pointer),
                pointer
            );
        }
    }

    /// Whether the proof of a period was marked as missing.
    function isProofMissing(SlotId slotId, uint64 period) public view returns (bool) {
        return (_missing[slotId][period / 256] >> (period % 256)) & 1 == 1;
    }

    function proofDelegation(
        address host,
        address delegate
    ) external view returns (ProofDelegation memory) {
        return _delegations[delegate][host];
    }

    function canMarkProofAsMissing(SlotId slotId, uint64 period) public view {
        bytes4 problem = _whyNotMissing(slotId, period);
        if (problem != 0) {
            assembly ("memory-safe") {
                mstore(0, problem)
                revert(0, 4)
            }
        }
    }

    // ---- what is given ----

    function submitProof(SlotId slotId, Groth16Proof calldata proof) external {
        SlotRecord storage slot = _slots[slotId];
        RequestId requestId = slot.requestId;
        if (RequestId.unwrap(requestId) == 0) revert Marketplace_UnknownRequest();
        if (msg.sender != slot.host) revert Marketplace_ProofNotSubmittedByHost();
        _acceptProof(slotId, slot, _requests[requestId].merkleRoot, proof);
    }

    /// Let somebody else submit proofs for all slots of the caller.
    function setProofDelegate(address delegate, bool isAllowed) external {
        ProofDelegation storage its = _delegations[delegate][msg.sender];
        its.isAllowed = isAllowed;
        if (!isAllowed) its.revokedAt = uint64(block.timestamp);
        emit ProofDelegateSet(msg.sender, delegate, isAllowed);
    }

    /// Proofs of many slots, all or none; by their hosts or a delegate of theirs.
    function submitProofs(SlotId[] calldata slotIds, Groth16Proof[] calldata proofs) external {
        if (slotIds.length != proofs.length) revert Proofs_LengthMismatch();
        uint64 period = _currentPeriod();
        (bytes memory call_, uint256 inputs) = _callForMany(proofs);
        mapping(address host => ProofDelegation) storage mine = _delegations[msg.sender];
        address trusting = msg.sender; // the last host of which the caller is known to be allowed
        RequestId lastId; // slots of one request that follow each other share its root
        uint256 root;
        for (uint256 i = 0; i < slotIds.length; i++) {
            SlotId slotId = slotIds[i];
            SlotRecord storage slot = _slots[slotId];
            RequestId requestId = slot.requestId;
            if (RequestId.unwrap(requestId) == 0) revert Marketplace_UnknownRequest();
            (address host, uint256 slotIndex) = _markReceived(slotId, slot, period);
            if (host != msg.sender && host != trusting) {
                if (!mine[host].isAllowed) revert Marketplace_ProofNotSubmittedByHost();
                trusting = host;
            }
            if (RequestId.unwrap(requestId) != RequestId.unwrap(lastId)) {
                (lastId, root) = (requestId, _swapBytes(_requests[requestId].merkleRoot));
            }
            _writeInputs(inputs, slotId, period, root, slotIndex, host);
            unchecked {
                inputs += 0x20 * _inputCount;
            }
        }
        _verify(call_);
    }

    /// The proof of the present period, by the host of the slot.
    function _acceptProof(
        SlotId slotId,
        SlotRecord storage slot,
        bytes32 merkleRoot,
        Groth16Proof calldata proof
    ) internal {
        uint64 period = _currentPeriod();
        (bytes memory call_, uint256 inputs) = _callForOne(proof);
        (address host, uint256 slotIndex) = _markReceived(slotId, slot, period);
        _writeInputs(inputs, slotId, period, _swapBytes(merkleRoot), slotIndex, host);
        _verify(call_);
    }

    function _markMissing(SlotId slotId, SlotRecord storage slot, uint64 period) internal {
        _missing[slotId][period / 256] |= 1 << (period % 256);
        slot.missed += 1;
    }

    /// The error with which marking is refused, or 0.
    function _whyNotMissing(SlotId slotId, uint64 period) internal view returns (bytes4) {
        if (slotState(slotId) != SlotState.Filled) {
            return Marketplace_SlotNotAcceptingProofs.selector;
        }
        uint64 end = _periodEnd(period);
        if (end >= block.timestamp) return Proofs_PeriodNotEnded.selector;
        if (block.timestamp >= end + _timeout) return Proofs_ValidationTimedOut.selector;
        if (_wasReceived(_slots[slotId], period)) return Proofs_ProofNotMissing.selector;
        if (!_isProofRequired(slotId, period)) return Proofs_ProofNotRequired.selector;
        if (isProofMissing(slotId, period)) return Proofs_ProofAlreadyMarkedMissing.selector;
        return 0;
    }

    function _isProofRequired(SlotId slotId, uint64 period) private view returns (bool) {
        return _pointer(slotId, period) >= _downtime && _isChosen(slotId, period);
    }

    /// Whether the challenge of this period asks this slot for a proof.
    function _isChosen(SlotId slotId, uint64 period) private view returns (bool) {
        if (slotState(slotId) != SlotState.Filled) return false;
        if (period <= _slots[slotId].since / _period) return false;
        uint256 probability = slotProbability(slotId);
        if (probability == 0) return true;
        return uint256(_challenge(_pointer(slotId, period))) % probability == 0;
    }

    function _wasReceived(SlotRecord storage slot, uint64 period) private view returns (bool) {
        uint64 last = slot.provedPeriod;
        return period <= last && (uint256(slot.proved) >> (last - period)) & 1 == 1;
    }

    /// Remember that the slot was proved; returns who hosts it and which it is.
    function _markReceived(
        SlotId slotId,
        SlotRecord storage slot,
        uint64 period
    ) private returns (address host, uint256 slotIndex) {
        uint256 word; // the first of the record: one read and one write, not one for each field
        assembly ("memory-safe") {
            word := sload(slot.slot)
        }
        (host, slotIndex) = (address(uint160(word)), uint32(word >> 160));
        uint256 last = uint40(word >> 192);
        uint256 proved = word >> 232;
        if (period == last && proved != 0) revert Proofs_ProofAlreadySubmitted();
        proved = (proved << (period - last)) | 1;
        assembly ("memory-safe") {
            word := or(and(word, sub(shl(192, 1), 1)), shl(192, and(period, 0xffffffffff)))
            sstore(slot.slot, or(word, shl(232, proved)))
        }
        emit ProofSubmitted(slotId);
    }
}
