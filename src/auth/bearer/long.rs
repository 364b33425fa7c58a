//! Long access tokens: their signature comes before anything that they say.
//!
//! To read a token of 12 KB with a thousand claims costs more than a signature, and anybody can write one. So who sends
//! long tokens that no issuer has signed is stopped by the same limit as whoever forges short ones, and nothing is read of
//! them but the header.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Tokens, is_same};
use crate::auth::refusal::{Denied, Refusal};
use crate::oidc::TokenError;
use crate::oidc::access_token::UnreadAccessToken;
use crate::oidc::jwks::KeySet;
use crate::snapshot::{TokenIssuer, TokenRule};
use crate::web::RequestView;

impl Tokens {
    /// Refuses a token that none of the route's issuers has signed. Keys at hand are looked at first; an issuer is asked for
    /// newer ones, within its budget and the client's, only if none of those at hand can be meant.
    pub(super) async fn signed_by_an_issuer(
        &self,
        token: &UnreadAccessToken,
        rule: &TokenRule,
        key: &[u8; 32],
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<(), Denied> {
        self.may_fail(view, now)?;
        let mut error = TokenError::UnknownKey;
        let mut judged = Vec::new();
        for known in rule.issuers() {
            let at_hand = self.provider.token_keys_at_hand(&known.settings.issuer, now);
            match at_hand.and_then(|keys| self.is_signed(token, known, &keys, key)) {
                None => continue,
                Some(Ok(())) => return Ok(()),
                Some(Err(why)) => error = why,
            }
            judged.push(known.settings.issuer.as_str());
        }
        let mut without_keys: Option<Refusal> = None;
        for known in rule.issuers() {
            let issuer = known.settings.issuer.as_str();
            let newer = match token.kid() {
                // The key that it names is there and has not signed it: no newer one will have.
                Some(_) if judged.contains(&issuer) => continue,
                Some(kid) => self.provider.token_keys(issuer, Some(kid), view.client, now).await,
                None => self.provider.token_keys_after_rotation(issuer, view.client, now).await,
            };
            match newer {
                Err(why) => without_keys = Some(self.no_keys(&why, issuer, view)),
                Ok(keys) => match self.is_signed(token, known, &keys, key) {
                    None => {}
                    Some(Ok(())) => return Ok(()),
                    Some(Err(why)) => error = why,
                },
            }
        }
        match without_keys {
            Some(refusal) => Err(refusal.into()),
            None => Err(self.forged(error, view, now)),
        }
    }

    /// Whether a key of `keys` has signed it; `None` if none of them can be meant. What was found forged once costs no
    /// second signature while the keys are the same.
    fn is_signed(
        &self,
        token: &UnreadAccessToken,
        known: &TokenIssuer,
        keys: &Arc<KeySet>,
        key: &[u8; 32],
    ) -> Option<Result<(), TokenError>> {
        if token.kid().is_some_and(|kid| !keys.has_kid(kid)) {
            return None;
        }
        if self.forged.get(key).is_some_and(|before| is_same(&before, keys)) {
            return Some(Err(TokenError::SignatureInvalid));
        }
        let found = token.check_signature(keys, &known.settings.algorithms);
        if found == Err(TokenError::SignatureInvalid) {
            self.forged.insert(*key, Arc::downgrade(keys));
        }
        Some(found)
    }
}
