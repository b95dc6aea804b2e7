"""The invented cells from which the official `input.json` was made (proofs.md 4.3)."""

_MASK = (1 << 64) - 1
CELL_BYTES = 2048


def fake_cell(seed: int, index: int) -> bytes:
    """One cell of 2048 bytes."""
    a, b, state = (seed + 0xDEADCAFE) & _MASK, (index + 0x98765432) & _MASK, 1
    found = bytearray()
    for _ in range(CELL_BYTES):
        mixed = state * ((state + a) & _MASK) * ((state + b) & _MASK)
        state = (mixed + state * (state ^ 0x5A5A5A5A) + a * state + b + 17) & _MASK
        state %= 1698428844001831
        found.append(state & 255)
    return bytes(found)


def fake_slot(seed: int, slot: int, cells: int) -> bytes:
    """All cells of one slot, joined."""
    slot_seed = (seed + 72 + 1001 * slot) & _MASK
    return b"".join(fake_cell(slot_seed, index) for index in range(cells))
