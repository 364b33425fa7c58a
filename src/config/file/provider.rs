//! `provider`: who vouches for people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::account_api::AccountApiFile;
use super::endpoints::EndpointsFile;
use super::routes::AssuranceWord;
use super::{List, Size, Time};
use crate::config::form::Written;
use crate::config::form::address::{AllowedHost, BackchannelUrl, IssuerName, OidcIssuer, ProviderUrl, ProxyUrl};
use crate::config::form::text::{
    Acr, Algorithm, Audience, ClaimsRequest, ClientId, FilePath, NetworkWord, Prompt, ProviderId, ProviderName,
    ProxyExemption, Resource, Scope, TenantId, UiLocale,
};
use crate::config::secret_ref::SecretRef;

/// Who vouches for people, and how the gateway reaches them.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderFile {
    /// In `providers`, and there alone: what redirect URI and routes know it by.
    pub(crate) id: Option<Written<ProviderId>>,
    /// In `providers`: what people know it by, where they choose. Without it: the id.
    pub(crate) name: Option<Written<ProviderName>>,
    /// Mobile carriers, found through ZenKey's discovery.
    pub(crate) zenkey: Option<ZenkeyFile>,
    /// One OpenID Connect issuer.
    pub(crate) oidc: Option<OidcFile>,
    /// One OAuth 2.0 provider without ID tokens, whose API says who somebody is.
    pub(crate) oauth2: Option<OAuth2File>,
    /// Forward proxy that leads to providers; `direct` for none. Without it: `HTTPS_PROXY` of the environment, with the hosts
    /// of `NO_PROXY` left out; there, and only there, a user name and password may stand before the host, which the proxy alone is
    /// told. This machine is always reached without it.
    pub(crate) proxy: Option<Written<ProxyUrl>>,
    /// Hosts, domains (`.corp.example`) and networks that are reached without the proxy of `proxy`.
    #[schemars(extend("default" = []))]
    pub(crate) no_proxy: Option<List<Written<ProxyExemption>>>,
    /// Time to connect to a provider.
    #[schemars(extend("default" = "3s", "x-min" = "100ms", "x-max" = "1m"))]
    pub(crate) connect_timeout: Time,
    /// Time for a whole exchange with a provider.
    #[schemars(extend("default" = "5s", "x-min" = "100ms", "x-max" = "1m"))]
    pub(crate) total_timeout: Time,
    /// Time for the question whether somebody's SIM is new (`require.sim_tenure_24` of a route). Their sign-in waits for it, and
    /// goes on without an answer afterwards.
    #[schemars(extend("default" = "2s", "x-min" = "100ms", "x-max" = "10s"))]
    pub(crate) sim_tenure_timeout: Time,
    /// Largest answer of a provider, decoded.
    #[schemars(extend("default" = "1MiB", "x-min" = "4KiB", "x-max" = "16MiB"))]
    pub(crate) max_answer: Size,
    /// Longest ID token that is looked at. People in thousands of groups have long ones.
    #[schemars(extend("default" = "256KiB", "x-min" = "4KiB", "x-max" = "1MiB"))]
    pub(crate) max_id_token: Size,
    /// A further bundle of certificate authorities (PEM) to trust for providers, beside the system's.
    pub(crate) ca_file: Option<Written<FilePath>>,
    /// Accept providers whose names resolve to loopback, private or link-local addresses.
    #[schemars(extend("default" = false))]
    pub(crate) allow_private_addresses: Option<bool>,
    /// Key sets are refreshed this often.
    #[schemars(extend("default" = "15m", "x-min" = "1m", "x-max" = "1d"))]
    pub(crate) jwks_refresh: Time,
    /// Key sets are used at most this long while their issuer cannot be reached.
    #[schemars(extend("default" = "1d", "x-min" = "1m", "x-max" = "30d"))]
    pub(crate) jwks_max_stale: Time,
    /// At most one forced refresh for an unknown key per issuer in this time.
    #[schemars(extend("default" = "1m", "x-min" = "1s", "x-max" = "1h"))]
    pub(crate) jwks_cooldown: Time,
    /// A carrier's configuration is cached at most this long.
    #[schemars(extend("default" = "15m", "x-min" = "1s", "x-max" = "1d"))]
    pub(crate) metadata_max_age: Time,
}

