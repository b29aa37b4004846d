//! One connection to the broker: what is made there, and what is published.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable, ShortString},
};
use model::event::EventEnvelope;
use tokio::time::Instant;

use super::{Broker, BrokerFailed};

/// `delivery_mode` of what has to survive a restart of the broker.
const PERSISTENT: u8 = 2;
/// Time between two warnings that nobody takes an event of one name.
const WARNING_INTERVAL: Duration = Duration::from_mins(10);

/// A connection whose broker confirms what it took.
pub(super) struct Session {
    exchange: ShortString,
    channel: Channel,
    /// When it was last said that nobody takes events of that name.
    warned: HashMap<&'static str, Instant>,
    // Dropped last, it closes the channel.
    _connection: Connection,
}

impl Session {
    /// Connects, and makes what is not there yet.
    pub(super) async fn open(broker: &Broker) -> Result<Self, BrokerFailed> {
        within(broker.config.request_timeout(), Self::open_patiently(broker)).await
    }

    async fn open_patiently(broker: &Broker) -> Result<Self, BrokerFailed> {
        let properties = ConnectionProperties::default().with_connection_name("maxray".into());
        let runtime = lapin::runtime::default_runtime()?;
        let (address, tls) = (broker.address.clone(), broker.tls.clone());
        let connection = Connection::connect_uri_with_config(address, properties, tls, runtime).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        declare(broker, &connection, &channel).await?;
        let exchange = name(&broker.config.exchange);
        Ok(Self { exchange, channel, warned: HashMap::new(), _connection: connection })
    }

    /// Sends events that follow each other; they are the broker's when this returns. After an error some of them may be.
    pub(super) async fn publish(
        &mut self,
        broker: &Broker,
        events: &[EventEnvelope],
    ) -> Result<(), BrokerFailed> {
        within(broker.config.request_timeout(), self.publish_patiently(events)).await
    }

    async fn publish_patiently(&mut self, events: &[EventEnvelope]) -> Result<(), BrokerFailed> {
        let mut waiting = Vec::with_capacity(events.len());
        for envelope in events {
            let body =
                serde_json::to_vec(envelope).map_err(|_| BrokerFailed::Unreadable(envelope.sequence))?;
            // Mandatory: the broker says when no queue takes it, instead of letting it go unseen.
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let (exchange, key) = (self.exchange.clone(), name(envelope.event.name()));
            let sent =
                self.channel.basic_publish(exchange, key, options, &body, properties(envelope)).await?;
            waiting.push((envelope.event.name(), sent));
        }
        for (name, sent) in waiting {
            match sent.await? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(_)) => self.warn_of(name),
                Confirmation::Nack(_) | Confirmation::NotRequested => return Err(BrokerFailed::NotTaken),
            }
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

fn properties(envelope: &EventEnvelope) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(name(&envelope.event_id.to_string()))
        .with_type(name(envelope.event.name()))
        .with_app_id("maxray".into())
        .with_timestamp(seconds(envelope.at))
}

/// Since 1970, as AMQP counts time.
fn seconds(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp()).unwrap_or(0)
}
