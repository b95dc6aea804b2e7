// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "../src/IERC20.sol";
import {SubmissionBonds} from "../src/SubmissionBonds.sol";
import {TestToken} from "../src/TestToken.sol";
import {SlotId} from "../src/Types.sol";
import {BondsHandler} from "./BondsHandler.sol";
import {ProofRecordStub} from "./ProofRecordStub.sol";
import {vm} from "./Vm.sol";

/// What holds after any calls of the bonds, in any order.
contract BondsInvariants {
    SubmissionBonds private _bonds;
    TestToken private _token;
    BondsHandler private _handler;

    function setUp() public {
        vm.warp(1000000);
        _token = new TestToken();
        ProofRecordStub record = new ProofRecordStub(IERC20(address(_token)));
        _bonds = new SubmissionBonds(record);
        _handler = new BondsHandler(_bonds, _token, record);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = BondsHandler.close.selector;
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(_handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// token.balanceOf(bonds) == sum of bonds, but for tokens that were only sent; nobody gets more
    /// than was signed.
    function invariant_everyTokenIsSomebodys() public view {
        assert(_token.balanceOf(address(_bonds)) == _handler.owed());
        assert(_handler.paid() <= _handler.promised());
        for (uint256 i = 0; i < _handler.PEOPLE(); i++) {
            SubmissionBonds.Bond memory bond = _bonds.bondOf(_handler.person(i));
            assert(bond.leaving <= bond.amount);
            assert((bond.leaving == 0) == (bond.leavesAt == 0));
        }
    }

    /// No token is left behind: when everybody took what is theirs, nothing is left.
    function afterInvariant() public {
        assert(_handler.close() == 0);
    }
}

/// Single rules. What begins with `testProof_` is proved for all inputs by halmos, and tried with many by
/// forge; what begins with `testFuzz_` is only tried.
contract BondsTest {
    SubmissionBonds private _bonds;
    TestToken private _token;
    ProofRecordStub private _record;
    uint64 private constant PERIOD = 10;
    uint256 private constant KEY = 0xB0B;
    SlotId private constant SLOT = SlotId.wrap(bytes32(uint256(7)));

    function setUp() public {
        vm.warp(1000000);
        _token = new TestToken();
        _record = new ProofRecordStub(IERC20(address(_token)));
        _bonds = new SubmissionBonds(_record);
        _token.mint(address(this), type(uint256).max / 2);
        _token.approve(address(_bonds), type(uint256).max);
    }

    function testProof_nothingLeavesBeforeItsNotice(
        uint128 amount,
        uint128 leaving,
        uint32 waited
    ) public {
        _bonds.deposit(amount);
        (bool isAnnounced, ) = address(_bonds).call(abi.encodeCall(_bonds.announce, (leaving)));
        assert(isAnnounced == (leaving <= amount));
        vm.warp(1000000 + uint256(waited));
        (bool isDone, ) = address(_bonds).call(abi.encodeCall(_bonds.withdraw, ()));
        bool isDue = isAnnounced && leaving > 0 && waited >= _bonds.noticeSeconds();
        assert(isDone == isDue);
        assert(_bonds.bondOf(address(this)).amount == (isDone ? amount - leaving : amount));
        assert(_token.balanceOf(address(_bonds)) == _bonds.bondOf(address(this)).amount);
    }

    /// Whatever the bytes of a signature are: what is paid is in the bond, and comes out of it.
    function testProof_aClaimTakesNoMoreThanTheBond(
        uint128 has,
        uint256 amount,
        bytes32 r,
        bytes32 s,
        uint8 v
    ) public {
        _bonds.deposit(has);
        uint64 period = 1000000 / PERIOD - 1;
        _record.miss(SLOT, period);
        _record.appoint(address(0xBEEF), address(this), true);
        vm.prank(address(0xBEEF));
        (bool isDone, ) = address(_bonds).call(
            abi.encodeCall(
                _bonds.claim,
                (address(this), SLOT, period, amount, abi.encodePacked(r, s, v))
            )
        );
        uint256 got = _token.balanceOf(address(0xBEEF));
        assert(got <= amount && got <= has && got <= _record.slashOf(SLOT));
        assert(isDone || got == 0);
        assert(_bonds.bondOf(address(this)).amount == has - got);
    }

    /// Nobody has the key of this contract, so that nobody can have signed for it.
    function testFuzz_withoutTheKeyNothingIsClaimed(
        uint128 amount,
        bytes32 r,
        bytes32 s,
        bool isEven
    ) public {
        _bonds.deposit(amount);
        uint64 period = 1000000 / PERIOD - 1;
        _record.miss(SLOT, period);
        _record.appoint(address(this), address(this), true);
        bytes memory signature = abi.encodePacked(r, s, isEven ? uint8(27) : uint8(28));
        assert(!_tryClaim(address(this), period, amount, signature));
    }

    /// A promise for the present or the next period is worth what it was until its claims end, even if
    /// its aggregator announces everything in the same second.
    function testFuzz_promisesOfNowAreCoveredToTheirEnd(
        uint64 amount,
        uint16 begun,
        bool isNext,
        uint32 waited
    ) public {
        address aggregator = vm.addr(KEY);
        _token.transfer(aggregator, amount);
        vm.prank(aggregator);
        _token.approve(address(_bonds), amount);
        vm.prank(aggregator);
        _bonds.deposit(amount);
        _record.appoint(address(this), aggregator, true);
        vm.warp(1000000 + uint256(begun));
        uint64 period = uint64(block.timestamp) / PERIOD + (isNext ? 1 : 0);
        vm.prank(aggregator);
        _bonds.announce(amount);
        _record.miss(SLOT, period);
        vm.warp(block.timestamp + waited % (2 * uint256(_bonds.noticeSeconds())));
        bool isInTime = block.timestamp < (period + 1) * PERIOD + _bonds.CLAIM_SECONDS();
        vm.prank(aggregator);
        (bool isGone, ) = address(_bonds).call(abi.encodeCall(_bonds.withdraw, ()));
        assert(!isGone || !isInTime);
        bytes memory signature = _sign(aggregator, period, amount);
        assert(_tryClaim(aggregator, period, amount, signature) == (isInTime && amount > 0));
    }

    function testFuzz_promisesCountOnOneSideOfASplit(uint64 id, uint256 amount) public {
        vm.assume(id != block.chainid && id != 0);
        address me = address(this);
        bytes32 before = _bonds.promiseDigest(me, me, SLOT, 1, amount);
        uint256 home = block.chainid;
        vm.chainId(id);
        assert(_bonds.promiseDigest(me, me, SLOT, 1, amount) != before);
        vm.chainId(home);
        assert(_bonds.promiseDigest(me, me, SLOT, 1, amount) == before);
    }

    // ---- inside ----

    function _sign(
        address aggregator,
        uint64 period,
        uint256 amount
    ) private view returns (bytes memory) {
        bytes32 digest = _bonds.promiseDigest(aggregator, address(this), SLOT, period, amount);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }

    function _tryClaim(
        address aggregator,
        uint64 period,
        uint256 amount,
        bytes memory signature
    ) private returns (bool isDone) {
        (isDone, ) = address(_bonds).call(
            abi.encodeCall(_bonds.claim, (aggregator, SLOT, period, amount, signature))
        );
    }
}