/// Mobile carriers, found through ZenKey's discovery.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZenkeyFile {
    /// Client id from the portal, `ccid-…`.
    #[schemars(required)]
    pub(crate) client_id: Option<Written<ClientId>>,
    /// Client secret; with `client_keys` there may be none.
    pub(crate) client_secret: Option<SecretRef>,
    /// Files with private keys of ours for `private_key_jwt` (PEM, PKCS #8; `zengate keys` makes one). The first one signs; the
    /// public halves of all are published at `/oauth2/jwks.json`, so that a key can be changed in two steps.
    #[schemars(extend("minItems" = 1))]
    pub(crate) client_keys: Option<List<Written<FilePath>>>,
    /// How the gateway shows carriers who it is. Without it: with a secret `client_secret_basic`, which all of them take; with
    /// `client_keys` alone `private_key_jwt`.
    pub(crate) token_endpoint_auth_method: Option<AuthMethodWord>,
    /// Whom signed assertions name as audience: the carrier's issuer (RFC 10070), or its token endpoint.
    #[schemars(extend("default" = "issuer"))]
    pub(crate) assertion_audience: Option<AssertionAudienceWord>,
    /// Leave `typ` out of assertions, for carriers that refuse `client-authentication+jwt`.
    #[schemars(extend("default" = false))]
    pub(crate) assertion_untyped: Option<bool>,
    /// Carriers that may be the answer of discovery: each its exact issuer, or a mapping with more about it.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) trusted_issuers: Option<List<IssuerEntry>>,
    /// Ways to find out which carrier a person has. `ui_with_state`: ZenKey's discovery UI. `picker`: a page of ours, on which
    /// people pick one of `trusted_issuers`, each of which then has an `id`; with `ui_with_state` behind it, the page also leads to
    /// the discovery UI. Whoever picks on a desktop brings the carrier no `login_hint_token`. `optimized`, in place of
    /// `ui_with_state`: one redirect through `optimized_discovery`; only with `private_key_jwt`, with the `networks` of every
    /// carrier, and with carriers that name themselves by `iss`.
    #[schemars(extend("default" = ["ui_with_state"], "minItems" = 1))]
    pub(crate) find: Option<List<WayWord>>,
    /// Whether a carrier that a person picks answers at an address of its own, `/oauth2/callback/ID`, which must be registered
    /// there, so that no carrier's code is taken for another's. Without it all of them answer at `/oauth2/callback`.
    #[schemars(extend("default" = false))]
    pub(crate) redirect_uri_per_carrier: Option<bool>,
    /// For how long a browser remembers the carrier of its last sign-in, in a sealed cookie: people on phones then do not see the
    /// discovery UI, and the page on which people pick marks their carrier. It is personal data. Signing out, and signing in on
    /// a device of somebody else's, forgets it. Without it nothing is remembered.
    #[schemars(extend("x-min" = "1h", "x-max" = "400d"))]
    pub(crate) remember_carrier: Time,
    /// Service that tells which carrier serves a subscriber.
    #[schemars(extend("default" = "https://discoveryissuer.myzenkey.com"))]
    pub(crate) discovery_issuer: Option<Written<ProviderUrl>>,
    /// Page on which a person's carrier is found.
    #[schemars(extend("default" = "https://discoveryui.myzenkey.com/ui/discovery-ui"))]
    pub(crate) discovery_ui: Option<Written<ProviderUrl>>,
    /// Address of the service that takes a whole authorization request and finds the carrier out on the way (`optimized`).
    #[schemars(extend("default" = "https://auth.myzenkey.com/v1/auth"))]
    pub(crate) optimized_discovery: Option<Written<ProviderUrl>>,
    /// Scopes that are asked for; `openid` must be among them.
    #[schemars(extend("default" = ["openid"], "minItems" = 1))]
    pub(crate) scopes: Option<List<Written<Scope>>>,
    /// Authentication contexts that are asked for, best first.
    #[schemars(extend("default" = ["a1"]))]
    pub(crate) acr_values: Option<List<Written<Acr>>>,
    /// Refuse a sign-in that ends with none of `acr_values`.
    #[schemars(extend("default" = true))]
    pub(crate) require_acr: Option<bool>,
    /// Ask for attributes (e-mail, name, …). Without it: yes, if `scopes` holds more than `openid`.
    pub(crate) userinfo: Option<bool>,
    /// Port tokens, by which people bring their account along from another carrier (`migrates_from`).
    pub(crate) port_tokens: Option<PortTokensFile>,
}

