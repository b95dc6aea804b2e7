"""Contents through encryption and back, as streams: any place, any range, any length, damage."""

import io
import random

import pytest

from quire.base.errors import InputError, IntegrityError, WrongKey
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES, RECORD_BYTES
from quire.flow.decrypt import EncryptedContent
from quire.flow.encrypt import Encryption, Spooled, convergent_key, encrypted
from quire.formats.cap import ReadCap, Suite
from quire.formats.cid import manifest_cid_of

KEY = bytes(range(32))
CID = manifest_cid_of(bytes(32))
SIZES = [0, 1, 65_000, RECORD_BYTES - 12, RECORD_BYTES - 11, 300_000, 3 << 20]


def content_of(size):
    return random.Random(size).randbytes(size)


def source_of(data, piece=70_001):
    async def content(start):
        for begin in range(start, len(data), piece):
            yield data[begin : min(begin + piece, len(data))]

    return content


def plan_of(data, *, name="a.bin", is_padded=True, suite=Suite.AES_256_GCM, key=KEY):
    return Encryption.of(key, suite, Header(len(data), name), is_padded=is_padded)


async def joined(pieces):
    return b"".join([bytes(piece) async for piece in pieces])


class Ciphertext:
    """Bytes that are read in ranges; remembers which."""

    def __init__(self, data):
        self.data = data
        self.asked = []

    async def read(self, start, stop):
        self.asked.append((start, stop))
        for begin in range(start, stop, 50_000):
            yield self.data[begin : min(begin + 50_000, stop)]


async def opened(data, **how):
    plan = plan_of(data, **how)
    ciphertext = Ciphertext(await joined(encrypted(plan, source_of(data))))
    assert len(ciphertext.data) == plan.dataset_bytes
    cap = plan.read_cap(CID)
    return await EncryptedContent.open(cap, plan.dataset_bytes, ciphertext.read), ciphertext


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("suite", Suite)
async def test_contents_come_back(size, suite):
    data = content_of(size)
    content, ciphertext = await opened(data, suite=suite)
    assert ciphertext.asked == [(0, min(BLOCK_BYTES, len(ciphertext.data)))]
    assert (content.size, content.header.name) == (size, "a.bin")
    assert await joined(content.read(0, size, ciphertext.read)) == data


