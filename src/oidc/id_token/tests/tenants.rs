//! An issuer that speaks for many tenants.

use super::*;

// XM09: `https://a.test/common`, at which two tenants are listed.
#[test]
fn a_tenant_of_many_counts_if_it_is_listed_and_the_token_names_it_twice() {
    let of = |tenant: &str| format!("https://a.test/{tenant}");
    let many = |iss: &str, tid: Value| {
        honest().claim("iss", json!(of(iss))).claim("tid", tid).bend(|token| {
            token.tenants = Tenants::at("https://a.test/common", &["t-1".to_owned(), "t-2".to_owned()]).unwrap();
        })
    };
    for tenant in ["t-1", "t-2"] {
        assert_eq!(many(tenant, json!(tenant)).passes().issuer(), of(tenant), "known by the tenant's own issuer");
    }
    for (iss, tid) in [
        ("t-3", "t-3"),
        ("t-1", "t-2"),
        ("t-1", "t-3"),
        ("t-3", "t-1"),
        ("common", "t-1"),
        ("{tenantid}", "t-1"),
        ("", ""),
    ] {
        assert_eq!(many(iss, json!(tid)).fails(), TokenError::IssuerMismatch, "{iss} {tid}");
    }
    assert_eq!(many("t-1", json!("t-1")).without("tid").fails(), TokenError::Missing("tid"));
    assert_eq!(many("t-1", json!(["t-1"])).fails(), TokenError::WrongType("tid"));
    // What no list allows does not count, whatever it says of tenants.
    let single = honest().claim("tid", json!("t-1"));
    assert_eq!(single.passes().issuer(), "https://a.test");
    assert_eq!(honest().claim("iss", json!(of("t-1"))).claim("tid", json!("t-1")).fails(), TokenError::IssuerMismatch);
    let another = many("t-1", json!("t-1")).claim("aud", json!("another"));
    assert_eq!(another.fails(), TokenError::AudienceMismatch, "everything else holds as ever");
}