/// Port tokens: an earlier carrier's word for who somebody was there, which the new one brings in its ID tokens.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortTokensFile {
    /// A token counts for so long after it was issued: half a year to move the account, and half a year in which the new
    /// carrier brings the token along.
    #[schemars(extend("default" = "360d", "x-min" = "1d", "x-max" = "3650d"))]
    pub(crate) max_age: Time,
    /// Client ids beside `client_id` that a token may be for: those of the same sector.
    #[schemars(extend("default" = []))]
    pub(crate) sibling_clients: Option<List<Written<ClientId>>>,
    /// Take a `kid` of any form, not only `ccid-` and 1 to 128 letters and digits.
    #[schemars(extend("default" = false))]
    pub(crate) any_key_name: Option<bool>,
    /// Take a carrier's word that somebody was somebody else of its own before, as after a change of its numbers. Without it such
    /// a token says nothing, and no carrier may stand in its own `migrates_from`. Whoever can have that carrier say so, by a
    /// fault of its or by a SIM that was not theirs, takes over the account: no other carrier vouches for it. For the time of a
    /// move that the carrier has announced to you, and no longer.
    #[schemars(extend("default" = false))]
    pub(crate) allow_same_issuer: Option<bool>,
    /// Port tokens that one ID token may bring; with more, none of them counts.
    #[schemars(extend("default" = 8), range(min = 1, max = 64))]
    pub(crate) max_tokens: Option<u64>,
    /// Bytes that they may have together; with more, none of them counts. The ID token that brings them may have
    /// `max_id_token` with them.
    #[schemars(extend("default" = "8KiB", "x-min" = "1KiB", "x-max" = "64KiB"))]
    pub(crate) max_bytes: Size,
}

/// One OAuth 2.0 provider without ID tokens. An identity from it has no authentication context: routes with `require.acr`
/// stay closed to its people.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth2File {
    /// Whose API it is.
    #[schemars(required)]
    pub(crate) profile: Option<ProfileWord>,
    /// Client id.
    #[schemars(required)]
    pub(crate) client_id: Option<Written<ClientId>>,
    /// Client secret.
    #[schemars(required)]
    pub(crate) client_secret: Option<SecretRef>,
    /// Scopes that are asked for. Of GitHub's fewer bring fewer claims: the address needs `user:email`, groups `read:org`. The
    /// profile `custom` has no scopes of its own: write them.
    #[schemars(extend("default" = ["read:user", "user:email", "read:org"], "minItems" = 1))]
    pub(crate) scopes: Option<List<Written<Scope>>>,
    /// Where people sign in, and what stands for the issuer in their identities.
    #[schemars(extend("default" = "https://github.com"))]
    pub(crate) web_url: Option<Written<ProviderUrl>>,
    /// The API, for the profile `custom` and for no other.
    pub(crate) api: Option<AccountApiFile>,
    /// Where its API is: of GitHub Enterprise Server `https://HOST/api/v3`.
    #[schemars(extend("default" = "https://api.github.com"))]
    pub(crate) api_url: Option<Written<ProviderUrl>>,
}

/// An API that is known (`github`: GitHub, and GitHub Enterprise Server), or `custom` for the one that `api` describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProfileWord {
    Github,
    Custom,
}

