"""What our contracts say when they refuse: the name of the error, in words, with the remedy.

Source   market.md 1.4; contracts/README.md for the additions; OpenZeppelin 5 for the token
"""

from __future__ import annotations

from functools import cache

from quire.base.errors import Reverted
from quire.kernels.keccak import keccak256

SELECTOR_BYTES = 4
TEXT_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)
PANIC_SELECTOR = bytes.fromhex("4e487b71")  # Panic(uint256)
SHOWN = 200

# name -> what it means and what to do
WORDS = {
    "Marketplace_RepairRewardPercentageTooHigh": "the repair reward is more than 100 %; lower it",
    "Marketplace_SlashPercentageTooHigh": "a slash is more than 100 %; lower it",
    "Marketplace_MaximumSlashingTooHigh": "all slashes are more than 100 %; lower one of the two",
    "Marketplace_InsolventConfiguration": (
        "repair and validators would be paid more than a collateral; lower one of the rewards"
    ),
    "Marketplace_InvalidDispersal": "the window cannot be so: h below 10000, tail at most 9999",
    "Marketplace_InvalidExpiry": "the expiry is 0 or not before the end; shorten it",
    "Marketplace_InvalidMaxSlotLoss": "more slots may be lost than there are; lower the tolerance",
    "Marketplace_InsufficientSlots": "a request needs at least one slot",
    "Marketplace_InsufficientDuration": "the duration is 0",
    "Marketplace_InsufficientProofProbability": "the proof probability is 0; it is at least 1",
    "Marketplace_InsufficientCollateral": "the collateral is 0; it is at least 1 for each byte",
    "Marketplace_InsufficientReward": "the price is 0; it is at least 1 for each byte and second",
    "Marketplace_InvalidClientAddress": "a request is made by the account that it names as client",
    "Marketplace_RequestAlreadyExists": "the same request was made before; give it another nonce",
    "Marketplace_InvalidSlot": "the request has no slot of this index",
    "Marketplace_InvalidCid": "the request names no content",
    "Marketplace_SlotNotFree": "another host has filled the slot",
    "Marketplace_InvalidSlotHost": "the slot is held by another account",
    "Marketplace_AlreadyPaid": "the slot was paid out before",
    "Marketplace_TransferFailed": "the token did not move; are balance and allowance enough?",
    "Marketplace_UnknownRequest": "the contract knows no such request; is it the right contract?",
    "Marketplace_InvalidState": "the request is not in a state in which this can be done",
    "Marketplace_StartNotBeforeExpiry": "the slot was filled in the second of the expiry",
    "Marketplace_SlotNotAcceptingProofs": "the slot is not filled, or its request has ended",
    "Marketplace_ProofNotSubmittedByHost": "only the host of a slot, or a delegate, proves it",
    "Marketplace_SlotIsFree": "nobody holds the slot",
    "Marketplace_ReservationRequired": "the slot has to be reserved first, or another took over",
    "Marketplace_NothingToWithdraw": "there is nothing left to withdraw; it was done before",
    "Marketplace_DurationExceedsLimit": "the duration is beyond the contract's limit; shorten it",
    "Marketplace_RepairNotDue": "freed slots of the request do not open yet; wait",
    "Proofs_InsufficientBlockHeight": "the chain is younger than 257 blocks; mine more",
    "Proofs_InvalidProof": "the proof does not verify, or its challenge has passed",
    "Proofs_ProofAlreadySubmitted": "the slot was proven in this period already",
    "Proofs_PeriodNotEnded": "the period has not ended; wait for its end",
    "Proofs_ValidationTimedOut": "the time in which a miss can be marked is over",
    "Proofs_ProofNotMissing": "the proof was submitted",
    "Proofs_ProofNotRequired": "no proof is required of the slot in this period",
    "Proofs_ProofAlreadyMarkedMissing": "somebody marked it before",
    "Proofs_TimeoutTooLong": "the timeout is more than 22 periods; shorten it",
    "Proofs_LengthMismatch": "there are not as many proofs as slots",
    "Periods_InvalidSecondsPerPeriod": "a period lasts at least 1 second",
    "SlotReservations_ReservationNotAllowed": (
        "the slot is not free, has all its reservations, or this account's time has not come"
    ),
    "Registry_AlreadyRegistered": "the account is registered already",
    "Registry_NotRegistered": "the account is not registered",
    "Registry_TooEarly": "the account was registered too short a time ago; wait",
    "Hub_NoToken": "there is no token at the address that the contract was set up with",
    "Hub_TransferFailed": "the token did not move; are balance and allowance enough?",
    "Hub_FeeOnTransfer": "less came in than was sent: no token that keeps a part is taken",
    "Hub_ZeroAddress": "nobody has the address 0",
    "Hub_LengthMismatch": "the lists are not of one length",
    "Hub_InsufficientBalance": "the balance inside the hub is too small; deposit first",
    "Hub_NothingToClaim": "as much was claimed before; sums of vouchers are since ever",
    "Hub_AboveDeposit": "the voucher promises more than its channel has",
    "Hub_BadSignature": "neither the payer nor its delegate signed the voucher for this payee",
    "Hub_AlreadyClosing": "the channel is closing already",
    "Hub_NotClosing": "the channel is not closing; ask for it first",
    "Hub_TooEarly": "the payee has time to claim until the close is due; wait",
    "Hub_DepositsPaused": "the hub takes no deposits for now; all else goes on",
    "Hub_NotOwner": "only the owner of the hub stops deposits",
    "Hub_DelegateInNotice": (
        "the delegate before still signs, for a day from its end; there can be no third meanwhile"
    ),
    "Bonds_ClaimsEndTooSoon": "a miss can be marked for longer than a day; shorten the timeout",
    "Bonds_AboveBond": "the bond is smaller than what is to leave",
    "Bonds_NothingAnnounced": "nothing was announced to leave, or claims have taken all of it",
    "Bonds_TooEarly": "the bond still covers claims; wait until it may leave",
    "Bonds_TooLate": "the time in which this period's promises can be claimed is over",
    "Bonds_BadSignature": "the aggregator did not sign this promise for this host",
    "Bonds_NothingPromised": "the promise is of no tokens",
    "Bonds_ProofNotMissing": "nobody marked the slot's proof of this period as missing",
    "Bonds_NotDelegate": (
        "the aggregator was not free to submit: its appointment was revoked during the period or "
        "since, or it has none"
    ),
    "Bonds_AlreadyClaimed": "something was claimed for this slot and period before",
    "Bonds_NothingLeft": "the aggregator's bond is empty; the promise counts again if it fills it",
}
# Of the token; these have arguments.
TOKEN_ERRORS = {
    "ERC20InsufficientBalance(address,uint256,uint256)": "the account has too few tokens",
    "ERC20InsufficientAllowance(address,uint256,uint256)": (
        "the contract is allowed too few tokens of the account"
    ),
    "ERC20InvalidSender(address)": "tokens cannot come from this address",
    "ERC20InvalidReceiver(address)": "tokens cannot go to this address",
    "ERC20InvalidApprover(address)": "this address cannot allow tokens",
    "ERC20InvalidSpender(address)": "this address cannot be allowed tokens",
}


