//! PS3.7 D.3.3.7 and PS3.15 B.5: the person for whom an association is made, proved when it is made and asked for again
//! while it lasts.

use std::{fmt, future::Future};

use model::access::Principal;
use zeroize::Zeroizing;

use crate::{backend::Peer, upper_layer::user_identity::Claim};

/// A person, or a program with an account, whom a peer has proved to be.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account, and what its token was made for.
    pub principal: Principal,
    /// What proves it, to be looked at again.
    pub(crate) proof: Proof,
}

/// What proves a person. It stands in no log.
#[derive(Clone)]
pub(crate) enum Proof {
    /// The hash that the passcode fitted: another one means another passcode.
    Passcode { password_hash: String },
    /// The token.
    Token(Zeroizing<String>),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passcode { .. } => "Passcode",
            Self::Token(_) => "Token",
        })
    }
}

/// Why a claim is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotProved {
    /// The same for a wrong passcode, a name that nobody has, an account that may not sign in, and a token that is not
    /// good, or not any more.
    Wrong,
    /// Too many have failed; what is right counts no more than what is wrong for now.
    TriedTooOften,
    /// It cannot be known now.
    Unavailable,
}

/// What the house knows of people.
pub trait Identify: Send + Sync + 'static {
    /// Who this is. A claim that proves nothing is nobody.
    fn identify(
        &self,
        peer: &Peer,
        claim: Claim,
    ) -> impl Future<Output = Result<Option<Person>, NotProved>> + Send;

    /// Whether the same proof is still good, and what the account may do by now.
    fn identify_again(&self, person: &Person) -> impl Future<Output = Result<Principal, NotProved>> + Send;
}
