// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {ChannelHub} from "../src/ChannelHub.sol";
import {IERC20} from "../src/IERC20.sol";
import {TestToken} from "../src/TestToken.sol";
import {HubHandler} from "./HubHandler.sol";
import {vm} from "./Vm.sol";

/// What holds after any calls of the hub, in any order.
contract HubInvariants {
    ChannelHub private _hub;
    TestToken private _token;
    HubHandler private _handler;

    function setUp() public {
        vm.warp(1000000);
        _token = new TestToken();
        _hub = new ChannelHub(IERC20(address(_token)), address(this));
        _handler = new HubHandler(_hub, _token);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = HubHandler.close.selector;
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(_handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// token.balanceOf(hub) == sum of balances + sum of (deposit - claimed), but for tokens that were
    /// only sent; nobody gets more than was signed.
    function invariant_everyTokenIsSomebodys() public view {
        assert(_token.balanceOf(address(_hub)) == _handler.owed());
        uint256 people = _handler.PEOPLE();
        ChannelHub.Channel[] memory all = _handler.channels();
        for (uint256 i = 0; i < all.length; i++) {
            assert(all[i].claimed <= all[i].deposit);
            assert(all[i].claimed <= _handler.promised(i / people, i % people));
        }
    }

    /// No token is left behind: when everybody took what is theirs, nothing is left.
    function afterInvariant() public {
        assert(_handler.close() == 0);
    }
}

/// Single rules. What begins with `testProof_` is proved for all inputs by halmos, and tried with many by
/// forge; what begins with `testFuzz_` is only tried.
contract HubTest {
    ChannelHub private _hub;
    TestToken private _token;
    address private constant PAYEE = address(0xBEEF);

    function setUp() public {
        vm.warp(1000000);
        _token = new TestToken();
        _hub = new ChannelHub(IERC20(address(_token)), address(this));
        _token.mint(address(this), type(uint256).max);
        _token.approve(address(_hub), type(uint256).max);
    }

    function testProof_allocationsAddUpOrAreRefused(
        uint256 has,
        uint128 first,
        uint128 second
    ) public {
        _hub.deposit(has);
        uint256 sum = uint256(first) + second;
        bool isDone = _tryAllocate(first, second);
        assert(isDone == (sum <= has && sum <= type(uint128).max));
        assert(_channel().deposit == (isDone ? sum : 0));
        assert(_hub.balanceOf(address(this)) == (isDone ? has - sum : has));
    }

    function testProof_nothingComesBackBeforeTheChallengeIsOver(uint128 amount, uint32 waited) public {
        _open(amount);
        _hub.requestClose(PAYEE);
        vm.warp(1000000 + uint256(waited));
        (bool isDone, ) = address(_hub).call(abi.encodeCall(_hub.release, (PAYEE)));
        assert(isDone == (waited >= _hub.CHALLENGE()));
        assert(_hub.balanceOf(address(this)) == (isDone ? amount : 0));
        assert(_channel().deposit == (isDone ? 0 : amount));
    }

    /// Whatever the bytes of a signature are: what is claimed is in the channel, and comes out of it.
    function testProof_aClaimTakesNoMoreThanTheDeposit(
        uint128 amount,
        uint128 cumulative,
        bytes32 r,
        bytes32 s,
        uint8 v
    ) public {
        _open(amount);
        address payer = address(this);
        bool isDone = _tryClaim(payer, cumulative, abi.encodePacked(r, s, v));
        assert(!isDone || (cumulative > 0 && cumulative <= amount));
        assert(_channel().claimed == (isDone ? cumulative : 0));
        assert(_hub.balanceOf(PAYEE) == (isDone ? cumulative : 0));
        assert(_channel().deposit == amount);
    }

    /// This payer is a contract that answers no signature, so nobody can have signed for it.
    function testFuzz_withoutTheKeyNothingIsClaimed(
        uint128 amount,
        uint128 cumulative,
        bytes32 r,
        bytes32 s,
        bool isEven
    ) public {
        _open(amount);
        assert(!_tryClaim(address(this), cumulative, abi.encodePacked(r, s, isEven ? 27 : 28)));
    }

    function testFuzz_vouchersCountOnOneSideOfASplit(uint64 id, uint128 cumulative) public {
        vm.assume(id != block.chainid && id != 0);
        bytes32 before = _hub.voucherDigest(address(this), PAYEE, cumulative);
        bytes32 separator = _hub.domainSeparator();
        uint256 home = block.chainid;
        vm.chainId(id);
        assert(_hub.voucherDigest(address(this), PAYEE, cumulative) != before);
        assert(_hub.domainSeparator() != separator);
        vm.chainId(home);
        assert(_hub.voucherDigest(address(this), PAYEE, cumulative) == before);
    }

    function testFuzz_whatGoesInComesOut(uint128 amount, uint128 part) public {
        vm.assume(part <= amount);
        uint256 before = _token.balanceOf(address(this));
        _hub.deposit(amount);
        _hub.withdraw(part);
        assert(_token.balanceOf(address(_hub)) == amount - part);
        assert(_hub.balanceOf(address(this)) == amount - part);
        _hub.withdraw(amount - part);
        assert(_token.balanceOf(address(this)) == before);
    }

    // ---- inside ----

    function _open(uint128 amount) private {
        _hub.deposit(amount);
        assert(_tryAllocate(amount, 0));
    }

    function _tryAllocate(uint128 first, uint128 second) private returns (bool isDone) {
        address[] memory payees = new address[](2);
        uint128[] memory amounts = new uint128[](2);
        (payees[0], payees[1]) = (PAYEE, PAYEE);
        (amounts[0], amounts[1]) = (first, second);
        (isDone, ) = address(_hub).call(abi.encodeCall(_hub.allocate, (payees, amounts)));
    }

    function _tryClaim(
        address payer,
        uint128 cumulative,
        bytes memory signature
    ) private returns (bool isDone) {
        address[] memory payers = new address[](1);
        uint128[] memory sums = new uint128[](1);
        bytes[] memory signatures = new bytes[](1);
        (payers[0], sums[0], signatures[0]) = (payer, cumulative, signature);
        vm.prank(PAYEE);
        (isDone, ) = address(_hub).call(abi.encodeCall(_hub.claim, (payers, sums, signatures)));
    }

    function _channel() private view returns (ChannelHub.Channel memory) {
        address[] memory payers = new address[](1);
        address[] memory payees = new address[](1);
        (payers[0], payees[0]) = (address(this), PAYEE);
        return _hub.channels(payers, payees)[0];
    }
}
