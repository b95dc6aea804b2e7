// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";
import "./Types.sol";
import {Records, RequestRecord, SlotRecord} from "./Records.sol";

struct ProofStatus {
    bool isRequired;
    bool willBeRequired;
    bytes32 challenge;
    uint8 pointer;
}

/// When a slot has to prove itself, and whether it did.
///
/// Time is cut into periods. In each, a slot points at one of the last 256 blocks; the pointer moves
/// on with every block, so that it stays at the same block until it wraps. The hash of that block
/// decides whether a proof is due and what it has to be about. While the pointer is in the downtime
/// none is due: the challenge is then known well before it counts.
abstract contract Proofs is Records {
    error Marketplace_SlotNotAcceptingProofs();
    error Marketplace_ProofNotSubmittedByHost();
    error Proofs_InsufficientBlockHeight();
    error Proofs_InvalidProof();
    error Proofs_ProofAlreadySubmitted();
    error Proofs_PeriodNotEnded();
    error Proofs_ValidationTimedOut();
    error Proofs_ProofNotMissing();
    error Proofs_ProofNotRequired();
    error Proofs_ProofAlreadyMarkedMissing();
    error Proofs_LengthMismatch();

    event ProofSubmitted(SlotId id);
    event ProofDelegateSet(address indexed host, address indexed delegate, bool isAllowed);

    uint256 private constant RECEIVED = 1;
    uint256 private constant MISSING = 2;

    IGroth16Verifier private immutable _verifier;
    uint256 private immutable _inputCount;

    /// Two bits for each period, 128 periods a word; the key is round and period / 128.
    mapping(SlotId => mapping(uint256 => uint256)) private _proofBits;
    mapping(address => mapping(address => bool)) private _delegates;

    constructor(IGroth16Verifier verifier) {
        if (block.number <= 256) revert Proofs_InsufficientBlockHeight();
        _verifier = verifier;
        _inputCount = verifier.inputCount();
    }

    // ---- what is asked ----

    function isProofRequired(SlotId slotId) external view returns (bool) {
        return _isProofRequired(slotId, _currentPeriod());
    }

    function willProofBeRequired(SlotId slotId) external view returns (bool) {
        uint64 period = _currentPeriod();
        return _pointer(slotId, period) < _downtime && _isChosen(slotId, period);
    }

    function getChallenge(SlotId slotId) external view returns (bytes32) {
        return _challenge(_pointer(slotId, _currentPeriod()));
    }

    function getPointer(SlotId slotId) external view returns (uint8) {
        return _pointer(slotId, _currentPeriod());
    }

    function slotProbability(SlotId slotId) public view returns (uint256) {
        uint256 probability = _requests[_slots[slotId].requestId].proofProbability;
        return (probability * (256 - _downtime)) / 256;
    }

    /// All of the above for many slots, as of this block.
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
        RequestRecord storage request = _known(slot.requestId);
        if (msg.sender != slot.host) revert Marketplace_ProofNotSubmittedByHost();
        _acceptProof(slotId, slot, request.merkleRoot, proof);
    }

    /// Let somebody else submit proofs for all slots of the caller.
    function setProofDelegate(address delegate, bool isAllowed) external {
        _delegates[msg.sender][delegate] = isAllowed;
        emit ProofDelegateSet(msg.sender, delegate, isAllowed);
    }

    /// Proofs of many slots, all or none; by their hosts or a delegate of theirs.
    function submitProofs(SlotId[] calldata slotIds, Groth16Proof[] calldata proofs) external {
        if (slotIds.length != proofs.length) revert Proofs_LengthMismatch();
        uint64 period = _currentPeriod();
        uint256[] memory inputs = new uint256[](slotIds.length * _inputCount);
        for (uint256 i = 0; i < slotIds.length; i++) {
            SlotId slotId = slotIds[i];
            SlotRecord storage slot = _slots[slotId];
            RequestRecord storage request = _known(slot.requestId);
            address host = slot.host;
            if (msg.sender != host && !_delegates[host][msg.sender]) {
                revert Marketplace_ProofNotSubmittedByHost();
            }
            _markReceived(slotId, slot.round, period);
            _writeInputs(inputs, i * _inputCount, slotId, slot, request.merkleRoot, period);
        }
        if (!_verifier.verifyBatch(proofs, inputs)) revert Proofs_InvalidProof();
    }

    /// The proof of the present period, by the host of the slot.
    function _acceptProof(
        SlotId slotId,
        SlotRecord storage slot,
        bytes32 merkleRoot,
        Groth16Proof calldata proof
    ) internal {
        uint64 period = _currentPeriod();
        uint256[] memory inputs = new uint256[](_inputCount);
        _markReceived(slotId, slot.round, period);
        _writeInputs(inputs, 0, slotId, slot, merkleRoot, period);
        if (!_verifier.verify(proof, inputs)) revert Proofs_InvalidProof();
    }

    function _markMissing(SlotId slotId, SlotRecord storage slot, uint64 period) internal {
        _proofBits[slotId][_wordOf(slot.round, period)] |= MISSING << _shiftOf(period);
        slot.missed += 1;
    }

    /// The error with which marking is refused, or 0.
    function _whyNotMissing(SlotId slotId, uint64 period) internal view returns (bytes4) {
        if (slotState(slotId) != SlotState.Filled) {
            return Marketplace_SlotNotAcceptingProofs.selector;
        }
        uint64 end = (period + 1) * _period;
        if (end >= block.timestamp) return Proofs_PeriodNotEnded.selector;
        if (block.timestamp >= end + _timeout) return Proofs_ValidationTimedOut.selector;
        uint256 word = _proofBits[slotId][_wordOf(_slots[slotId].round, period)];
        uint256 bits = word >> _shiftOf(period);
        if (bits & RECEIVED != 0) return Proofs_ProofNotMissing.selector;
        if (!_isProofRequired(slotId, period)) return Proofs_ProofNotRequired.selector;
        if (bits & MISSING != 0) return Proofs_ProofAlreadyMarkedMissing.selector;
        return 0;
    }

    function _currentPeriod() internal view returns (uint64) {
        return uint64(block.timestamp) / _period;
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

    function _pointer(SlotId slotId, uint64 period) private view returns (uint8) {
        unchecked {
            uint256 jumped = uint256(period) * _downtimeProduct;
            return uint8(block.number + jumped + uint256(SlotId.unwrap(slotId)));
        }
    }

    function _challenge(uint8 pointer) private view returns (bytes32) {
        bytes32 hash = blockhash(block.number - 1 - pointer);
        assert(hash != 0);
        return keccak256(abi.encode(hash));
    }

    function _markReceived(SlotId slotId, uint16 round, uint64 period) private {
        mapping(uint256 => uint256) storage words = _proofBits[slotId];
        uint256 key = _wordOf(round, period);
        uint256 word = words[key];
        uint256 bit = RECEIVED << _shiftOf(period);
        if (word & bit != 0) revert Proofs_ProofAlreadySubmitted();
        words[key] = word | bit;
        emit ProofSubmitted(slotId);
    }

    /// The public inputs: entropy of the challenge, root of the dataset, slot, and, if the circuit
    /// binds it, the host.
    function _writeInputs(
        uint256[] memory inputs,
        uint256 start,
        SlotId slotId,
        SlotRecord storage slot,
        bytes32 merkleRoot,
        uint64 period
    ) private view {
        uint256 challenge = _swapBytes(_challenge(_pointer(slotId, period)));
        inputs[start] = challenge & (type(uint256).max >> 8);
        inputs[start + 1] = _swapBytes(merkleRoot);
        inputs[start + 2] = slot.slotIndex;
        if (_inputCount == 4) inputs[start + 3] = uint160(slot.host);
    }

    function _wordOf(uint16 round, uint64 period) private pure returns (uint256) {
        return (uint256(round) << 64) | (period / 128);
    }

    function _shiftOf(uint64 period) private pure returns (uint256) {
        return (period % 128) * 2;
    }

    /// The other byte order.
    function _swapBytes(bytes32 word) private pure returns (uint256 x) {
        uint256 mask8 = 0x00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF;
        uint256 mask16 = 0x0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF;
        uint256 mask32 = 0x00000000FFFFFFFF00000000FFFFFFFF00000000FFFFFFFF00000000FFFFFFFF;
        uint256 mask64 = 0x0000000000000000FFFFFFFFFFFFFFFF0000000000000000FFFFFFFFFFFFFFFF;
        x = uint256(word);
        x = ((x >> 8) & mask8) | ((x & mask8) << 8);
        x = ((x >> 16) & mask16) | ((x & mask16) << 16);
        x = ((x >> 32) & mask32) | ((x & mask32) << 32);
        x = ((x >> 64) & mask64) | ((x & mask64) << 64);
        x = (x >> 128) | (x << 128);
    }
}