@pytest.mark.parametrize("is_padded", [True, False])
async def test_ranges_ask_for_their_records_alone(is_padded):
    data = content_of(1 << 20)
    content, ciphertext = await opened(data, is_padded=is_padded)
    for start, stop in ((0, 10), (70_000, 70_001), (65_400, 131_500), (5, 5), (900_000, 1 << 20)):
        ciphertext.asked.clear()
        assert await joined(content.read(start, stop, ciphertext.read)) == data[start:stop]
        low, high = content.begin + start, content.begin + stop
        blocks = sum(-(-(b - a) // BLOCK_BYTES) for a, b in ciphertext.asked)
        assert blocks <= -(-high // RECORD_BYTES) - low // RECORD_BYTES
    with pytest.raises(InputError):
        await joined(content.read(0, (1 << 20) + 1, ciphertext.read))


@pytest.mark.parametrize("start", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 200_000, 318_000, 327_680])
async def test_an_upload_goes_on_at_any_byte_of_the_ciphertext(start):
    data = content_of(300_000)
    plan = plan_of(data)
    whole = await joined(encrypted(plan, source_of(data)))
    at = min(start, len(whole))
    assert await joined(encrypted(plan, source_of(data), at)) == whole[at:]


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_content_of_another_length_is_refused(change):
    data = content_of(1000)
    plan = plan_of(data)
    other = source_of((data + b"x")[: len(data) + change])
    with pytest.raises(InputError, match="changed while it was read"):
        await joined(encrypted(plan, other))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_padded", [True, False])
async def test_a_stream_without_length_becomes_the_same_ciphertext(size, is_padded):
    data, file = content_of(size), io.BytesIO()
    spool = Spooled(KEY, Suite.AES_256_GCM, "a.bin", None, is_padded=is_padded, file=file)
    plan = await spool.take(source_of(data)(0))
    assert plan == plan_of(data, is_padded=is_padded)
    made = await joined(spool.ciphertext(plan))
    assert made == await joined(encrypted(plan, source_of(data)))
    windows = {data[i : i + 32] for i in range(0, max(0, size - 31), 97)}
    assert not any(window in file.getvalue() for window in list(windows)[:50])


async def test_a_wrong_key_or_suite_shows_before_anything_else_is_read():
    data = content_of(300_000)
    plan = plan_of(data)
    made = await joined(encrypted(plan, source_of(data)))
    cap = plan.read_cap(CID)
    for wrong in (
        ReadCap(cap.suite, cap.flags, cap.cid, bytes(32)),
        ReadCap(Suite.CHACHA20_POLY1305, cap.flags, cap.cid, cap.file_key),
    ):
        ciphertext = Ciphertext(made)
        with pytest.raises(WrongKey):
            await EncryptedContent.open(wrong, len(made), ciphertext.read)
        assert ciphertext.asked == [(0, BLOCK_BYTES)]


async def test_a_dataset_that_was_cut_at_a_record_is_refused():
    data = content_of(300_000)
    plan = plan_of(data)
    made = (await joined(encrypted(plan, source_of(data))))[: 3 * BLOCK_BYTES]
    with pytest.raises(IntegrityError, match="it was cut"):
        await EncryptedContent.open(plan.read_cap(CID), len(made), Ciphertext(made).read)


async def test_a_capability_that_says_other_padding_is_refused():
    data = content_of(1000)
    plan = plan_of(data)
    made = await joined(encrypted(plan, source_of(data)))
    cap = plan.read_cap(CID)
    other = ReadCap(cap.suite, 0, cap.cid, cap.file_key)
    with pytest.raises(IntegrityError):
        await EncryptedContent.open(other, len(made), Ciphertext(made).read)


@pytest.mark.parametrize("damage", ["flip", "swap", "mix", "short", "long"])
async def test_damage_behind_the_first_record_is_told_and_nothing_wrong_comes_out(damage):
    data = content_of(400_000)
    content, ciphertext = await opened(data)
    made = bytearray(ciphertext.data)
    match damage:
        case "flip":
            made[2 * BLOCK_BYTES + 9] ^= 1
        case "swap":
            one, two = slice(BLOCK_BYTES, 2 * BLOCK_BYTES), slice(2 * BLOCK_BYTES, 3 * BLOCK_BYTES)
            made[one], made[two] = made[two], made[one]
        case "mix":
            other = plan_of(data, key=bytes(32))
            foreign = await joined(encrypted(other, source_of(data)))
            made[BLOCK_BYTES : 2 * BLOCK_BYTES] = foreign[BLOCK_BYTES : 2 * BLOCK_BYTES]
        case "short":
            del made[-1:]
        case "long":
            made += b"x"

    async def read(start, stop):
        yield bytes(made[start : stop + (damage == "long")])

    got = bytearray()

    async def take():
        async for piece in content.read(0, content.size, read):
            got.extend(piece)

    with pytest.raises(IntegrityError):
        await take()
    assert data.startswith(got)


async def test_equal_contents_have_equal_convergent_keys_under_one_secret():
    data = content_of(100_000)
    found = [
        await convergent_key(
            source_of(data, piece)(0), len(data), secret, Suite.AES_256_GCM, is_padded=True
        )
        for piece, secret in ((999, bytes(32)), (100_000, bytes(32)), (999, b"\1" * 32))
    ]
    assert found[0] == found[1] != found[2]
    with pytest.raises(InputError):
        await convergent_key(source_of(data)(0), 5, bytes(32), Suite.AES_256_GCM, is_padded=True)


def test_a_name_that_is_far_too_long_is_refused():
    with pytest.raises(InputError):
        plan_of(b"", name="x" * 20_000)
