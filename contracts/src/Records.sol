// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import "./Types.sol";
import {Settings} from "./Settings.sol";

/// A request, packed. The fields up to `cid` are as the client gave them.
struct RequestRecord {
    address client; // none: there is no such request
    uint64 expiry;
    uint32 listed; // place in the client's list, from 1 on; 0: not in it
    uint256 proofProbability;
    uint256 pricePerBytePerSecond;
    uint256 collateralPerByte;
    uint64 slots;
    uint64 slotSize;
    uint64 duration;
    uint64 maxSlotLoss;
    bytes32 merkleRoot;
    bytes32 nonce;
    bytes cid;
    // All that changes, in one word.
    uint64 endsAt;
    uint64 expiresAt;
    uint48 createdBlock;
    uint32 slotsFilled;
    uint32 slotsFreed; // in state Repair: for each a repair reward is set aside
    RequestState state; // as stored; time may have moved on, see requestState
    bool isWithdrawn;
    uint256 funds; // of the client, if every host keeps its slot to the end
}

/// A slot, packed: what every proof needs is in the first two words.
struct SlotRecord {
    address host;
    uint32 slotIndex;
    uint40 provedPeriod; // of the last proof
    uint24 proved; // bit i: there was a proof i periods before; 0: none by the present host
    RequestId requestId;
    uint64 since; // when it was filled, or freed, or opened for repair
    uint64 openedBlock; // of a freed slot; 0: it waits for other losses
    uint64 listed; // place in the host's list, from 1 on; 0: not in it
    SlotState state; // as stored, see slotState
    uint8 missed; // proofs, by the present host
    uint16 round; // how often it was freed; reservations belong to a round
}

/// Requests and slots, and what state they are in at this time.
abstract contract Records is Settings {
    error Marketplace_UnknownRequest();
    error Marketplace_SlotIsFree();

    mapping(RequestId => RequestRecord) internal _requests;
    mapping(SlotId => SlotRecord) internal _slots;

    function getRequest(RequestId requestId) external view returns (Request memory) {
        return _requestOf(_known(requestId));
    }

    function getActiveSlot(SlotId slotId) external view returns (ActiveSlot memory) {
        SlotRecord storage slot = _slots[slotId];
        if (slot.state == SlotState.Free) revert Marketplace_SlotIsFree();
        return ActiveSlot(_requestOf(_requests[slot.requestId]), slot.slotIndex);
    }

    function getHost(SlotId slotId) external view returns (address) {
        return _slots[slotId].host;
    }

    function currentCollateral(SlotId slotId) external view returns (uint256) {
        SlotRecord storage slot = _slots[slotId];
        if (slot.host == address(0)) return 0;
        return _collateralLeft(slot, _requests[slot.requestId]);
    }

    /// What one missed proof of the slot costs its host.
    function slashOf(SlotId slotId) external view returns (uint256 slashed) {
        (slashed, ) = _slash(_collateralOf(_requests[_slots[slotId].requestId]));
    }

    function missingProofs(SlotId slotId) external view returns (uint64) {
        return _slots[slotId].missed;
    }

    function requestState(RequestId requestId) external view returns (RequestState) {
        return _stateOf(_known(requestId));
    }

    function requestEnd(RequestId requestId) external view returns (uint64) {
        RequestRecord storage request = _known(requestId);
        RequestState state = _stateOf(request);
        if (state == RequestState.New || state == RequestState.Started) return request.endsAt;
        if (state == RequestState.Cancelled) return request.expiresAt;
        return request.endsAt < block.timestamp ? request.endsAt : uint64(block.timestamp);
    }

    function requestExpiry(RequestId requestId) external view returns (uint64) {
        return _known(requestId).expiresAt;
    }

    function slotState(SlotId slotId) public view returns (SlotState) {
        SlotRecord storage slot = _slots[slotId];
        SlotState state = slot.state;
        if (state == SlotState.Free || state == SlotState.Paid) return state;
        RequestState now_ = _stateOf(_requests[slot.requestId]);
        if (now_ == RequestState.Cancelled) return SlotState.Cancelled;
        if (now_ == RequestState.Finished) return SlotState.Finished;
        if (now_ == RequestState.Failed) return SlotState.Failed;
        return state;
    }

    function slotStates(SlotId[] calldata slotIds) external view returns (SlotState[] memory states) {
        states = new SlotState[](slotIds.length);
        for (uint256 i = 0; i < slotIds.length; i++) states[i] = slotState(slotIds[i]);
    }

    /// The slots of a request that were freed and not filled again: how many, and a bit for each.
    function freeSlots(
        RequestId requestId
    ) external view returns (uint64 count, uint256[] memory bitmap) {
        RequestRecord storage request = _known(requestId);
        count = request.slotsFreed;
        bitmap = new uint256[]((uint256(request.slots) + 255) / 256);
        for (uint64 i = 0; i < request.slots; i++) {
            if (_slots[slotIdOf(requestId, i)].state == SlotState.Repair) {
                bitmap[i / 256] |= 1 << (i % 256);
            }
        }
    }

    function _known(RequestId requestId) internal view returns (RequestRecord storage request) {
        request = _requests[requestId];
        if (request.client == address(0)) revert Marketplace_UnknownRequest();
    }

    function _stateOf(RequestRecord storage request) internal view returns (RequestState state) {
        state = request.state;
        if (state == RequestState.New && block.timestamp > request.expiresAt) {
            return RequestState.Cancelled;
        }
        if (state == RequestState.Started && block.timestamp > request.endsAt) {
            return RequestState.Finished;
        }
    }

    function _isOpen(RequestRecord storage request) internal view returns (bool) {
        return uint8(_stateOf(request)) <= uint8(RequestState.Started);
    }

    function _pricePerSecond(RequestRecord storage request) internal view returns (uint256) {
        return request.pricePerBytePerSecond * request.slotSize;
    }

    function _collateralOf(RequestRecord storage request) internal view returns (uint256) {
        return request.collateralPerByte * request.slotSize;
    }

    function _repairReward(uint256 collateral) internal view returns (uint256) {
        return (collateral * _repairRewardPercentage) / 100;
    }

    /// What a missed proof costs, and how much of it is the validator's.
    function _slash(uint256 collateral) internal view returns (uint256 slashed, uint256 reward) {
        slashed = (collateral * _slashPercentage) / 100;
        reward = (slashed * _validatorRewardPercentage) / 100;
    }

    function _collateralLeft(
        SlotRecord storage slot,
        RequestRecord storage request
    ) internal view returns (uint256) {
        uint256 collateral = _collateralOf(request);
        (uint256 slashed, ) = _slash(collateral);
        return collateral - slot.missed * slashed;
    }

    function _requestOf(RequestRecord storage request) private view returns (Request memory) {
        return
            Request(
                request.client,
                Ask(
                    request.proofProbability,
                    request.pricePerBytePerSecond,
                    request.collateralPerByte,
                    request.slots,
                    request.slotSize,
                    request.duration,
                    request.maxSlotLoss
                ),
                Content(request.cid, request.merkleRoot),
                request.expiry,
                request.nonce
            );
    }
}
