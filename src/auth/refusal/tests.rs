//! FD13: the walk over all refusals. Whatever is refused, and to whom, it has one word: in the count, in the log, on the page,
//! and on the page of refusals.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, header};

use super::*;
use crate::auth::tests::lines::Lines;
use crate::route::path::NormalTarget;
use crate::telemetry::Metrics;

/// Every refusal there is.
pub(super) fn all() -> [Refusal; 55] {
    [
        Refusal::AttributeMissing,
        Refusal::AttemptExpired,
        Refusal::AttemptUnknown,
        Refusal::BodyTooLarge,
        Refusal::CallbackMalformed,
        Refusal::CarrierMismatch,
        Refusal::CarrierUnknownPerson,
        Refusal::ClientTooSlow,
        Refusal::CookieLost,
        Refusal::Declined,
        Refusal::DeviceUnavailable,
        Refusal::HeadTooLarge,
        Refusal::Internal,
        Refusal::Maintenance(None),
        Refusal::MethodNotAllowed,
        Refusal::MethodNotServed,
        Refusal::NetworkFailure,
        Refusal::NoRoute,
        Refusal::NotFound,
        Refusal::NotSignedIn,
        Refusal::OtherPerson,
        Refusal::PolicyUnmet,
        Refusal::SimUnmet,
        Refusal::ProviderInvalid,
        Refusal::ProviderRefused,
        Refusal::ProviderTimeout,
        Refusal::ProviderUnavailable(None),
        Refusal::RequestMalformed,
        Refusal::ScopeMissing,
        Refusal::SeveralCredentials,
        Refusal::SignOutForeign,
        Refusal::SignOutNotKept,
        Refusal::SignOutUnheard,
        Refusal::StepUpNeeded,
        Refusal::StoreNotWritable,
        Refusal::StoreUnavailable,
        Refusal::TargetTooLong,
        Refusal::TimedOut,
        Refusal::TooManySignIns(Duration::ZERO),
        Refusal::Unauthenticated,
        Refusal::UnknownHost,
        Refusal::TokenInvalid,
        Refusal::TokenMissing,
        Refusal::TooManyFailures(Duration::ZERO),
        Refusal::UnknownIssuer,
        Refusal::LinkForeign,
        Refusal::LinkUnknown,
        Refusal::LinkedElsewhere,
        Refusal::TooManySubjects,
        Refusal::UnlinkedUser,
        Refusal::Unsupported,
        Refusal::UpstreamTimeout,
        Refusal::UpstreamUnavailable,
        Refusal::WeakSignIn,
        Refusal::WebSocketForeign,
    ]
}

fn name(refusal: Refusal) -> String {
    format!("{refusal:?}").split('(').next().unwrap().to_owned()
}

#[test]
fn the_walk_leaves_none_out() {
    let source = include_str!("code.rs");
    let table = source.split("fn code(").nth(1).unwrap().split("fn limit(").next().unwrap();
    let arms = table.split("Self::").skip(1);
    let written: BTreeSet<String> =
        arms.map(|arm| arm.split(|end: char| !end.is_alphanumeric()).next().unwrap().to_owned()).collect();
    let walked: BTreeSet<String> = all().into_iter().map(name).collect();
    assert_eq!((walked.len(), walked), (all().len(), written));
}

// FD13
#[test]
fn every_refusal_leaves_by_the_exit_with_one_word_for_everybody() {
    let page = include_str!("../../../docs/REFUSALS.md");
    let target = NormalTarget::parse(b"/app").unwrap();
    let headers = |accept: &'static str| HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
    let (html, json) = (headers("text/html"), headers("application/json"));
    let client = IpAddr::from([192, 0, 2, 1]);
    let view = |headers| RequestView {
        method: &Method::GET,
        host: "apps.example",
        target: &target,
        headers,
        client,
        request_id: "0123456789abcdef",
        form: b"",
    };
    let (person, program) = (view(&html), view(&json));
    let start = "/oauth2/start";
    for refusal in all() {
        let (status, code) = refusal.code();
        assert!(
            page.contains(&format!("| `{code}` | {} |", status.as_u16())) || refusal == Refusal::TokenMissing,
            "{code}"
        );
        let recipients = [
            Recipient::Anyone { view: &person, start },
            Recipient::Anyone { view: &program, start },
            Recipient::Program,
            Recipient::Unjudged { html: true },
            Recipient::Unjudged { html: false },
        ];
        for recipient in recipients {
            let metrics = Arc::new(Metrics::new());
            let exit = RefusalExit::new(Arc::clone(&metrics));
            let refused = Refused { reason: None, ..Refused::of(refusal, &person) };
            let (lines, listening) = Lines::of_this_thread();
            let reply = exit.refuse(refused, recipient);
            drop(listening);
            let lines = lines.all();
            let body = String::from_utf8_lossy(&reply.body);
            assert_eq!(reply.status, status, "{code}");
            assert!(body.contains(code) && body.contains("0123456789abcdef"), "{code}: {body}");
            assert_eq!(metrics.refusals.with_label_values(&[code]).get(), 1, "{code}");
            let [line] = &lines[..] else { panic!("{code}: {lines:?}") };
            let said = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                (said("event"), said("code"), said("request_id")),
                ("refusal".to_owned(), code.to_owned(), "0123456789abcdef".to_owned(),)
            );
            assert_eq!(line["status"].as_u64(), Some(status.as_u16().into()), "{line}");
            // A limit of ours that is not on the page by its key helps nobody.
            let key = refusal.limit().and_then(|limit| limit.split('`').nth(1));
            assert!(key.is_none_or(|key| said("reason").contains(key) && page.contains(key)), "{line}");
        }
    }
}

// FD13: what is said at one exit cannot be said differently at another, because nobody else has the words.
#[test]
fn nobody_but_the_exit_writes_a_code_of_a_refusal() {
    let codes: Vec<String> = all().iter().map(|refusal| format!("\"{}\"", refusal.code().1)).collect();
    let sources = [
        ("denial", include_str!("../denial.rs")),
        ("endpoints", include_str!("../endpoints.rs")),
        ("answers", include_str!("../answers.rs")),
        ("link_page", include_str!("../link_page.rs")),
        ("registration", include_str!("../registration.rs")),
        ("sign_out", include_str!("../sign_out.rs")),
    ];
    for (name, source) in sources {
        for code in &codes {
            assert!(!source.contains(code.as_str()), "{name}.rs writes {code}");
        }
    }
}
