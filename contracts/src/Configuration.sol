// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

// What a marketplace is set up with, once. Percentages in whole percent, durations in seconds.

struct MarketplaceConfig {
    CollateralConfig collateral;
    ProofConfig proofs;
    SlotReservationsConfig reservations;
    uint64 requestDurationLimit;
}

struct CollateralConfig {
    uint8 repairRewardPercentage; // of the collateral, for filling a freed slot
    uint8 maxNumberOfSlashes; // missed proofs that cost a host its slot
    uint8 slashPercentage; // of the collateral, for each missed proof
    uint8 validatorRewardPercentage; // of what is slashed
}

struct ProofConfig {
    uint64 period;
    uint64 timeout; // after a period, in which a missing proof can be marked
    uint8 downtime; // pointers for which no proof is asked
    uint8 downtimeProduct; // how far the pointer jumps from one period to the next
    string zkeyHash; // of the circuit's proving key
}

struct SlotReservationsConfig {
    uint8 maxReservations; // of a slot
}

/// What this marketplace has beyond the reference.
struct Additions {
    DispersalConfig dispersal;
    LazyRepairConfig lazyRepair;
    uint256 registrationDeposit; // tokens
}

/// The expanding window: who may reserve a slot when.
struct DispersalConfig {
    uint16 hBps; // part of all hosts that may reserve at half time, in 1/10000; 0: everybody always
    uint16 tailBps; // last part of the window, in which everybody may
    uint32 ttl; // seconds after which a reservation may be replaced; 0: never
    uint32 minAge; // blocks that a registration must be older than the request
    bool requireRegistration;
    uint32 repairWindow; // seconds that the window of a freed slot lasts at most
}

/// When slots that were freed open again.
struct LazyRepairConfig {
    uint8 threshold; // as soon as so many are free; 0: by the tolerance of the request
    uint64 maxDelay; // or one has waited so many seconds; 0: freed slots open at once
    uint8 minMargin; // or no more than so many losses are left
}
