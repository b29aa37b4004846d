//! What one node of several is connected by: its lines to what it needs, and the network in which it is.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    ceph::Ceph,
    cluster::Cluster,
    link::{End, Link},
    network::{self, Network},
    nodes::Store,
    redis::RedisServer,
};

/// Where the nodes keep what.
#[derive(Debug)]
pub(crate) struct Services<'a> {
    pub cluster: &'a Cluster,
    pub store: &'a Store,
    /// Port of a RabbitMQ.
    pub broker: u16,
    pub redis: &'a RedisServer,
}

/// The lines of one node.
#[derive(Debug)]
pub(crate) struct Lines {
    links: [Link; 4],
    /// None where networks are not made: the node is on the loopback device then, as everything else is.
    network: Option<Network>,
}

impl Lines {
    /// Lays them.
    pub async fn lay(services: &Services<'_>) -> Self {
        let network = network::is_possible().then(Network::make);
        let here = |port| End::Port((Ipv4Addr::LOCALHOST, port).into());
        let near = network.as_ref().map_or(Ipv4Addr::LOCALHOST.into(), Network::near);
        let near = SocketAddr::new(near, 0);
        let store = match services.store {
            Store::Bucket(bucket) => End::Port(bucket.address()),
            Store::Ceph(ceph) => here(Ceph::port(ceph)),
        };
        let links = [
            Link::between(near, End::Socket(services.cluster.socket())).await,
            Link::between(near, store).await,
            Link::between(near, here(services.broker)).await,
            Link::between(near, here(services.redis.port())).await,
        ];
        Self { links, network }
    }

    /// The settings of a node that uses them.
    pub fn settings(&self) -> Vec<(String, String)> {
        let [database, store, broker, redis] = self.links.each_ref().map(Link::address);
        let listen = self.network.as_ref().map_or(Ipv4Addr::LOCALHOST.into(), Network::far);
        let listen = SocketAddr::new(listen, 0).to_string();
        // In its network there is nobody else.
        let insecure = self.network.is_some().to_string();
        let settings = [
            ("DATABASE__URL", format!("postgres://postgres@{database}/maxray?sslmode=disable")),
            ("DATABASE__INSECURE", insecure.clone()),
            ("OBJECT_STORAGE__S3__ENDPOINT", format!("http://{store}")),
            ("BROKER__URL", format!("amqp://guest:guest@{broker}/%2f")),
            ("BROKER__INSECURE", insecure.clone()),
            ("REDIS__URL", format!("redis://:secret@{redis}/0")),
            ("REDIS__INSECURE", insecure.clone()),
            ("HTTP__LISTEN", listen.clone()),
            ("HTTP__INSECURE", insecure.clone()),
            ("PACS__LISTEN", listen),
            ("PACS__INSECURE", insecure),
        ];
        settings.map(|(name, value)| (format!("MAXRAY_{name}"), value)).to_vec()
    }

    /// The words before `maxray` that make it run there.
    pub fn enter(&self) -> Vec<String> {
        self.network.as_ref().map_or_else(Vec::new, |network| network.enter().to_vec())
    }

    /// From now on the node reaches nothing that it needs, and is not told. It is reached itself.
    pub fn cut(&self) {
        self.links.iter().for_each(Link::cut);
    }

    /// From now on it does again.
    pub fn mend(&self) {
        self.links.iter().for_each(Link::mend);
    }

    /// Pulls out its network, if it has one of its own; else as [`Self::cut`].
    pub fn unplug(&self) {
        match &self.network {
            Some(network) => network.unplug(),
            None => self.cut(),
        }
    }

    /// Plugs it in again.
    pub fn plug_in(&self) {
        match &self.network {
            Some(network) => network.plug_in(),
            None => self.mend(),
        }
    }
}
