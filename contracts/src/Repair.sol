// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import "./Types.sol";
import {Accounts} from "./Accounts.sol";
import {Lists} from "./Lists.sol";
import {RequestRecord, SlotRecord} from "./Records.sol";
import {SlotReservations} from "./SlotReservations.sol";

/// How a host loses its slot, and when the slot opens again: at once, or when so many are lost that
/// rebuilding them together is worth while.
abstract contract Repair is Lists, SlotReservations {
    error Marketplace_RepairNotDue();

    event SlotEvicted(RequestId indexed requestId, uint64 slotIndex);
    event SlotFreed(RequestId indexed requestId, uint64 slotIndex);
    event RequestFailed(RequestId indexed requestId);

    /// Slots that were freed and did not open yet, in the order of their loss.
    mapping(RequestId => uint64[]) private _waiting;

    /// Open the slots that wait, once one of them has waited long enough.
    function openRepair(RequestId requestId) external {
        RequestRecord storage request = _known(requestId);
        if (_stateOf(request) != RequestState.Started || !_isOverdue(requestId)) {
            revert Marketplace_RepairNotDue();
        }
        _openWaiting(requestId);
    }

    /// The host loses slot, collateral and what it would have been paid.
    function _forciblyFree(SlotRecord storage slot) internal {
        RequestId requestId = slot.requestId;
        RequestRecord storage request = _requests[requestId];
        uint64 now_ = uint64(block.timestamp);
        uint256 collateral = _collateralOf(request);
        (, uint256 rewarded) = _slash(collateral);
        burnable += collateral - slot.missed * rewarded - _repairReward(collateral);
        request.funds += (request.endsAt - slot.since) * _pricePerSecond(request);
        _unlist(slot);
        _releaseShare(request, requestId, slot.host);

        uint64 slotIndex = slot.slotIndex;
        slot.host = address(0);
        slot.proved = 0;
        slot.state = SlotState.Repair;
        slot.missed = 0;
        unchecked {
            slot.round += 1;
        }
        slot.since = now_;
        request.slotsFilled -= 1;
        request.slotsFreed += 1;
        emit SlotEvicted(requestId, slotIndex);

        bool isStarted = request.state == RequestState.Started;
        uint64 lost = request.slots - request.slotsFilled;
        if (!isStarted || _isDue(request, requestId, lost)) {
            _openWaiting(requestId);
            slot.openedBlock = uint64(block.number);
            emit SlotFreed(requestId, slotIndex);
        } else {
            slot.openedBlock = 0;
            _waiting[requestId].push(slotIndex);
        }
        if (isStarted && lost > request.maxSlotLoss) {
            request.state = RequestState.Failed;
            request.endsAt = now_ - 1;
            emit RequestFailed(requestId);
        }
    }

    function _openWaiting(RequestId requestId) private {
        uint64[] memory waiting = _waiting[requestId];
        if (waiting.length == 0) return;
        delete _waiting[requestId];
        for (uint256 i = 0; i < waiting.length; i++) {
            SlotRecord storage slot = _slots[slotIdOf(requestId, waiting[i])];
            slot.since = uint64(block.timestamp);
            slot.openedBlock = uint64(block.number);
            emit SlotFreed(requestId, waiting[i]);
        }
    }

    function _isDue(
        RequestRecord storage request,
        RequestId requestId,
        uint64 lost
    ) private view returns (bool) {
        uint64 tolerance = request.maxSlotLoss;
        uint64 threshold = _repairThreshold;
        if (threshold == 0) threshold = tolerance < 4 ? 1 : tolerance < 510 ? tolerance / 2 : 255;
        if (lost >= threshold || lost + uint256(_repairMinMargin) >= tolerance) return true;
        return _repairMaxDelay == 0 || _isOverdue(requestId);
    }

    function _isOverdue(RequestId requestId) private view returns (bool) {
        uint64[] storage waiting = _waiting[requestId];
        if (waiting.length == 0) return false;
        uint64 since = _slots[slotIdOf(requestId, waiting[0])].since;
        return block.timestamp >= uint256(since) + _repairMaxDelay;
    }
}
