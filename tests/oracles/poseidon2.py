"""Slow twin of `quire.kernels.poseidon2`, by definition (proofs.md 3) on Python integers."""

from collections import deque
from itertools import islice

MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617
EXTERNAL_ROUNDS, INTERNAL_ROUNDS = 8, 56


def grain():
    """The numbers that the Grain LFSR gives for this field, S-box, width and rounds."""
    register = deque()
    rounds = ((EXTERNAL_ROUNDS, 10), (INTERNAL_ROUNDS, 10))
    for value, width in ((1, 2), (1, 4), (254, 12), (3, 12), *rounds):
        register.extend(int(bit) for bit in f"{value:0{width}b}")
    register.extend([1] * 30)

    def clock():
        bit = sum(register[place] for place in (62, 51, 38, 23, 13, 0)) % 2
        register.popleft()
        register.append(bit)
        return bit

    def chosen():
        while True:
            is_chosen, bit = clock(), clock()
            if is_chosen:
                return bit

    for _ in range(160):
        clock()
    while True:
        number = 0
        for _ in range(254):
            number = 2 * number + chosen()
        if number < MODULUS:
            yield number


_DRAWN = list(islice(grain(), 3 * EXTERNAL_ROUNDS + INTERNAL_ROUNDS))
EXTERNAL = _DRAWN[:12] + _DRAWN[68:]
INTERNAL = _DRAWN[12:68]


def permutation(x, y, z):
    def mixed(x, y, z):
        return (2 * x + y + z) % MODULUS, (x + 2 * y + z) % MODULUS, (x + y + 2 * z) % MODULUS

    def external(first, last, state):
        for turn in range(first, last):
            constants = EXTERNAL[3 * turn : 3 * turn + 3]
            added = zip(state, constants, strict=True)
            state = mixed(*(pow(part + constant, 5, MODULUS) for part, constant in added))
        return state

    x, y, z = external(0, EXTERNAL_ROUNDS // 2, mixed(x, y, z))
    for constant in INTERNAL:
        x = pow(x + constant, 5, MODULUS)
        x, y, z = (2 * x + y + z) % MODULUS, (x + 2 * y + z) % MODULUS, (x + y + 3 * z) % MODULUS
    return external(EXTERNAL_ROUNDS // 2, EXTERNAL_ROUNDS, (x, y, z))


def numbers(joined: bytes) -> list[int]:
    return [int.from_bytes(joined[at : at + 32], "little") for at in range(0, len(joined), 32)]


def joined(numbers) -> bytes:
    return b"".join(number.to_bytes(32, "little") for number in numbers)


def permute(state: bytes) -> bytes:
    return joined(permutation(*numbers(state)))


def compress(a: bytes, b: bytes, key: int) -> bytes:
    return joined(permutation(*numbers(a + b), key)[:1])


def sponge(felts: bytes, rate: int = 2) -> bytes:
    padded = [*numbers(felts), 1]
    padded += [0] * (-len(padded) % rate)
    state = [0, 0, (1 << 64) + 256 * 3 + rate]
    for at in range(0, len(padded), rate):
        for place in range(rate):
            state[place] += padded[at + place]
        state = list(permutation(*state))
    return joined(state[:1])


def felts(data: bytes) -> bytes:
    whole = len(data) // 31 * 31
    chunks = [data[at : at + 31] for at in range(0, whole, 31)] + [data[whole:] + b"\1"]
    return b"".join(chunk.ljust(32, b"\0") for chunk in chunks)


def cell_hashes(data: bytes, cell_size: int = 2048) -> bytes:
    cells = (data[at : at + cell_size] for at in range(0, len(data), cell_size))
    return b"".join(sponge(felts(cell)) for cell in cells)


def layers(leaves: bytes) -> list[list[bytes]]:
    found = [[leaves[at : at + 32] for at in range(0, len(leaves), 32)]]
    while len(found) == 1 or len(found[-1]) > 1:
        below, bottom = found[-1], 1 if len(found) == 1 else 0
        pairs = zip(below[::2], below[1::2], strict=False)
        above = [compress(left, right, bottom) for left, right in pairs]
        if len(below) % 2:
            above.append(compress(below[-1], bytes(32), bottom + 2))
        found.append(above)
    return found


def tree(leaves: bytes) -> bytes:
    return b"".join(b"".join(layer) for layer in layers(leaves))


def root(leaves: bytes) -> bytes:
    return layers(leaves)[-1][0]


def path(leaves: bytes, index: int) -> bytes:
    """From the leaves, not from the tree."""
    siblings = b""
    for layer in layers(leaves)[:-1]:
        siblings += layer[index ^ 1] if index ^ 1 < len(layer) else bytes(32)
        index //= 2
    return siblings


def block_digests(data: bytes, block_size: int, cell_size: int = 2048) -> bytes:
    blocks = (data[at : at + block_size] for at in range(0, len(data), block_size))
    return b"".join(root(cell_hashes(block, cell_size)) for block in blocks)
