//! Reading what an API says of an account: pure, without asking anybody.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{AccountApi, ListMeaning};
use crate::identity::{ApiAccount, ClaimValue};

/// Longest subject in bytes, as of an ID token (OpenID Connect Core 2).
const LONGEST_SUBJECT: usize = 255;

/// Why an API's answer is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::provider) enum AccountFault {
    /// The account is not a JSON object, or a list is not a JSON array of objects.
    #[error("the API's answer has another shape")]
    Shape,
    /// The account has no field that can be the subject.
    #[error("the API's answer has no usable subject")]
    Subject,
}

/// What the items of one list mean.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::provider) enum Listed {
    /// Values of a claim.
    Values(String, Vec<String>),
    /// The verified primary address.
    Address(String),
}

/// One page of a list.
#[derive(Debug)]
pub(in crate::provider) struct Page {
    /// How many items it has; fewer than were asked for are the last.
    pub(in crate::provider) items: usize,
    /// What they mean.
    pub(in crate::provider) listed: Option<Listed>,
}

/// Reads one page of a list. An item that lacks what is looked for is passed over.
pub(in crate::provider) fn read_page(body: &[u8], meaning: &ListMeaning) -> Result<Page, AccountFault> {
    let items: Vec<Map<String, Value>> = serde_json::from_slice(body).map_err(|_| AccountFault::Shape)?;
    let listed = match meaning {
        ListMeaning::Values { claim, fields } => {
            let value = |item: &Map<String, Value>| {
                let parts: Option<Vec<_>> = fields.iter().map(|field| scalar(at(item, field)?)).collect();
                parts.map(|parts| parts.join("/"))
            };
            Some(Listed::Values(claim.clone(), items.iter().filter_map(value).collect()))
        }
        ListMeaning::Addresses => {
            let yes = |item: &Map<String, Value>, field: &str| item.get(field) == Some(&Value::Bool(true));
            let primary = items.iter().find(|item| yes(item, "primary") && yes(item, "verified"));
            primary.and_then(|item| item.get("email")?.as_str()).map(|email| Listed::Address(email.to_owned()))
        }
    };
    Ok(Page { items: items.len(), listed })
}

/// Reads the account, and puts what the lists said beside it.
pub(in crate::provider) fn read_account(
    api: &AccountApi,
    body: &[u8],
    lists: Vec<Listed>,
) -> Result<ApiAccount, AccountFault> {
    let account: Map<String, Value> = serde_json::from_slice(body).map_err(|_| AccountFault::Shape)?;
    let subject = at(&account, &api.subject).and_then(scalar).ok_or(AccountFault::Subject)?;
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
        return Err(AccountFault::Subject);
    }
    let mut claims = BTreeMap::new();
    for (claim, field) in &api.claims {
        // A time or a context of authentication that an API writes is its own word, and opens nothing here.
        if let Some(value) = at(&account, field).and_then(scalar).filter(|value| !value.is_empty()) {
            claims.insert(claim.clone(), ClaimValue::Text(value));
        }
    }
    let email = api.email.as_ref().filter(|(_, verified)| at(&account, verified) == Some(&Value::Bool(true)));
    let email = email.and_then(|(field, _)| at(&account, field)?.as_str()).filter(|email| !email.is_empty());
    let lists = email.map(|email| Listed::Address(email.to_owned())).into_iter().chain(lists);
    for listed in lists {
        match listed {
            Listed::Values(claim, values) => {
                if let ClaimValue::List(all) = claims.entry(claim).or_insert_with(|| ClaimValue::List(Vec::new())) {
                    all.extend(values);
                }
            }
            Listed::Address(email) => {
                claims.insert("email".to_owned(), ClaimValue::Text(email));
                claims.insert("email_verified".to_owned(), ClaimValue::Bool(true));
            }
        }
    }
    Ok(ApiAccount::fetched(api.issuer.clone(), subject, claims))
}

/// The value at `path`, steps between dots.
fn at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
    let first = object.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.as_object()?.get(step))
}

