//! The accounts behind the archive as what knows people: passwords as `POST /sessions` takes them, tokens as DICOMweb does.

use database::UserKind;
use model::access::Principal;
use service::identity::{Attempting, Authenticator, SignIn, SignInRefused, TokenRefused};

use crate::{
    archive_backend::{House, actor},
    backend::Peer,
    identification::{Identify, NotProved, Person, Proof},
    upper_layer::user_identity::Claim,
};

/// A proof that failed, in the audit trail; what comes of it for the association has a record of its own.
const AUTHENTICATE: &str = "authenticate";

/// What proves people: the same as behind the other doors.
#[derive(Clone)]
pub struct Identification {
    /// Proves passwords.
    pub sign_in: SignIn,
    /// Proves tokens.
    pub authenticator: Authenticator,
}

impl House {
    async fn by_passcode(
        &self,
        peer: &Peer,
        username: &str,
        passcode: String,
    ) -> Result<Option<Person>, NotProved> {
        let attempting = Attempting { address: Some(peer.address), actor: actor(peer), action: AUTHENTICATE };
        let proved = self.identification().sign_in.prove_password(username, passcode, attempting).await;
        match proved {
            Ok(user) => Ok(Some(Person {
                principal: Principal::new(user.id, user.role, user.doctor_id),
                proof: Proof::Passcode { password_hash: user.password_hash },
            })),
            Err(SignInRefused::Wrong) => Err(NotProved::Wrong),
            Err(SignInRefused::TooMany { .. }) => Err(NotProved::TriedTooOften),
            Err(error @ (SignInRefused::Busy | SignInRefused::Database(_) | SignInRefused::Failed(_))) => {
                tracing::warn!(%error, "a passcode cannot be checked");
                Err(NotProved::Unavailable)
            }
        }
    }

    async fn principal_of(&self, token: &str) -> Result<Principal, TokenRefused> {
        self.identification().authenticator.authenticate(token).await
    }
}

fn not_proved(refused: &TokenRefused) -> NotProved {
    match refused {
        TokenRefused::Invalid(_) => NotProved::Wrong,
        TokenRefused::Unavailable => NotProved::Unavailable,
    }
}

impl Identify for House {
    async fn identify(&self, peer: &Peer, claim: Claim) -> Result<Option<Person>, NotProved> {
        match claim {
            Claim::Unproved => Ok(None),
            Claim::Unreadable => Err(NotProved::Wrong),
            Claim::Passcode { username, mut passcode } => {
                self.by_passcode(peer, &username, std::mem::take(&mut *passcode)).await
            }
            Claim::Token(token) => match self.principal_of(&token).await {
                Ok(principal) => Ok(Some(Person { principal, proof: Proof::Token(token) })),
                Err(refused) => {
                    tracing::debug!(%refused, "token refused");
                    let (address, association) = (peer.address.to_string(), peer.association_id.to_string());
                    self.identification().authenticator.note_refusal(&refused, &address, &association).await;
                    Err(not_proved(&refused))
                }
            },
        }
    }

    async fn identify_again(&self, person: &Person) -> Result<Principal, NotProved> {
        match &person.proof {
            Proof::Token(token) => self.principal_of(token).await.map_err(|refused| {
                tracing::info!(%refused, "the token of an association is not good any more");
                not_proved(&refused)
            }),
            Proof::Passcode { password_hash } => {
                let found = self.archive().database().user(person.principal.user_id).await;
                let found = found.map_err(|error| {
                    tracing::error!(%error, "an account cannot be looked up");
                    NotProved::Unavailable
                })?;
                // A new passcode ends what the old one opened, as it ends sessions.
                let same = found.filter(|user| {
                    user.active && user.kind == UserKind::Person && user.password_hash == *password_hash
                });
                same.map(|user| Principal::new(user.id, user.role, user.doctor_id)).ok_or(NotProved::Wrong)
            }
        }
    }
}
