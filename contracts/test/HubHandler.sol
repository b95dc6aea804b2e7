// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {ChannelHub} from "../src/ChannelHub.sol";
import {TestToken} from "../src/TestToken.sol";
import {vm} from "./Vm.sol";

/// Calls of the hub that are likely to mean something, by accounts of its own. A refused call is no
/// mistake, but arithmetic that fails is one.
contract HubHandler {
    uint256 public constant PEOPLE = 3;
    uint256 public constant EACH = 1e24;
    bytes4 private constant PANIC = 0x4e487b71;

    ChannelHub public hub;
    TestToken public token;
    mapping(uint256 payer => mapping(uint256 payee => uint128)) public promised; // the most signed
    mapping(uint256 payer => mapping(uint256 payee => uint128)) public seen; // the most claimed
    uint256 private _donated;
    address[] private _people;

    constructor(ChannelHub hub_, TestToken token_) {
        (hub, token) = (hub_, token_);
        for (uint256 i = 0; i < PEOPLE; i++) {
            _people.push(vm.addr(_key(i)));
            token.mint(person(i), EACH);
            vm.prank(person(i));
            token.approve(address(hub), type(uint256).max);
        }
    }

    function person(uint256 i) public view returns (address) {
        return _people[i % PEOPLE];
    }

    /// Of payer i / PEOPLE and payee i % PEOPLE.
    function channels() public view returns (ChannelHub.Channel[] memory) {
        address[] memory payers = new address[](PEOPLE * PEOPLE);
        address[] memory payees = new address[](PEOPLE * PEOPLE);
        for (uint256 i = 0; i < PEOPLE * PEOPLE; i++) {
            (payers[i], payees[i]) = (person(i / PEOPLE), person(i));
        }
        return hub.channels(payers, payees);
    }

    function channel(uint256 payer, uint256 payee) public view returns (ChannelHub.Channel memory) {
        address[] memory payers = new address[](1);
        address[] memory payees = new address[](1);
        (payers[0], payees[0]) = (person(payer), person(payee));
        return hub.channels(payers, payees)[0];
    }

    // ---- calls ----

    function deposit(uint256 who, uint64 amount) external {
        _call(who, abi.encodeCall(hub.deposit, (amount)));
    }

    function withdraw(uint256 who, uint64 amount, bool isAll) external {
        uint256 chosen = isAll ? hub.balanceOf(person(who)) : amount;
        _call(who, abi.encodeCall(hub.withdraw, (chosen)));
    }

    function allocate(uint256 payer, uint256 payee, uint64 first, uint64 second) external {
        uint256 has = hub.balanceOf(person(payer)) + 1;
        address[] memory payees = new address[](2);
        uint128[] memory amounts = new uint128[](2);
        (payees[0], payees[1]) = (person(payee), person(payee / 7));
        (amounts[0], amounts[1]) = (uint128(first % has), uint128(second % has));
        if (!_call(payer, abi.encodeCall(hub.allocate, (payees, amounts)))) return;
        require(channel(payer, payee).closeAt == 0, "a close goes on");
    }

    /// Promise a part of what is left, by the payer or one of the others; claim it or an older one.
    function claim(uint256 payer, uint256 payee, uint128 part, uint8 way) external {
        (payer, payee) = (payer % PEOPLE, payee % PEOPLE);
        ChannelHub.Channel memory open = channel(payer, payee);
        uint128 cumulative = open.claimed + (part % (open.deposit - open.claimed + 2));
        uint256 signer = payer + (way % 4 < 2 ? 0 : way % 4 - 1);
        address[] memory payers = new address[](1);
        uint128[] memory sums = new uint128[](1);
        bytes[] memory signatures = new bytes[](1);
        (payers[0], sums[0]) = (person(payer), cumulative);
        signatures[0] = _sign(signer, hub.voucherDigest(person(payer), person(payee), cumulative));
        bool isHis = _isDelegate(person(payer), person(signer)) || signer == payer;
        if (isHis && promised[payer][payee] < cumulative) promised[payer][payee] = cumulative;
        bool isDone = _call(payee, abi.encodeCall(hub.claim, (payers, sums, signatures)));
        require(isHis || !isDone, "signed by somebody else");
        uint128 claimed = channel(payer, payee).claimed;
        require(claimed >= seen[payer][payee], "a sum went back");
        seen[payer][payee] = claimed;
    }

    function requestClose(uint256 payer, uint256 payee) external {
        _call(payer, abi.encodeCall(hub.requestClose, (person(payee))));
    }

    function release(uint256 payer, uint256 payee) external {
        ChannelHub.Channel memory was = channel(payer, payee);
        bool isDone = _call(payer, abi.encodeCall(hub.release, (person(payee))));
        require(isDone == (was.closeAt != 0 && block.timestamp >= was.closeAt), "release");
        if (!isDone) return;
        ChannelHub.Channel memory rest = channel(payer, payee);
        require(rest.deposit == was.claimed && rest.claimed == was.claimed, "rest");
    }

    function setDelegate(uint256 payer, uint256 signer, bool isNobody) external {
        address chosen = isNobody ? address(0) : person(payer % PEOPLE + 1 + (signer % 2));
        _call(payer, abi.encodeCall(hub.setDelegate, (chosen)));
    }

    function donate(uint256 who, uint16 amount) external {
        vm.prank(person(who));
        try token.transfer(address(hub), amount) {
            _donated += amount;
        } catch {}
    }

    /// Some time, or to the second before, or in, or after which a close can be released.
    function wait(uint32 seconds_, uint256 payer, uint256 payee, uint8 way) external {
        uint256 closeAt = channel(payer, payee).closeAt;
        uint256 then = block.timestamp + 1 + (seconds_ % 40000);
        vm.warp(closeAt > block.timestamp && way % 4 != 0 ? closeAt - 1 + (way % 3) : then);
    }

    // ---- the end ----

    /// Everybody takes what is theirs; what is left then.
    function close() external returns (uint256 left) {
        for (uint256 i = 0; i < PEOPLE * PEOPLE; i++) {
            _call(i / PEOPLE, abi.encodeCall(hub.requestClose, (person(i))));
        }
        vm.warp(block.timestamp + hub.CHALLENGE());
        for (uint256 i = 0; i < PEOPLE * PEOPLE; i++) {
            require(_call(i / PEOPLE, abi.encodeCall(hub.release, (person(i)))), "release");
        }
        for (uint256 i = 0; i < PEOPLE; i++) {
            uint256 balance = hub.balanceOf(person(i));
            require(_call(i, abi.encodeCall(hub.withdraw, (balance))), "withdraw");
        }
        return token.balanceOf(address(hub)) - _donated;
    }

    function owed() external view returns (uint256 sum) {
        ChannelHub.Channel[] memory all = channels();
        for (uint256 i = 0; i < all.length; i++) {
            sum += all[i].deposit - all[i].claimed;
        }
        for (uint256 i = 0; i < PEOPLE; i++) {
            sum += hub.balanceOf(person(i));
        }
        sum += _donated;
    }

    function _isDelegate(address payer, address signer) private view returns (bool) {
        ChannelHub.Delegation memory its = hub.delegation(payer);
        return signer == its.signer || (signer == its.previous && block.timestamp < its.until);
    }

    function _sign(uint256 who, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key(who), digest);
        return abi.encodePacked(r, s, v);
    }

    function _key(uint256 i) private pure returns (uint256) {
        return 0xA000 + (i % PEOPLE);
    }

    function _call(uint256 who, bytes memory data) private returns (bool isDone) {
        vm.prank(person(who));
        bytes memory answer;
        (isDone, answer) = address(hub).call(data);
        require(isDone || bytes4(answer) != PANIC, "arithmetic failed");
    }
}
