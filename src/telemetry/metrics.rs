//! Every number the gateway counts. Labels come from our own closed sets: never a subject, a path, a host the client
//! named, a key id or an issuer from a token (an attacker could otherwise fill the memory of whoever scrapes us).

use super::external_counters::{self, Count};
use super::writer;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// The registry and its handles, resolved once at start.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// `zengate_requests_total{outcome}`: one count a request; see [`RequestOutcome`].
    pub requests: RequestCounters,
    /// `zengate_request_seconds`: from the request's header to the end of its answer.
    pub request_seconds: Histogram,
    /// `zengate_sign_ins_total{outcome}`: `started`, `completed`, `late_answer`, `begun_anew`, or the code of the
    /// refusal.
    pub sign_ins: IntCounterVec,
    /// `zengate_refusals_total{code}`: refusals by their documented code.
    pub refusals: IntCounterVec,
    /// `zengate_session_lookups_total{from}`: sessions that the store was asked for.
    pub session_lookups: LookupCounters,
    /// `zengate_claims_left_out_total{reason}`: claims that the configuration names and that a person's identity or headers
    /// do not hold whole, counted when somebody signs in or an access token is first seen.
    pub claims_left_out: IntCounterVec,
    /// `zengate_bearer_tokens_total{outcome}`: access tokens that were not in memory: `verified`, `refused` (without a
    /// signature having been looked at), `forged` (with), `limited`, `no_keys`.
    pub bearer_tokens: IntCounterVec,
    /// `zengate_revocations_pending`: ends of sessions that the session store has not heard of yet.
    pub revocations_pending: IntGauge,
    /// `zengate_revocations_lost_total`: those that could be kept no longer.
    pub revocations_lost: IntCounter,
    /// `zengate_sign_in_ready{reason}`: 1 if somebody could sign in as far as `store` or `issuer` goes, else 0.
    pub sign_in_ready: IntGaugeVec,
    /// `zengate_provider_ready{provider}`: 1 if somebody could sign in with that one provider, as far as is known, else 0.
    pub provider_ready: IntGaugeVec,
    /// `zengate_logout_tokens_total{outcome}`: `ended`, `refused`, `replayed`, `limited`, `unavailable`.
    pub logout_tokens: IntCounterVec,
    /// `zengate_signals_total{outcome}`: `ended`, `reauthenticate`, `ignored`, `repeated`, `refused`, `limited`, `unavailable`.
    pub signals: IntCounterVec,
    /// `zengate_sim_tenures_total{tenure}`: `settled`, `recent`, `unknown`.
    pub sim_tenures: IntCounterVec,
    /// `zengate_migrations_total{outcome}`: `moved`, `ambiguous`, `conflict`, `unproven`, `ignored`, `unavailable`.
    pub migrations: IntCounterVec,
    /// `zengate_unclear_refusals_total{about}`: refresh tokens refused twice in words that are not clear, by whom that was taken to
    /// be about: `person`, `registration`.
    pub unclear_refusals: IntCounterVec,
    /// `zengate_logout_hints_left_out_total`.
    pub hints_left_out: IntCounter,
    /// `zengate_link_changes_total{outcome}`: `linked`, `moved`, `unlinked`, `refused`, `unavailable`.
    pub link_changes: IntCounterVec,
    /// `zengate_approvals_total{outcome}`: people who were `asked` on their phones, or were not and why; and how it ended.
    pub approvals: IntCounterVec,
    /// `zengate_approval_notices_total{outcome}`: notifications of carriers.
    pub approval_notices: IntCounterVec,
    /// `zengate_approval_events_total{outcome}`: events for the app that it has `taken`, or that are `lost`.
    pub approval_events: IntCounterVec,
    /// `zengate_store_errors_total`: answers the session store owed us.
    pub store_errors: IntCounter,
    /// `zengate_identity_headers_removed_total`: reserved headers taken from what clients sent.
    pub headers_removed: IntCounter,
    /// `zengate_dropped_total{what}`: parts of requests that were not passed on: `upgrade`, `authorization`, `identity_header`.
    pub dropped: IntCounterVec,
    /// `zengate_upstream_cookies_dropped_total`: attempts of upstreams to set one of our cookies.
    pub upstream_cookies_dropped: IntCounter,
    /// `zengate_connections`: open connections on the public listener.
    pub connections: IntGauge,
    /// `zengate_session_cache_bytes`: bytes that sessions in memory count for.
    pub session_cache_bytes: IntGauge,
    /// `zengate_connections_stalled`: of these, those whose client does not read what it asked for.
    pub connections_stalled: IntGauge,
    /// `zengate_large_answers`: answers under way that may fill memory.
    pub large_answers: IntGauge,
    /// `zengate_upstreams_unreachable`: upstreams whose name has no address.
    pub upstreams_unreachable: IntGauge,
    /// `zengate_upstream_server_available{server}`: 1 if it gets requests.
    pub upstream_available: IntGaugeVec,
    /// `zengate_upstream_ejections_total{server}`: times a server was left out because it failed.
    pub upstream_ejections: IntCounterVec,
    /// `zengate_upstream_retries_total`: connections that failed, after which another was tried.
    pub upstream_retries: IntCounter,
    /// `zengate_connections_refused_total{reason}`: `total` or `client`, by which limit; `files` for want of descriptors.
    pub connections_refused: IntCounterVec,
    /// `zengate_certificate_expiry_seconds{certificate}`: when it expires, in seconds since 1970, by its file.
    pub certificate_expiry: IntGaugeVec,
    /// `zengate_certificate_faults_total`: certificates that changed and cannot be used.
    pub certificate_faults: IntCounter,
    /// `zengate_connections_ended_total{reason}`: `answer_rate` or `crowded`: clients that read too little.
    pub connections_ended: IntCounterVec,
    /// `zengate_streams_ended_total{reason}`: answers under way that were ended with what they were opened under: `session`
    /// (or access token), `stop`.
    pub streams_ended: IntCounterVec,
    /// `zengate_admin_requests_total{outcome}`: requests on the private listener.
    pub admin_requests: IntCounterVec,
    /// `zengate_background_restarts_total{task}`: background tasks that ended without having been asked to.
    pub background_restarts: IntCounterVec,
    /// `zengate_panics_total`: requests that ended in a panic; anything but zero is a defect of ours.
    pub panics: IntCounter,
    /// `zengate_return_refused_total`: return addresses that were not ours to send anybody to.
    pub return_refused: IntCounter,
    /// `zengate_return_pages_total{outcome}`: long pages to return to: `kept`, `found` again, or `lost`: pushed out by newer
    /// ones, or too old.
    pub return_pages: IntCounterVec,
    /// `zengate_log_lines_left_out_total`: lines about refusals that came too fast to be all written.
    pub log_lines_left_out: IntCounter,
    /// `zengate_limit_hits_total{limit}`: requests refused for their size or pace, by the limit that cut them.
    pub limit_hits: IntCounterVec,
}

