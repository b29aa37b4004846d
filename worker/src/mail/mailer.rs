//! The way to the mail server (SMTP, RFC 5321).

use std::time::Duration;

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    address::AddressError,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use model::clinical::Doctor;
use service::notifications::MailConfig;
use uuid::Uuid;

use super::letter::Letter;

/// Why an e-mail was not taken whose time was over.
const NO_ANSWER: &str = "the mail server did not answer in time";

/// Sends e-mails; cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// Of one e-mail; the transport's own is of each step.
    timeout: Duration,
    from: Mailbox,
    link: String,
}

/// The settings make no mailer.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The address of the server makes no sense.
    #[error("notifications.mail.smtp_url is as smtps://user:password@mail.example.org")]
    Server(#[from] lettre::transport::smtp::Error),
    /// The sender is no address.
    #[error("notifications.mail.from is as MaxRay <maxray@example.org>")]
    From(#[from] AddressError),
}

/// Why an e-mail was not taken. The text names nobody.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct MailFailed {
    reason: String,
    /// Trying again does not help.
    pub is_final: bool,
}

impl Mailer {
    /// A mailer, when a server is configured.
    ///
    /// # Errors
    /// See [`MailerError`].
    pub fn new(config: &MailConfig) -> Result<Option<Self>, MailerError> {
        if config.smtp_url.is_empty() {
            return Ok(None);
        }
        let timeout = Duration::from_millis(config.request_timeout_ms);
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.smtp_url)?;
        let transport = builder.timeout(Some(timeout)).build();
        Ok(Some(Self { transport, timeout, from: config.from.parse()?, link: config.link.clone() }))
    }

    /// What a letter says to find a consultation: a link, or the id alone.
    pub(super) fn link_to(&self, consultation: Uuid) -> String {
        format!("{}{consultation}", self.link)
    }

    /// Sends once. The Message-ID is the event's: of one that comes twice a mailbox may keep one.
    pub(super) async fn send(&self, to: Address, letter: &Letter, event_id: Uuid) -> Result<(), MailFailed> {
        let header =
            |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            .message_id(Some(format!("<{event_id}@{}>", self.from.email.domain())))
            // RFC 3834 5: so that nobody's answering machine answers.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|_| MailFailed { reason: "the e-mail cannot be composed".to_owned(), is_final: true })?;
        match tokio::time::timeout(self.timeout, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Err(_) => Err(MailFailed { reason: NO_ANSWER.to_owned(), is_final: false }),
            Ok(Err(error)) => Err(MailFailed { reason: reason(&error), is_final: error.is_permanent() }),
        }
    }
}

/// Without the server's words, which may name the receiver.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => NO_ANSWER.to_owned(),
        None => "the mail server cannot be reached".to_owned(),
    }
}

/// Where a doctor reads e-mail: the profile's e-mail, or the contact when it is one.
pub(super) fn address_of(doctor: &Doctor) -> Option<Address> {
    [&doctor.details.email, &doctor.contact].into_iter().find_map(|text| text.trim().parse().ok())
}
