//! A peer that knows only mplex, as nim-codex does, and our transport find a common muxer.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::core::{Multiaddr, Transport};
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, Swarm, SwarmEvent};
use libp2p::{StreamProtocol, noise, tcp};
use libp2p_stream as stream;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/quire-test/echo/1.0.0");
const BYTES: usize = 3 << 20;

fn config() -> Config {
    Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(60))
}

fn mplex_only() -> Swarm<stream::Behaviour> {
    let keypair = Keypair::generate_secp256k1();
    let mut muxer = libp2p_mplex::Config::new();
    muxer.set_split_send_size(1 << 20);
    let transport = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&keypair).unwrap())
        .multiplex(muxer)
        .boxed();
    Swarm::new(transport, stream::Behaviour::new(), keypair.public().to_peer_id(), config())
}

fn ours() -> Swarm<stream::Behaviour> {
    let keypair = Keypair::generate_secp256k1();
    let transport = quire_net::transport::build(&keypair).unwrap();
    Swarm::new(transport, stream::Behaviour::new(), keypair.public().to_peer_id(), config())
}

async fn listen(swarm: &mut Swarm<stream::Behaviour>) -> Multiaddr {
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return address;
        }
    }
}

/// Several streams at once, each echoed whole.
async fn echo_between(mut listener: Swarm<stream::Behaviour>, mut dialer: Swarm<stream::Behaviour>) {
    let address = listen(&mut listener).await;
    let peer = *listener.local_peer_id();
    let mut incoming = listener.behaviour().new_control().accept(PROTOCOL).unwrap();
    tokio::spawn(async move { while listener.next().await.is_some() {} });
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            arrived.send(()).unwrap();
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                futures::io::copy(&mut reader, &mut writer).await.unwrap();
                writer.close().await.unwrap();
            });
        }
    });
    let mut control = dialer.behaviour().new_control();
    dialer.dial(address).unwrap();
    while !dialer.is_connected(&peer) {
        dialer.select_next_some().await;
    }
    tokio::spawn(async move { while dialer.next().await.is_some() {} });
    let mut streams = Vec::new();
    for _ in 0..4 {
        // libp2p-stream drops one of two streams that arrive at once.
        let mut stream = control.open_stream(peer, PROTOCOL).await.unwrap();
        stream.flush().await.unwrap();
        arrivals.recv().await.unwrap();
        streams.push(stream);
    }
    let echoes = streams.into_iter().zip(0_u8..).map(|(stream, number)| async move {
        let (mut reader, mut writer) = stream.split();
        let sent = vec![number; BYTES];
        let mut received = Vec::new();
        let write = async {
            writer.write_all(&sent).await.unwrap();
            writer.close().await.unwrap();
        };
        let (read, ()) = futures::join!(reader.read_to_end(&mut received), write);
        assert_eq!(read.unwrap(), BYTES);
        assert!(received == sent);
    });
    futures::future::join_all(echoes).await;
}

async fn in_time(work: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("the echoes come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_mplex_only_can_dial_us() {
    in_time(echo_between(ours(), mplex_only())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn we_can_dial_a_peer_with_mplex_only() {
    in_time(echo_between(mplex_only(), ours())).await;
}

/// mplex has no flow control: what nobody reads must neither fill the memory nor hold up the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_reads_is_reset_and_the_others_go_on() {
    in_time(async {
        let (mut listener, mut dialer) = (ours(), mplex_only());
        let address = listen(&mut listener).await;
        let peer = *listener.local_peer_id();
        let mut incoming = listener.behaviour().new_control().accept(PROTOCOL).unwrap();
        tokio::spawn(async move { while listener.next().await.is_some() {} });
        let mut control = dialer.behaviour().new_control();
        dialer.dial(address).unwrap();
        while !dialer.is_connected(&peer) {
            dialer.select_next_some().await;
        }
        tokio::spawn(async move { while dialer.next().await.is_some() {} });

        let mut lazy = control.open_stream(peer, PROTOCOL).await.unwrap();
        lazy.write_all(b"first").await.unwrap();
        lazy.flush().await.unwrap();
        let (_, unread) = incoming.next().await.unwrap();
        let mut brisk = control.open_stream(peer, PROTOCOL).await.unwrap();
        brisk.write_all(b"second").await.unwrap();
        brisk.flush().await.unwrap();
        let (_, mut read) = incoming.next().await.unwrap();

        let flood = vec![0; 1 << 20];
        let mut sent = 0;
        while lazy.write_all(&flood).await.is_ok() && lazy.flush().await.is_ok() {
            sent += flood.len();
            assert!(sent < 256 << 20, "it takes everything");
        }
        brisk.write_all(b" wind").await.unwrap();
        brisk.close().await.unwrap();
        let mut text = String::new();
        read.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "second wind");
        drop(unread);
    })
    .await;
}
