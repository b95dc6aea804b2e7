// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import "./Types.sol";
import {Records, RequestRecord, SlotRecord} from "./Records.sol";
import {Registry} from "./Registry.sol";
import {Window} from "./Window.sol";

struct Reservation {
    address host;
    uint64 reservedAt;
}

/// A reservation that a host could have.
struct Place {
    bool isFound;
    uint8 index;
    address replaced; // the host of an expired one; none: the place is new
    uint64 freeFrom; // if none is found: when the first one expires
}

/// The window in which hosts come to a slot, one after the other.
struct Opening {
    uint16 hBps; // 0: no window, first come, first served
    bool isSeedStored;
    bytes32 seed; // 0: it is not known before the next block
    uint64 start;
    uint64 end;
    uint64 originBlock;
}

/// Who may come with a proof for a slot.
abstract contract SlotReservations is Records, Registry {
    error SlotReservations_ReservationNotAllowed();

    event SlotReservationsFull(RequestId indexed requestId, uint64 slotIndex);
    event SlotReserved(
        RequestId indexed requestId,
        uint64 slotIndex,
        address host,
        uint8 reservation,
        uint64 until
    );
    event SeedFixed(RequestId indexed requestId, bytes32 seed);

    uint64 private constant NEVER = type(uint64).max;

    /// By slot, round and number of the reservation.
    mapping(SlotId => mapping(uint256 => mapping(uint256 => Reservation))) private _reservations;
    /// Of a request (round 0) or of a freed slot.
    mapping(bytes32 => mapping(uint256 => bytes32)) private _seeds;
    /// Slots of a request that a host has or reserved; counted where there is a window.
    mapping(RequestId => mapping(address => uint256)) private _shares;

    function reserveSlot(RequestId requestId, uint64 slotIndex) external {
        (bool isAllowed, Place memory place, Opening memory opening) = _tryReserve(
            requestId,
            slotIndex,
            msg.sender
        );
        if (!isAllowed) revert SlotReservations_ReservationNotAllowed();
        SlotId slotId = slotIdOf(requestId, slotIndex);
        uint16 round = _slots[slotId].round;
        uint64 now_ = uint64(block.timestamp);
        _reservations[slotId][round][place.index] = Reservation(msg.sender, now_);
        if (opening.hBps > 0) {
            if (!opening.isSeedStored) {
                _storeSeed(requestId, slotId, opening.seed);
                emit SeedFixed(requestId, opening.seed);
            }
            if (place.replaced != address(0)) _shares[requestId][place.replaced] -= 1;
            _shares[requestId][msg.sender] += 1;
        }
        uint64 until = _ttl == 0 ? NEVER : now_ + _ttl;
        emit SlotReserved(requestId, slotIndex, msg.sender, place.index, until);
        if (place.replaced == address(0) && place.index + 1 == _maxReservations) {
            emit SlotReservationsFull(requestId, slotIndex);
        }
    }

    /// Whether the caller may reserve the slot now.
    function canReserveSlot(RequestId requestId, uint64 slotIndex) external view returns (bool) {
        (bool isAllowed, , ) = _tryReserve(requestId, slotIndex, msg.sender);
        return isAllowed;
    }

    /// From when on a host may reserve a slot, if it stays as it is, and as which reservation.
    /// 0: now, or when the slot opens; 2^64 - 1: not at all.
    function eligibleFrom(
        address host,
        RequestId requestId,
        uint64 slotIndex
    ) external view returns (uint64 timestamp, uint8 reservation) {
        RequestRecord storage request = _requests[requestId];
        SlotId slotId = slotIdOf(requestId, slotIndex);
        if (!_isReservable(request, slotId, slotIndex)) return (NEVER, 0);
        Place memory place = _placeOf(slotId, host);
        if (!place.isFound) timestamp = place.freeFrom;
        if (timestamp == NEVER) return (NEVER, 0);
        Opening memory opening = _openingOf(request, requestId, slotId);
        if (opening.hBps == 0) return (timestamp, place.index);
        if (!_isSeasoned(host, opening.originBlock)) return (NEVER, place.index);
        if (opening.seed == 0) return (opening.start, place.index); // ask again in the next block
        uint256 far = Window.distance(opening.seed, requestId, slotIndex, place.index, host);
        if (_shares[requestId][host] >= _shareLimit(request)) far = type(uint256).max;
        uint256 from = Window.opening(opening.start, opening.end, _tailBps, opening.hBps, far);
        if (from > timestamp) timestamp = uint64(from);
        return (timestamp, place.index);
    }

    /// The present reservations of a slot, in order.
    function reservationsOf(
        SlotId slotId
    ) external view returns (address[] memory hosts, uint64[] memory reservedAt) {
        uint16 round = _slots[slotId].round;
        uint256 count = 0;
        while (_reservations[slotId][round][count].host != address(0)) count++;
        hosts = new address[](count);
        reservedAt = new uint64[](count);
        for (uint256 i = 0; i < count; i++) {
            Reservation storage entry = _reservations[slotId][round][i];
            (hosts[i], reservedAt[i]) = (entry.host, entry.reservedAt);
        }
    }

    function _isReservedBy(SlotId slotId, uint16 round, address host) internal view returns (bool) {
        for (uint256 i = 0; i < _maxReservations; i++) {
            address other = _reservations[slotId][round][i].host;
            if (other == host) return true;
            if (other == address(0)) return false;
        }
        return false;
    }

    /// The slot is filled: the reservations of the others do not count for them any more.
    function _releaseShares(
        RequestRecord storage request,
        RequestId requestId,
        SlotId slotId,
        uint16 round,
        address host
    ) internal {
        if (_hOf(request) == 0) return;
        for (uint256 i = 0; i < _maxReservations; i++) {
            address other = _reservations[slotId][round][i].host;
            if (other == address(0)) return;
            if (other != host) _shares[requestId][other] -= 1;
        }
    }

    /// The host does not have the slot any more.
    function _releaseShare(
        RequestRecord storage request,
        RequestId requestId,
        address host
    ) internal {
        if (_hOf(request) > 0) _shares[requestId][host] -= 1;
    }

    function _tryReserve(
        RequestId requestId,
        uint64 slotIndex,
        address host
    ) private view returns (bool isAllowed, Place memory place, Opening memory opening) {
        RequestRecord storage request = _requests[requestId];
        SlotId slotId = slotIdOf(requestId, slotIndex);
        if (!_isReservable(request, slotId, slotIndex)) return (false, place, opening);
        place = _placeOf(slotId, host);
        if (!place.isFound) return (false, place, opening);
        opening = _openingOf(request, requestId, slotId);
        if (opening.hBps == 0) return (true, place, opening);
        if (opening.seed == 0 || !_isSeasoned(host, opening.originBlock)) {
            return (false, place, opening);
        }
        uint256 x = Window.progress(opening.start, opening.end, _tailBps, block.timestamp);
        if (x < Window.WHOLE) {
            uint256 far = Window.distance(opening.seed, requestId, slotIndex, place.index, host);
            if (!Window.admits(x, opening.hBps, far)) return (false, place, opening);
            if (_shares[requestId][host] >= _shareLimit(request)) return (false, place, opening);
        }
        isAllowed = true;
    }

    function _isReservable(
        RequestRecord storage request,
        SlotId slotId,
        uint64 slotIndex
    ) private view returns (bool) {
        if (slotIndex >= request.slots || !_isOpen(request)) return false;
        SlotRecord storage slot = _slots[slotId];
        if (slot.state == SlotState.Repair) return slot.openedBlock != 0;
        return slot.state == SlotState.Free;
    }

    /// The next reservation or, if there are as many as may be, the first that has expired.
    function _placeOf(SlotId slotId, address host) private view returns (Place memory place) {
        mapping(uint256 => Reservation) storage entries = _reservations[slotId][_slots[slotId].round];
        place.freeFrom = NEVER;
        for (uint8 i = 0; i < _maxReservations; i++) {
            Reservation memory entry = entries[i];
            if (entry.host == address(0)) return Place(true, i, address(0), 0);
            if (entry.host == host) return Place(false, 0, address(0), NEVER);
            if (_ttl == 0) continue;
            uint64 freeFrom = entry.reservedAt + _ttl + 1;
            if (freeFrom < place.freeFrom) {
                (place.freeFrom, place.index) = (freeFrom, i);
                place.replaced = entry.host;
            }
        }
        place.isFound = place.freeFrom <= block.timestamp;
    }

    function _openingOf(
        RequestRecord storage request,
        RequestId requestId,
        SlotId slotId
    ) private view returns (Opening memory opening) {
        opening.hBps = _hOf(request);
        if (opening.hBps == 0) return opening;
        SlotRecord storage slot = _slots[slotId];
        if (slot.state == SlotState.Repair) {
            opening.start = slot.since;
            opening.end = slot.since + _repairWindow;
            if (opening.end > request.endsAt) opening.end = request.endsAt;
            opening.originBlock = slot.openedBlock;
            opening.seed = _seeds[SlotId.unwrap(slotId)][slot.round];
        } else {
            opening.start = request.expiresAt - request.expiry;
            opening.end = request.expiresAt;
            opening.originBlock = request.createdBlock;
            opening.seed = _seeds[RequestId.unwrap(requestId)][0];
        }
        opening.isSeedStored = opening.seed != 0;
        if (opening.isSeedStored || block.number <= opening.originBlock) return opening;
        opening.seed = blockhash(opening.originBlock);
        if (opening.seed == 0) opening.seed = blockhash(block.number - 1);
    }

    function _storeSeed(RequestId requestId, SlotId slotId, bytes32 seed) private {
        SlotRecord storage slot = _slots[slotId];
        if (slot.state == SlotState.Repair) _seeds[SlotId.unwrap(slotId)][slot.round] = seed;
        else _seeds[RequestId.unwrap(requestId)][0] = seed;
    }

    /// The client may choose h for its request: a nonce that starts with "DISP" has it next.
    function _hOf(RequestRecord storage request) private view returns (uint16) {
        bytes32 nonce = request.nonce;
        if (bytes4(nonce) != "DISP") return _hBps;
        uint16 h = uint16(uint256(nonce) >> 208);
        return h < 10000 ? h : _hBps;
    }

    function _shareLimit(RequestRecord storage request) private view returns (uint256) {
        return request.maxSlotLoss == 0 ? 1 : request.maxSlotLoss;
    }
}
