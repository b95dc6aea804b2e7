// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

// What the marketplace speaks of. The order of the fields is the order in the ABI.

type RequestId is bytes32; // keccak256 of the encoded request
type SlotId is bytes32; // keccak256 of request id and index

/// What a client wants of each slot, and pays for it. Sizes in bytes, durations in seconds.
struct Ask {
    uint256 proofProbability; // one proof in so many periods
    uint256 pricePerBytePerSecond;
    uint256 collateralPerByte;
    uint64 slots;
    uint64 slotSize;
    uint64 duration;
    uint64 maxSlotLoss;
}

struct Content {
    bytes cid; // binary
    bytes32 merkleRoot; // little-endian field element
}

struct Request {
    address client;
    Ask ask;
    Content content;
    uint64 expiry; // seconds from now until every slot has to be filled
    bytes32 nonce;
}

struct ActiveSlot {
    Request request;
    uint64 slotIndex;
}

enum RequestState {
    New,
    Started,
    Cancelled,
    Finished,
    Failed
}

enum SlotState {
    Free,
    Filled,
    Finished,
    Failed,
    Paid,
    Cancelled,
    Repair
}

function requestIdOf(Request calldata request) pure returns (RequestId) {
    return RequestId.wrap(keccak256(abi.encode(request)));
}

function slotIdOf(RequestId requestId, uint64 slotIndex) pure returns (SlotId) {
    return SlotId.wrap(keccak256(abi.encode(requestId, slotIndex)));
}

/// Whether somebody may submit proofs for a host. `revokedAt`: when that was taken back last, in
/// seconds; 0: never.
struct ProofDelegation {
    bool isAllowed;
    uint64 revokedAt;
}
