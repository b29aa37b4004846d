//! One connection to the broker: what is made there, and what is published.

use std::{collections::HashMap, net::SocketAddr, pin::pin, time::Duration};

use chrono::{DateTime, Utc};
use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind,
    ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldArray, FieldTable, ShortString},
    uri::{AMQPScheme, AMQPUri},
};
use model::event::EventEnvelope;
use tokio::time::Instant;

use super::{
    Broker, BrokerFailed,
    signature::{self, SigningKey},
    socket::{ClosedOnDrop, Socket},
};

/// `delivery_mode` of what has to survive a restart of the broker.
const PERSISTENT: u8 = 2;
/// Time between two warnings that nobody takes an event of one name.
const WARNING_INTERVAL: Duration = Duration::from_mins(10);

/// A connection whose broker confirms what it took.
pub(super) struct Session {
    exchange: ShortString,
    channel: Channel,
    signing_key: Option<SigningKey>,
    /// When it was last said that nobody takes events of that name.
    warned: HashMap<&'static str, Instant>,
    connection: Connection,
    _socket: ClosedOnDrop,
}

impl Session {
    /// Connects, and makes what is not there yet.
    pub(super) async fn open(broker: &Broker) -> Result<Self, BrokerFailed> {
        within(broker.config.request_timeout(), Self::open_patiently(broker)).await
    }

    async fn open_patiently(broker: &Broker) -> Result<Self, BrokerFailed> {
        let socket = Socket::default();
        let closed_on_drop = ClosedOnDrop(socket.clone());
        let connection = connect(broker, socket).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        declare(broker, &connection, &channel).await?;
        Ok(Self {
            exchange: name(&broker.config.exchange),
            channel,
            signing_key: broker.signing_key.clone(),
            warned: HashMap::new(),
            connection,
            _socket: closed_on_drop,
        })
    }

    /// Whether the broker is still there, as far as one can tell without sending anything.
    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Sends events that follow each other, and moves `confirmed` to the last of which the broker has all up to it. After an
    /// error it may have others, too.
    ///
    /// A broker that is short of memory or disk blocks its publishers, and says so. Then there is nothing to do but to wait: who
    /// came again would wait as well, and send the same once more.
    pub(super) async fn publish(
        &mut self,
        broker: &Broker,
        events: &[EventEnvelope],
        confirmed: &mut i64,
    ) -> Result<(), BrokerFailed> {
        let status = self.connection.status().clone();
        let mut publishing = pin!(self.publish_patiently(events, confirmed));
        let mut is_told = false;
        let outcome = loop {
            match tokio::time::timeout(broker.config.request_timeout(), &mut publishing).await {
                Ok(outcome) => break outcome,
                Err(_) if !status.blocked() => break Err(BrokerFailed::Silent),
                Err(_) => {
                    metrics::gauge!("maxray_broker_blocked").set(1.0);
                    if !is_told {
                        tracing::warn!(
                            "the broker blocks its publishers: it is short of memory or disk; events wait"
                        );
                    }
                    is_told = true;
                }
            }
        };
        metrics::gauge!("maxray_broker_blocked").set(0.0);
        outcome
    }

    async fn publish_patiently(
        &mut self,
        events: &[EventEnvelope],
        confirmed: &mut i64,
    ) -> Result<(), BrokerFailed> {
        let mut waiting = Vec::with_capacity(events.len());
        for envelope in events {
            let body =
                serde_json::to_vec(envelope).map_err(|_| BrokerFailed::Unreadable(envelope.sequence))?;
            // Mandatory: the broker says when no queue takes it, instead of letting it go unseen.
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let (exchange, key) = (self.exchange.clone(), name(envelope.event.name()));
            let properties = properties(envelope, self.signing_key.as_ref(), &body);
            let sent = self.channel.basic_publish(exchange, key, options, &body, properties).await?;
            waiting.push((envelope, sent));
        }
        for (envelope, sent) in waiting {
            match sent.await? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(_)) => self.warn_of(envelope.event.name()),
                Confirmation::Nack(_) | Confirmation::NotRequested => return Err(BrokerFailed::NotTaken),
            }
            *confirmed = envelope.sequence;
        }
        Ok(())
    }

    fn warn_of(&mut self, event: &'static str) {
        metrics::counter!("maxray_broker_unroutable_total", "event" => event).increment(1);
        if self.warned.get(event).is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            self.warned.insert(event, Instant::now());
            tracing::warn!(
                event,
                "no queue of the broker takes this event: bind one, or name one in broker.queues"
            );
        }
    }
}

