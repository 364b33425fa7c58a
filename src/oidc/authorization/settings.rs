//! What an operator wants in every authorization request (Core 3.1.2.1, RFC 8707, RFC 9126).

use std::time::Duration;

/// Most languages that are passed on.
const MAX_LOCALES: usize = 5;

/// What stands in every authorization request beside what makes it ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestSettings {
    /// `prompt`, unless a sign-in needs another one.
    pub prompt: Option<String>,
    /// `max_age`: longest time since the person authenticated. The ID token is then held to it.
    pub max_age: Option<Duration>,
    /// `ui_locales`.
    pub ui_locales: UiLocales,
    /// `claims`: JSON (Core 5.5).
    pub claims: Option<String>,
    /// `resource`, each as a parameter of its own (RFC 8707).
    pub resource: Vec<String>,
    /// Further parameters; none of ours.
    pub extra: Vec<(String, String)>,
    /// Push every request (RFC 9126), and not only where the provider requires it.
    pub always_pushed: bool,
}

/// The languages in which the provider is asked to speak.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UiLocales {
    /// Whatever it speaks.
    #[default]
    Unsaid,
    /// Those of the person's browser.
    FromBrowser,
    /// These, best first.
    These(Vec<String>),
}

impl UiLocales {
    /// The value of `ui_locales` for a browser that sent `accept_language`; empty if there is none.
    pub fn value(&self, accept_language: Option<&str>) -> String {
        match self {
            Self::Unsaid => String::new(),
            Self::FromBrowser => accept_language.map(from_browser).unwrap_or_default(),
            Self::These(tags) => tags.join(" "),
        }
    }
}

/// Whether `text` has the form of a language tag (RFC 5646): letters, digits and hyphens, at most 35.
pub fn is_language_tag(text: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= 35 && text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.split('-').all(part)
}

/// The tags of `Accept-Language` (RFC 9110, 12.5.4), best first, at most five. What is no tag is left out: the text is the
/// browser's, and goes into an address.
fn from_browser(accept_language: &str) -> String {
    let mut tags: Vec<(u32, &str)> = Vec::new();
    for piece in accept_language.split(',').take(4 * MAX_LOCALES) {
        let (tag, parameters) = piece.split_once(';').unwrap_or((piece, ""));
        let (tag, parameters) = (tag.trim(), parameters.trim());
        let weight = match parameters.strip_prefix("q=").map(str::parse::<f32>) {
            None => 1000,
            Some(Ok(weight)) if (0.0..=1.0).contains(&weight) => (weight * 1000.0) as u32,
            Some(_) => 0,
        };
        if weight > 0 && is_language_tag(tag) {
            tags.push((weight, tag));
        }
    }
    tags.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    tags.into_iter().take(MAX_LOCALES).map(|(_, tag)| tag).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // XM06
    #[test]
    fn languages_of_the_browser_are_passed_on_as_tags_and_nothing_else() {
        let value = |text: &str| UiLocales::FromBrowser.value(Some(text));
        assert_eq!(value("de-CH, fr;q=0.9, en;q=0.8, *;q=0.5"), "de-CH fr en");
        assert_eq!(value("en;q=0.1, de"), "de en");
        assert_eq!(value("de;q=0, en;q=x, fr;q=2, it"), "it");
        for odd in ["", "*", "<script>", "de&prompt=none", "en\u{e9}", "a b", &"x".repeat(50)] {
            assert_eq!(value(odd), "", "{odd}");
        }
        assert_eq!(value("a1,b1,c1,d1,e1,f1,g1").split(' ').count(), MAX_LOCALES);
        assert_eq!(UiLocales::FromBrowser.value(None), "");
        assert_eq!(UiLocales::Unsaid.value(Some("de")), "");
        assert_eq!(UiLocales::These(vec!["de".into(), "en-GB".into()]).value(Some("fr")), "de en-GB");
    }
}
