// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Window} from "../src/Window.sol";
import {ProofsProbe, RecordsProbe} from "./Probes.sol";
import {vm} from "./Vm.sol";

/// The pure arithmetic. What begins with `testProof_` is proved for all inputs by halmos, and tried with
/// many by forge; what begins with `testFuzz_` is only tried.
contract ArithmeticTest {
    uint256 private constant BPS = 10000;
    ProofsProbe private _proofs;
    RecordsProbe private _records;

    function setUp() public {
        vm.roll(1000);
        _proofs = new ProofsProbe();
        _records = new RecordsProbe(10, 2, 20, 20);
    }

    // ---- byte order ----

    function testProof_bytesSwapToTheOtherOrder(bytes32 word) public view {
        uint256 swapped = _proofs.swapBytes(word);
        for (uint256 i = 0; i < 32; i++) {
            assert(uint8(swapped >> (8 * i)) == uint8(word[i]));
        }
    }

    function testProof_swappingTwiceChangesNothing(bytes32 word) public view {
        assert(bytes32(_proofs.swapBytes(bytes32(_proofs.swapBytes(word)))) == word);
    }

    // ---- pointer ----

    function testProof_pointerMovesOneEachBlock(bytes32 slot, uint64 period, uint32 number) public {
        uint8 before = _proofs.pointerAt(slot, period, number);
        uint8 later = _proofs.pointerAt(slot, period, uint256(number) + 1);
        unchecked {
            assert(later == before + 1);
        }
    }

    function testProof_pointerJumpsEachPeriod(bytes32 slot, uint32 period, uint32 number) public {
        uint8 before = _proofs.pointerAt(slot, period, number);
        uint8 later = _proofs.pointerAt(slot, uint64(period) + 1, number);
        unchecked {
            assert(later == before + _proofs.DOWNTIME_PRODUCT());
        }
    }

    function testProof_slotsOfOneLastByteShareAPointer(bytes32 slot, uint248 other) public {
        bytes32 twin = bytes32((uint256(other) << 8) | uint8(uint256(slot)));
        assert(_proofs.pointerAt(slot, 7, 1000) == _proofs.pointerAt(twin, 7, 1000));
    }

    // ---- window ----

    function testProof_windowStartsShutAndEndsOpen(uint256 far, uint16 h) public pure {
        vm.assume(h > 0 && h < BPS);
        assert(!Window.admits(0, h, far));
        assert(Window.admits(Window.WHOLE, h, far));
    }

    function testProof_progressStartsAtNothingAndEndsWhole(uint32 start, uint32 length) public pure {
        uint256 end = uint256(start) + length;
        assert(length == 0 || Window.progress(start, end, 500, start) == 0);
        assert(Window.progress(start, end, 500, end) == Window.WHOLE);
    }

    function testFuzz_progressNeverGoesBack(uint16 time) public pure {
        uint256 now_ = Window.progress(100, 3700, 500, time);
        uint256 then = Window.progress(100, 3700, 500, uint256(time) + 1);
        assert(now_ <= then);
        assert(then <= Window.WHOLE);
    }

    function testProof_whoIsNearerIsNeverLater(uint64 x, uint16 h, uint256 far, uint256 near) public pure {
        vm.assume(h > 0 && h < BPS && near <= far);
        assert(!Window.admits(x, h, far) || Window.admits(x, h, near));
    }

    function testFuzz_windowOnlyGrows(
        uint32 start,
        uint16 length,
        uint16 tail,
        uint16 h,
        uint16 time,
        uint256 far
    ) public pure {
        vm.assume(tail < BPS && h > 0 && h < BPS);
        uint256 end = uint256(start) + length;
        uint256 at = uint256(start) + time;
        uint256 x = Window.progress(start, end, tail, at);
        uint256 y = Window.progress(start, end, tail, at + 1);
        assert(x <= y);
        assert(!Window.admits(x, h, far) || Window.admits(y, h, far));
        assert(far == 0 || !Window.admits(x, h, far) || Window.admits(x, h, far - 1));
    }

    /// Also one step of x further: the rounding never shuts anybody out again.
    function testFuzz_windowGrowsWithEveryStep(uint64 x, uint16 h, uint256 far) public pure {
        vm.assume(h > 0 && h < BPS);
        assert(!Window.admits(x, h, far) || Window.admits(uint256(x) + 1, h, far));
    }

    function testFuzz_openingIsTheFirstSecond(
        uint32 start,
        uint16 length,
        uint16 tail,
        uint16 h,
        uint256 far
    ) public pure {
        vm.assume(tail < BPS && h > 0 && h < BPS);
        uint256 end = uint256(start) + length;
        uint256 first = Window.opening(start, end, tail, h, far);
        assert(first >= start && first <= end);
        assert(Window.admits(Window.progress(start, end, tail, first), h, far));
        if (first > start) {
            assert(!Window.admits(Window.progress(start, end, tail, first - 1), h, far));
        }
    }

    /// F(1/2) = h, but for the rounding.
    function testFuzz_halfOfTheTimeLetsInH(uint16 h) public pure {
        vm.assume(h > 0 && h < BPS);
        uint256 edge = (type(uint256).max / BPS) * h;
        uint256 slack = 1 << 200;
        assert(Window.admits(Window.WHOLE / 2, h, edge - slack));
        assert(!Window.admits(Window.WHOLE / 2, h, edge + slack));
    }

    // ---- solvency ----

    /// Whatever the constructor accepts: a collateral pays its validators and the next host.
    function testFuzz_collateralCoversWhatIsPaidOfIt(
        uint8 repair,
        uint8 slashes,
        uint8 slash,
        uint8 reward,
        uint128 collateral
    ) public {
        try new RecordsProbe(repair % 101, slashes, slash % 101, reward) returns (
            RecordsProbe records
        ) {
            assert(records.leftOfEvicted(collateral) <= collateral);
        } catch {}
    }

    /// For the usual percentages, proved.
    function testProof_collateralCoversWhatIsPaidOfIt(uint64 collateral) public view {
        assert(_records.leftOfEvicted(collateral) <= collateral);
    }
}