/// A connection whose socket is held.
async fn connect(broker: &Broker, socket: Socket) -> Result<Connection, BrokerFailed> {
    let properties = ConnectionProperties::default().with_connection_name("maxray".into());
    let runtime = lapin::runtime::default_runtime()?;
    let (address, tls) = (broker.address.clone(), broker.tls.clone());
    let authority = (address.authority.host.trim_matches(['[', ']']).to_owned(), address.authority.port);
    let found = tokio::net::lookup_host(authority).await.map_err(lapin::Error::from)?;
    let found: Vec<SocketAddr> = found.collect();
    let connection = Connection::connector(
        address,
        runtime,
        async move |address: AMQPUri, runtime| {
            let stream = AsyncTcpStream::connect(&runtime, found.clone()).await?;
            if let AsyncTcpStream::Plain(stream) = &stream {
                socket.hold(stream.get_ref())?;
            }
            Ok(match address.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&address.authority.host, tls.as_ref()).await?,
            })
        },
        properties,
    );
    Ok(connection.await?)
}

/// So much time, or the broker is given up.
async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, BrokerFailed>>,
) -> Result<T, BrokerFailed> {
    tokio::time::timeout(time, work).await.map_err(|_| BrokerFailed::Silent)?
}

/// The exchange, the configured queues, and the queue of what consumers gave back too often.
async fn declare(broker: &Broker, connection: &Connection, channel: &Channel) -> Result<(), BrokerFailed> {
    let config = &broker.config;
    let exchange = name(&config.exchange);
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(exchange.clone(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    if config.queues.is_empty() {
        return Ok(());
    }
    let dead = name(&format!("{}.dead", config.exchange));
    channel.exchange_declare(dead.clone(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;
    declare_queue(connection, dead.clone(), quorum()).await?;
    bind(channel, dead.clone(), dead.clone(), ShortString::default()).await?;
    for (queue, keys) in &config.queues {
        let mut arguments = quorum();
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongUInt(config.delivery_limit));
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(dead.as_str().into()));
        declare_queue(connection, name(queue), arguments).await?;
        for key in keys {
            bind(channel, name(queue), exchange.clone(), name(key)).await?;
        }
    }
    Ok(())
}

/// A queue with other settings is left as it is: it may hold events, and whoever made it so had a reason.
async fn declare_queue(
    connection: &Connection,
    queue: ShortString,
    arguments: FieldTable,
) -> Result<(), BrokerFailed> {
    // The broker closes the channel on which it refuses.
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.clone(), options, arguments).await {
        Ok(_) => Ok(channel.close(200, "done".into()).await?),
        Err(error) if has_other_settings(&error) => {
            tracing::warn!(
                queue = queue.as_str(),
                "the queue is there with other settings, and is left as it is"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn has_other_settings(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
}

async fn bind(
    channel: &Channel,
    queue: ShortString,
    exchange: ShortString,
    key: ShortString,
) -> Result<(), BrokerFailed> {
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    Ok(channel.queue_bind(queue, exchange, key, options, arguments).await?)
}

/// A queue whose messages lie on most of the broker's nodes before they are confirmed.
fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

fn name(name: &str) -> ShortString {
    ShortString::from(name)
}

fn properties(envelope: &EventEnvelope, signing_key: Option<&SigningKey>, body: &[u8]) -> BasicProperties {
    let timestamp = seconds(envelope.at);
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(name(&envelope.event_id.to_string()))
        .with_type(name(envelope.event.name()))
        .with_app_id("maxray".into())
        .with_timestamp(timestamp);
    let mut headers = FieldTable::default();
    // RabbitMQ routes by this key as well as by the name, and gives a queue that both lead to one message.
    if let Some(key) = envelope.event.detailed_name() {
        let keys = FieldArray::from(vec![AMQPValue::LongString(key.into())]);
        headers.insert("CC".into(), AMQPValue::FieldArray(keys));
    }
    if let Some(key) = signing_key {
        let signature = key.sign(envelope, timestamp, body);
        headers.insert(signature::HEADER.into(), AMQPValue::LongString(signature.into()));
    }
    if headers.inner().is_empty() { properties } else { properties.with_headers(headers) }
}

/// Since 1970, as AMQP counts time.
fn seconds(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp()).unwrap_or(0)
}
