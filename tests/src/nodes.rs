//! Several servers over one PostgreSQL and one bucket, each with a data directory of its own: what `docker-compose.yml` starts.

use std::sync::OnceLock;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    bucket::Bucket,
    cluster::{Cluster, Durability},
    platform::{Options, Platform},
    session::Session,
};

/// The nodes, and what they share. The nodes end first.
#[derive(Debug)]
pub struct Nodes {
    platforms: Vec<Platform>,
    bucket: Bucket,
    cluster: Cluster,
    /// Where a dump is restored to: another server counts transactions of its own.
    elsewhere: OnceLock<Cluster>,
    /// Without the bucket.
    settings: Vec<(String, String)>,
}

impl Nodes {
    /// Starts so many at the same moment, on an empty database and an empty bucket.
    ///
    /// # Panics
    /// With the log of a node that does not get ready.
    pub async fn start(count: usize, environment: &[(&str, &str)]) -> Self {
        Self::start_in(&vec![""; count], environment).await
    }

    /// One node for each of these lists of roles; an empty one is all of them.
    ///
    /// # Panics
    /// With the log of a node that does not get ready.
    pub async fn start_in(roles: &[&str], environment: &[(&str, &str)]) -> Self {
        let cluster = Cluster::start(Durability::Fsync);
        let bucket = Bucket::start().await;
        let secret = |byte: u8| BASE64_STANDARD.encode([byte; 32]);
        let shared = [
            ("MAXRAY_DATABASE__URL", cluster.create_database("maxray")),
            ("MAXRAY_KEYS__ROOT", secret(1)),
            ("MAXRAY_IDENTITY__TOKEN_SECRET", secret(2)),
            ("MAXRAY_IDENTITY__DOCTOR_SECRET", secret(3)),
        ];
        let settings = shared.iter().map(|(name, value)| (*name, value.as_str()));
        let settings = settings.chain(environment.iter().copied());
        let settings: Vec<_> = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let options = bucket.options(Options { environment: settings.clone(), ..Options::default() });
        let in_roles = |roles: &&str| match *roles {
            "" => options.clone(),
            roles => options.clone().with("MAXRAY_ROLES", roles),
        };
        let mut platforms: Vec<Platform> =
            roles.iter().map(|roles| Platform::prepare(in_roles(roles))).collect();
        platforms.iter_mut().for_each(Platform::begin_start);
        for node in &mut platforms {
            node.wait_until_ready().await;
        }
        Self { platforms, bucket, cluster, elsewhere: OnceLock::new(), settings }
    }

    /// One of them.
    pub fn node(&self, number: usize) -> &Platform {
        &self.platforms[number]
    }

    /// One of them, to be killed or started again.
    pub fn node_mut(&mut self, number: usize) -> &mut Platform {
        &mut self.platforms[number]
    }

    /// All of them.
    pub fn all(&self) -> &[Platform] {
        &self.platforms
    }

    /// What `pg_dump` makes of the database.
    pub fn dump(&self) -> Vec<u8> {
        self.cluster.dump("maxray")
    }

    /// A node with the same keys over a dump of the database, on another server, and a copy of the bucket.
    pub async fn restored(&self, dump: &[u8], bucket: &Bucket) -> Platform {
        let options = bucket.options(Options { environment: self.settings.clone(), ..Options::default() });
        let elsewhere = self.elsewhere.get_or_init(|| Cluster::start(Durability::Fsync));
        Platform::start(options.with("MAXRAY_DATABASE__URL", &elsewhere.restore("restored", dump))).await
    }

    /// The bucket that they share.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Somebody with the token of one node at each of them.
    pub fn everywhere(&self, session: &Session) -> Vec<Session> {
        self.platforms.iter().map(|node| session.moved_to(node)).collect()
    }

    /// A counter of `/metrics`, summed over labels and nodes.
    ///
    /// # Panics
    /// When a node does not answer.
    pub async fn counted(&self, metric: &str) -> u64 {
        let mut sum = 0.0;
        for node in &self.platforms {
            sum += node.metric(metric).await;
        }
        sum as u64
    }
}