/// One OpenID Connect issuer.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcFile {
    /// The issuer, exactly as it stands in its tokens.
    #[schemars(required)]
    pub(crate) issuer: Option<Written<OidcIssuer>>,
    /// For an issuer that stands for many tenants (Microsoft Entra ID: `common` or `organizations` in its address): the ids of
    /// those whose people may sign in. A token counts if its `tid` is listed and its `iss` is that tenant's own.
    #[schemars(extend("minItems" = 1))]
    pub(crate) tenants: Option<List<Written<TenantId>>>,
    /// Addresses at the issuer, in place of what its metadata says.
    pub(crate) endpoints: Option<EndpointsFile>,
    /// Accept `http://` in `issuer` and `endpoints`. Whoever is on the way then reads the client secret and people's tokens, and
    /// can sign in as anybody, without a trace: only inside a network of your own.
    #[schemars(extend("default" = false))]
    pub(crate) allow_plain_http: Option<bool>,
    /// Client id.
    #[schemars(required)]
    pub(crate) client_id: Option<Written<ClientId>>,
    /// Where the gateway asks the issuer itself, if that is not where browsers find it: what stands in place of `issuer` at
    /// the beginning of the addresses of its metadata, token, key and userinfo endpoints, such as
    /// `http://keycloak.auth.svc:8080/realms/main`. With `http://` whoever is on the way reads the client secret and can sign
    /// in as anybody: only inside a network of your own.
    pub(crate) backchannel_base_url: Option<Written<BackchannelUrl>>,
    /// Client secret. With neither a secret nor `client_keys` the gateway is a public client, which PKCE protects.
    pub(crate) client_secret: Option<SecretRef>,
    /// Files with private keys of ours (PEM, PKCS #8; `zengate keys` makes one), for `private_key_jwt`. The first one signs;
    /// the public halves of all are published at `/oauth2/jwks.json`, so that a key can be changed in two steps.
    #[schemars(extend("minItems" = 1))]
    pub(crate) client_keys: Option<List<Written<FilePath>>>,
    /// How the gateway shows the provider who it is. Without it: with a secret, what the provider lists
    /// (`client_secret_basic` before `client_secret_post` before `client_secret_jwt`); with `client_keys` alone,
    /// `private_key_jwt`; with neither, `none`. Basic form-encodes id and secret, as RFC 6749 has it; where a provider does
    /// not decode them, choose a secret of letters and digits, or `client_secret_post`.
    pub(crate) token_endpoint_auth_method: Option<AuthMethodWord>,
    /// Whom signed assertions name as audience: the issuer (RFC 10070), or the token endpoint where a provider insists.
    #[schemars(extend("default" = "issuer"))]
    pub(crate) assertion_audience: Option<AssertionAudienceWord>,
    /// Leave `typ` out of assertions, for a provider that refuses `client-authentication+jwt`.
    #[schemars(extend("default" = false))]
    pub(crate) assertion_untyped: Option<bool>,
    /// What the provider is to ask of the person each time: `login`, `consent`, `select_account`.
    pub(crate) prompt: Option<Written<Prompt>>,
    /// Longest time since the person authenticated at the provider. Its ID tokens must then say when that was.
    #[schemars(extend("x-max" = "30d"))]
    pub(crate) max_age: Time,
    /// Languages of the provider's pages, best first; `from_browser` alone for those of the person's browser.
    #[schemars(extend("minItems" = 1))]
    pub(crate) ui_locales: Option<List<Written<UiLocale>>>,
    /// Single claims to ask for, as JSON (OpenID Connect Core 5.5).
    pub(crate) claims: Option<Written<ClaimsRequest>>,
    /// Resources that the access token is to be for (RFC 8707).
    #[schemars(extend("default" = []))]
    pub(crate) resource: Option<List<Written<Resource>>>,
    /// Further parameters of every authorization request, such as `hd`, `domain_hint`, `kc_idp_hint`, `audience`.
    pub(crate) authorization_parameters: Option<BTreeMap<String, String>>,
    /// Push authorization requests instead of writing them into addresses (RFC 9126): `auto` where the provider requires
    /// it, or `always`.
    #[schemars(extend("default" = "auto"))]
    pub(crate) pushed_authorization_requests: Option<PushedWord>,
    /// Further hosts that its endpoints may have, exact; its own is always allowed.
    #[schemars(extend("default" = []))]
    pub(crate) allowed_hosts: Option<List<Written<AllowedHost>>>,
    /// Signature algorithms that its tokens may have.
    #[schemars(extend("default" = ["RS256"], "minItems" = 1))]
    pub(crate) algorithms: Option<List<Written<Algorithm>>>,
    /// Audiences that may stand beside `client_id` in its ID tokens. Some issuers always name more: ZITADEL its project,
    /// Keycloak what its audience mappers say. Whoever is listed here holds tokens that would open a session here.
    #[schemars(extend("default" = []))]
    pub(crate) trusted_audiences: Option<List<Written<Audience>>>,
    /// Accept ID tokens of type `at+jwt`.
    #[schemars(extend("default" = false))]
    pub(crate) accept_at_jwt_typ: Option<bool>,
    /// Let e-mail addresses and phone numbers count although the issuer says that nobody verified them (`email_verified`
    /// or `phone_number_verified` is there and is not true). Without it they are left out: of headers, rules and
    /// `userinfo`. Whoever may type an address at the issuer is then whoever the app takes that address for.
    #[schemars(extend("default" = false))]
    pub(crate) accept_unverified_contacts: Option<bool>,
    /// What it means that the issuer does not say whether an e-mail address was verified: `unverified` (rules by
    /// `email_domains` are not met, though apps get the address), or `verified`, for issuers that never say so and where
    /// people cannot choose their address. A word that says no counts in any case.
    #[schemars(extend("default" = "unverified"))]
    pub(crate) email_verified_absent: Option<AbsentWord>,
    /// Claims in which several values stand in one text: the claim's name, and what stands between two values, such as `","`
    /// or `" "` (any white space); `json` where the text is a list in JSON.
    pub(crate) split_claims: Option<BTreeMap<String, String>>,
    /// Scopes that are asked for; `openid` must be among them.
    #[schemars(extend("default" = ["openid"], "minItems" = 1))]
    pub(crate) scopes: Option<List<Written<Scope>>>,
    /// Authentication contexts that are asked for, best first.
    #[schemars(extend("default" = []))]
    pub(crate) acr_values: Option<List<Written<Acr>>>,
    /// Refuse a sign-in that ends with none of `acr_values`.
    #[schemars(extend("default" = true))]
    pub(crate) require_acr: Option<bool>,
    /// What the issuer's words for authentication contexts assure: `{ gold: person }`, each word `network`, `device`, `person`
    /// or `strong`. Of a word that is not named here nothing is known, and no route that demands an `assurance` takes it.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) assurance: Option<BTreeMap<String, AssuranceWord>>,
    /// How the issuer sends its answer: in the address that the browser comes back to, or in a form that it posts.
    #[schemars(extend("default" = "query"))]
    pub(crate) response_mode: Option<ResponseModeWord>,
    /// Ask for attributes (e-mail, name, …). Without it: yes, if `scopes` holds more than `openid`.
    pub(crate) userinfo: Option<bool>,
}

