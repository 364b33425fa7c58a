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

pub use plan::{HeaderFault, HeaderPlan, LINKED_ACCOUNT, OF_MIGRATION, SIM_TENURE, reservable};
pub use render::{Beside, HeaderSet, RenderedHeaders, left_out, render_all};
pub use reserved::{FORWARDING, Forwarding, Reserved, same_name};

/// A family of headers that apps already know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// `X-ZenKey-Sub`, `-Issuer`, `-Mccmnc`, `-Acr`, `-Amr`, `-Auth-Time` and one header per consented attribute:
    /// `-Name`, `-Given-Name`, `-Family-Name`, `-Email`, `-Phone`, `-Postal-Code`, `-Birthdate`, `-Address` (as
    /// formatted by the carrier); `-Account` for somebody who is linked to an account of the app.
    Zenkey,
    /// oauth2-proxy's answer headers: `X-Auth-Request-User` (the subject), `-Email`, `-Groups`, `-Preferred-Username`; and
    /// `-Account` of ours, as above.
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
    /// identity, [`LINKED_ACCOUNT`], which no issuer says, or the name of a claim.
    pub claim: String,
    /// Encoding of the value.
    pub encoding: Encoding,
    /// What becomes of a value that does not fit.
    pub too_long: TooLong,
}

/// What becomes of a value that is longer than a header may be. Whatever is chosen is said in the log at sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooLong {
    /// The app gets no such header. The default: a value that was cut would be another value, and perhaps another
    /// person's.
    #[default]
    LeaveOut,
    /// Whoever has such a value is refused on the route: for apps that take the absence of a header for more rights.
    Refuse,
    /// Of a list, as many of its first elements as fit, each whole. A text is left out.
    Truncate,
}

/// Default of the longest value of a header in bytes, as written (C30).
pub const MAX_VALUE: usize = 4 * 1024;

/// Default of the longest set of headers in bytes, as it stands on the wire: names, values, `: ` and line ends (R11).
pub const MAX_TOTAL: usize = 8 * 1024;

/// What a route's upstream is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaderSettings {
    /// Presets, in order.
    pub presets: Vec<Preset>,
    /// Further headers; a name that a preset already has replaces the preset's. This is also the way to names of
    /// one's own choice, such as `X-Auth-Sub`, `X-Auth-Issuer` and `X-Auth-Email`.
    pub map: Vec<HeaderRule>,
    /// Longest value in bytes, as written. Default [`MAX_VALUE`].
    pub max_value: usize,
    /// Longest set in bytes, as it stands on the wire. Default [`MAX_TOTAL`].
    pub max_total: usize,
}

impl Default for IdentityHeaderSettings {
    fn default() -> Self {
        Self { presets: Vec::new(), map: Vec::new(), max_value: MAX_VALUE, max_total: MAX_TOTAL }
    }
}
