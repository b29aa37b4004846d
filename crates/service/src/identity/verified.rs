//! Tokens whose signature was found good, so that it is checked once and not with every request: a check of ES256 takes
//! a fifth of the time of a small request.
//!
//! What is remembered belongs to the keys that verified it and goes with them. It says only what the token says: whether
//! the key is still good, the times, the session and the account are looked at with every request, as before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};

/// Tokens that are remembered at most: some 2 MB.
const REMEMBERED_MAX: usize = 4_096;

/// What good tokens claim, by the SHA-256 of the token: nobody can take a token from the memory of this process.
pub(super) struct VerifiedTokens<C>(Mutex<HashMap<[u8; 32], Arc<C>>>);

impl<C> VerifiedTokens<C> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// What this very token claims, when it was verified before; otherwise what `verify` finds, which is remembered.
    /// A token that is refused is verified anew each time, so that nobody without one can fill the memory.
    pub(super) fn claims_or_else<E>(
        &self,
        token: &str,
        verify: impl FnOnce() -> Result<C, E>,
    ) -> Result<Arc<C>, E> {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        // Held for a look into a table, and never while a signature is checked.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(claims) = known {
            return Ok(claims);
        }
        let claims = Arc::new(verify()?);
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            // Who comes again is verified again: simpler than an order of age, and as fast for every usual number.
            remembered.clear();
        }
        remembered.insert(key, Arc::clone(&claims));
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_token_is_verified_once_and_a_bad_one_each_time() {
        let tokens = VerifiedTokens::new();
        let mut verified = 0;
        let mut ask = |token: &str, good: bool| {
            let found = tokens.claims_or_else(token, || {
                verified += 1;
                if good { Ok(token.len()) } else { Err("bad") }
            });
            found.map(|claims| *claims)
        };
        assert_eq!(ask("a.b.c", true), Ok(5));
        assert_eq!(ask("a.b.c", true), Ok(5));
        assert_eq!(ask("a.b.d", false), Err("bad"));
        assert_eq!(ask("a.b.d", false), Err("bad"));
        assert_eq!(verified, 3);
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let tokens = VerifiedTokens::new();
        for number in 0..3 * REMEMBERED_MAX {
            tokens.claims_or_else(&number.to_string(), || Ok::<_, ()>(number)).expect("good");
            assert!(tokens.0.lock().expect("no panic").len() <= REMEMBERED_MAX);
        }
        let last = 3 * REMEMBERED_MAX - 1;
        assert_eq!(tokens.claims_or_else(&last.to_string(), || Err(())), Ok(Arc::new(last)));
    }
}
