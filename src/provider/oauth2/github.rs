//! GitHub, and GitHub Enterprise Server: what its REST API calls what.

use url::Url;

use super::{AccountApi, AccountList, ListMeaning};
use crate::oidc::client_auth::AuthMethod;

impl AccountApi {
    /// GitHub at `web` (`https://github.com`) with its API at `api` (`https://api.github.com`, or
    /// `https://HOST/api/v3` of a server of one's own). `None` if either cannot have a path below it.
    ///
    /// Groups are organisations (`acme`) and teams (`acme/operators`); both need the scope `read:org`, the address
    /// `user:email`. The subject is the numeric id: a login can be given up and taken by somebody else.
    pub fn github(web: &Url, api: &Url) -> Option<Self> {
        let groups = |fields: &[&str]| ListMeaning::Values {
            claim: "groups".to_owned(),
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
        };
        let list = |path: &str, meaning| {
            Some(AccountList {
                endpoint: below(api, path)?,
                meaning,
                page_size_parameter: "per_page".to_owned(),
                page_size: 100,
            })
        };
        Some(Self {
            issuer: web.as_str().trim_end_matches('/').to_owned(),
            authorization_endpoint: below(web, "login/oauth/authorize")?,
            token_endpoint: below(web, "login/oauth/access_token")?,
            account_endpoint: below(api, "user")?,
            // Its documents have id and secret in the body.
            auth_method: AuthMethod::ClientSecretPost,
            subject: "id".to_owned(),
            email: None,
            claims: [
                ("preferred_username", "login"),
                ("name", "name"),
                ("picture", "avatar_url"),
                ("profile", "html_url"),
            ]
            .map(|(claim, field)| (claim.to_owned(), field.to_owned()))
            .into(),
            lists: vec![
                list("user/emails", ListMeaning::Addresses)?,
                list("user/orgs", groups(&["login"]))?,
                list("user/teams", groups(&["organization.login", "slug"]))?,
            ],
        })
    }
}

/// `base` with `path` below its own.
fn below(base: &Url, path: &str) -> Option<Url> {
    Url::parse(&format!("{}/{path}", base.as_str().trim_end_matches('/'))).ok()
}
