//! Authentication contexts: what was reached, and whether it is as much as was asked.

/// What an issuer's words for authentication contexts mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vocabulary {
    /// Each word means itself and nothing else: issuers are free in their choice, and NIST's `aal2` is a common one.
    #[default]
    Plain,
    /// ZenKey's: `aalN` is an old spelling of `aN`, `loaN` is withdrawn (dossier 20, row 10), and of `a1` to `a3` the
    /// higher one is more.
    Zenkey,
}

impl Vocabulary {
    /// The word that an acr is known by here; `None` for one that is withdrawn, and for what is no plain word.
    pub fn normal(self, acr: &str) -> Option<String> {
        let digit = |rest: &str| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit());
        if self == Self::Zenkey {
            match (acr.strip_prefix("aal"), acr.strip_prefix("loa")) {
                (Some(level), _) if digit(level) => return Some(format!("a{level}")),
                (_, Some(level)) if digit(level) => return None,
                _ => {}
            }
        }
        (!acr.is_empty() && acr.len() <= 256 && !acr.chars().any(char::is_control)).then(|| acr.to_owned())
    }

    /// Whether `reached` is at least `asked`: the same word, or a higher ZenKey level. A person who confirms with a PIN
    /// (`a3`) where a tap (`a1`) was asked has done more, not something else (dossier 8). Between other words there is no
    /// order: they are the same or they are not.
    pub fn is_met(self, reached: &str, asked: &str) -> bool {
        let higher = || matches!((level(reached), level(asked)), (Some(reached), Some(asked)) if reached > asked);
        reached == asked || (self == Self::Zenkey && higher())
    }
}

/// The N of ZenKey's `aN`.
fn level(acr: &str) -> Option<u8> {
    match acr.as_bytes() {
        [b'a', digit @ b'1'..=b'3'] => Some(digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_was_asked_is_enough_and_less_is_not() {
        // C25
        let is_met = |reached, asked| Vocabulary::Zenkey.is_met(reached, asked);
        assert!(is_met("a3", "a3") && is_met("a3", "a1") && is_met("urn:x", "urn:x"));
        for (reached, asked) in
            [("a1", "a3"), ("urn:y", "urn:x"), ("a33", "a1"), ("a4", "a3"), ("b3", "a1"), ("", "a1")]
        {
            assert!(!is_met(reached, asked), "{reached} for {asked}");
        }
    }

    // PF08
    #[test]
    fn a_plain_issuers_words_mean_themselves() {
        for word in ["aal2", "loa2", "loa3", "a1", "urn:mace:incommon:iap:silver", "1"] {
            assert_eq!(Vocabulary::Plain.normal(word).as_deref(), Some(word));
        }
        assert!(!Vocabulary::Plain.is_met("a3", "a1"), "no order among words that are not ZenKey's");
        assert!(!Vocabulary::Plain.is_met("aal2", "a2") && Vocabulary::Plain.is_met("aal2", "aal2"));
        // The twin: a carrier's.
        assert_eq!(Vocabulary::Zenkey.normal("aal2").as_deref(), Some("a2"));
        assert_eq!(Vocabulary::Zenkey.normal("loa2"), None);
        assert_eq!(Vocabulary::Zenkey.normal("loa22").as_deref(), Some("loa22"));
        for bad in ["", "a\n", &"x".repeat(257)] {
            assert_eq!(Vocabulary::Plain.normal(bad), None);
            assert_eq!(Vocabulary::Zenkey.normal(bad), None);
        }
    }
}