/// A text, or an integer in decimal.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn github() -> AccountApi {
        let url = |text: &str| Url::parse(text).unwrap();
        AccountApi::github(&url("https://github.com"), &url("https://api.github.com")).unwrap()
    }

    #[test]
    fn github_is_told_by_id_login_address_organisations_and_teams() {
        let api = github();
        assert_eq!(api.issuer, "https://github.com");
        assert_eq!(api.token_endpoint.as_str(), "https://github.com/login/oauth/access_token");
        let [_, orgs, teams] = api.lists.as_slice() else { panic!("three lists") };
        assert_eq!(teams.endpoint.as_str(), "https://api.github.com/user/teams");
        let emails = br#"[{"email":"old@a.test","primary":false,"verified":true},{"email":"m@a.test","primary":true,"verified":true}]"#;
        let emails = read_page(emails, &api.lists[0].meaning).unwrap().listed.unwrap();
        assert_eq!(emails, Listed::Address("m@a.test".to_owned()));
        let orgs = read_page(br#"[{"login":"acme","id":1},{"id":2}]"#, &orgs.meaning).unwrap();
        assert_eq!(orgs.items, 2);
        let teams = read_page(br#"[{"slug":"ops","organization":{"login":"acme"}}]"#, &teams.meaning).unwrap();
        let account = br#"{"id":583231,"login":"maya","name":null,"acr":"a3","auth_time":1}"#;
        let account = read_account(&api, account, vec![emails, orgs.listed.unwrap(), teams.listed.unwrap()]).unwrap();
        assert_eq!((account.issuer(), account.subject()), ("https://github.com", "583231"));
        let claim = |name: &str| account.claims().get(name).cloned();
        assert_eq!(claim("preferred_username"), Some(ClaimValue::Text("maya".into())));
        assert_eq!(claim("email"), Some(ClaimValue::Text("m@a.test".into())));
        assert_eq!(claim("groups"), Some(ClaimValue::List(vec!["acme".into(), "acme/ops".into()])));
        assert_eq!((claim("name"), claim("acr"), claim("auth_time")), (None, None, None));
    }

    #[test]
    fn an_address_counts_only_if_it_is_verified_and_the_primary_one() {
        let meaning = ListMeaning::Addresses;
        let one = |text: &str| read_page(text.as_bytes(), &meaning).unwrap().listed;
        for bent in [
            r#"[{"email":"a@a.test","primary":true,"verified":false}]"#,
            r#"[{"email":"a@a.test","primary":false,"verified":true}]"#,
            r#"[{"email":"a@a.test","primary":true,"verified":"true"}]"#,
            r#"[{"email":"a@a.test","primary":true}]"#,
            r#"[{"email":7,"primary":true,"verified":true}]"#,
            "[]",
        ] {
            assert_eq!(one(bent), None, "{bent}");
        }
        let twin = r#"[{"email":"a@a.test","primary":true,"verified":true}]"#;
        assert_eq!(one(twin), Some(Listed::Address("a@a.test".to_owned())));
    }

    #[test]
    fn the_address_of_an_account_counts_only_if_the_account_calls_it_verified() {
        let api = AccountApi { email: Some(("mail.value".into(), "mail.ok".into())), ..github() };
        let email =
            |text: &str| read_account(&api, text.as_bytes(), Vec::new()).unwrap().claims().get("email").cloned();
        for bent in [
            r#"{"id":1,"mail":{"value":"a@a.test","ok":false}}"#,
            r#"{"id":1,"mail":{"value":"a@a.test","ok":"true"}}"#,
            r#"{"id":1,"mail":{"value":"a@a.test","ok":1}}"#,
            r#"{"id":1,"mail":{"value":"a@a.test"}}"#,
            r#"{"id":1,"mail":{"value":"","ok":true}}"#,
            r#"{"id":1,"mail":{"value":7,"ok":true}}"#,
            r#"{"id":1,"mail.value":"a@a.test","mail.ok":true}"#,
        ] {
            assert_eq!(email(bent), None, "{bent}");
        }
        let twin = r#"{"id":1,"mail":{"value":"a@a.test","ok":true}}"#;
        assert_eq!(email(twin), Some(ClaimValue::Text("a@a.test".into())));
    }

    #[test]
    fn whoever_has_no_sound_subject_is_nobody() {
        let api = github();
        for bent in [
            "{}",
            r#"{"id":null}"#,
            r#"{"id":""}"#,
            r#"{"id":1.5}"#,
            r#"{"id":true}"#,
            r#"{"id":{"a":1}}"#,
            r#"{"id":"a\nb"}"#,
        ] {
            assert_eq!(read_account(&api, bent.as_bytes(), Vec::new()), Err(AccountFault::Subject), "{bent}");
        }
        for bent in ["[]", "null", "", "{", "\"a\""] {
            assert_eq!(read_account(&api, bent.as_bytes(), Vec::new()), Err(AccountFault::Shape), "{bent}");
        }
        assert!(read_account(&api, br#"{"id":1}"#, Vec::new()).is_ok());
        for bent in ["{}", r#"{"message":"Bad credentials"}"#, "[1]", ""] {
            assert!(read_page(bent.as_bytes(), &ListMeaning::Addresses).is_err(), "{bent}");
        }
    }
}
