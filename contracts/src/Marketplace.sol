// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import "./Types.sol";
import {Accounts} from "./Accounts.sol";
import {Additions, MarketplaceConfig} from "./Configuration.sol";
import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";
import {IERC20} from "./IERC20.sol";
import {Proofs} from "./Proofs.sol";
import {RequestRecord, SlotRecord} from "./Records.sol";
import {Repair} from "./Repair.sol";
import {Settings} from "./Settings.sol";

/// Storage bought and sold: clients lock the price of a request, hosts lock collateral, fill its
/// slots and prove that they keep them, and everybody gets what is due.
contract Marketplace is Proofs, Repair {
    error Marketplace_InvalidExpiry();
    error Marketplace_InvalidMaxSlotLoss();
    error Marketplace_InsufficientSlots();
    error Marketplace_InsufficientDuration();
    error Marketplace_InsufficientProofProbability();
    error Marketplace_InsufficientCollateral();
    error Marketplace_InsufficientReward();
    error Marketplace_InvalidClientAddress();
    error Marketplace_RequestAlreadyExists();
    error Marketplace_InvalidSlot();
    error Marketplace_InvalidCid();
    error Marketplace_SlotNotFree();
    error Marketplace_InvalidSlotHost();
    error Marketplace_AlreadyPaid();
    error Marketplace_InvalidState();
    error Marketplace_StartNotBeforeExpiry(); // of the reference; here nothing runs into it
    error Marketplace_ReservationRequired();
    error Marketplace_NothingToWithdraw();
    error Marketplace_DurationExceedsLimit();

    event StorageRequested(RequestId requestId, Ask ask, uint64 expiry);
    event RequestFulfilled(RequestId indexed requestId);
    event RequestCancelled(RequestId indexed requestId);
    event SlotFilled(RequestId indexed requestId, uint64 slotIndex);

    constructor(
        MarketplaceConfig memory config,
        IERC20 token_,
        IGroth16Verifier verifier,
        Additions memory additions
    ) Settings(config, additions) Accounts(token_) Proofs(verifier) {}

    // ---- clients ----

    function requestStorage(Request calldata request) external {
        RequestId id = requestIdOf(request);
        RequestRecord storage record = _requests[id];
        Ask calldata ask = request.ask;
        if (request.client != msg.sender) revert Marketplace_InvalidClientAddress();
        if (record.client != address(0)) revert Marketplace_RequestAlreadyExists();
        if (request.expiry == 0 || request.expiry >= ask.duration) revert Marketplace_InvalidExpiry();
        if (ask.slots == 0) revert Marketplace_InsufficientSlots();
        if (ask.maxSlotLoss > ask.slots) revert Marketplace_InvalidMaxSlotLoss();
        if (ask.duration == 0) revert Marketplace_InsufficientDuration();
        if (ask.proofProbability == 0) revert Marketplace_InsufficientProofProbability();
        if (ask.collateralPerByte == 0) revert Marketplace_InsufficientCollateral();
        if (ask.pricePerBytePerSecond == 0) revert Marketplace_InsufficientReward();
        if (request.content.cid.length == 0) revert Marketplace_InvalidCid();
        if (ask.duration > _requestDurationLimit) revert Marketplace_DurationExceedsLimit();

        record.client = request.client;
        record.expiry = request.expiry;
        record.proofProbability = ask.proofProbability;
        record.pricePerBytePerSecond = ask.pricePerBytePerSecond;
        record.collateralPerByte = ask.collateralPerByte;
        record.slots = ask.slots;
        record.slotSize = ask.slotSize;
        record.duration = ask.duration;
        record.maxSlotLoss = ask.maxSlotLoss;
        record.merkleRoot = request.content.merkleRoot;
        record.nonce = request.nonce;
        record.cid = request.content.cid;
        uint64 expiresAt = uint64(block.timestamp) + request.expiry;
        record.endsAt = uint64(block.timestamp) + ask.duration;
        record.expiresAt = expiresAt;
        record.createdBlock = uint48(block.number);
        uint256 price = _maxPrice(record);
        record.funds = price;
        _list(record, id);
        emit StorageRequested(id, ask, expiresAt);
        _pull(price);
    }

    function withdrawFunds(RequestId requestId) external {
        withdrawFunds(requestId, msg.sender);
    }

    /// Take back what the hosts of a request that ended are not owed.
    function withdrawFunds(RequestId requestId, address recipient) public {
        RequestRecord storage request = _known(requestId);
        if (msg.sender != request.client) revert Marketplace_InvalidClientAddress();
        RequestState state = _stateOf(request);
        if (uint8(state) <= uint8(RequestState.Started)) revert Marketplace_InvalidState();
        if (request.isWithdrawn) revert Marketplace_NothingToWithdraw();
        uint256 amount = request.funds;
        if (state == RequestState.Cancelled) {
            uint256 unpaid = request.endsAt - request.expiresAt;
            amount += uint256(request.slotsFilled) * unpaid * _pricePerSecond(request);
            emit RequestCancelled(requestId);
        } else if (state == RequestState.Failed) {
            amount = _maxPrice(request);
        }
        if (request.state != state) request.state = state;
        request.isWithdrawn = true;
        request.funds = 0;
        uint32 freed = request.slotsFreed; // nobody can fill them any more
        if (freed > 0) burnable += freed * _repairReward(_collateralOf(request));
        _unlist(request);
        _pay(recipient, amount);
    }

    // ---- hosts ----

    function fillSlot(RequestId requestId, uint64 slotIndex, Groth16Proof calldata proof) external {
        RequestRecord storage request = _known(requestId);
        if (slotIndex >= request.slots || slotIndex > type(uint32).max) {
            revert Marketplace_InvalidSlot();
        }
        SlotId slotId = slotIdOf(requestId, slotIndex);
        SlotRecord storage slot = _slots[slotId];
        uint16 round = slot.round;
        if (!_isReservedBy(slotId, round, msg.sender)) revert Marketplace_ReservationRequired();
        bool isRepair = slot.state == SlotState.Repair;
        if (!_isOpen(request) || !(isRepair || slot.state == SlotState.Free)) {
            revert Marketplace_SlotNotFree();
        }
        slot.host = msg.sender;
        slot.slotIndex = uint32(slotIndex);
        slot.state = SlotState.Filled;
        slot.requestId = requestId;
        slot.since = uint64(block.timestamp);
        _acceptProof(slotId, slot, request.merkleRoot, proof);

        _list(slot, slotId);
        _releaseShares(request, requestId, slotId, round, msg.sender);
        request.funds -= (request.endsAt - block.timestamp) * _pricePerSecond(request);
        uint256 collateral = _collateralOf(request);
        if (isRepair) {
            collateral -= _repairReward(collateral);
            request.slotsFreed -= 1;
        }
        uint32 filled = request.slotsFilled + 1;
        request.slotsFilled = filled;
        emit SlotFilled(requestId, slotIndex);
        if (filled == request.slots && request.state == RequestState.New) {
            request.state = RequestState.Started;
            emit RequestFulfilled(requestId);
        }
        _pull(collateral);
    }

    function freeSlot(SlotId slotId) external {
        freeSlot(slotId, msg.sender, msg.sender);
    }

    /// Take reward and collateral of a slot whose request ended; give up one whose has not.
    function freeSlot(SlotId slotId, address rewardRecipient, address collateralRecipient) public {
        SlotRecord storage slot = _slots[slotId];
        if (slot.state == SlotState.Free) revert Marketplace_SlotIsFree();
        if (slot.host != msg.sender) revert Marketplace_InvalidSlotHost();
        if (slot.state == SlotState.Paid) revert Marketplace_AlreadyPaid();
        RequestRecord storage request = _requests[slot.requestId];
        RequestState state = _stateOf(request);
        if (uint8(state) <= uint8(RequestState.Started)) {
            _forciblyFree(slot);
            return;
        }
        uint256 reward = 0; // of a failed request, none
        if (state != RequestState.Failed) {
            uint64 end = state == RequestState.Finished ? request.endsAt : request.expiresAt;
            reward = (end - slot.since) * _pricePerSecond(request);
        }
        if (state == RequestState.Finished) {
            request.state = state;
            _unlist(request);
        }
        uint256 collateral = _collateralOf(request);
        uint8 missed = slot.missed;
        if (missed > 0) {
            (uint256 slashed, uint256 rewarded) = _slash(collateral);
            burnable += missed * (slashed - rewarded);
            collateral -= missed * slashed;
        }
        slot.state = SlotState.Paid;
        _unlist(slot);
        if (rewardRecipient == collateralRecipient) {
            _pay(rewardRecipient, reward + collateral);
        } else {
            _pay(rewardRecipient, reward);
            _pay(collateralRecipient, collateral);
        }
    }

    // ---- validators ----

    function markProofAsMissing(SlotId slotId, uint64 period) external {
        canMarkProofAsMissing(slotId, period);
        _pay(msg.sender, _punish(slotId, period));
    }

    /// Mark those that can be marked; the others are left out.
    function markProofsAsMissing(
        SlotId[] calldata slotIds,
        uint64[] calldata periods
    ) external returns (uint256 marked) {
        if (slotIds.length != periods.length) revert Proofs_LengthMismatch();
        uint256 reward = 0;
        for (uint256 i = 0; i < slotIds.length; i++) {
            if (_whyNotMissing(slotIds[i], periods[i]) != 0) continue;
            reward += _punish(slotIds[i], periods[i]);
            marked += 1;
        }
        _pay(msg.sender, reward);
    }

    /// Slash the host of a slot, evict it if it was once too often. The caller's reward is returned;
    /// whoever marks itself gets none.
    function _punish(SlotId slotId, uint64 period) private returns (uint256 reward) {
        SlotRecord storage slot = _slots[slotId];
        (, reward) = _slash(_collateralOf(_requests[slot.requestId]));
        if (msg.sender == slot.host) {
            burnable += reward;
            reward = 0;
        }
        _markMissing(slotId, slot, period);
        if (slot.missed >= _maxNumberOfSlashes) _forciblyFree(slot);
    }

    function _maxPrice(RequestRecord storage request) private view returns (uint256) {
        return request.slots * request.duration * _pricePerSecond(request);
    }
}
