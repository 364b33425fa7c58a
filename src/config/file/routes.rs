//! `routes`: what is protected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AnswerFile, EditsFile, List, MaintenanceEntry, OneOrMany, RedirectFile, Size, Time, UpstreamEntry};
use crate::config::form::Written;
use crate::config::form::address::{Origin, RoutePattern};
use crate::config::form::text::{
    Acr, Audience, AuthMethodName, ClaimName, EmailDomain, FieldText, Label, MethodName, ProviderId, Purpose,
    RoutePath, Scope, StepUpContext,
};
use crate::config::human::BodyLimit;

/// One protected place and what lies behind it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteFile {
    /// Name in the log. Without it: host and path.
    pub(crate) name: Option<Written<Label>>,
    /// Host name, exact, without a port; or `*.` and one, for all names that lie one label below it. A host that has a route of
    /// its own is judged by its own routes alone, whatever a wildcard says.
    #[schemars(required)]
    pub(crate) host: Option<Written<RoutePattern>>,
    /// Path that the route covers, with everything below it, by whole segments.
    #[schemars(extend("default" = "/"))]
    pub(crate) path: Option<Written<RoutePath>>,
    /// The path alone, without anything below it.
    #[schemars(extend("default" = false))]
    pub(crate) exact: Option<bool>,
    /// Methods that the route is for, such as `[GET, POST]`; `GET` stands for `HEAD` too. Without it: all. A request with
    /// another method goes by the next less specific route, and is 403 `no_route` if there is none. Where methods count for a
    /// host, headers that tell an app to take a request for another method (`X-HTTP-Method-Override` and its like) are removed.
    #[schemars(extend("minItems" = 1))]
    pub(crate) methods: Option<List<Written<MethodName>>>,
    /// Headers that a request must have, each with this very value, for the route to be meant. Anybody may send or leave out a
    /// header: what must be guarded is guarded by the route that remains.
    #[schemars(extend("propertyNames" = { "format": "header" }, "minProperties" = 1))]
    pub(crate) headers: Option<BTreeMap<String, Written<FieldText>>>,
    /// Which targets pass. `strict`: those that every server reads in one way; `%2F`, `//`, `%252e` and their like are 400.
    /// `as-is`: whatever the client sent, byte for byte, for apps with such names (RabbitMQ, GitLab, npm); allowed where no
    /// other route of the host lies below this one, or only such with the same `access`, `require`, `identity_headers` and
    /// `upstream`. Dot segments and control characters are 400 either way.
    #[schemars(extend("default" = "strict"))]
    pub(crate) paths: Option<PathsWord>,
    /// Who may pass: `anonymous` (everybody), `session` (people who are signed in), `bearer` (programs with an access
    /// token in `Authorization`; cookies give nothing) or `session-or-bearer` (either; a token that is there decides, and
    /// a bad one is refused even beside a good session). There is no default.
    #[schemars(required)]
    pub(crate) access: Option<AccessWord>,
    /// Take `path` away from what the app gets: behind `/wiki`, an app at `/` gets `/page` for `/wiki/page`. Redirects and cookie
    /// paths that the app answers are written back; links inside its pages are its own matter (`X-Forwarded-Prefix` tells it
    /// what was taken away).
    #[schemars(extend("default" = false))]
    pub(crate) strip_prefix: Option<bool>,
    /// Put another path in the place of `path`, as `strip_prefix` puts nothing there.
    pub(crate) replace_prefix: Option<Written<RoutePath>>,
    /// Where requests go: one server (`http://host:port`, `https://host:port`, `unix:/path/of/socket`), or a mapping for several
    /// of them and for how they are spoken to. Each route has this, or `answer`, or `redirect`.
    pub(crate) upstream: Option<UpstreamEntry>,
    /// Answer in the place of an app, to whoever may pass.
    pub(crate) answer: Option<AnswerFile>,
    /// Lead whoever may pass to another address.
    pub(crate) redirect: Option<RedirectFile>,
    /// Close the route for a while: everybody is told so (503), without having to sign in. `true`, or a mapping. Without it: open.
    pub(crate) maintenance: Option<MaintenanceEntry>,
    /// Narrows the audiences of `bearer.issuers` to these: a token must name one of them to be used here.
    #[schemars(extend("minItems" = 1))]
    pub(crate) audiences: Option<List<Written<Audience>>>,
    /// As the top-level `cors_origins`, in its place for this route.
    pub(crate) cors_origins: Option<List<Written<Origin>>>,
    /// Headers that are written into requests on their way to the app, or taken away from them.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) request_headers: Option<EditsFile>,
    /// The same for the app's answers. Answers of the gateway itself stay as they are.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) response_headers: Option<EditsFile>,
    /// How the app is told who is there. Without it, a protected route gets the preset of the provider (`zenkey` or
    /// `x-auth-request`), an `anonymous` one nothing.
    pub(crate) identity_headers: Option<IdentityHeadersFile>,
    /// What a caller must have beyond a session or a good token; all of it.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) require: Option<RequireFile>,
    /// How somebody is asked to confirm who they are, where `require` demands more of the sign-in than theirs has.
    pub(crate) step_up: Option<StepUpFile>,
    /// Pass WebSockets on: `true` those that pages of the very host open, `false` none, or a mapping that says whose. Programs
    /// without an `Origin` need an access token, unless the route is `anonymous`.
    #[schemars(extend("default" = true))]
    pub(crate) websocket: Option<WebSocketEntry>,
    /// Largest request body, or `unlimited`. Without it: `limits.body`.
    pub(crate) max_body: Option<Written<BodyLimit>>,
    /// Pass the client's own `Authorization` header on. Where tokens are taken, the app then holds the caller's token. Without
    /// it: on `anonymous` routes only.
    pub(crate) pass_authorization: Option<bool>,
    /// Pass header names on as the client and the app spelled them, for those that mind. Without it they go out in lower
    /// case (but for a few such as `Host` and `Content-Type`), as over HTTP/2, which costs less. The names of identity and
    /// forwarding headers are in lower case either way; a switch of protocols keeps the app's spelling either way.
    #[schemars(extend("default" = false))]
    pub(crate) preserve_header_case: Option<bool>,
    /// Ids of those of `providers` at which this route's people must have signed in. Without it: any of them.
    #[schemars(extend("minItems" = 1))]
    pub(crate) providers: Option<List<Written<ProviderId>>>,
    /// How long the upstream may take.
    pub(crate) timeouts: Option<TimeoutsFile>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum PathsWord {
    Strict,
    AsIs,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum AccessWord {
    Anonymous,
    Bearer,
    Session,
    SessionOrBearer,
}

/// Whether WebSockets pass, or whose.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum WebSocketEntry {
    Switch(bool),
    Of(WebSocketFile),
}

