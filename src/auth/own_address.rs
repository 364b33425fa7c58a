//! Addresses of ours that carry the page to return to: written and read here, and nowhere else.
//!
//! A page comes as `rd`, encoded as forms are. One that would be too long that way comes as `page`, as it is, behind all
//! other parameters: encoding can make it three times as long, and then no listener would take it.

use crate::snapshot::AuthSettings;
use crate::web::RequestView;

/// Longest address of ours with an encoded page, if the listener's own limit is not shorter.
const LONGEST_ENCODED: usize = 6 * 1024;

/// The parameter whose value is all the rest of the address.
const VERBATIM: &str = "page=";

/// The switch that has a provider ask a person again what they share.
pub(super) const CONSENT: &str = "consent";

/// What names one of several providers in our addresses, by its id.
pub(super) const PROVIDER: &str = "provider";

/// The parameters of an address of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnQuery<'a> {
    form: &'a str,
    page: Option<&'a str>,
}

impl<'a> OwnQuery<'a> {
    /// Those of the request in `view`. What stands in a page is no parameter of ours.
    pub(super) fn of(view: &RequestView<'a>) -> Self {
        Self::parse(view.target.query().unwrap_or_default())
    }

    /// The fields of a form that was posted to one of our addresses; one that is no text has none.
    pub(super) fn of_form(view: &RequestView<'a>) -> Self {
        Self { form: std::str::from_utf8(view.form).unwrap_or_default(), page: None }
    }

    fn parse(query: &'a str) -> Self {
        if let Some(page) = query.strip_prefix(VERBATIM) {
            return Self { form: "", page: Some(page) };
        }
        match query.split_once("&page=") {
            Some((form, page)) => Self { form, page: Some(page) },
            None => Self { form: query, page: None },
        }
    }

    /// One value, decoded; `None` if it is absent or there more than once: which of several counts would depend on who
    /// reads them.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let mut values = url::form_urlencoded::parse(self.form.as_bytes()).filter(|(key, _)| key == name);
        let first = values.next()?;
        values.next().is_none().then(|| first.1.into_owned())
    }

    /// Whether `name` stands there as a switch: with the value `1`.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.value(name).as_deref() == Some("1")
    }

    /// All of it, with `name` set to `value`.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let others = url::form_urlencoded::parse(self.form.as_bytes()).filter(|(key, _)| key != name);
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(others).append_pair(name, value).finish();
        self.page.map_or_else(|| form.clone(), |page| format!("{form}&{VERBATIM}{page}"))
    }

    /// The page to return to, as it was asked for; nothing has been judged yet. Links of others (OpenID Connect Core 1.0,
    /// 4) name it `target_link_uri`.
    pub(super) fn wanted(&self) -> Option<String> {
        let page = self.page.map(str::to_owned);
        page.or_else(|| self.value("rd")).or_else(|| self.value("target_link_uri"))
    }
}

/// `address` with `page` to return to. One that our own listener would not take comes without: a 414 would keep the person
/// out, and so a sign-in ends on the start page at worst.
pub(super) fn with_page(address: &str, page: &str, settings: &AuthSettings) -> String {
    let sign = if address.contains('?') { '&' } else { '?' };
    let rd: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
    let encoded = format!("{address}{sign}rd={rd}");
    if encoded.len() <= settings.longest_target.min(LONGEST_ENCODED) {
        return encoded;
    }
    let verbatim = format!("{address}{sign}{VERBATIM}{page}");
    // A link on a page has no backslash: browsers read it as a slash.
    if verbatim.len() <= settings.longest_own_target() && !page.contains('\\') {
        return verbatim;
    }
    address.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::{CONFIG, snapshot};

    fn settings(longest_target: usize) -> AuthSettings {
        AuthSettings { longest_target, ..snapshot(CONFIG).settings().as_ref().clone() }
    }

    // RB16: an address of ours that our own listener refuses would keep the person out.
    #[test]
    fn no_address_of_ours_is_longer_than_the_listener_takes() {
        for longest in [256, 2048, 8192, 60 * 1024] {
            let settings = settings(longest);
            for length in [1, 2, 200, 240, 241, 242, 243, 244, 255, 256, 1000, 8000, 8191, 8192] {
                for sign in ["a", "%26", "&"] {
                    let page = format!("/{}", sign.repeat(length / sign.len()));
                    for address in
                        ["/oauth2/start", "/oauth2/refused?code=authentication_timed_out&id=0123456789abcdef"]
                    {
                        let whole = with_page(address, &page, &settings);
                        assert!(whole.len() <= settings.longest_own_target(), "{}", whole.len());
                        // XS12: whatever page the listener takes, its address takes along.
                        assert!(whole != address || page.len() > longest, "{length} of {longest}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let settings = settings(8192);
        for page in [
            "/",
            "/app?x=1&rd=/y&page=/z&iss=https://evil.test",
            &format!("/app?hand_off=x&host=y&{}", "&=%26?".repeat(1200)),
            "https://second.example/x?page=1",
        ] {
            for address in ["/oauth2/start", "/oauth2/start?again=1"] {
                let whole = with_page(address, page, &settings);
                let query = OwnQuery::parse(whole.split_once('?').unwrap().1);
                assert_eq!(query.wanted().as_deref(), Some(page));
                assert_eq!(query.is_set("again"), address.contains("again"));
                for foreign in ["iss", "hand_off", "host"] {
                    assert_eq!(query.value(foreign), None, "a page's own parameters are none of ours");
                }
            }
        }
        assert_eq!(OwnQuery::parse("rd=a&rd=b").wanted(), None);
        assert_eq!(OwnQuery::parse("a=1&page=/x?a=2&b").with("a", "3"), "a=3&page=/x?a=2&b");
        assert_eq!(OwnQuery::parse("page=/x").with("a", "3"), "a=3&page=/x");
        assert_eq!(OwnQuery::parse("target_link_uri=%2Fx").wanted().as_deref(), Some("/x"));
        assert!(!OwnQuery::parse("again=2").is_set("again") && !OwnQuery::parse("again=1&again=1").is_set("again"));
    }
}
