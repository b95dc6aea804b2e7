// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// What accounts sign off the chain for one contract to read (EIP-712), and who signed it.
abstract contract TypedData {
    bytes32 private constant DOMAIN_TYPE =
        keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
    bytes32 private constant VERSION = keccak256("1");
    uint256 private constant HALF_ORDER =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    bytes32 private immutable _name;
    uint256 private immutable _chainId;
    bytes32 private immutable _separator;

    constructor(string memory name) {
        bytes32 hash = keccak256(bytes(name));
        _name = hash;
        _chainId = block.chainid;
        _separator = _makeSeparator(hash);
    }

    /// Of the chain as it is: after a split of the chain, signatures count on one side only.
    function domainSeparator() public view returns (bytes32) {
        return block.chainid == _chainId ? _separator : _makeSeparator(_name);
    }

    /// `content`: hash of the struct.
    function _typedDigest(bytes32 separator, bytes32 content) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, content));
    }

    /// r, s, v; 0 when it has not 65 bytes, a high s, or another v than 27 and 28.
    function _signerOf(bytes32 digest, bytes calldata signature) internal pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > HALF_ORDER) return address(0);
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), s);
    }

    function _makeSeparator(bytes32 name) private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, name, VERSION, block.chainid, address(this)));
    }
}