/// Whose WebSockets pass.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebSocketFile {
    /// Origins of pages that may open them, beside those of the very host; `any`, and no page's origin is looked at.
    #[schemars(required)]
    pub(crate) origins: Option<WebSocketOrigins>,
}

/// Origins, or all there are.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum WebSocketOrigins {
    Any(AnyWord),
    Listed(List<Written<Origin>>),
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum AnyWord {
    Any,
}

/// How the app is told who is there.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityHeadersFile {
    /// Families of headers that apps know, one or a list: `zenkey`, `x-auth-request`, `x-forwarded`, `remote-user`. An
    /// empty list for none. Without it: none if there is a `map`, else that of the provider.
    pub(crate) preset: Option<OneOrMany<PresetWord>>,
    /// Further headers: the header's name, and the claim that it carries or a mapping with more about it. A name that a
    /// preset has replaces the preset's.
    #[schemars(extend("propertyNames" = { "format": "header" }))]
    pub(crate) map: Option<BTreeMap<String, HeaderEntry>>,
    /// Longest value of one header, as written. A value that is longer is left out or cut as `too_long` says, and the log
    /// names the claim at sign-in.
    #[schemars(extend("default" = "4KiB", "x-min" = "256B", "x-max" = "128KiB"))]
    pub(crate) max_value: Size,
    /// Longest set of these headers together, names included. Apps have limits of their own for the head of a request: often
    /// 8 KiB, sometimes 16.
    #[schemars(extend("default" = "8KiB", "x-min" = "256B", "x-max" = "256KiB"))]
    pub(crate) max_total: Size,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum PresetWord {
    Zenkey,
    XAuthRequest,
    XForwarded,
    RemoteUser,
}

