//! Names under which a client might pretend to be us, in every spelling.
//!
//! Back ends fold header names: CGI, WSGI, PHP and nginx variables turn `-` into `_`, PHP also `.` and space, all
//! ignore case. `X-Auth-Sub`, `X_Auth_Sub` and `x-auth.sub` are then one variable, and which of them the app sees is
//! chance. So names are compared folded: lower case, and every byte that is no letter or digit is `_`. A name that
//! equals or begins with a reserved one is not forwarded (security.md, section G).

use std::sync::LazyLock;

use http::HeaderName;

use super::Preset;

/// Identity headers that are ours whether configured or not, and those by which other gateways speak to apps: an app
/// that was once behind one of them may still believe them.
const IDENTITY: &[&str] = &[
    "x-auth-",
    "x-zenkey-",
    "remote-user",
    "remote-email",
    "remote-name",
    "remote-groups",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    // oauth2-proxy's request signature, mod_auth_openidc, Grafana's auth proxy, Apache and nginx habits
    "gap-auth",
    "gap-signature",
    "oidc-",
    "x-remote-user",
    "x-webauth-",
    // Pomerium, authentik, Vouch, Cloudflare Access, Google IAP, AWS load balancers, Azure App Service, Tailscale
    "cf-access-",
    "tailscale-user-",
    "x-amzn-oidc-",
    "x-authentik-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-pomerium-",
    "x-vouch-",
    // Kong, APISIX, KrakenD, WSO2, Oathkeeper and habits of many
    "x-access-token",
    "x-anonymous-consumer",
    "x-authenticated-",
    "x-consumer-",
    "x-credential-",
    "x-email",
    "x-groups",
    "x-id-token",
    "x-jwt-assertion",
    "x-jwt-payload",
    "x-roles",
    "x-user-email",
    "x-user-groups",
    "x-user-id",
    "x-user-name",
    "x-user-roles",
    "x-userinfo",
    "x-username",
];

/// As [`IDENTITY`], where longer names mean something else (`X-User-Agent`).
const IDENTITY_EXACTLY: &[&str] = &["x_user"];

/// Headers by which proxies tell apps about the connection. They are rebuilt by the gateway or removed, whoever sent
/// them: for/proto/host are written anew, and only the addresses of *trusted* peers enter them (G06).
///
/// The CDNs' own (`cf-connecting-ip`, `true-client-ip` and the like) are removed too, also behind that CDN: through
/// any other way in they are the client's invention, and the app has the true address in `X-Forwarded-For`. The
/// rewriting ones (`x-original-url`, `x-rewrite-url`) make some frameworks serve another path than the one that was
/// judged. `proxy` becomes `HTTP_PROXY` in CGI programs (CVE-2016-5385).
pub const FORWARDING: &[&str] = &[
    "client-cert",
    "client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "forwarded",
    "front-end-https",
    "proxy",
    "ssl-client-",
    "true-client-ip",
    "x-appengine-user-ip",
    "x-arr-clientcert",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-cert",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-",
    "x-forwarded-by",
    "x-forwarded-client-",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-tls-",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-host",
    "x-http-host-override",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-method",
    "x-original-path",
    "x-original-query",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-request-id",
    "x-rewrite-url",
    "x-scheme",
    "x-ssl-client-",
    "x-url-scheme",
];

/// Folds one byte of a name.
fn fold_byte(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' }
}

/// Whether a lenient back end takes one name for the other.
pub fn same_name(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(a, b)| fold_byte(a) == fold_byte(b))
}

/// A name as the most lenient back end sees it.
pub(super) fn fold(name: &[u8]) -> String {
    name.iter().map(|byte| char::from(fold_byte(*byte))).collect()
}

/// Whether a folded name is exactly one of a preset's.
pub(super) fn is_preset(folded: &str) -> bool {
    Preset::ALL.iter().flat_map(|preset| preset.headers()).any(|(name, _)| fold(name.as_bytes()) == folded)
}

/// Folded names by their first byte, so that most headers of a request are passed over at one look.
#[derive(Debug, Clone)]
struct Names {
    /// For each first byte (a–z, 0–9, `_`), the rest of each name that begins with it.
    by_first: Box<[Rests]>,
}

/// What follows the first byte of names that share it.
type Rests = Box<[Box<[u8]>]>;

impl Names {
    const CLASSES: usize = 37;

    fn class(folded: u8) -> usize {
        usize::from(match folded {
            b'a'..=b'z' => folded - b'a',
            b'0'..=b'9' => folded - b'0' + 26,
            _ => 36,
        })
    }

    fn build<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut folded: Vec<String> = names.map(|name| fold(name.as_bytes())).filter(|name| !name.is_empty()).collect();
        folded.sort_unstable();
        // What begins with another name is covered by it; sorted, that one stands before it.
        folded.dedup_by(|later, earlier| later.starts_with(earlier.as_str()));
        let rests = |class: usize| {
            let of_class = folded.iter().filter_map(|name| name.as_bytes().split_first());
            of_class.filter(|(first, _)| Self::class(**first) == class).map(|(_, rest)| rest.into()).collect()
        };
        Self { by_first: (0..Self::CLASSES).map(rests).collect() }
    }

    fn covers(&self, name: &[u8]) -> bool {
        let Some((first, rest)) = name.split_first() else { return false };
        let Some(reserved) = self.by_first.get(Self::class(fold_byte(*first))) else { return true };
        reserved.iter().any(|reserved| {
            rest.len() >= reserved.len() && reserved.iter().zip(rest).all(|(ours, theirs)| *ours == fold_byte(*theirs))
        })
    }
}

/// Every name that says who somebody is. Removed from what clients send, on every route, anonymous ones too (G05).
#[derive(Debug, Clone)]
pub struct Reserved(Names);

impl Reserved {
    /// `configured`: the names that plans write, beside those that are always reserved.
    pub(super) fn beside_presets<'a>(configured: impl Iterator<Item = &'a HeaderName>) -> Self {
        let presets = Preset::ALL.iter().flat_map(|preset| preset.headers()).map(|(name, _)| *name);
        Self(Names::build(IDENTITY.iter().copied().chain(presets).chain(configured.map(HeaderName::as_str))))
    }

    /// Whether a header of this name, in lower case, of a client (or a trailer, or one an upstream nominates) must not pass as it is. No
    /// allocation.
    pub fn covers(&self, name: &str) -> bool {
        self.0.covers(name.as_bytes()) || is_exactly(IDENTITY_EXACTLY, name.as_bytes())
    }
}

/// Whether a name is one of `folded`, whatever its spelling.
fn is_exactly(folded: &[&str], name: &[u8]) -> bool {
    let same = |other: &&str| other.len() == name.len() && other.bytes().zip(name).all(|(a, b)| a == fold_byte(*b));
    folded.iter().any(same)
}

/// The names of [`FORWARDING`], folded like [`Reserved`].
#[derive(Debug, Clone, Copy)]
pub struct Forwarding;

static FORWARDING_NAMES: LazyLock<Names> = LazyLock::new(|| Names::build(FORWARDING.iter().copied()));

impl Forwarding {
    /// Whether a header of this name, in lower case, speaks about the connection and must be rebuilt or removed. No allocation.
    pub fn covers(name: &str) -> bool {
        FORWARDING_NAMES.covers(name.as_bytes())
    }

    /// Whether an identity header of this folded name would be taken for one of these, or take one of these with it.
    pub(super) fn touches(folded: &str) -> bool {
        FORWARDING_NAMES.covers(folded.as_bytes())
            || FORWARDING.iter().any(|name| fold(name.as_bytes()).starts_with(folded))
    }
}
