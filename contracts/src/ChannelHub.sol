// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {HubTokens} from "./HubTokens.sol";
import {IERC20} from "./IERC20.sol";
import {IERC20Permit} from "./IERC20Permit.sol";
import {Vouchers} from "./Vouchers.sol";

/// Payment channels over one token. Whoever pays puts tokens into its balance and from there into
/// channels, one for each payee; a payee takes what signed vouchers promise. All sums are
/// cumulative and never start again, so that no voucher counts twice.
///
/// token.balanceOf(hub) >= sum of balances + sum of (deposit - claimed); more only when somebody
/// sent tokens without `deposit`.
contract ChannelHub is HubTokens, Vouchers {
    error Hub_ZeroAddress();
    error Hub_LengthMismatch();
    error Hub_InsufficientBalance();
    error Hub_NothingToClaim();
    error Hub_AboveDeposit();
    error Hub_BadSignature();
    error Hub_AlreadyClosing();
    error Hub_NotClosing();
    error Hub_TooEarly();
    error Hub_DepositsPaused();
    error Hub_NotOwner();

    /// `closeAt` in seconds; 0: no close is pending.
    struct Channel {
        uint128 deposit;
        uint128 claimed;
        uint64 closeAt;
    }

    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event Allocated(address indexed payer, address indexed payee, uint128 deposit);
    event Claimed(address indexed payer, address indexed payee, uint128 claimed);
    event Closing(address indexed payer, address indexed payee, uint64 closeAt);
    event Released(address indexed payer, address indexed payee, uint128 amount);
    event DepositsPaused(bool isPaused);

    /// May stop deposits, and nothing else; 0: nobody may.
    address public immutable owner;
    bool public isPaused;
    mapping(address account => uint256) public balanceOf;
    mapping(address payer => mapping(address payee => Channel)) private _channels;

    constructor(IERC20 token_, address owner_) HubTokens(token_) {
        owner = owner_;
    }

    // ---- tokens in and out ----

    function deposit(uint256 amount) external {
        _deposit(amount);
    }

    /// As `deposit`, with the permission in the same transaction (EIP-2612). Whoever saw it and used
    /// it before has only done a part of the work: what counts is what the hub may take.
    function depositWithPermit(
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        IERC20Permit asked = IERC20Permit(address(token));
        try asked.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(amount);
    }

    function withdraw(uint256 amount) external {
        _take(amount);
        emit Withdrawn(msg.sender, amount);
        _push(amount);
    }

    // ---- payers ----

    /// From the balance into channels. A close that is pending is over.
    function allocate(address[] calldata payees, uint128[] calldata amounts) external {
        uint256 count = payees.length;
        if (count != amounts.length) revert Hub_LengthMismatch();
        mapping(address payee => Channel) storage mine = _channels[msg.sender];
        uint256 total = 0;
        for (uint256 i = 0; i < count; i++) {
            address payee = payees[i];
            if (payee == address(0)) revert Hub_ZeroAddress();
            Channel storage channel = mine[payee];
            uint128 amount = amounts[i];
            uint128 deposited = channel.deposit + amount;
            channel.deposit = deposited;
            if (channel.closeAt != 0) channel.closeAt = 0;
            total += amount;
            emit Allocated(msg.sender, payee, deposited);
        }
        _take(total);
    }

    /// Ask for what is left in a channel; it can be had CHALLENGE seconds later.
    function requestClose(address payee) external {
        Channel storage channel = _channels[msg.sender][payee];
        if (channel.closeAt != 0) revert Hub_AlreadyClosing();
        uint64 closeAt = uint64(block.timestamp) + CHALLENGE;
        channel.closeAt = closeAt;
        emit Closing(msg.sender, payee, closeAt);
    }

    /// What is left comes back. A voucher that was not claimed counts again as soon as the channel
    /// has a deposit for it: it was owed.
    function release(address payee) external {
        Channel storage channel = _channels[msg.sender][payee];
        uint64 closeAt = channel.closeAt;
        if (closeAt == 0) revert Hub_NotClosing();
        if (block.timestamp < closeAt) revert Hub_TooEarly();
        uint128 claimed = channel.claimed;
        uint128 left = channel.deposit - claimed;
        channel.deposit = claimed;
        channel.closeAt = 0;
        balanceOf[msg.sender] += left;
        emit Released(msg.sender, payee, left);
    }

    // ---- payees ----

    /// What vouchers promise the caller; all of them or none. Until `release`, also of a channel
    /// whose close is pending.
    function claim(
        address[] calldata payers,
        uint128[] calldata cumulatives,
        bytes[] calldata signatures
    ) external {
        uint256 count = payers.length;
        if (count != cumulatives.length || count != signatures.length) revert Hub_LengthMismatch();
        bytes32 separator = domainSeparator();
        uint256 total = 0;
        for (uint256 i = 0; i < count; i++) {
            address payer = payers[i];
            uint128 cumulative = cumulatives[i];
            Channel storage channel = _channels[payer][msg.sender];
            uint128 claimed = channel.claimed;
            if (payer == address(0)) revert Hub_ZeroAddress();
            if (cumulative <= claimed) revert Hub_NothingToClaim();
            if (cumulative > channel.deposit) revert Hub_AboveDeposit();
            bytes32 digest = _digest(separator, payer, msg.sender, cumulative);
            if (!_isSigned(payer, digest, signatures[i])) revert Hub_BadSignature();
            channel.claimed = cumulative;
            total += cumulative - claimed;
            emit Claimed(payer, msg.sender, cumulative);
        }
        balanceOf[msg.sender] += total;
    }

    // ---- what is ----

    /// Of (payer, payee), one after the other.
    function channels(
        address[] calldata payers,
        address[] calldata payees
    ) external view returns (Channel[] memory found) {
        if (payers.length != payees.length) revert Hub_LengthMismatch();
        found = new Channel[](payers.length);
        for (uint256 i = 0; i < payers.length; i++) {
            found[i] = _channels[payers[i]][payees[i]];
        }
    }

    // ---- emergency ----

    /// Stop deposits, or take them again. Nothing else can be stopped by anybody.
    function pauseDeposits(bool isPaused_) external {
        if (msg.sender != owner) revert Hub_NotOwner();
        isPaused = isPaused_;
        emit DepositsPaused(isPaused_);
    }

    // ---- inside ----

    function _deposit(uint256 amount) private {
        if (isPaused) revert Hub_DepositsPaused();
        balanceOf[msg.sender] += amount;
        emit Deposited(msg.sender, amount);
        _pull(amount);
    }

    function _take(uint256 amount) private {
        uint256 balance = balanceOf[msg.sender];
        if (balance < amount) revert Hub_InsufficientBalance();
        unchecked {
            balanceOf[msg.sender] = balance - amount;
        }
    }
}
