//! The limit that the network is measured against: one bare libp2p stream, Rust to Rust, without
//! framing, the bytes thrown away on arrival.
//!
//! ```text
//! bare_stream serve [tcp|quic] [ours|default]    prints its address and sends to whoever fetches
//! bare_stream fetch ADDRESS BYTES [ours|default] prints {"bytes", "seconds", "cpu_seconds"}
//! ```
//! `default` are the settings of libp2p, `ours` those of Quire. `cpu_seconds` is the receiver's.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream as stream;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/quire-bench/bare/1.0.0");
const READ_BYTES: usize = 256 * 1024;
const WRITE_BYTES: usize = 256 * 1024;

fn cpu_seconds() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` has room for one rusage; zeroes are valid should the call fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn swarm(settings: &str) -> Result<Swarm<stream::Behaviour>, Box<dyn Error>> {
    let keypair = Keypair::generate_secp256k1();
    let builder = SwarmBuilder::with_existing_identity(keypair.clone()).with_tokio();
    let idle = Duration::from_secs(60);
    if settings == "default" {
        return Ok(builder
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
            .with_quic()
            .with_behaviour(|_| stream::Behaviour::new())?
            .with_swarm_config(|config| config.with_idle_connection_timeout(idle))
            .build());
    }
    Ok(builder
        .with_other_transport(|keypair| {
            quire_net::transport::build(keypair).map_err(Box::<dyn Error + Send + Sync>::from)
        })?
        .with_behaviour(|_| stream::Behaviour::new())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(idle))
        .build())
}

async fn serve(transport: &str, settings: &str) -> Result<(), Box<dyn Error>> {
    let mut swarm = swarm(settings)?;
    let address = if transport == "quic" { "/ip4/127.0.0.1/udp/0/quic-v1" } else { "/ip4/127.0.0.1/tcp/0" };
    swarm.listen_on(address.parse()?)?;
    let mut incoming = swarm.behaviour().new_control().accept(PROTOCOL)?;
    tokio::spawn(async move {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                println!("{}", address.with(Protocol::P2p(*swarm.local_peer_id())));
                let _ = std::io::stdout().flush();
            }
        }
    });
    while let Some((_, mut stream)) = incoming.next().await {
        tokio::spawn(async move {
            let mut wish = [0; 8];
            stream.read_exact(&mut wish).await?;
            let mut left = u64::from_le_bytes(wish) as usize;
            let data = vec![0xa5; WRITE_BYTES];
            while left > 0 {
                let count = left.min(WRITE_BYTES);
                stream.write_all(&data[..count]).await?;
                left -= count;
            }
            stream.close().await
        });
    }
    Ok(())
}

async fn fetch(address: &str, bytes: u64, settings: &str) -> Result<(), Box<dyn Error>> {
    let address: Multiaddr = address.parse()?;
    let Some(Protocol::P2p(peer)) = address.iter().last() else { return Err("the address names no peer".into()) };
    let mut swarm = swarm(settings)?;
    let mut control = swarm.behaviour().new_control();
    swarm.dial(address)?;
    while !swarm.is_connected(&peer) {
        if let SwarmEvent::OutgoingConnectionError { error, .. } = swarm.select_next_some().await {
            return Err(error.into());
        }
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let mut stream = control.open_stream(peer, PROTOCOL).await?;
    let (since, cpu_before) = (Instant::now(), cpu_seconds());
    stream.write_all(&bytes.to_le_bytes()).await?;
    stream.flush().await?;
    let mut buffer = vec![0; READ_BYTES];
    let mut received = 0;
    while received < bytes {
        match stream.read(&mut buffer).await? {
            0 => return Err("the stream ended early".into()),
            count => received += count as u64,
        }
    }
    let (seconds, cpu) = (since.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    println!("{{\"bytes\": {received}, \"seconds\": {seconds:.6}, \"cpu_seconds\": {cpu:.6}}}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match words.as_slice() {
            ["serve"] => serve("tcp", "ours").await,
            ["serve", transport] => serve(transport, "ours").await,
            ["serve", transport, settings] => serve(transport, settings).await,
            ["fetch", address, bytes] => fetch(address, bytes.parse()?, "ours").await,
            ["fetch", address, bytes, settings] => fetch(address, bytes.parse()?, settings).await,
            _ => Err("usage: bare_stream serve [tcp|quic] [ours|default] | fetch ADDRESS BYTES [ours|default]".into()),
        }
    })
}
