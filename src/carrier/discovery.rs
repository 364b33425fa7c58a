//! Which carrier? The discovery issuer, asked by us, and the discovery UI, visited by the browser (dossier 5 and 6).
//!
//! Both answers are believed only as far as they can be checked: the UI's address must be the configured one, or the
//! discovery issuer could send our people anywhere; the configuration still has to pass the provider's trust list.

use url::Url;

use crate::oidc::authorization::{is_mccmnc, with_query};
use crate::oidc::json;
use crate::oidc::metadata::{MetadataError, ProviderMetadata, absolute_url};

/// What we say about ourselves; telemetry that carriers' clients send (dossier 20, row 45).
const SDK_VERSION: &str = concat!("zengate-", env!("CARGO_PKG_VERSION"));
/// Parameters of the discovery issuer that decide what is asked.
const ISSUER_PARAMETERS: [&str; 7] = ["client_id", "correlation_id", "ip", "mccmnc", "prompt", "sdk_version", "sub"];
/// Parameters of the discovery UI that decide where the browser comes back.
const UI_PARAMETERS: [&str; 5] = ["client_id", "prompt", "redirect_uri", "sdk_version", "state"];

/// The question to the discovery issuer: `base` with `/.well-known/openid_configuration` (underscore; dossier 2.1).
///
/// `mccmnc` is six digits, checked by the caller. `correlation_id` is not documented for this call; `None` leaves it
/// out.
pub fn discovery_url(base: &Url, client_id: &str, mccmnc: &str, correlation_id: Option<&str>) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/.well-known/openid_configuration", base.path().trim_end_matches('/')));
    let parameters = [
        ("client_id", Some(client_id)),
        ("mccmnc", Some(mccmnc)),
        ("correlation_id", correlation_id),
        ("sdk_version", Some(SDK_VERSION)),
    ];
    let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    with_query(&url, &ISSUER_PARAMETERS, given)
}

/// The discovery UI with our parameters. `base` is the configured UI, or the address a [`DiscoveryAnswer::AskUser`]
/// carries. `prompt` makes the UI ask even if it remembers a carrier: after `user_not_found`, once (dossier 6).
pub fn ui_url(base: &Url, client_id: &str, redirect_uri: &str, state: &str, prompt: bool) -> Url {
    let parameters =
        [("client_id", client_id), ("redirect_uri", redirect_uri), ("state", state), ("sdk_version", SDK_VERSION)];
    with_query(base, &UI_PARAMETERS, parameters.into_iter().chain(prompt.then_some(("prompt", "true"))))
}

/// What the discovery issuer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryAnswer {
    /// A carrier's configuration, for the carrier that was asked for; not yet compared with the trust list.
    Configuration(Box<ProviderMetadata>),
    /// It does not know. The person must go to this address, which is the configured UI's.
    AskUser(Url),
}

/// Why an answer of the discovery issuer is not usable. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryFault {
    /// The configuration is not usable as metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Not one JSON object with unique members.
    #[error("the answer is not a JSON object with unique members")]
    NotAnObject,
    /// The configuration is of another carrier than was asked for.
    #[error("the answer is for another carrier")]
    OtherCarrier,
    /// An error without a way on.
    #[error("the discovery issuer refused")]
    Refused,
    /// `redirect_uri` does not lead to the configured discovery UI.
    #[error("the answer leads away from the discovery UI")]
    RedirectNotTrusted,
    /// An unsuccessful status and no error in the body.
    #[error("the discovery issuer answered with an unexpected status")]
    Status,
}

impl DiscoveryAnswer {
    /// Reads an answer to a question about `asked` (six digits). Unlike its status, which differs between deployments,
    /// the body tells: an `error` with `redirect_uri` means "ask the person" whatever the error is (dossier 5).
    pub fn parse(status: u16, body: &[u8], configured_ui: &Url, asked: &str) -> Result<Self, DiscoveryFault> {
        let success = (200..300).contains(&status);
        let unreadable = if success { DiscoveryFault::NotAnObject } else { DiscoveryFault::Status };
        let members = json::object(body).ok_or(unreadable)?;
        if members.get("error").is_some_and(|error| !error.is_null()) {
            let way_on = members.get("redirect_uri").filter(|way_on| !way_on.is_null());
            let way_on = way_on.ok_or(DiscoveryFault::Refused)?.as_str().filter(|way_on| !way_on.trim().is_empty());
            let url = way_on.and_then(|way_on| inside(way_on, configured_ui));
            return url.map(Self::AskUser).ok_or(DiscoveryFault::RedirectNotTrusted);
        }
        if !success {
            return Err(DiscoveryFault::Status);
        }
        let metadata = ProviderMetadata::pick(&members)?;
        let code = metadata.mccmnc.clone()?;
        // A configuration filed under a wrong code would sign people of one carrier in at another.
        if code.as_deref().is_some_and(|code| code != asked) || !is_mccmnc(asked) {
            return Err(DiscoveryFault::OtherCarrier);
        }
        Ok(Self::Configuration(Box::new(metadata)))
    }
}

/// `text` as a URL if it has exactly the configured UI's origin and lies at or below its path.
///
/// Without this the discovery issuer, or whoever answers in its place, turns every sign-in into an open redirect
/// (dossier 5). What parsers read differently (dots, slashes and backslashes in disguise) is refused, not cleaned.
fn inside(text: &str, ui: &Url) -> Option<Url> {
    let url = absolute_url(text)?;
    let root = ui.path().trim_end_matches('/');
    let below = url.path().strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = url.path().to_ascii_lowercase();
    let disguised = ["%2e", "%2f", "%5c", "//"].iter().any(|disguise| path.contains(disguise));
    (url.origin() == ui.origin() && below && !disguised).then_some(url)
}

#[cfg(test)]
mod tests;
