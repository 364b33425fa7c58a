//! Authentication contexts: what was reached, and whether it is as much as was asked.

/// The word an acr is known by here: ZenKey's `aalN` as `aN`; `None` for the withdrawn `loaN` (dossier 20, row 10) and
/// for what is no plain word.
pub fn normal(acr: &str) -> Option<String> {
    let digit = |rest: &str| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit());
    match (acr.strip_prefix("aal"), acr.strip_prefix("loa")) {
        (Some(level), _) if digit(level) => Some(format!("a{level}")),
        (_, Some(level)) if digit(level) => None,
        _ => (!acr.is_empty() && acr.len() <= 256 && !acr.chars().any(char::is_control)).then(|| acr.to_owned()),
    }
}

/// Whether `reached` is at least `asked`: the same word, or a higher ZenKey level. A person who confirms with a PIN
/// (`a3`) where a tap (`a1`) was asked has done more, not something else (dossier 8). Between other words there is no
/// order: they are the same or they are not.
pub fn is_met(reached: &str, asked: &str) -> bool {
    reached == asked || matches!((level(reached), level(asked)), (Some(reached), Some(asked)) if reached > asked)
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
        assert!(is_met("a3", "a3") && is_met("a3", "a1") && is_met("urn:x", "urn:x"));
        for (reached, asked) in
            [("a1", "a3"), ("urn:y", "urn:x"), ("a33", "a1"), ("a4", "a3"), ("b3", "a1"), ("", "a1")]
        {
            assert!(!is_met(reached, asked), "{reached} for {asked}");
        }
    }
}
