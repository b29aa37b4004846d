//! Several servers over one PostgreSQL and one bucket, each with a data directory of its own: what `docker-compose.yml` starts.

use std::sync::OnceLock;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    ceph::Ceph,
    cluster::{Cluster, Durability},
    lines::{Lines, Services},
    network,
    platform::{Options, Platform},
    redis::RedisServer,
    s3::S3Server,
    scu,
    session::Session,
    wait,
};

const URL: &str = "MAXRAY_DATABASE__URL";

/// The nodes, and what they share. The nodes end first.
#[derive(Debug)]
pub struct Nodes {
    platforms: Vec<Platform>,
    /// What each of them is connected by, when that can be cut.
    lines: Vec<Lines>,
    store: Store,
    cluster: Cluster,
    /// Where a dump is restored to: another server counts transactions of its own.
    elsewhere: OnceLock<Cluster>,
    /// Without the bucket.
    settings: Vec<(String, String)>,
}

/// Where they keep objects.
#[derive(Debug)]
pub enum Store {
    /// A server of this process, which can misbehave.
    Bucket(S3Server),
    /// One that others wrote.
    Ceph(Ceph),
}

impl Store {
    /// An empty bucket of this process.
    pub async fn bucket() -> Self {
        Self::Bucket(S3Server::start().await)
    }

    /// An empty Ceph.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn ceph() -> Self {
        Self::Ceph(tokio::task::spawn_blocking(Ceph::start).await.expect("a Ceph"))
    }
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
        let in_roles = |roles: &&str| match *roles {
            "" => Options::default(),
            roles => Options::default().with("MAXRAY_ROLES", roles),
        };
        let own = roles.iter().map(in_roles).collect();
        let cluster = Cluster::start(Durability::Fsync);
        Self::start_with(cluster, Store::bucket().await, own, environment).await
    }

    /// So many nodes, each in a network of its own where networks can be made ([`network::is_inside`] before), and each with
    /// lines of its own to the database, the store, a broker on this port and a Redis: [`Self::cut_off`] cuts those,
    /// [`Self::unplug`] the network.
    ///
    /// # Panics
    /// With the log of a node that does not get ready.
    pub async fn start_apart(
        count: usize,
        store: Store,
        (broker, redis): (u16, &RedisServer),
        environment: &[(&str, &str)],
    ) -> Self {
        let cluster = Cluster::start(Durability::Fsync);
        let (mut lines, mut own) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let services = Services { cluster: &cluster, store: &store, broker, redis };
            let laid = Lines::lay(&services).await;
            own.push(Options { environment: laid.settings(), enter: laid.enter(), ..Options::default() });
            lines.push(laid);
        }
        let nodes = Self { lines, ..Self::start_with(cluster, store, own, environment).await };
        // On the loopback device whoever calls is known.
        if network::is_possible() {
            nodes.node(0).ae(&["add", scu::CALLING, network::ALL]);
        }
        nodes
    }

    /// One node for each of these options of its own.
    async fn start_with(
        cluster: Cluster,
        store: Store,
        own: Vec<Options>,
        environment: &[(&str, &str)],
    ) -> Self {
        let secret = |byte: u8| BASE64_STANDARD.encode([byte; 32]);
        let shared = [
            (URL, cluster.create_database("maxray")),
            ("MAXRAY_KEYS__ROOT", secret(1)),
            ("MAXRAY_IDENTITY__TOKEN_SECRET", secret(2)),
            ("MAXRAY_IDENTITY__DOCTOR_SECRET", secret(3)),
        ];
        let settings = shared.iter().map(|(name, value)| (*name, value.as_str()));
        let settings = settings.chain(environment.iter().copied());
        let settings: Vec<_> = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let options = Options { environment: settings.clone(), ..Options::default() };
        let options = match &store {
            Store::Bucket(bucket) => bucket.options(options),
            Store::Ceph(ceph) => ceph.options(options),
        };
        let prepare = |own: Options| {
            let environment = [options.environment.clone(), own.environment].concat();
            Platform::prepare(Options { environment, ..own })
        };
        let mut platforms: Vec<Platform> = own.into_iter().map(prepare).collect();
        platforms.iter_mut().for_each(Platform::begin_start);
        let mut nodes =
            Self { platforms, lines: Vec::new(), store, cluster, elsewhere: OnceLock::new(), settings };
        nodes.wait_until_ready().await;
        nodes
    }

    /// Waits until every node that runs says that it is ready.
    ///
    /// # Panics
    /// With the log of one that does not.
    pub async fn wait_until_ready(&mut self) {
        for node in &mut self.platforms {
            node.wait_until_ready().await;
        }
    }

    /// From now on a node of [`Self::start_apart`] reaches neither database nor store nor broker nor Redis, and is not told.
    pub fn cut_off(&self, number: usize) {
        self.lines[number].cut();
    }

    /// From now on it does again.
    pub fn reconnect(&self, number: usize) {
        self.lines[number].mend();
    }

    /// From now on nothing passes between a node of [`Self::start_apart`] and anybody, its senders too, and nobody is told.
    pub fn unplug(&self, number: usize) {
        self.lines[number].unplug();
    }

    /// From now on everything does again.
    pub fn plug_in(&self, number: usize) {
        self.lines[number].plug_in();
    }

    /// The database that they share.
    pub fn cluster_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
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

    /// A node with the same keys over a dump of the database, on another server, and a copy of the bucket, whose objects it all knows.
    ///
    /// # Panics
    /// When `maxray reindex` fails.
    pub async fn restored(&self, dump: &[u8], bucket: &S3Server) -> Platform {
        let elsewhere = self.elsewhere.get_or_init(|| Cluster::start(Durability::Fsync));
        let mut restored = Platform::prepare(self.options_over(&elsewhere.restore("restored", dump), bucket));
        let (done, said) = restored.operate(&["reindex", "--missing"]);
        assert!(done, "{said}");
        restored.restart().await;
        restored
    }

    /// What a node with the same keys needs over another database and another bucket.
    pub fn options_over(&self, url: &str, bucket: &S3Server) -> Options {
        let options = Options { environment: self.settings.clone(), ..Options::default() };
        bucket.options(options).with(URL, url)
    }

    /// The bucket that they share.
    ///
    /// # Panics
    /// When it is a Ceph.
    pub fn bucket(&self) -> &S3Server {
        match &self.store {
            Store::Bucket(bucket) => bucket,
            Store::Ceph(_) => panic!("they keep objects in a Ceph"),
        }
    }

    /// The Ceph that they share.
    ///
    /// # Panics
    /// When there is none.
    pub fn ceph_mut(&mut self) -> &mut Ceph {
        match &mut self.store {
            Store::Ceph(ceph) => ceph,
            Store::Bucket(_) => panic!("they have a bucket of this process"),
        }
    }

    /// Somebody with the token of one node at each of them.
    pub fn everywhere(&self, session: &Session) -> Vec<Session> {
        self.platforms.iter().map(|node| session.moved_to(node)).collect()
    }

    /// Waits until every node hears Redis, or none does.
    pub async fn hear_redis(&self, expected: bool) {
        for node in &self.platforms {
            wait::until("the nodes to hear of Redis", async || {
                ((node.metric("maxray_redis_heard").await > 0.5) == expected).then_some(())
            })
            .await;
        }
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
