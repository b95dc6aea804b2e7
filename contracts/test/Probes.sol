// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {
    Additions,
    CollateralConfig,
    DispersalConfig,
    LazyRepairConfig,
    MarketplaceConfig,
    ProofConfig,
    SlotReservationsConfig
} from "../src/Configuration.sol";
import {IGroth16Verifier} from "../src/IGroth16Verifier.sol";
import {Periods} from "../src/Periods.sol";
import {Records} from "../src/Records.sol";
import {Settings} from "../src/Settings.sol";
import {SlotId} from "../src/Types.sol";
import {Verification} from "../src/Verification.sol";
import {InputVerifier} from "./InputVerifier.sol";
import {vm} from "./Vm.sol";

uint8 constant PRODUCT = 67;

function configOf(
    uint8 repair,
    uint8 slashes,
    uint8 slash,
    uint8 reward
) pure returns (MarketplaceConfig memory) {
    return
        MarketplaceConfig(
            CollateralConfig(repair, slashes, slash, reward),
            ProofConfig(10, 15, 64, PRODUCT, ""),
            SlotReservationsConfig(3),
            30 days
        );
}

function additionsOf(uint16 h, uint8 threshold, uint64 maxDelay, uint256 deposit) pure returns (
    Additions memory
) {
    return
        Additions(
            DispersalConfig(h, 500, 100, 4, false, 200),
            LazyRepairConfig(threshold, maxDelay, 0),
            deposit
        );
}

/// What of the arithmetic of proofs nobody can call from outside.
contract ProofsProbe is Verification {
    uint8 public constant DOWNTIME_PRODUCT = PRODUCT;

    constructor()
        Settings(configOf(10, 2, 20, 20), additionsOf(0, 0, 0, 0))
        Verification(IGroth16Verifier(address(new InputVerifier(3))))
    {}

    function swapBytes(bytes32 word) external pure returns (uint256) {
        return _swapBytes(word);
    }

    function pointerAt(bytes32 slot, uint64 period, uint256 number) external returns (uint8) {
        vm.roll(number);
        return _pointer(SlotId.wrap(slot), period);
    }
}

/// What is left of a collateral, by the percentages.
contract RecordsProbe is Records {
    constructor(
        uint8 repair,
        uint8 slashes,
        uint8 slash,
        uint8 reward
    ) Settings(configOf(repair, slashes, slash, reward), additionsOf(0, 0, 0, 0)) {}

    /// After as many missed proofs as cost the slot; reverts where it is less than nothing.
    function leftOfEvicted(uint256 collateral) external view returns (uint256) {
        uint256 missed = _maxNumberOfSlashes == 0 ? 1 : _maxNumberOfSlashes;
        (, uint256 reward) = _slash(collateral);
        return collateral - missed * reward - _repairReward(collateral);
    }
}
