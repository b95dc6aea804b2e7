// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "../src/IERC20.sol";
import {IGroth16Verifier} from "../src/IGroth16Verifier.sol";
import {Marketplace} from "../src/Marketplace.sol";
import {TestToken} from "../src/TestToken.sol";
import {TestVerifier} from "../src/TestVerifier.sol";
import {RequestId, RequestState, SlotId, SlotState} from "../src/Types.sol";
import {Handler} from "./Handler.sol";
import {additionsOf, configOf} from "./Probes.sol";
import {vm} from "./Vm.sol";

/// What holds after any calls, in any order.
abstract contract Invariants {
    Marketplace internal _market;
    TestToken internal _token;
    Handler internal _handler;

    function setUp() public {
        vm.roll(1000);
        vm.warp(1000000);
        _token = new TestToken();
        _market = _deploy(IERC20(address(_token)), new TestVerifier());
        _handler = new Handler(_market, _token);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// The last thing that happens is no call of the handler's own choice.
    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Handler.close.selector;
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(_handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function invariant_accountsAndStatesAddUp() public view {
        _balanceIsWhatCameInAndDidNotGoOut();
        _startedRequestsHaveEnoughSlots();
        _slotsEndAsTheirRequests();
    }

    function _balanceIsWhatCameInAndDidNotGoOut() private view {
        (uint256 received, uint256 sent, uint256 burned) = _market.totals();
        assert(_token.balanceOf(address(_market)) == received - sent - burned);
        assert(_market.burnable() <= received - sent - burned);
    }

    function _startedRequestsHaveEnoughSlots() private view {
        for (uint256 i = 0; i < _handler.countRequests(); i++) {
            RequestId id = _handler.requests(i);
            if (_market.requestState(id) != RequestState.Started) continue;
            (uint64 free, ) = _market.freeSlots(id);
            assert(free <= _market.getRequest(id).ask.maxSlotLoss);
        }
    }

    function _slotsEndAsTheirRequests() private view {
        for (uint256 i = 0; i < _handler.countSlots(); i++) {
            SlotId slot = _handler.slots(i);
            RequestState state = _market.requestState(_handler.requestOf(slot));
            SlotState own = _market.slotState(slot);
            if (own == SlotState.Cancelled) assert(state == RequestState.Cancelled);
            if (own == SlotState.Finished) assert(state == RequestState.Finished);
            if (own == SlotState.Failed) assert(state == RequestState.Failed);
            if (own == SlotState.Paid) assert(uint8(state) >= uint8(RequestState.Cancelled));
            if (own == SlotState.Filled) assert(uint8(state) <= uint8(RequestState.Started));
            assert((own == SlotState.Filled) == (_market.getHost(slot) != address(0)) || own > SlotState.Filled);
        }
    }

    /// No token is left behind: when all is over and everybody took what is theirs, nothing is left.
    function afterInvariant() public {
        _handler.close();
        assert(_token.balanceOf(address(_market)) == 0);
    }

    function _deploy(IERC20 token, IGroth16Verifier verifier) internal virtual returns (Marketplace);
}

contract OpenMarketTest is Invariants {
    function _deploy(
        IERC20 token,
        IGroth16Verifier verifier
    ) internal override returns (Marketplace) {
        return new Marketplace(configOf(10, 2, 20, 20), token, verifier, additionsOf(0, 0, 0, 0));
    }
}

contract SpreadMarketTest is Invariants {
    function _deploy(
        IERC20 token,
        IGroth16Verifier verifier
    ) internal override returns (Marketplace) {
        return
            new Marketplace(
                configOf(33, 1, 33, 100),
                token,
                verifier,
                additionsOf(5000, 2, 30, 1000)
            );
    }
}
