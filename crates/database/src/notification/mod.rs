//! What is told to whom, and when: reminders, webhooks, and deliveries on their way.

mod delivery;
mod fan_out;
mod reminder;
mod webhook;

pub(crate) use self::reminder::plan_reminders;
pub use self::{
    delivery::{Attempt, Delivery, DeliveryFilter, DeliveryOutcome, DeliveryState},
    fan_out::Receivers,
    webhook::{NewWebhook, Webhook},
};

/// How long before a consultation its doctor is reminded, in minutes, when the configuration does not say.
pub const REMINDER_MINUTES_BEFORE: [u32; 3] = [1_440, 60, 10];
