//! OAuth 2.0 providers without ID tokens: a profile that is known, or one that the configuration describes.

use super::{Resolver, values};
use crate::config::fault::shown;
use crate::config::file::{AccountApiFile, List, OAuth2File, ProfileWord, SecretMethodWord};
use crate::oidc::client_auth::AuthMethod;
use crate::provider::{AccountApi, AccountList, ListMeaning};

/// Claims that an API's field cannot be: what proves something has a way of its own, or none.
const PROVEN: [&str; 15] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "nonce",
    "azp",
    "acr",
    "amr",
    "assurance",
    "auth_time",
    "email_verified",
    "phone_number_verified",
    "sid",
];

impl Resolver<'_> {
    /// The API of the provider at `section`.
    pub(super) fn account_api(&mut self, section: &str, file: &OAuth2File) -> Option<AccountApi> {
        let profile = file.profile?;
        let is_custom = profile == ProfileWord::Custom;
        let faults = [
            ("api", !is_custom && file.api.is_some(), "is for `profile: custom`; remove it"),
            (
                "web_url",
                is_custom && self.is_given(&format!("{section}.web_url")),
                "is for `profile: github`; write `api`",
            ),
            (
                "api_url",
                is_custom && self.is_given(&format!("{section}.api_url")),
                "is for `profile: github`; write `api`",
            ),
            (
                "api",
                is_custom && !self.is_given(&format!("{section}.api")),
                "is missing; `profile: custom` says nothing of itself",
            ),
            (
                "scopes",
                is_custom && !self.is_given(&format!("{section}.scopes")),
                "is missing; `profile: custom` has no scopes of its own",
            ),
        ];
        for (key, is_fault, text) in faults {
            if is_fault {
                self.fault(&format!("{section}.{key}"), text);
            }
        }
        match profile {
            ProfileWord::Github => AccountApi::github(&file.web_url.as_ref()?.0.0, &file.api_url.as_ref()?.0.0),
            ProfileWord::Custom => self.custom_api(&format!("{section}.api"), file.api.as_ref()?),
        }
    }

    fn custom_api(&mut self, section: &str, file: &AccountApiFile) -> Option<AccountApi> {
        let mut claims = Vec::new();
        for (claim, field) in file.claims.iter().flatten() {
            let key = format!("{section}.claims.{claim}");
            let plain =
                |text: &str| !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic());
            if PROVEN.contains(&claim.as_str()) {
                self.fault(&key, "is a claim that proves something; a field of an API does not");
            } else if claim == "email" {
                self.fault(&key, format!("is read with its proof: write `{section}.email`, or a list of addresses"));
            } else if !plain(claim) || !plain(field) {
                self.fault(&key, "is not one word of 1 to 128 signs of visible ASCII");
            } else {
                claims.push((claim.clone(), field.clone()));
            }
        }
        let mut lists = Vec::new();
        for (index, list) in file.lists.iter().flat_map(List::items) {
            let key = format!("{section}.lists[{index}]");
            let fields = values(list.fields.as_ref(), |field| field.0.0.clone());
            let meaning = match (&list.claim, fields.is_empty(), list.addresses == Some(true)) {
                (None, true, true) => ListMeaning::Addresses,
                (Some(claim), false, false) if PROVEN.contains(&claim.0.0.as_str()) || claim.0.0 == "email" => {
                    self.fault(
                        &format!("{key}.claim"),
                        format!("{} proves something; a list does not", shown(&claim.0.0)),
                    );
                    continue;
                }
                (Some(claim), false, false) => ListMeaning::Values { claim: claim.0.0.clone(), fields },
                _ => {
                    self.fault(&key, "is neither: write `claim` and `fields`, or `addresses: true` alone");
                    continue;
                }
            };
            lists.push(AccountList {
                endpoint: list.address.as_ref()?.0.0.clone(),
                meaning,
                page_size_parameter: list.page_size_parameter.as_ref()?.0.0.clone(),
                page_size: usize::try_from(list.page_size?).ok()?,
            });
        }
        Some(AccountApi {
            issuer: file.issuer.as_ref()?.0.0.clone(),
            authorization_endpoint: file.authorization.as_ref()?.0.0.clone(),
            token_endpoint: file.token.as_ref()?.0.0.clone(),
            account_endpoint: file.account.as_ref()?.0.0.clone(),
            auth_method: match file.token_endpoint_auth_method {
                Some(SecretMethodWord::ClientSecretBasic) => AuthMethod::ClientSecretBasic,
                _ => AuthMethod::ClientSecretPost,
            },
            subject: file.subject.as_ref()?.0.0.clone(),
            claims,
            email: match &file.email {
                Some(email) => Some((email.field.as_ref()?.0.0.clone(), email.verified.as_ref()?.0.0.clone())),
                None => None,
            },
            lists,
        })
    }
}
