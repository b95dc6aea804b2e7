// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {SubmissionBonds} from "../src/SubmissionBonds.sol";
import {TestToken} from "../src/TestToken.sol";
import {SlotId} from "../src/Types.sol";
import {ProofRecordStub} from "./ProofRecordStub.sol";
import {vm} from "./Vm.sol";

/// Calls of the bonds that are likely to mean something, by accounts of its own: aggregators that are
/// hosts too. A refused call is no mistake, but arithmetic that fails is one.
contract BondsHandler {
    uint256 public constant PEOPLE = 3;
    uint256 public constant EACH = 1e24;
    uint64 private constant PERIOD = 10;
    bytes4 private constant PANIC = 0x4e487b71;

    SubmissionBonds public bonds;
    TestToken public token;
    ProofRecordStub public record;
    uint256 public paid; // to hosts, by claims
    uint256 public promised; // at most, by what was signed and claimed
    mapping(bytes32 missed => bool) private _isPaid;
    mapping(address aggregator => uint256) private _mayLeaveAt;
    uint256 private _donated;
    address[] private _people;

    constructor(SubmissionBonds bonds_, TestToken token_, ProofRecordStub record_) {
        (bonds, token, record) = (bonds_, token_, record_);
        for (uint256 i = 0; i < PEOPLE; i++) {
            _people.push(vm.addr(_key(i)));
            token.mint(person(i), EACH);
            vm.prank(person(i));
            token.approve(address(bonds), type(uint256).max);
        }
    }

    function person(uint256 i) public view returns (address) {
        return _people[i % PEOPLE];
    }

    // ---- calls ----

    function deposit(uint256 who, uint64 amount) external {
        _call(who, abi.encodeCall(bonds.deposit, (amount)));
    }

    function announce(uint256 who, uint64 part, bool isAll) external {
        uint128 has = bonds.bondOf(person(who)).amount;
        uint128 leaving = isAll ? has : uint128(part % (uint256(has) + 2));
        if (!_call(who, abi.encodeCall(bonds.announce, (leaving)))) return;
        _mayLeaveAt[person(who)] = block.timestamp + bonds.CLAIM_SECONDS() + 2 * PERIOD;
    }

    function withdraw(uint256 who) external {
        SubmissionBonds.Bond memory was = bonds.bondOf(person(who));
        uint256 before = token.balanceOf(person(who));
        if (!_call(who, abi.encodeCall(bonds.withdraw, ()))) return;
        require(block.timestamp >= _mayLeaveAt[person(who)], "left too early");
        require(token.balanceOf(person(who)) - before == was.leaving, "another part left");
    }

    function appoint(uint256 host, uint256 aggregator, uint8 way) external {
        record.appoint(person(host), person(aggregator), way % 4 != 0);
    }

    /// Promise and claim something of one of the last periods, mostly missed, signed by the aggregator
    /// or somebody else.
    function claim(uint256 who, uint256 slot, uint64 back, uint128 part, uint16 way) external {
        (uint256 aggregator, uint256 host) = (who % PEOPLE, (who / PEOPLE) % PEOPLE);
        SlotId slotId = SlotId.wrap(bytes32(slot % 4));
        uint64 period = uint64(block.timestamp) / PERIOD - (way % 8 == 0 ? back % 10000 : back % 3);
        if (way % 5 != 0) record.miss(slotId, period);
        SubmissionBonds.Bond memory was = bonds.bondOf(person(aggregator));
        uint256 amount = part % (uint256(was.amount) + 3);
        address signing = person(way % 7 == 0 ? aggregator + 1 : aggregator);
        bytes memory signature = _sign(
            way % 7 == 0 ? aggregator + 1 : aggregator,
            bonds.promiseDigest(person(aggregator), person(host), slotId, period, amount)
        );
        uint256 before = token.balanceOf(person(host));
        bytes memory data = abi.encodeCall(
            bonds.claim,
            (person(aggregator), slotId, period, amount, signature)
        );
        if (!_call(host, data)) return;
        require(signing == person(aggregator), "signed by somebody else");
        require(record.isProofMissing(slotId, period), "nothing was missed");
        require(record.proofDelegation(person(host), person(aggregator)).isAllowed, "no delegate");
        require(block.timestamp < (period + 1) * PERIOD + bonds.CLAIM_SECONDS(), "too late");
        bytes32 missed = keccak256(abi.encode(aggregator, host, slotId, period));
        require(!_isPaid[missed], "paid twice");
        _isPaid[missed] = true;
        uint256 got = token.balanceOf(person(host)) - before;
        uint256 most = record.slashOf(slotId);
        if (amount < most) most = amount;
        require(got == (most < was.amount ? most : was.amount), "another sum was paid");
        paid += got;
        promised += amount;
        _checkLeft(aggregator, was, got);
    }

    function donate(uint256 who, uint16 amount) external {
        vm.prank(person(who));
        try token.transfer(address(bonds), amount) {
            _donated += amount;
        } catch {}
    }

    /// Some time, or to the second before, or in, or after which a part can leave.
    function wait(uint32 seconds_, uint256 who, uint8 way) external {
        uint256 leavesAt = bonds.bondOf(person(who)).leavesAt;
        uint256 then = block.timestamp + 1 + (seconds_ % 40000);
        vm.warp(leavesAt > block.timestamp && way % 4 != 0 ? leavesAt - 1 + (way % 3) : then);
    }

    // ---- the end ----

    /// Everybody takes what is theirs; what is left then.
    function close() external returns (uint256 left) {
        for (uint256 i = 0; i < PEOPLE; i++) {
            uint128 has = bonds.bondOf(person(i)).amount;
            require(_call(i, abi.encodeCall(bonds.announce, (has))), "announce");
        }
        vm.warp(block.timestamp + bonds.noticeSeconds());
        for (uint256 i = 0; i < PEOPLE; i++) {
            if (bonds.bondOf(person(i)).amount == 0) continue;
            require(_call(i, abi.encodeCall(bonds.withdraw, ())), "withdraw");
        }
        return token.balanceOf(address(bonds)) - _donated;
    }

    function owed() external view returns (uint256 sum) {
        for (uint256 i = 0; i < PEOPLE; i++) sum += bonds.bondOf(person(i)).amount;
        sum += _donated;
    }

    /// A claim takes first what is to leave.
    function _checkLeft(
        uint256 aggregator,
        SubmissionBonds.Bond memory was,
        uint256 got
    ) private view {
        SubmissionBonds.Bond memory bond = bonds.bondOf(person(aggregator));
        require(bond.amount == was.amount - got, "another bond is left");
        uint256 leaving = was.leaving > got ? was.leaving - got : 0;
        require(bond.leaving == leaving, "the rest was taken first");
    }

    function _sign(uint256 who, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key(who), digest);
        return abi.encodePacked(r, s, v);
    }

    function _key(uint256 i) private pure returns (uint256) {
        return 0xB000 + (i % PEOPLE);
    }

    function _call(uint256 who, bytes memory data) private returns (bool isDone) {
        vm.prank(person(who));
        bytes memory answer;
        (isDone, answer) = address(bonds).call(data);
        require(isDone || bytes4(answer) != PANIC, "arithmetic failed");
    }
}
