// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Groth16Proof} from "../src/IGroth16Verifier.sol";
import {Marketplace} from "../src/Marketplace.sol";
import {TestToken} from "../src/TestToken.sol";
import {
    Ask,
    Content,
    Request,
    RequestId,
    SlotId,
    SlotState,
    requestIdOf,
    slotIdOf
} from "../src/Types.sol";
import {vm} from "./Vm.sol";

/// Calls that are likely to mean something, by accounts of its own. A refused call is no mistake,
/// but arithmetic that fails is one.
contract Handler {
    uint256 private constant PEOPLE = 4;
    bytes4 private constant PANIC = 0x4e487b71;

    Marketplace public market;
    TestToken public token;
    RequestId[] public requests;
    SlotId[] public slots;
    mapping(SlotId => uint256) private _placeOf; // place of its request, from 1 on
    mapping(SlotId => uint64) private _indexOf;
    Groth16Proof private _proof;

    constructor(Marketplace market_, TestToken token_) {
        (market, token) = (market_, token_);
        _proof.a.x = 1;
        for (uint256 i = 0; i < PEOPLE; i++) {
            token.mint(person(i), 1e30);
            vm.prank(person(i));
            token.approve(address(market), type(uint256).max);
        }
    }

    function person(uint256 i) public pure returns (address) {
        return address(uint160(0xA000 + (i % PEOPLE)));
    }

    function countRequests() external view returns (uint256) {
        return requests.length;
    }

    function countSlots() external view returns (uint256) {
        return slots.length;
    }

    function requestOf(SlotId slot) external view returns (RequestId) {
        return requests[_placeOf[slot] - 1];
    }

    // ---- calls ----

    function request(uint256 client, uint8 shape, uint16 duration, uint256 nonce) external {
        Request memory asked;
        asked.client = person(client);
        uint64 count = 1 + (shape % 4);
        asked.ask = Ask(1, 1 + (shape % 3), 300, count, 77, uint64(60) + duration, (shape / 4) % (count + 1));
        asked.content = Content("cid", bytes32(nonce));
        asked.expiry = uint64(20) + duration / 3;
        asked.nonce = shape % 2 == 0 ? bytes32(nonce) : bytes32("DISP") | bytes32(nonce >> 32);
        if (!_call(client, abi.encodeCall(market.requestStorage, (asked)))) return;
        RequestId id = this.idOf(asked);
        requests.push(id);
        for (uint64 i = 0; i < count; i++) {
            SlotId slot = slotIdOf(id, i);
            slots.push(slot);
            (_placeOf[slot], _indexOf[slot]) = (requests.length, i);
        }
    }

    function fill(uint256 host, uint256 choice) external {
        if (slots.length == 0) return;
        SlotId slot = _recent(choice);
        (RequestId id, uint64 index) = (requests[_placeOf[slot] - 1], _indexOf[slot]);
        _call(host, abi.encodeCall(market.reserveSlot, (id, index)));
        _call(host, abi.encodeCall(market.fillSlot, (id, index, _proof)));
    }

    function fillAll(uint256 host, uint256 choice) external {
        if (slots.length == 0) return;
        RequestId id = requests[_placeOf[_recent(choice)] - 1];
        for (uint64 i = 0; i < 4; i++) {
            _call((host % PEOPLE) + i, abi.encodeCall(market.reserveSlot, (id, i)));
            _call((host % PEOPLE) + i, abi.encodeCall(market.fillSlot, (id, i, _proof)));
        }
    }

    function submit(uint256 choice) external {
        if (slots.length == 0) return;
        SlotId slot = _recent(choice);
        _callAs(market.getHost(slot), abi.encodeCall(market.submitProof, (slot, _proof)));
    }

    function mark(uint256 validator, uint256 choice, uint256 late) external {
        if (slots.length == 0) return;
        SlotId slot = _recent(choice);
        uint64 period = uint64(block.timestamp / 10) - 1 - uint64(late % 2);
        _call(validator, abi.encodeCall(market.markProofAsMissing, (slot, period)));
    }

    function markMany(uint256 validator) external {
        uint256 count = slots.length < 6 ? slots.length : 6;
        SlotId[] memory ids = new SlotId[](count);
        uint64[] memory periods = new uint64[](count);
        for (uint256 i = 0; i < count; i++) {
            ids[i] = slots[slots.length - 1 - i];
            periods[i] = uint64(block.timestamp / 10) - 1;
        }
        _call(validator, abi.encodeCall(market.markProofsAsMissing, (ids, periods)));
    }

    function free(uint256 choice, uint256 to, bool isOld) external {
        if (slots.length == 0) return;
        SlotId slot = isOld ? slots[choice % slots.length] : _recent(choice);
        bytes memory data = abi.encodeWithSignature(
            "freeSlot(bytes32,address,address)",
            slot,
            person(to),
            person(to / 7)
        );
        _callAs(market.getHost(slot), data);
    }

    function withdraw(uint256 client, uint256 choice) external {
        if (requests.length == 0) return;
        RequestId id = requests[choice % requests.length];
        _call(client, abi.encodeWithSignature("withdrawFunds(bytes32)", id));
    }

    function openRepair(uint256 choice) external {
        if (requests.length == 0) return;
        _call(choice, abi.encodeCall(market.openRepair, (requests[choice % requests.length])));
    }

    function register(uint256 host, bool isLeaving) external {
        if (isLeaving) _call(host, abi.encodeCall(market.unregister, ()));
        else _call(host, abi.encodeCall(market.register, ()));
    }

    function burn(uint256 who) external {
        _call(who, abi.encodeCall(market.burn, ()));
    }

    function wait(uint8 blocks, uint8 seconds_, bool isLong) external {
        vm.roll(block.number + (blocks % 20) + 1);
        uint256 passed = isLong ? uint256(seconds_) * 4 : 11 + (seconds_ % 4);
        vm.warp(block.timestamp + passed);
    }

    // ---- the end ----

    /// Everybody takes what is theirs, long after everything ended.
    function close() external {
        vm.roll(block.number + 300);
        vm.warp(block.timestamp + 100 days);
        for (uint256 i = 0; i < slots.length; i++) {
            SlotState state = market.slotState(slots[i]);
            if (state == SlotState.Free || state == SlotState.Paid) continue;
            address host = market.getHost(slots[i]);
            if (host == address(0)) continue;
            require(_callAs(host, abi.encodeWithSignature("freeSlot(bytes32)", slots[i])), "free");
        }
        for (uint256 i = 0; i < requests.length; i++) {
            address client = market.getRequest(requests[i]).client;
            _callAs(client, abi.encodeWithSignature("withdrawFunds(bytes32)", requests[i]));
        }
        for (uint256 i = 0; i < PEOPLE; i++) {
            _call(i, abi.encodeCall(market.unregister, ()));
        }
        market.burn();
    }

    function idOf(Request calldata asked) external pure returns (RequestId) {
        return requestIdOf(asked);
    }

    function _recent(uint256 choice) private view returns (SlotId) {
        uint256 window = slots.length < 8 ? slots.length : 8;
        return slots[slots.length - 1 - (choice % window)];
    }

    function _call(uint256 who, bytes memory data) private returns (bool) {
        return _callAs(person(who), data);
    }

    function _callAs(address who, bytes memory data) private returns (bool isDone) {
        if (who == address(0)) return false; // nobody calls from there
        vm.prank(who);
        bytes memory answer;
        (isDone, answer) = address(market).call(data);
        require(isDone || bytes4(answer) != PANIC, "arithmetic failed");
    }
}
