//! The behaviour that opens and accepts streams of our own protocols.
//!
//! libp2p-stream does the same, but drops inbound streams when two arrive at once, opens one stream
//! at a time on a connection, dials when there is none, and keeps a sender for every connection
//! that ever was.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream,
    StreamProtocol, StreamUpgradeError, SubstreamProtocol, THandlerInEvent, ToSwarm,
};

use crate::queue::Failure;

/// The protocols that are accepted, each with its limit of a message. Shared by all connections and
/// the handle of the node, so that a protocol is served from the moment on at which it is named.
#[derive(Clone, Default)]
pub struct Served(Arc<RwLock<HashMap<StreamProtocol, usize>>>);

impl Served {
    pub fn add(&self, protocol: StreamProtocol, max_bytes: usize) {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(protocol, max_bytes);
    }

    pub fn limit(&self, protocol: &StreamProtocol) -> Option<usize> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(protocol).copied()
    }

    fn names(&self) -> Vec<StreamProtocol> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).keys().cloned().collect()
    }
}

/// A wish for a stream; `op` names it in the answer.
#[derive(Debug)]
pub struct Open {
    pub op: u64,
    pub protocol: StreamProtocol,
    pub timeout: Duration,
}

#[derive(Debug)]
pub enum StreamEvent {
    Opened { op: u64, stream: Stream },
    NotOpened { op: u64, failure: Failure, reason: String },
    Incoming { protocol: StreamProtocol, stream: Stream },
}

#[derive(Default)]
pub struct Behaviour {
    served: Served,
    actions: VecDeque<ToSwarm<(PeerId, ConnectionId, StreamEvent), Open>>,
    waker: Option<Waker>,
}

impl Behaviour {
    pub fn new(served: Served) -> Self {
        Self { served, ..Self::default() }
    }

    /// Ask for a stream on this connection.
    pub fn open(&mut self, peer: PeerId, connection: ConnectionId, open: Open) {
        let handler = NotifyHandler::One(connection);
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: open });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = (PeerId, ConnectionId, StreamEvent);

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.served.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.served.clone()))
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: StreamEvent) {
        self.actions.push_back(ToSwarm::GenerateEvent((peer, id, event)));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.actions.pop_front() {
            Some(action) => Poll::Ready(action),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// One connection's part.
pub struct Handler {
    served: Served,
    wishes: VecDeque<Open>,
    events: VecDeque<StreamEvent>,
    waker: Option<Waker>,
}

impl Handler {
    fn new(served: Served) -> Self {
        Self { served, wishes: VecDeque::new(), events: VecDeque::new(), waker: None }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = StreamEvent;
    type InboundProtocol = Negotiate;
    type OutboundProtocol = Negotiate;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = u64;

    fn listen_protocol(&self) -> SubstreamProtocol<Negotiate> {
        SubstreamProtocol::new(Negotiate(self.served.names()), ())
    }

    fn on_behaviour_event(&mut self, open: Open) {
        self.wishes.push_back(open);
        self.wake();
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Negotiate, Negotiate, (), u64>) {
        let event = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol), ..
            }) => StreamEvent::Incoming { protocol, stream },
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: (stream, _), info }) => {
                StreamEvent::Opened { op: info, stream }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let (failure, reason) = match error {
                    StreamUpgradeError::Timeout => (Failure::Silent, "no answer in time".to_owned()),
                    StreamUpgradeError::NegotiationFailed => {
                        (Failure::Mismatch, "the peer does not speak the protocol".to_owned())
                    }
                    StreamUpgradeError::Io(error) => (Failure::Gone, error.to_string()),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                StreamEvent::NotOpened { op: info, failure, reason }
            }
            _ => return,
        };
        self.events.push_back(event);
        self.wake();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Negotiate, u64, StreamEvent>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if let Some(open) = self.wishes.pop_front() {
            let protocol = SubstreamProtocol::new(Negotiate(vec![open.protocol]), open.op).with_timeout(open.timeout);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Offers or accepts protocol names and hands over the bare stream.
pub struct Negotiate(Vec<StreamProtocol>);

impl UpgradeInfo for Negotiate {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Negotiate {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for Negotiate {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}
