"""Hypothesis strategies for values of `quire.formats`."""

from hypothesis import strategies as st

from quire.formats import cid as cids
from quire.formats.blockexc import BlockAddress, Delivery, Message, Presence, Want, WantKind
from quire.formats.felt import MODULUS
from quire.formats.manifest import Manifest, Protection, Verification
from quire.formats.merkle import InclusionProof, depth
from quire.formats.multiaddr import Multiaddr
from quire.formats.peer_id import encode_peer_id, peer_id_of

digests = st.binary(min_size=32, max_size=32)
felts = st.integers(0, MODULUS - 1).map(lambda number: number.to_bytes(32, "little"))
trees = digests.map(cids.tree_cid)
blocks = digests.map(cids.block_cid)
slot_roots = felts.map(lambda root: cids.Cid(1, cids.CODEC_SLOT_ROOT, 0, root))
verify_roots = felts.map(lambda root: cids.Cid(1, cids.CODEC_PROVING_ROOT, 0, root))
any_cids = st.one_of(trees, blocks, slot_roots, verify_roots, st.binary().map(cids.manifest_cid))

letters = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters='/\\:*?"<>|^. '
)
filenames = st.builds(
    lambda stem, extension: f"_{stem}.{extension}",
    st.text(letters, max_size=60),
    st.text(letters, min_size=1, max_size=10),
)
mimetypes = st.sampled_from(["text/plain", "Image/PNG", "application/vnd.x+json", "x-own/type"])
block_sizes = st.integers(12, 20).map(lambda power: 1 << power)


@st.composite
def protections(draw, block_size: int):
    """A protection and the size of the protected dataset."""
    k, m = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    original = draw(st.integers(1, 1 << 40))
    block_count = (original + block_size - 1) // block_size
    steps = (block_count + k - 1) // k
    verification = None
    if draw(st.booleans()):
        verification = Verification(
            draw(verify_roots),
            tuple(draw(st.lists(slot_roots, min_size=k + m, max_size=k + m))),
            draw(st.sampled_from([1, 1024, 2048, block_size])),
            draw(st.integers(0, 1)),
        )
    strategy = draw(st.integers(0, 1))
    protection = Protection(k, m, draw(trees), original, strategy, verification)
    return protection, block_size * steps * (k + m)


@st.composite
def manifests(draw):
    block_size = draw(block_sizes)
    protection, size = None, draw(st.integers(1, (1 << 63) - 1))
    if draw(st.booleans()):
        protection, size = draw(protections(block_size))
    filename = draw(st.none() | filenames)
    mimetype = draw(st.none() | mimetypes)
    return Manifest(draw(trees), block_size, size, filename, mimetype, protection)


@st.composite
def proofs(draw):
    count = draw(st.integers(1, 5000) | st.integers(1, (1 << 63) - 1))
    path = draw(st.lists(digests, min_size=depth(count), max_size=depth(count)))
    return InclusionProof(draw(st.integers(0, count - 1)), count, tuple(path))


addresses = st.builds(BlockAddress, any_cids, st.none() | st.integers(0, (1 << 63) - 1))
wants = st.builds(
    Want,
    addresses,
    st.sampled_from(WantKind),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.booleans(),
    st.booleans(),
)
deliveries = st.one_of(
    st.builds(Delivery, any_cids, st.binary(max_size=200), addresses),
    st.builds(
        Delivery,
        any_cids,
        st.binary(max_size=200),
        st.builds(BlockAddress, trees, st.integers(0, 1000)),
        proofs(),
    ),
)
presences = st.builds(Presence, addresses, st.booleans(), st.integers(0, (1 << 256) - 1))
messages = st.builds(
    Message,
    st.lists(wants, max_size=5).map(tuple),
    st.booleans(),
    st.lists(deliveries, max_size=3).map(tuple),
    st.lists(presences, max_size=5).map(tuple),
    st.integers(0, (1 << 64) - 1),
    st.just(b"") | st.binary(min_size=20, max_size=20),
    st.binary(max_size=50),
)

peers = st.builds(
    lambda sign, x: encode_peer_id(peer_id_of(bytes([sign]) + x)), st.sampled_from([2, 3]), digests
)
ports = st.integers(0, 65535).map(str)
_hosts = st.one_of(
    st.tuples(st.just("ip4"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("ip6"), st.ip_addresses(v=6).map(str)),
    st.tuples(
        st.sampled_from(["dns", "dns4", "dns6"]),
        st.from_regex(r"[a-z0-9-]{1,63}(\.[a-z]{2,5}){0,3}", fullmatch=True),
    ),
)
_ways = st.one_of(
    st.tuples(st.tuples(st.just("tcp"), ports)),
    st.tuples(st.tuples(st.just("udp"), ports), st.just(("quic-v1", ""))),
)
multiaddrs = st.builds(
    lambda host, way, peer: Multiaddr((host, *way, *peer)),
    _hosts,
    _ways,
    st.just(()) | peers.map(lambda peer: (("p2p", peer),)),
)
