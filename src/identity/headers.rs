//! Identity headers for upstreams: names and encodings compiled at start, values rendered once per session.
//!
//! Two halves of one promise. [`HeaderPlan`] writes what an issuer vouched for, in values that no parser can take
//! apart; [`Reserved`] and [`Forwarding`] know every name under which a client might pretend to be us.
//!
//! What the values are worth: `sub` is unique only together with `iss` (OpenID Connect Core 5.7), so a plan for
//! several carriers should carry both. E-mail addresses, names and phone numbers are the carrier's word about a person,
//! not proof of a mailbox; they may change and may be given to somebody else. No preset uses one as the user's name.

mod plan;
mod presets;
mod render;
mod reserved;
#[cfg(test)]
mod tests;

pub use plan::{HeaderFault, HeaderPlan};
pub use render::{HeaderSet, MAX_SET, MAX_VALUE, RenderedHeaders, render_all};
pub use reserved::{FORWARDING, Forwarding, Reserved};

/// A family of headers that apps already know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// `X-ZenKey-Sub`, `-Issuer`, `-Mccmnc`, `-Acr`, `-Amr`, `-Auth-Time` and one header per consented attribute:
    /// `-Name`, `-Given-Name`, `-Family-Name`, `-Email`, `-Phone`, `-Postal-Code`, `-Birthdate`, `-Address` (as
    /// formatted by the carrier).
    Zenkey,
    /// oauth2-proxy's answer headers: `X-Auth-Request-User` (the subject), `-Email`, `-Groups`, `-Preferred-Username`.
    XAuthRequest,
    /// oauth2-proxy's proxy-mode headers: `X-Forwarded-User` (the subject), `-Email`, `-Groups`,
    /// `-Preferred-Username`.
    XForwarded,
    /// Authelia and Grafana style: `Remote-User` (the subject), `Remote-Email`, `Remote-Name`, `Remote-Groups`.
    RemoteUser,
}

/// How a value that is not plain visible ASCII is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Percent-encoded UTF-8 of everything but visible ASCII and space, of `%` itself, and of spaces at either end,
    /// which parsers would drop. Elements of a list are joined by `,`; a comma inside one becomes `%2C`. The default.
    ///
    /// A claim that is one text where it could be a list is written as a list of one, so that one group `a,b` is never
    /// read as two: a rule would tell them apart. Where a claim is one text by definition (a name, an address), its
    /// commas stand as they are.
    #[default]
    Percent,
    /// The whole value, always, as unpadded base64url of its UTF-8. In lists and what could be one, commas and percent
    /// signs inside an element are percent-encoded before, so that the decoded text can be split at its commas.
    Base64Url,
    /// Only visible ASCII and space pass; any other value, and one that begins or ends with a space, is left out
    /// whole. In lists and what could be one, commas and percent signs inside an element are percent-encoded.
    Ascii,
}

/// One header of a free mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    /// Header name.
    pub name: String,
    /// `sub`, `iss`, `mccmnc`, `acr`, `amr`, `auth_time`, which are only ever taken from the verified parts of an
    /// identity, or the name of a claim.
    pub claim: String,
    /// Encoding of the value.
    pub encoding: Encoding,
}

/// What a route's upstream is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityHeaderSettings {
    /// Presets, in order.
    pub presets: Vec<Preset>,
    /// Further headers; a name that a preset already has replaces the preset's. This is also the way to names of
    /// one's own choice, such as `X-Auth-Sub`, `X-Auth-Issuer` and `X-Auth-Email`.
    pub map: Vec<HeaderRule>,
}