/// What the absence of `email_verified` means.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum AbsentWord {
    Unverified,
    Verified,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum AuthMethodWord {
    ClientSecretBasic,
    ClientSecretPost,
    ClientSecretJwt,
    PrivateKeyJwt,
    None,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum AssertionAudienceWord {
    Issuer,
    TokenEndpoint,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum PushedWord {
    Auto,
    Always,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ResponseModeWord {
    Query,
    FormPost,
}

/// A way to find out which carrier a person has.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum WayWord {
    Picker,
    UiWithState,
    Optimized,
}

/// A trusted issuer: its name, or more about it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum IssuerEntry {
    Name(Written<IssuerName>),
    Full(Box<IssuerFile>),
}

/// What we are at one carrier, and at no other.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberClientFile {
    /// Client id there. Without it: the one that all carriers know.
    pub(crate) client_id: Option<Written<ClientId>>,
    /// Client secret there.
    pub(crate) client_secret: Option<SecretRef>,
    /// Files with private keys of ours for `private_key_jwt` at this carrier, and at no other. The first one signs; the public
    /// halves of all are published at `/oauth2/jwks.json?m=ID`, where no other carrier's stand.
    #[schemars(extend("minItems" = 1))]
    pub(crate) client_keys: Option<List<Written<FilePath>>>,
    /// How the gateway shows it who it is. Without it: with a secret `client_secret_basic`, with `client_keys` alone
    /// `private_key_jwt`.
    pub(crate) token_endpoint_auth_method: Option<AuthMethodWord>,
    /// Whom signed assertions name as audience: its issuer (RFC 10070), which is the default, or its token endpoint.
    pub(crate) assertion_audience: Option<AssertionAudienceWord>,
    /// Leave `typ` out of assertions, if it refuses `client-authentication+jwt`.
    pub(crate) assertion_untyped: Option<bool>,
}

