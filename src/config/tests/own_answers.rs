//! Routes without an app.

use super::*;
use crate::route::OwnAnswer;

fn without(keys: &str) -> String {
    let text = SHORTEST.to_owned();
    let upstream = text.lines().find(|line| line.trim_start().starts_with("upstream:")).unwrap().to_owned();
    text.replace(&upstream, &format!("    {keys}"))
}

#[test]
fn a_route_has_an_app_or_one_answer_of_its_own() {
    let answer = without("answer: { body: hello }");
    one_fault("routes[0].upstream: is missing: say where requests go", &without("maintenance: true"), &answer);
    one_fault(
        "routes[0].redirect: stands beside `answer`",
        &without("answer: { body: x }\n    redirect: { to: /x }"),
        &answer,
    );
    one_fault("routes[0].answer: stands beside `upstream`", &route("    answer: { body: x }\n"), SHORTEST);
    one_fault("routes[0].strip_prefix", &without("answer: { body: x }\n    path: /x\n    strip_prefix: true"), &answer);
    for (wrong, key) in [
        ("answer: { status: 302 }", "answer.status"),
        ("answer: { status: 204, body: x }", "answer.status"),
        ("answer: { body: x, file: y }", "answer.file"),
        ("answer: { file: /nowhere }", "answer.file"),
        ("answer: { body: x, content_type: html }", "answer.content_type"),
        ("redirect: { to: /x, status: 304 }", "redirect.status"),
        ("redirect: { to: //evil.com }", "redirect.to"),
        ("redirect: { to: '/\\evil.com' }", "redirect.to"),
        ("redirect: { to: 'javascript:x' }", "redirect.to"),
        ("redirect: { to: 'https://u:p@x.test' }", "redirect.to"),
        ("redirect: { to: 'https://x.test?a=%path%' }", "redirect.to"),
        ("redirect: { to: x }", "redirect.to"),
    ] {
        one_fault(&format!("routes[0].{key}"), &without(wrong), &answer);
    }
}

#[test]
fn what_a_route_answers_is_read_as_it_is_meant() {
    let machine = Machine::new().file("/etc/page", "<p>");
    let own = |keys: &str| machine.read_config(&without(keys)).unwrap().0.routes.remove(0);
    let route = own("answer: { status: 404, file: /etc/page, content_type: text/html }");
    assert_eq!(route.own_answer.as_ref().unwrap().to_string(), "answer 404");
    assert!(matches!(route.own_answer, Some(OwnAnswer::Fixed { body, .. }) if body == "<p>"));
    for (to, begin, appends) in [
        ("https://x.test/a%path%", "https://x.test/a", true),
        ("https://x.test", "https://x.test/", false),
        ("https://x.test/a?b#c", "https://x.test/a?b#c", false),
        ("/x%path%", "/x", true),
    ] {
        match own(&format!("path: /y\n    redirect: {{ to: '{to}' }}")).own_answer {
            Some(OwnAnswer::Redirect { status, to, appends: found }) => {
                assert_eq!((status.as_u16(), to.as_str(), found), (302, begin, appends));
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    assert_eq!(own("answer: { body: x }\n    maintenance: false").maintenance, None);
    let closed =
        own("answer: { body: x }\n    maintenance: { message: Back soon., retry_after: 5m }").maintenance.unwrap();
    assert_eq!((closed.message.as_deref(), closed.retry_after), (Some("Back soon."), Some(Duration::from_secs(300))));
}
