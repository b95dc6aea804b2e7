// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {IERC1271} from "./IERC1271.sol";

/// Who may promise a payer's tokens: the payer itself, its delegate (a key that cannot do anything
/// else), or, for a payer that is a contract, whatever it says (ERC-1271).
abstract contract Vouchers {
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

    bytes32 private constant DOMAIN_TYPE =
        keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
    bytes32 private constant VOUCHER_TYPE =
        keccak256("Voucher(address payer,address payee,uint128 cumulative)");
    bytes32 private constant NAME = keccak256("StorageChannels");
    bytes32 private constant VERSION = keccak256("1");
    uint256 private constant HALF_ORDER =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    uint256 private immutable _chainId = block.chainid;
    bytes32 private immutable _separator = _makeSeparator();
    mapping(address payer => Delegation) private _delegations;

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

    /// Of the chain as it is: after a split of the chain, vouchers count on one side only.
    function domainSeparator() public view returns (bytes32) {
        return block.chainid == _chainId ? _separator : _makeSeparator();
    }

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
        return keccak256(abi.encodePacked(hex"1901", separator, content));
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

    /// r, s, v; 0 when it has not 65 bytes, a high s, or another v than 27 and 28.
    function _signerOf(bytes32 digest, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > HALF_ORDER) return address(0);
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), s);
    }

    function _makeSeparator() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
    }
}
