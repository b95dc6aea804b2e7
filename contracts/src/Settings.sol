// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import "./Configuration.sol";

/// What the marketplace was set up with; refuses what could not be paid for.
abstract contract Settings {
    error Marketplace_RepairRewardPercentageTooHigh();
    error Marketplace_SlashPercentageTooHigh();
    error Marketplace_MaximumSlashingTooHigh();
    error Marketplace_InsolventConfiguration();
    error Marketplace_InvalidDispersal();
    error Periods_InvalidSecondsPerPeriod();

    uint8 internal immutable _repairRewardPercentage;
    uint8 internal immutable _maxNumberOfSlashes;
    uint8 internal immutable _slashPercentage;
    uint8 internal immutable _validatorRewardPercentage;
    uint64 internal immutable _period;
    uint64 internal immutable _timeout;
    uint8 internal immutable _downtime;
    uint8 internal immutable _downtimeProduct;
    uint8 internal immutable _maxReservations;
    uint64 internal immutable _requestDurationLimit;

    uint16 internal immutable _hBps;
    uint16 internal immutable _tailBps;
    uint32 internal immutable _ttl;
    uint32 internal immutable _minAge;
    bool internal immutable _requireRegistration;
    uint32 internal immutable _repairWindow;
    uint8 internal immutable _repairThreshold;
    uint64 internal immutable _repairMaxDelay;
    uint8 internal immutable _repairMinMargin;
    uint256 public immutable registrationDeposit;

    string private _zkeyHash;

    constructor(MarketplaceConfig memory config, Additions memory additions) {
        CollateralConfig memory collateral = config.collateral;
        if (collateral.repairRewardPercentage > 100) {
            revert Marketplace_RepairRewardPercentageTooHigh();
        }
        if (collateral.slashPercentage > 100) revert Marketplace_SlashPercentageTooHigh();
        if (collateral.maxNumberOfSlashes * collateral.slashPercentage > 100) {
            revert Marketplace_MaximumSlashingTooHigh();
        }
        // An evicted host leaves enough for its validators, of which there is one at the least, and
        // for the one who repairs the slot.
        uint256 slashes = collateral.maxNumberOfSlashes;
        uint256 given = (slashes == 0 ? 1 : slashes) *
            collateral.slashPercentage *
            collateral.validatorRewardPercentage;
        if (uint256(collateral.repairRewardPercentage) * 100 + given > 100 * 100) {
            revert Marketplace_InsolventConfiguration();
        }
        if (config.proofs.period == 0) revert Periods_InvalidSecondsPerPeriod();
        DispersalConfig memory spread = additions.dispersal;
        if (spread.hBps >= 10000 || spread.tailBps >= 10000) revert Marketplace_InvalidDispersal();

        _repairRewardPercentage = collateral.repairRewardPercentage;
        _maxNumberOfSlashes = collateral.maxNumberOfSlashes;
        _slashPercentage = collateral.slashPercentage;
        _validatorRewardPercentage = collateral.validatorRewardPercentage;
        _period = config.proofs.period;
        _timeout = config.proofs.timeout;
        _downtime = config.proofs.downtime;
        _downtimeProduct = config.proofs.downtimeProduct;
        _zkeyHash = config.proofs.zkeyHash;
        _maxReservations = config.reservations.maxReservations;
        _requestDurationLimit = config.requestDurationLimit;
        _hBps = spread.hBps;
        _tailBps = spread.tailBps;
        _ttl = spread.ttl;
        _minAge = spread.minAge;
        _requireRegistration = spread.requireRegistration;
        _repairWindow = spread.repairWindow;
        _repairThreshold = additions.lazyRepair.threshold;
        _repairMaxDelay = additions.lazyRepair.maxDelay;
        _repairMinMargin = additions.lazyRepair.minMargin;
        registrationDeposit = additions.registrationDeposit;
    }

    function configuration() external view returns (MarketplaceConfig memory) {
        return
            MarketplaceConfig(
                CollateralConfig(
                    _repairRewardPercentage,
                    _maxNumberOfSlashes,
                    _slashPercentage,
                    _validatorRewardPercentage
                ),
                ProofConfig(_period, _timeout, _downtime, _downtimeProduct, _zkeyHash),
                SlotReservationsConfig(_maxReservations),
                _requestDurationLimit
            );
    }

    /// 1 dispersal, 2 lazy repair, 4 batches of proofs, 8 registry, 16 marking many.
    function extensions() external pure returns (uint256) {
        return 1 | 2 | 4 | 8 | 16;
    }

    function dispersal() external view returns (DispersalConfig memory) {
        return
            DispersalConfig(_hBps, _tailBps, _ttl, _minAge, _requireRegistration, _repairWindow);
    }

    function lazyRepair() external view returns (LazyRepairConfig memory) {
        return LazyRepairConfig(_repairThreshold, _repairMaxDelay, _repairMinMargin);
    }
}