/// What a header carries.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum HeaderEntry {
    Claim(Written<ClaimName>),
    Full(HeaderFile),
}

/// What a header carries, and how.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderFile {
    /// `sub`, `iss`, `mccmnc`, `acr`, `amr`, `auth_time`, `linked_account` (the account of the app that the person is linked
    /// to, see `accounts`), `stable_subject`, `previous_issuer`, `previous_subject` and `migration` (of people who move between
    /// carriers, see `migrates_from`), `sim_tenure_24` (`true`, `false` or `unknown`, see `require`), the name of another claim, or the way to one inside others, with
    /// dots: `realm_access.roles`, `groups.name` (a claim of that very name comes first). `azp` and `client_id` are the
    /// client of an access token.
    #[schemars(required)]
    pub(crate) claim: Option<Written<ClaimName>>,
    /// How signs beyond visible ASCII are written: `percent`, `base64url` (the whole value, always), or `ascii` (such a
    /// value is left out). In each of them a comma inside an element of a list, or inside a claim that could be one, is
    /// written `%2C` and a percent sign `%25`.
    #[schemars(extend("default" = "percent"))]
    pub(crate) encoding: Option<EncodingWord>,
    /// What becomes of a value that is longer than `max_value`, or does not fit into `max_total`: `leave-out`, `truncate` (of
    /// a list as many of its first elements as fit, each whole; a text is left out), or `refuse` (whoever has such a value
    /// gets no page of the route, for apps that take a missing header for more rights).
    #[schemars(extend("default" = "leave-out"))]
    pub(crate) too_long: Option<TooLongWord>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum TooLongWord {
    LeaveOut,
    Refuse,
    Truncate,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum EncodingWord {
    Percent,
    Base64Url,
    Ascii,
}

/// A rank of the ladder of assurance.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum AssuranceWord {
    Network,
    Device,
    Person,
    Strong,
}

/// What follows a new SIM.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum SimTenureWord {
    Refuse,
    StepUp,
}

/// What follows if nobody says whether a SIM is new.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum SimUnknownWord {
    Refuse,
    Allow,
}

/// How somebody who is signed in is asked to confirm who they are.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepUpFile {
    /// What they read beside the question, where their provider shows it (carriers do): what they confirm, in at most 280
    /// characters. `%host%` stands for the route's host.
    pub(crate) context: Option<Written<StepUpContext>>,
}

