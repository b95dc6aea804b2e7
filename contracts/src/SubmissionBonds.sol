// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {ProofConfig} from "./Configuration.sol";
import {HubTokens} from "./HubTokens.sol";
import {IProofRecord} from "./IProofRecord.sol";
import {ProofDelegation, SlotId} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// Tokens behind promises to submit proofs. Whoever submits for hosts (an aggregator) puts tokens
/// into its bond and signs, for each slot and period, how much of what a missed proof costs its host
/// may take if it was marked as missing after all. One bond stands behind all promises: first come, first served.
///
/// token.balanceOf(this) >= sum of bonds; more only when somebody sent tokens without `deposit`.
contract SubmissionBonds is HubTokens, TypedData {
    error Bonds_ClaimsEndTooSoon();
    error Bonds_AboveBond();
    error Bonds_NothingAnnounced();
    error Bonds_TooEarly();
    error Bonds_TooLate();
    error Bonds_BadSignature();
    error Bonds_ProofNotMissing();
    error Bonds_NotDelegate();
    error Bonds_AlreadyClaimed();
    error Bonds_NothingLeft();
    error Bonds_NothingPromised();

    /// `leaving` is a part of `amount`: announced to leave at `leavesAt`, in seconds, and until then
    /// the first that claims take.
    struct Bond {
        uint128 amount;
        uint128 leaving;
        uint64 leavesAt;
    }

    event Deposited(address indexed aggregator, uint128 amount);
    event Announced(address indexed aggregator, uint128 leaving, uint64 leavesAt);
    event Withdrawn(address indexed aggregator, uint128 amount);
    event Claimed(
        address indexed aggregator,
        address indexed host,
        SlotId indexed slotId,
        uint64 period,
        uint256 promised,
        uint128 paid
    );

    /// Seconds after the end of a period in which its promises can be claimed.
    uint64 public constant CLAIM_SECONDS = 1 days;

    bytes32 private constant PROMISE_TYPE =
        keccak256(
            "SubmitPromise(address aggregator,address host,bytes32 slotId,uint64 period,uint256 amount)"
        );

    IProofRecord public immutable marketplace;
    uint64 private immutable _period;
    /// Seconds from an announcement until tokens may leave: promises of the period in which it is
    /// made, and of the next one, are worth what they were until their claims end.
    uint64 public immutable noticeSeconds;

    mapping(address aggregator => Bond) private _bonds;
    mapping(address aggregator => mapping(bytes32 missed => bool)) private _claimed;

    constructor(
        IProofRecord marketplace_
    ) HubTokens(marketplace_.token()) TypedData("QuireSubmissionBonds") {
        marketplace = marketplace_;
        ProofConfig memory proofs = marketplace_.configuration().proofs;
        // A miss can be marked until the timeout.
        if (proofs.timeout >= CLAIM_SECONDS) revert Bonds_ClaimsEndTooSoon();
        _period = proofs.period;
        noticeSeconds = CLAIM_SECONDS + 2 * proofs.period;
    }

    // ---- aggregators ----

    function deposit(uint128 amount) external {
        _bonds[msg.sender].amount += amount;
        emit Deposited(msg.sender, amount);
        _pull(amount);
    }

    /// Say that a part of the bond is to leave; instead of what was announced before. 0: nothing.
    function announce(uint128 leaving) external {
        Bond storage bond = _bonds[msg.sender];
        if (leaving > bond.amount) revert Bonds_AboveBond();
        uint64 leavesAt = leaving == 0 ? 0 : uint64(block.timestamp) + noticeSeconds;
        (bond.leaving, bond.leavesAt) = (leaving, leavesAt);
        emit Announced(msg.sender, leaving, leavesAt);
    }

    /// Take what was announced, less what claims took of it meanwhile.
    function withdraw() external {
        Bond storage bond = _bonds[msg.sender];
        uint128 leaving = bond.leaving;
        if (leaving == 0) revert Bonds_NothingAnnounced();
        if (block.timestamp < bond.leavesAt) revert Bonds_TooEarly();
        bond.amount -= leaving;
        (bond.leaving, bond.leavesAt) = (0, 0);
        emit Withdrawn(msg.sender, leaving);
        _push(leaving);
    }

    // ---- hosts ----

    /// What an aggregator promised the caller: at most what the missed proof has cost, and what the
    /// bond still has. Once for each slot and period, whatever else was signed for them.
    ///
    /// As nobody gets more than was slashed, nobody gains by missing proofs of its own; nor does an
    /// aggregator that would claim its own bond, before others can, for slots of its own.
    ///
    /// Whoever forbids an aggregator to submit cannot blame it: since the period began the caller must
    /// not have revoked its appointment, and it still has to stand.
    function claim(
        address aggregator,
        SlotId slotId,
        uint64 period,
        uint256 amount,
        bytes calldata signature
    ) external {
        _checkSigned(
            aggregator,
            promiseDigest(aggregator, msg.sender, slotId, period, amount),
            signature
        );
        if (amount == 0) revert Bonds_NothingPromised();
        _checkMissed(aggregator, slotId, period);
        bytes32 missed = _missedId(msg.sender, slotId, period);
        if (_claimed[aggregator][missed]) revert Bonds_AlreadyClaimed();
        uint256 cost = marketplace.slashOf(slotId);
        _claimed[aggregator][missed] = true;
        uint128 paid = _take(_bonds[aggregator], amount < cost ? amount : cost);
        emit Claimed(aggregator, msg.sender, slotId, period, amount, paid);
        _push(paid);
    }

    // ---- what is ----

    function bondOf(address aggregator) external view returns (Bond memory) {
        return _bonds[aggregator];
    }

    /// Whether something was claimed for this slot and period.
    function isClaimed(
        address aggregator,
        address host,
        SlotId slotId,
        uint64 period
    ) external view returns (bool) {
        return _claimed[aggregator][_missedId(host, slotId, period)];
    }

    /// What is signed.
    function promiseDigest(
        address aggregator,
        address host,
        SlotId slotId,
        uint64 period,
        uint256 amount
    ) public view returns (bytes32) {
        bytes32 content = keccak256(
            abi.encode(PROMISE_TYPE, aggregator, host, slotId, period, amount)
        );
        return _typedDigest(domainSeparator(), content);
    }

    // ---- inside ----

    function _checkSigned(
        address aggregator,
        bytes32 digest,
        bytes calldata signature
    ) private pure {
        address signer = _signerOf(digest, signature);
        if (signer == address(0) || signer != aggregator) revert Bonds_BadSignature();
    }

    /// Whether it is claimed in time, a proof is missing, and the aggregator could have submitted it.
    function _checkMissed(address aggregator, SlotId slotId, uint64 period) private view {
        uint256 begin = uint256(period) * _period;
        if (block.timestamp >= begin + _period + CLAIM_SECONDS) revert Bonds_TooLate();
        if (!marketplace.isProofMissing(slotId, period)) revert Bonds_ProofNotMissing();
        ProofDelegation memory its = marketplace.proofDelegation(msg.sender, aggregator);
        if (!its.isAllowed || its.revokedAt >= begin) revert Bonds_NotDelegate();
    }

    /// As much of a bond as there is, first of what is to leave.
    function _take(Bond storage bond, uint256 amount) private returns (uint128 taken) {
        (uint128 has, uint128 leaving) = (bond.amount, bond.leaving);
        if (has == 0) revert Bonds_NothingLeft();
        taken = amount < has ? uint128(amount) : has;
        bond.amount = has - taken;
        if (leaving > taken) bond.leaving = leaving - taken;
        else if (leaving != 0) (bond.leaving, bond.leavesAt) = (0, 0);
    }

    function _missedId(
        address host,
        SlotId slotId,
        uint64 period
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(host, slotId, period));
    }
}