/// A trusted issuer with more about it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerFile {
    /// The issuer, exactly as it stands in its tokens: no wildcard, trailing slash included.
    #[schemars(required)]
    pub(crate) issuer: Option<Written<IssuerName>>,
    /// What the carrier is known by in addresses of ours: needed with `client`, and where people pick.
    pub(crate) id: Option<Written<ProviderId>>,
    /// What people know the carrier by, where they choose. Without it: the id.
    pub(crate) name: Option<Written<ProviderName>>,
    /// Networks whose subscribers are its people, each as MCC and MNC of two or three digits: `310-410`, `901-07`. Where a
    /// network is listed, discovery cannot lead its people to another carrier.
    #[schemars(extend("default" = []))]
    pub(crate) networks: Option<List<Written<NetworkWord>>>,
    /// How the gateway shows this carrier who it is, if otherwise than the rest.
    pub(crate) client: Option<MemberClientFile>,
    /// Further hosts that its endpoints may have, exact; its own is always allowed. Without it those that are known of carriers from
    /// ZenKey's time (docs/ZENKEY.md), and of others none.
    pub(crate) allowed_hosts: Option<List<Written<AllowedHost>>>,
    /// Signature algorithms that its tokens may have.
    #[schemars(extend("default" = ["RS256"], "minItems" = 1))]
    pub(crate) algorithms: Option<List<Written<Algorithm>>>,
    /// Accept ID tokens of type `at+jwt`.
    #[schemars(extend("default" = false))]
    pub(crate) accept_at_jwt_typ: Option<bool>,
    /// Let e-mail addresses and phone numbers count although the issuer says that nobody verified them (`email_verified`
    /// or `phone_number_verified` is there and is not true). Without it they are left out: of headers, rules and
    /// `userinfo`. Whoever may type an address at the issuer is then whoever the app takes that address for.
    #[schemars(extend("default" = false))]
    pub(crate) accept_unverified_contacts: Option<bool>,
    /// What it means that the issuer does not say whether an e-mail address was verified: `unverified` (rules by
    /// `email_domains` are not met, though apps get the address), or `verified`, for issuers that never say so and where
    /// people cannot choose their address. A word that says no counts in any case.
    #[schemars(extend("default" = "unverified"))]
    pub(crate) email_verified_absent: Option<AbsentWord>,
    /// Claims in which several values stand in one text: the claim's name, and what stands between two values, such as `","`
    /// or `" "` (any white space); `json` where the text is a list in JSON.
    pub(crate) split_claims: Option<BTreeMap<String, String>>,
    /// Carriers whose people may bring their account along to this one (docs/ACCOUNTS.md): exact issuers, each of
    /// `trusted_issuers`. What proves it says nothing of who they are here, only this carrier does: list a pair only if
    /// you trust the new carrier not to take accounts of the old one's people.
    #[schemars(extend("default" = []))]
    pub(crate) migrates_from: Option<List<Written<IssuerName>>>,
    /// What this carrier does otherwise than the rest.
    pub(crate) differs: Option<DiffersFile>,
}

/// What one carrier does otherwise than the rest of its federation: names, and what goes along. Nothing here makes a check softer.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffersFile {
    /// Whether `correlation_id` goes with the calls to it. Without it as for the rest.
    pub(crate) correlation_id: Option<bool>,
    /// Scopes by our names, and what it calls them: `{ postal_code: zip }`.
    pub(crate) scopes: Option<BTreeMap<String, String>>,
    /// Errors that it answers a sign-in with, and which of ZenKey's codes that is: `{ no_such_line: user_not_found }`.
    pub(crate) errors: Option<BTreeMap<String, String>>,
    /// Prove with each request for attributes that it comes from the holder of our key (`x-authorization`): the digest in `hex`, or
    /// `base64url`. It takes `client_keys` with a key for RS256. Without it there is no proof.
    pub(crate) key_proof: Option<KeyProofWord>,
}

/// How the digest of a proof is written.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum KeyProofWord {
    Hex,
    Base64url,
}
