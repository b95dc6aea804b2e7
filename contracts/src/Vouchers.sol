// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {IERC1271} from "./IERC1271.sol";
import {TypedData} from "./TypedData.sol";

/// Who may promise a payer's tokens: the payer itself, its delegate (a key that cannot do anything
/// else), or, for a payer that is a contract, whatever it says (ERC-1271).
abstract contract Vouchers is TypedData {
    error Hub_DelegateInNotice();

    /// `signer` is the delegate (0: none); `previous` still is one before the time `until`, so that
    /// no voucher becomes worthless without notice.
    struct Delegation {
        address signer;
        address previous;
        uint64 until;
    }

    event DelegateSet(address indexed payer, address indexed signer, address previous, uint64 until);

    /// Seconds in which a payee can claim what was promised, before a payer changes its mind.
    uint64 public constant CHALLENGE = 1 days;

    bytes32 private constant VOUCHER_TYPE =
        keccak256("Voucher(address payer,address payee,uint128 cumulative)");
    mapping(address payer => Delegation) private _delegations;

    constructor() TypedData("StorageChannels") {}

    // ---- delegates ----

    /// Let another key sign the caller's vouchers; 0: none. The one before goes on for CHALLENGE
    /// seconds, and meanwhile there can be no third.
    function setDelegate(address signer) external {
        Delegation storage mine = _delegations[msg.sender];
        address old = mine.signer;
        if (signer == old) return;
        if (old != address(0)) {
            address previous = mine.previous;
            bool isInNotice = block.timestamp < mine.until && previous != old && previous != signer;
            if (isInNotice) revert Hub_DelegateInNotice();
            (mine.previous, mine.until) = (old, uint64(block.timestamp) + CHALLENGE);
        }
        mine.signer = signer;
        emit DelegateSet(msg.sender, signer, mine.previous, mine.until);
    }

    /// Who signs for each of them besides themselves; 0: nobody.
    function delegates(address[] calldata payers) external view returns (address[] memory signers) {
        signers = new address[](payers.length);
        for (uint256 i = 0; i < payers.length; i++) {
            signers[i] = _delegations[payers[i]].signer;
        }
    }

    function delegation(address payer) external view returns (Delegation memory) {
        return _delegations[payer];
    }

    // ---- EIP-712 ----

    /// What is signed.
    function voucherDigest(
        address payer,
        address payee,
        uint128 cumulative
    ) public view returns (bytes32) {
        return _digest(domainSeparator(), payer, payee, cumulative);
    }

    function _digest(
        bytes32 separator,
        address payer,
        address payee,
        uint128 cumulative
    ) internal pure returns (bytes32) {
        bytes32 content = keccak256(abi.encode(VOUCHER_TYPE, payer, payee, cumulative));
        return _typedDigest(separator, content);
    }

    /// Whether the signature lets `payer` promise what the digest says.
    function _isSigned(
        address payer,
        bytes32 digest,
        bytes calldata signature
    ) internal view returns (bool) {
        address signer = _signerOf(digest, signature);
        if (signer != address(0) && (signer == payer || _isDelegate(payer, signer))) return true;
        if (payer.code.length == 0) return false;
        try IERC1271(payer).isValidSignature(digest, signature) returns (bytes4 answer) {
            return answer == IERC1271.isValidSignature.selector;
        } catch {
            return false;
        }
    }

    function _isDelegate(address payer, address signer) private view returns (bool) {
        Delegation storage its = _delegations[payer];
        if (signer == its.signer) return true;
        return signer == its.previous && block.timestamp < its.until;
    }
}
