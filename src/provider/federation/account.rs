//! Whose an access token is, where a provider's API says it: asked over TLS, at addresses of the configuration.

use futures_util::future::{try_join, try_join_all};

use super::Federation;
use super::answers::{failed_redemption, refused};
use crate::identity::ApiAccount;
use crate::oidc::token::{self, TokenFault};
use crate::provider::oauth2::{AccountApi, AccountList, Listed, MOST_PAGES, read_account, read_page};
use crate::provider::{Carrier, CodeGrant, ProviderError};
use crate::secret::SecretString;

impl Federation {
    /// Redeems the code, and asks whose the access token is.
    pub(super) async fn account_of(
        &self,
        api: &AccountApi,
        carrier: &Carrier,
        grant: &CodeGrant<'_>,
    ) -> Result<ApiAccount, ProviderError> {
        // A sign-in that began before the configuration changed goes nowhere else than the configuration says now.
        if carrier.token_endpoint != api.token_endpoint || carrier.issuer != api.issuer {
            return Err(ProviderError::untrusted("the provider's addresses have changed since the sign-in began"));
        }
        let guard = self.guard(&carrier.issuer)?;
        let token = guard.run(self.redeem_access_token(carrier, grant)).await;
        self.stats.redemptions.count(&token);
        self.record(carrier, &token);
        let token = token?;
        let account = guard.run(self.ask_account(api, &token)).await;
        self.stats.userinfo.count(&account);
        self.record(carrier, &account);
        account
    }

    /// As [`Federation::redeem_once`], where no ID token comes.
    async fn redeem_access_token(
        &self,
        carrier: &Carrier,
        grant: &CodeGrant<'_>,
    ) -> Result<SecretString, ProviderError> {
        let shown = self.credentials(carrier, grant.now)?;
        let form = token::token_form(grant.code, grant.redirect_uri, grant.code_verifier, None, &shown.form);
        let authorization = shown.authorization.as_ref();
        let answer = self.client.post_form("redemption", &carrier.token_endpoint, authorization, &form).await?;
        match answer.status {
            200 | 201 => token::parse_access_token(&answer.body).map_err(|fault| match fault {
                TokenFault::Refused(code) => refused(&answer, code),
                _ => answer.blame(ProviderError::invalid("token answer without usable access token")),
            }),
            _ => Err(failed_redemption(&answer)),
        }
    }

    /// Asks an API for the account that `token` belongs to, and for the lists beside it.
    async fn ask_account(&self, api: &AccountApi, token: &SecretString) -> Result<ApiAccount, ProviderError> {
        let account = async {
            let answer = self.client.get_bearer("account", &api.account_endpoint, token).await?;
            match answer.status {
                200 => Ok(answer),
                401 => Err(answer.blame(ProviderError::refused("invalid_token"))),
                429 | 503 => Err(answer.overloaded()),
                _ => Err(answer.blame(ProviderError::invalid("unexpected status"))),
            }
        };
        let lists = try_join_all(api.lists.iter().map(|list| self.ask_list(list, token)));
        let (answer, lists) = try_join(account, lists).await?;
        let lists = lists.into_iter().flatten().collect();
        read_account(api, &answer.body, lists)
            .map_err(|fault| answer.blame(ProviderError::invalid("not an account")).found(&fault.to_string()))
    }

    /// All pages of one list. A list that the access token does not reach is empty: what nobody said opens nothing.
    async fn ask_list(&self, list: &AccountList, token: &SecretString) -> Result<Vec<Listed>, ProviderError> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut url = list.endpoint.clone();
            url.query_pairs_mut()
                .append_pair(&list.page_size_parameter, &list.page_size.to_string())
                .append_pair("page", &page.to_string());
            let answer = self.client.get_bearer("account list", &url, token).await?;
            match answer.status {
                200 => {}
                403 | 404 => {
                    let endpoint = list.endpoint.as_str();
                    tracing::warn!(
                        endpoint,
                        status = answer.status,
                        "A list of the provider's API is not for us; is a scope missing?"
                    );
                    return Ok(Vec::new());
                }
                429 | 503 => return Err(answer.overloaded()),
                _ => return Err(answer.blame(ProviderError::invalid("unexpected status"))),
            }
            let read = read_page(&answer.body, &list.meaning);
            let read = read.map_err(|fault| {
                answer.blame(ProviderError::invalid("not a list of an account")).found(&fault.to_string())
            })?;
            all.extend(read.listed);
            if read.items != list.page_size {
                return Ok(all);
            }
        }
        tracing::warn!(
            endpoint = list.endpoint.as_str(),
            pages = MOST_PAGES,
            "A list of the provider's API was read in part"
        );
        Ok(all)
    }
}