@cache
def _by_selector() -> dict[bytes, tuple[str, str]]:
    signatures = {f"{name}()": words for name, words in WORDS.items()} | TOKEN_ERRORS
    return {
        keccak256(signature.encode())[:SELECTOR_BYTES]: (signature.partition("(")[0], words)
        for signature, words in signatures.items()
    }


def reverted(data: bytes, doing: str) -> Reverted:
    """The error for what a contract gave as reason; b"": none. `doing`: the call."""
    known = _by_selector().get(data[:SELECTOR_BYTES])
    if known is not None:
        name, words = known
        return Reverted(f"the contract refuses {doing}: {words} ({name})", name=name)
    if data[:SELECTOR_BYTES] == PANIC_SELECTOR:
        return Reverted(
            f"the contract refuses {doing}: a number is out of its range (panic "
            f"0x{data[SELECTOR_BYTES:].hex().lstrip('0')})",
            name="",
        )
    text = _text_of(data)
    said = f'it says "{text}"' if text else "it gives no reason"
    if data and not text:
        said = f"with an error that is not known here, 0x{data[:SELECTOR_BYTES].hex()}"
    return Reverted(f"the contract refuses {doing}: {said}", name="")


def _text_of(data: bytes) -> str:
    """Of Error(string); empty for everything else."""
    if data[:SELECTOR_BYTES] != TEXT_SELECTOR or len(data) < SELECTOR_BYTES + 64:
        return ""
    body = data[SELECTOR_BYTES:]
    length = min(int.from_bytes(body[32:64]), SHOWN)
    text = body[64 : 64 + length].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)
