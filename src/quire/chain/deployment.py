"""In which order a local chain is set up, so that every Codex node knows where the marketplace is.

The address of a contract follows from account and nonce: account 0 of the development mnemonic
makes its 24th transaction a deployment of the marketplace. The hub of payment channels and the
contract of submission bonds, which only Quire knows, come after it.

Source   market.md 1.7
"""

from __future__ import annotations

LOCAL_CHAIN_ID = 31337
DEPLOYER = bytes.fromhex("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
MINTS = 20  # accounts of the mnemonic that get tokens, one transaction each
TOKENS_EACH = 10**15
FIRST_BLOCK = 257  # the constructor needs 256 blocks before it

# By nonce of the deployer, from 0 on; "mint" is a call of the token for the next account.
ORDER = (
    *("TestToken", "Groth16Verifier", "TestVerifier"),
    *["mint"] * MINTS,
    *("Marketplace", "ChannelHub", "SubmissionBonds"),
)
ADDRESSES = {
    "TestToken": bytes.fromhex("5FbDB2315678afecb367f032d93F642f64180aa3"),
    "Groth16Verifier": bytes.fromhex("e7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
    "TestVerifier": bytes.fromhex("9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"),
    "Marketplace": bytes.fromhex("322813Fd9A801c5507c9de605d63CEA4f2CE6c44"),
    "ChannelHub": bytes.fromhex("a85233C63b9Ee964Add6F2cffe00Fd84eb32338f"),
    "SubmissionBonds": bytes.fromhex("4A679253410272dd5232B3Ff7cF5dbB88f295319"),
}
