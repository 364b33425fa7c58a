//! E-mail addresses and phone numbers that an issuer calls unverified (OpenID Connect Core 5.1).
//!
//! Whoever signs up at an issuer may type any address. Until the issuer has sent something there and got it back, the
//! address says nothing about who the person is. An app that knows people by e-mail would give whoever typed the
//! director's address the director's account, and a rule that names an address would open to everybody.

use std::collections::BTreeMap;

use super::ClaimValue;

/// The claim that says whether an address was verified, and the claims that hold the address, best first.
pub(super) const CONTACTS: [(&str, &[&str]); 2] =
    [("email_verified", &["email"]), ("phone_number_verified", &["phone_number", "phone"])];

/// Whether a word about an address says yes. Some issuers write the boolean as text or as a number. Everything else is
/// a no, `"false"` and shapes that mean nothing among them; a word that is absent is no word.
pub(super) fn says_yes(word: &ClaimValue) -> bool {
    match word {
        ClaimValue::Bool(yes) => *yes,
        ClaimValue::Integer(number) => *number == 1,
        ClaimValue::Text(text) => text == "true",
        ClaimValue::List(_) => false,
    }
}

/// Takes out every address that is called unverified, and every other claim that repeats it: where people sign up with
/// their address as the user name, `preferred_username` is the same unproven text under another name.
pub(super) fn leave_out_unverified(claims: &mut BTreeMap<String, ClaimValue>) {
    for (word, names) in CONTACTS {
        if claims.get(word).is_none_or(says_yes) {
            continue;
        }
        let unproven: Vec<ClaimValue> = names.iter().filter_map(|name| claims.remove(*name)).collect();
        let unproven: Vec<String> =
            unproven.iter().flat_map(texts).map(plain).filter(|text| !text.is_empty()).collect();
        // A list that lacks one of its elements would be another list, so it goes whole.
        claims.retain(|_, value| !texts(value).any(|text| unproven.contains(&plain(text))));
    }
}

/// Joins what userinfo says to what the ID token says, which stands wherever both speak.
///
/// A word that vouches for an address vouches for the one it came with: userinfo's yes about another address than the
/// token's is not taken for the token's. A no is kept as long as it can be about the same address.
pub(super) fn join(userinfo: &mut BTreeMap<String, ClaimValue>, token: &BTreeMap<String, ClaimValue>) {
    for (word, names) in CONTACTS {
        let address = |claims: &BTreeMap<String, ClaimValue>| names.iter().find_map(|name| claims.get(*name).cloned());
        let (theirs, ours) = (address(userinfo), address(token));
        let about_another = ours.is_some() && theirs.is_some() && theirs != ours;
        let vouches_alone = ours.is_some() && theirs.is_none() && userinfo.get(word).is_some_and(says_yes);
        if about_another || vouches_alone {
            userinfo.remove(word);
        }
        let denied = userinfo.get(word).is_some_and(|said| !says_yes(said));
        if let Some(said) = token.get(word) {
            // Where both speak of one address, both must say yes.
            if !denied {
                userinfo.insert(word.to_owned(), said.clone());
            }
        }
    }
    for (name, value) in token {
        if !CONTACTS.iter().any(|(word, _)| word == name) {
            userinfo.insert(name.clone(), value.clone());
        }
    }
}

fn texts(value: &ClaimValue) -> impl Iterator<Item = &str> {
    let (one, several) = match value {
        ClaimValue::Text(text) => (Some(text.as_str()), [].as_slice()),
        ClaimValue::List(list) => (None, list.as_slice()),
        ClaimValue::Bool(_) | ClaimValue::Integer(_) => (None, [].as_slice()),
    };
    one.into_iter().chain(several.iter().map(String::as_str))
}

/// As an app may compare it: mail servers and directories ignore case and blanks at the ends.
fn plain(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests;
