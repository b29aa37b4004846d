//! Telling the outside what happens: settings, which addresses may be reached, and how a webhook knows who sends.

mod address;
mod config;
mod mail;
mod signature;

pub use self::{
    address::{AddressRefused, AddressRules, WebhookAddress},
    config::{NotificationsConfig, NotificationsConfigError, WebhooksConfig},
    mail::MailConfig,
    signature::WebhookSecret,
};