/// How a request ended, for its one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Passed on with the identity of a session.
    Session,
    /// Passed on with the identity of an access token.
    Bearer,
    /// Passed on without one, on an anonymous route.
    Anonymous,
    /// Answered by us: a page of ours, a redirect, a refusal.
    Answered,
    /// The upstream failed.
    UpstreamFailed,
    /// The client was gone before its answer was whole.
    ClientGone,
}

/// Handles of `zengate_requests_total`, one a label.
#[derive(Debug, Clone)]
pub struct RequestCounters {
    session: IntCounter,
    bearer: IntCounter,
    anonymous: IntCounter,
    answered: IntCounter,
    upstream_failed: IntCounter,
    client_gone: IntCounter,
}

impl RequestCounters {
    /// The handle for `outcome`.
    pub fn of(&self, outcome: RequestOutcome) -> &IntCounter {
        match outcome {
            RequestOutcome::Session => &self.session,
            RequestOutcome::Bearer => &self.bearer,
            RequestOutcome::Anonymous => &self.anonymous,
            RequestOutcome::Answered => &self.answered,
            RequestOutcome::UpstreamFailed => &self.upstream_failed,
            RequestOutcome::ClientGone => &self.client_gone,
        }
    }
}

/// Handles of `zengate_session_lookups_total`, one a label.
#[derive(Debug, Clone)]
pub struct LookupCounters {
    /// The store had it.
    pub store: IntCounter,
    /// There is no such session.
    pub none: IntCounter,
    /// The store was away, and a copy was served.
    pub grace: IntCounter,
    /// The store was away, and there was no copy.
    pub error: IntCounter,
}

