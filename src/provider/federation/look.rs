//! Whether issuers work, for whoever wants to know it before somebody comes: asked now, remembered by nobody.

use std::time::SystemTime;

use futures_util::future::join_all;

use super::Federation;
use crate::provider::fetch_budget::Asker;
use crate::provider::{Provider as _, ProviderError};

impl Federation {
    /// Asks each issuer on the list that signs ID tokens for its configuration and its keys, as a sign-in with it would, all
    /// at the same time. What may keep people from signing in although both are sound is said in words.
    pub async fn look_at_issuers(&self, now: SystemTime) -> Vec<(String, Result<Option<String>, ProviderError>)> {
        let federation = &self.settings.federation;
        let asked = federation.members.iter().filter(|_| federation.profile.issues_id_tokens);
        let looks = asked.map(|member| async move {
            let answer = async {
                let (carrier, doubt) = self.configurations.look(&member.issuer).await?;
                self.keys(&carrier, None, now).await?;
                Ok(doubt)
            };
            (member.issuer.clone(), answer.await)
        });
        join_all(looks).await
    }

    /// Asks each issuer of access tokens for its keys, as the first request with a token would.
    pub async fn look_at_token_issuers(&self, now: SystemTime) -> Vec<(String, Result<(), ProviderError>)> {
        let looks = self.settings.token_issuers.iter().map(|issuer| async move {
            let keys = self.token_issuers.keys(&issuer.issuer, None, Asker::SignIn, now).await;
            (issuer.issuer.clone(), keys.map(drop))
        });
        join_all(looks).await
    }
}