/// What a caller must have beyond a session or a good token; all of it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequireFile {
    /// Authentication context: one of these, exactly; at carriers a higher one of ZenKey's levels is enough as well.
    #[schemars(extend("minItems" = 1))]
    pub(crate) acr: Option<List<Written<Acr>>>,
    /// The least that the way in which they signed in must assure: `network`, `device`, `person` or `strong`. What each
    /// issuer's words assure is known of carriers (`a1` device, `a3` person), and said by `assurance` of other providers. Who
    /// is signed in with less is asked to confirm, and comes back to the page.
    pub(crate) assurance: Option<AssuranceWord>,
    /// Longest time since they authenticated (`auth_time`). Who did so earlier is asked to confirm once more.
    #[schemars(extend("x-min" = "1m", "x-max" = "30d"))]
    pub(crate) max_auth_age: Time,
    /// Authentication methods (RFC 8176) that must have been used, all of them; of an item that is itself a list, one:
    /// `[hwk, [pin, fpt]]`. Who used others is asked to confirm.
    #[schemars(extend("minItems" = 1))]
    pub(crate) amr: Option<List<OneOrMany<Written<AuthMethodName>>>>,
    /// Claims, each with the value or values of which it must have one. Names are as in `identity_headers.map`: a dot leads
    /// into objects (`realm_access.roles`), and `azp` or `client_id` is the client of an access token.
    #[schemars(extend(
        "minProperties" = 1,
        "additionalProperties" = {
            "anyOf": [{ "type": "string" }, { "type": "array", "minItems": 1, "items": { "type": "string" } }]
        }
    ))]
    pub(crate) claims: Option<BTreeMap<String, OneOrMany<String>>>,
    /// Domains of which the verified e-mail address must have one.
    #[schemars(extend("minItems" = 1))]
    pub(crate) email_domains: Option<List<Written<EmailDomain>>>,
    /// Attributes that a person must share, such as `email` or `postal_code`, whatever they say. Who keeps one back gets a page
    /// that says what it is for, with a button by which the provider asks again (`prompt=consent`). Their scopes must be among
    /// those of the provider. Without it an attribute that is not shared is simply absent, and the app sees that it is.
    #[schemars(extend("minItems" = 1))]
    pub(crate) attributes: Option<List<Written<ClaimName>>>,
    /// What the app needs `attributes` for, in words of yours: at most 140 bytes of plain text. Without it the page names what
    /// is missing and nothing more.
    pub(crate) attributes_for: Option<Written<Purpose>>,
    /// Scopes that an access token must have, all of them. Sessions have no scopes and are not asked for any.
    #[schemars(extend("minItems" = 1))]
    pub(crate) scopes: Option<List<Written<Scope>>>,
    /// What follows if the person's carrier says that their number has been on its SIM for less than a day, as after a theft of the
    /// number: `refuse` (403 `sim_unmet`), or `step_up` (they confirm by PIN, finger or face in the very sign-in). The carrier is
    /// asked once for each sign-in, by a request that is signed with a key for RS256 (`client_keys`); with `access: session` only.
    /// To tell the app, name `sim_tenure_24` in `identity_headers.map`.
    pub(crate) sim_tenure_24: Option<SimTenureWord>,
    /// What follows if the carrier does not say, or gives no answer in time: `refuse` or `allow`. Without it: `refuse`.
    pub(crate) sim_tenure_24_unknown: Option<SimUnknownWord>,
    /// An account of the app that the person is linked to (`accounts`); the others get 403 `unlinked_user`. With `access:
    /// session` only: links are those of people who sign in. Without it nobody needs one.
    pub(crate) linked_account: Option<bool>,
}

/// How long the upstream may take.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeoutsFile {
    /// Time to connect.
    #[schemars(extend("default" = "2s", "x-min" = "10ms", "x-max" = "1m"))]
    pub(crate) connect: Time,
    /// From the end of the request's head to the end of the answer's, however it comes; beyond it 504. Without it: as `read`.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1d"))]
    pub(crate) first_byte: Time,
    /// Longest silence of an answer that has begun, to within a second.
    #[schemars(extend("default" = "1m", "x-min" = "100ms", "x-max" = "1d"))]
    pub(crate) read: Time,
    /// Longest silence, in both directions, of what lasts: a WebSocket, an event stream (`text/event-stream`), a call of gRPC. To
    /// within a second. One that may be silent for longer should say something from time to time (a ping, a comment).
    #[schemars(extend("default" = "15m", "x-min" = "100ms", "x-max" = "30d"))]
    pub(crate) stream_idle: Time,
    /// Longest silence while writing.
    #[schemars(extend("default" = "30s", "x-min" = "100ms", "x-max" = "1d"))]
    pub(crate) write: Time,
    /// Longest time for a whole request and its answer; beyond it 504, or the end of an answer that has begun. Without it there
    /// is no limit. A WebSocket is over with it too.
    #[schemars(extend("x-min" = "100ms", "x-max" = "30d"))]
    pub(crate) total: Time,
}
