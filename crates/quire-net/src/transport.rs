//! How bytes reach another node: TCP + Noise + yamux or mplex, or QUIC.

use std::time::Duration;

use futures::future::Either;
use libp2p::core::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::{SelectUpgrade, Version};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise, quic, relay, tcp};

use crate::{mplex, muxer};

/// From the first packet to a secured connection, either direction. Shorter than the ten seconds for
/// which an AutoNAT server waits for the outcome of a dial, so that it can report a failure.
const SETUP_TIMEOUT: Duration = Duration::from_secs(8);
const QUIC_STREAM_BYTES: u32 = 8 << 20;
const QUIC_CONNECTION_BYTES: u32 = 24 << 20;

/// The transports, and circuits through relays as one more.
pub fn build_with(
    keypair: &Keypair,
    circuits: relay::client::Transport,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, String> {
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(|error| error.to_string())?)
        .multiplex(muxer::Config::default())
        .timeout(SETUP_TIMEOUT);
    Ok(build(keypair)?
        .or_transport(circuits)
        .map(|either, _| match either {
            Either::Left(peer_and_muxer) => peer_and_muxer,
            Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        })
        .boxed())
}

pub fn build(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, String> {
    let noise = noise::Config::new(keypair).map_err(|error| error.to_string())?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(SelectUpgrade::new(muxer::Config::default(), mplex::Config))
        .timeout(SETUP_TIMEOUT);
    let mut config = quic::Config::new(keypair);
    config.max_stream_data = QUIC_STREAM_BYTES;
    config.max_connection_data = QUIC_CONNECTION_BYTES;
    config.handshake_timeout = SETUP_TIMEOUT;
    let quic = quic::tokio::Transport::new(config);
    Ok(tcp
        .boxed()
        .or_transport(quic)
        .map(|either, _| match either {
            Either::Left((peer, muxer)) => (peer, muxer),
            Either::Right((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
        })
        .boxed())
}
