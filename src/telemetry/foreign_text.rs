//! What a stranger wrote, as it may stand in a log line: short, printable, and without what tells who somebody is.

/// Most characters that are shown.
const LONGEST: usize = 200;

/// A word of at least so many characters that holds a digit may be a token, a code or a key, and is left out.
const SECRET_LOOK: usize = 20;

/// So many digits in one word may be a telephone number.
const PHONE_DIGITS: usize = 7;

/// `text` as it may stand in a log: at most 200 printable ASCII characters on one line, words that look like an address of
/// a person, a telephone number or a token replaced by `[...]`. Addresses of the web and dotted names stay.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    for word in text.chars().take(4 * LONGEST).map(plain).collect::<String>().split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if tells_too_much(word) { "[...]" } else { word });
    }
    if out.len() > LONGEST {
        out.truncate(LONGEST - 3);
        out.push_str("...");
    }
    out
}

fn tells_too_much(word: &str) -> bool {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '+');
    if core.contains("://") {
        return core.contains('@');
    }
    let digits = core.bytes().filter(u8::is_ascii_digit).count();
    let letters = core.bytes().filter(u8::is_ascii_alphabetic).count();
    let longest_part = core.split(['.', '/', ':', '=']).map(str::len).max().unwrap_or(0);
    core.contains('@') || (digits >= PHONE_DIGITS && letters == 0) || (longest_part >= SECRET_LOOK && digits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // KC09b
    #[test]
    fn words_of_an_operator_stay_and_persons_and_secrets_go() {
        for stays in [
            "Invalid client or Invalid client credentials",
            "Pushed authorization request is only allowed.",
            "AADSTS7000215: Invalid client secret provided.",
            "https://login.example.com/realms/a%20b/protocol/openid-connect/token",
            "unmet_authentication_requirements",
        ] {
            assert_eq!(shown(stays), stays);
        }
        for (text, seen) in [
            ("user ann@corp.test is locked", "user [...] is locked"),
            ("no such number +15550100123", "no such number [...]"),
            ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is old", "token [...] is old"),
            ("code 'Zk3aa81bb7ccd25566ef' is spent", "code [...] is spent"),
            ("two\r\nlines\u{0}\u{1b}[31m \u{202e}x", "two lines [31m x"),
        ] {
            assert_eq!(shown(text), seen);
        }
        assert_eq!(shown(&"x ".repeat(5000)).len(), LONGEST);
        assert_eq!(shown(""), "");
    }
}
