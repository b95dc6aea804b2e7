// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {RequestId, SlotId} from "./Types.sol";
import {Records, RequestRecord, SlotRecord} from "./Records.sol";

/// The requests of each client and the slots of each host. A record knows its place in the list.
abstract contract Lists is Records {
    mapping(address => RequestId[]) private _requestsOf;
    mapping(address => SlotId[]) private _slotsOf;

    function myRequests() external view returns (RequestId[] memory) {
        return _requestsOf[msg.sender];
    }

    function mySlots() external view returns (SlotId[] memory) {
        return _slotsOf[msg.sender];
    }

    function _list(RequestRecord storage request, RequestId requestId) internal {
        RequestId[] storage list = _requestsOf[request.client];
        list.push(requestId);
        request.listed = uint32(list.length);
    }

    function _unlist(RequestRecord storage request) internal {
        uint32 place = request.listed;
        if (place == 0) return;
        RequestId[] storage list = _requestsOf[request.client];
        if (place != list.length) {
            RequestId last = list[list.length - 1];
            list[place - 1] = last;
            _requests[last].listed = place;
        }
        list.pop();
        request.listed = 0;
    }

    function _list(SlotRecord storage slot, SlotId slotId) internal {
        SlotId[] storage list = _slotsOf[slot.host];
        list.push(slotId);
        slot.listed = uint64(list.length);
    }

    function _unlist(SlotRecord storage slot) internal {
        uint64 place = slot.listed;
        SlotId[] storage list = _slotsOf[slot.host];
        if (place != list.length) {
            SlotId last = list[list.length - 1];
            list[place - 1] = last;
            _slots[last].listed = place;
        }
        list.pop();
        slot.listed = 0;
    }
}