impl Metrics {
    /// A fresh registry; each gateway in a process has its own.
    #[expect(clippy::expect_used, reason = "names and labels are constants; a clash is found by the first test run")]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("a valid metric name");
            registry.register(Box::new(counter.clone())).expect("a metric name used once");
            counter
        };
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label]).expect("a valid metric name");
            registry.register(Box::new(counters.clone())).expect("a metric name used once");
            counters
        };
        let requests = counters("zengate_requests_total", "Requests by how they ended", "outcome");
        let requests = RequestCounters {
            session: requests.with_label_values(&["session"]),
            bearer: requests.with_label_values(&["bearer"]),
            anonymous: requests.with_label_values(&["anonymous"]),
            answered: requests.with_label_values(&["answered"]),
            upstream_failed: requests.with_label_values(&["upstream_failed"]),
            client_gone: requests.with_label_values(&["client_gone"]),
        };
        let lookups = counters("zengate_session_lookups_total", "Session look-ups by where they ended", "from");
        let session_lookups = LookupCounters {
            store: lookups.with_label_values(&["store"]),
            none: lookups.with_label_values(&["none"]),
            grace: lookups.with_label_values(&["grace"]),
            error: lookups.with_label_values(&["error"]),
        };
        let buckets = vec![0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        let request_seconds =
            HistogramOpts::new("zengate_request_seconds", "Time from request header to end of answer");
        let request_seconds = Histogram::with_opts(request_seconds.buckets(buckets)).expect("valid buckets");
        registry.register(Box::new(request_seconds.clone())).expect("a metric name used once");
        // The log is the process's, whichever gateway in it is asked.
        let (name, help) = ("zengate_log_lines_lost_total", "Log lines that could not be written in time");
        external_counters::show(&registry, name, help, &[], || vec![(&[], writer::lost())]);
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("a valid metric name");
            registry.register(Box::new(gauge.clone())).expect("a metric name used once");
            gauge
        };
        let gauges = |name: &str, help: &str, label: &str| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &[label]).expect("a valid metric name");
            registry.register(Box::new(gauges.clone())).expect("a metric name used once");
            gauges
        };
        Self {
            sign_in_ready: gauges(
                "zengate_sign_in_ready",
                "Whether somebody could sign in, by what could stand in the way",
                "reason",
            ),
            provider_ready: gauges(
                "zengate_provider_ready",
                "Whether somebody could sign in with this provider",
                "provider",
            ),
            requests,
            request_seconds,
            sign_ins: counters("zengate_sign_ins_total", "Sign-ins by how they ended", "outcome"),
            refusals: counters("zengate_refusals_total", "Refusals by code", "code"),
            session_lookups,
            bearer_tokens: counters("zengate_bearer_tokens_total", "Access tokens that were judged", "outcome"),
            claims_left_out: counters(
                "zengate_claims_left_out_total",
                "Claims that the configuration names and that were left out or cut",
                "reason",
            ),
            logout_tokens: counters("zengate_logout_tokens_total", "Back-channel logouts by how they ended", "outcome"),
            signals: counters("zengate_signals_total", "What issuers told of people, by what followed", "outcome"),
            sim_tenures: counters(
                "zengate_sim_tenures_total",
                "What carriers said of the SIMs of people who signed in",
                "tenure",
            ),
            migrations: counters(
                "zengate_migrations_total",
                "People who came with the word of earlier carriers for who they were",
                "outcome",
            ),
            unclear_refusals: counters(
                "zengate_unclear_refusals_total",
                "Refresh tokens refused twice in words that are not clear",
                "about",
            ),
            link_changes: counters(
                "zengate_link_changes_total",
                "Links of people to accounts of the app that were changed",
                "outcome",
            ),
            hints_left_out: counter(
                "zengate_logout_hints_left_out_total",
                "Sign-ins whose ID token is too long to be named to the provider at sign-out",
            ),
            approvals: counters(
                "zengate_approvals_total",
                "Approvals that were asked for, and how they ended",
                "outcome",
            ),
            approval_notices: counters(
                "zengate_approval_notices_total",
                "Notifications of carriers by what came of them",
                "outcome",
            ),
            approval_events: counters("zengate_approval_events_total", "Events about approvals for the app", "outcome"),
            revocations_pending: gauge(
                "zengate_revocations_pending",
                "Ends of sessions that the session store has not heard of yet",
            ),
            revocations_lost: counter(
                "zengate_revocations_lost_total",
                "Ends of sessions that the session store never heard of and that are kept no longer",
            ),
            store_errors: counter("zengate_store_errors_total", "Session store calls that failed"),
            headers_removed: counter(
                "zengate_identity_headers_removed_total",
                "Reserved headers removed from what clients sent",
            ),
            dropped: counters("zengate_dropped_total", "Parts of requests that were not passed on", "what"),
            upstream_cookies_dropped: counter(
                "zengate_upstream_cookies_dropped_total",
                "Set-Cookie of upstreams that named one of our cookies",
            ),
            session_cache_bytes: gauge("zengate_session_cache_bytes", "Memory that sessions in memory count for"),
            connections: gauge("zengate_connections", "Open connections on the public listener"),
            connections_stalled: gauge("zengate_connections_stalled", "Connections whose client does not read"),
            large_answers: gauge("zengate_large_answers", "Answers under way that may fill memory"),
            upstreams_unreachable: gauge("zengate_upstreams_unreachable", "Upstreams whose name has no address"),
            upstream_available: gauges(
                "zengate_upstream_server_available",
                "Whether a server of an upstream gets requests",
                "server",
            ),
            upstream_ejections: counters(
                "zengate_upstream_ejections_total",
                "Times a server of an upstream was left out because it failed",
                "server",
            ),
            upstream_retries: counter(
                "zengate_upstream_retries_total",
                "Connections to upstreams that failed, after which another was tried",
            ),
            connections_refused: counters(
                "zengate_connections_refused_total",
                "Connections refused by limit",
                "reason",
            ),
            certificate_expiry: gauges(
                "zengate_certificate_expiry_seconds",
                "When the certificate expires, in seconds since 1970",
                "certificate",
            ),
            certificate_faults: counter(
                "zengate_certificate_faults_total",
                "Certificates that changed and cannot be used",
            ),
            connections_ended: counters(
                "zengate_connections_ended_total",
                "Connections ended because their client read too little",
                "reason",
            ),
            streams_ended: counters(
                "zengate_streams_ended_total",
                "Answers under way that were ended with what they were opened under",
                "reason",
            ),
            admin_requests: counters("zengate_admin_requests_total", "Requests on the private listener", "outcome"),
            background_restarts: counters(
                "zengate_background_restarts_total",
                "Background tasks that ended unasked and were started again",
                "task",
            ),
            panics: counter("zengate_panics_total", "Requests that ended in a panic"),
            return_refused: counter("zengate_return_refused_total", "Return addresses that were refused"),
            return_pages: counters("zengate_return_pages_total", "Long pages to return to", "outcome"),
            log_lines_left_out: counter(
                "zengate_log_lines_left_out_total",
                "Lines about refusals left out of the log because they came too fast",
            ),
            limit_hits: counters("zengate_limit_hits_total", "Requests refused by a limit", "limit"),
            registry,
        }
    }

    /// Shows numbers that another room counts: `zengate_provider_exchanges_total{exchange,outcome}` and
    /// `zengate_provider_events_total{event}`.
    pub fn show_provider(
        &self,
        exchanges: impl Fn() -> Vec<Count> + Send + Sync + 'static,
        events: impl Fn() -> Vec<Count> + Send + Sync + 'static,
    ) {
        let name = "zengate_provider_exchanges_total";
        external_counters::show(
            &self.registry,
            name,
            "Requests to carriers and issuers",
            &["exchange", "outcome"],
            exchanges,
        );
        let name = "zengate_provider_events_total";
        external_counters::show(
            &self.registry,
            name,
            "What was noticed about carriers and issuers",
            &["event"],
            events,
        );
    }

    /// Shows `zengate_store_writes_refused_total{fault}`, which the store counts.
    pub fn show_store(&self, refused: impl Fn() -> Vec<Count> + Send + Sync + 'static) {
        let name = "zengate_store_writes_refused_total";
        external_counters::show(
            &self.registry,
            name,
            "Writes that the session store refused because its disk failed",
            &["fault"],
            refused,
        );
    }

    /// The text exposition format.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
