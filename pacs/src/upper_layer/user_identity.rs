//! PS3.7 D.3.3.7, user identity negotiation: what a requestor says of itself, and the answer to it.

use std::fmt;

use zeroize::Zeroizing;

/// User Identity of an A-ASSOCIATE-RQ (PS3.7 table D.3-14).
pub const USER_IDENTITY_ITEM: u8 = 0x58;
/// User Identity of an A-ASSOCIATE-AC (PS3.7 table D.3-15).
pub const USER_IDENTITY_ANSWER_ITEM: u8 = 0x59;
/// Server-response-length of an answer without Server-response, as it is for names, passcodes and tokens (PS3.7 table
/// D.3-15).
pub const EMPTY_SERVER_RESPONSE: [u8; 2] = [0, 0];

/// User-Identity-Type: a name and a passcode.
const USERNAME_AND_PASSCODE: u8 = 2;
/// User-Identity-Type: a JSON Web Token.
const JSON_WEB_TOKEN: u8 = 5;
/// Positive-response-requested.
const POSITIVE_RESPONSE_REQUESTED: u8 = 1;

/// Longest user name: no account has a longer one.
const USERNAME_LENGTH_MAX_BYTES: usize = 4 * 64;
/// Longest passcode: no account has a longer one.
const PASSCODE_LENGTH_MAX_BYTES: usize = 1024;
/// Longest token.
const TOKEN_LENGTH_MAX_BYTES: usize = 8 * 1024;

/// What a requestor says of itself.
#[derive(Debug)]
pub struct UserIdentity {
    /// Who it says that it is.
    pub claim: Claim,
    /// It wants to hear that it was believed.
    pub positive_response_requested: bool,
}

/// Who somebody says to be. What proves it is wiped from memory with it, and stands in no log.
pub enum Claim {
    /// By what anybody can say, or in a way that is not known here: a name alone, a Kerberos ticket, a SAML assertion.
    /// It proves nothing.
    Unproved,
    /// By a user name and its passcode.
    Passcode {
        /// The name.
        username: String,
        /// The passcode.
        passcode: Zeroizing<String>,
    },
    /// By a JSON Web Token.
    Token(Zeroizing<String>),
    /// By a name, passcode or token that is no text, or longer than any.
    Unreadable,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unproved => "Unproved",
            Self::Passcode { .. } => "Passcode",
            Self::Token(_) => "Token",
            Self::Unreadable => "Unreadable",
        })
    }
}

impl UserIdentity {
    /// Reads what follows Item-length. `None`: the fields do not add up to the item.
    pub fn read(item: &[u8]) -> Option<Self> {
        let (&[identity_type, positive_response], fields) = item.split_first_chunk::<2>()?;
        let (primary, rest) = split_field(fields)?;
        let (secondary, rest) = split_field(rest)?;
        if !rest.is_empty() {
            return None;
        }
        let claim = match identity_type {
            USERNAME_AND_PASSCODE => passcode(primary, secondary),
            JSON_WEB_TOKEN => text(primary, TOKEN_LENGTH_MAX_BYTES)
                .map_or(Claim::Unreadable, |token| Claim::Token(Zeroizing::new(token))),
            _ => Claim::Unproved,
        };
        let positive_response_requested = positive_response == POSITIVE_RESPONSE_REQUESTED;
        Some(Self { claim, positive_response_requested })
    }
}

fn passcode(primary: &[u8], secondary: &[u8]) -> Claim {
    let passcode = text(secondary, PASSCODE_LENGTH_MAX_BYTES).map(Zeroizing::new);
    match (text(primary, USERNAME_LENGTH_MAX_BYTES), passcode) {
        (Some(username), Some(passcode)) => Claim::Passcode { username, passcode },
        _ => Claim::Unreadable,
    }
}

/// Takes a field with its length before it off the front.
fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// UTF-8 that is not too long.
fn text(bytes: &[u8], length_max: usize) -> Option<String> {
    let bytes = Some(bytes).filter(|bytes| bytes.len() <= length_max)?;
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(head: [u8; 2], primary: &[u8], secondary: &[u8]) -> Vec<u8> {
        let length = |field: &[u8]| (field.len() as u16).to_be_bytes();
        [&head[..], &length(primary), primary, &length(secondary), secondary].concat()
    }

    fn claim(head: [u8; 2], primary: &[u8], secondary: &[u8]) -> Claim {
        UserIdentity::read(&item(head, primary, secondary)).expect("an item").claim
    }

    #[test]
    fn names_passcodes_and_tokens_are_read() {
        let read = UserIdentity::read(&item([2, 1], "jörg".as_bytes(), b"pass")).expect("an item");
        assert!(read.positive_response_requested);
        match read.claim {
            Claim::Passcode { username, passcode } => assert_eq!((&*username, &**passcode), ("jörg", "pass")),
            other => panic!("{other:?}"),
        }
        let read = UserIdentity::read(&item([5, 0], b"a.b.c", b"")).expect("an item");
        assert!(!read.positive_response_requested);
        assert!(matches!(read.claim, Claim::Token(token) if *token == "a.b.c"));
        for unproved in [0, 1, 3, 4, 6, 255] {
            assert!(matches!(claim([unproved, 1], b"ann", b""), Claim::Unproved), "{unproved}");
        }
    }

    #[test]
    fn what_is_no_text_or_too_long_proves_nothing() {
        let long = vec![b'a'; usize::from(u16::MAX)];
        for (kind, primary, secondary) in [
            (2, &b"\xff"[..], &b"pass"[..]),
            (2, b"ann", b"\xff"),
            (2, &long[..=USERNAME_LENGTH_MAX_BYTES], b"pass"),
            (2, b"ann", &long),
            (5, b"\xff", b""),
            (5, &long, b""),
        ] {
            assert!(matches!(claim([kind, 1], primary, secondary), Claim::Unreadable), "{kind}");
        }
    }

    #[test]
    fn fields_that_do_not_add_up_are_no_item() {
        let whole = item([2, 1], b"ann", b"pass");
        for length in 0..whole.len() {
            assert!(UserIdentity::read(&whole[..length]).is_none(), "{length}");
        }
        assert!(UserIdentity::read(&[&whole[..], b"x"].concat()).is_none());
        assert!(UserIdentity::read(&[2, 1, 0xff, 0xff, 1, 0, 0]).is_none());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let read = UserIdentity::read(&item([2, 1], b"ann", b"hunter2")).expect("an item");
        let shown = format!("{read:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("ann"), "{shown}");
    }
}
