//! An issuer of many tenants (Microsoft Entra ID): one metadata document speaks for all of them, with `{tenantid}` in its
//! issuer, and each tenant's tokens have an issuer of their own.
//!
//! Rule: only tenants of the operator's list count, and `iss` and `tid` must name the same one. If any tenant counted, whoever
//! has a tenant of their own (everybody may have one) could make people in it and sign in as them; if the two were not compared,
//! a rule that reads `tid` could be told another tenant than the one that vouches.

/// What stands for the tenant in the issuer of the metadata document.
const PLACEHOLDER: &str = "{tenantid}";

/// Words that stand in an issuer's address for "any tenant".
const ANY: [&str; 3] = ["common", "organizations", "consumers"];

/// The tenants of one issuer that may sign people in; none for an issuer that speaks for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenants {
    template: String,
    listed: Vec<Tenant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tenant {
    id: String,
    issuer: String,
}

impl Tenants {
    /// Those with `ids` at `issuer`, in whose path a word for any tenant stands. `None` if there is no such word.
    pub fn at(issuer: &str, ids: &[String]) -> Option<Self> {
        let (before, after) = around_any(issuer)?;
        let filled = |id: &str| format!("{before}{id}{after}");
        let listed = ids.iter().map(|id| Tenant { id: id.clone(), issuer: filled(id) }).collect();
        Some(Self { template: filled(PLACEHOLDER), listed })
    }

    /// Whether the issuer speaks for itself alone.
    pub fn is_none(&self) -> bool {
        self.listed.is_empty()
    }

    /// The issuer that the metadata document names.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The issuers of all listed tenants.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.listed.iter().map(|tenant| tenant.issuer.as_str())
    }

    /// Whether a token of `issuer` with this `tid` is one of a listed tenant: both exactly, and of the same one.
    pub fn admit(&self, issuer: &str, tid: &str) -> bool {
        self.listed.iter().any(|tenant| tenant.id == tid && tenant.issuer == issuer)
    }
}

/// The word for any tenant in the address of `issuer`, if one stands where a tenant would.
pub fn any_tenant(issuer: &str) -> Option<&'static str> {
    let (before, after) = around_any(issuer)?;
    let word = issuer.get(before.len()..issuer.len() - after.len())?;
    ANY.into_iter().find(|any| any.eq_ignore_ascii_case(word))
}

/// What stands before and after the first segment of the path, if that is a word for any tenant.
fn around_any(issuer: &str) -> Option<(&str, &str)> {
    let host = issuer.find("://")? + 3;
    let start = host + issuer.get(host..)?.find('/')? + 1;
    let rest = issuer.get(start..)?;
    let end = start + rest.find('/').unwrap_or(rest.len());
    let word = issuer.get(start..end)?;
    ANY.iter().any(|any| any.eq_ignore_ascii_case(word)).then(|| (&issuer[..start], &issuer[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    const TWO: &str = "aaaaaaaa-2222-3333-4444-555555555555";

    #[test]
    fn a_tenant_counts_if_it_is_listed_and_both_claims_name_it() {
        let tenants = Tenants::at("https://login.example/common/v2.0", &[ONE.to_owned(), TWO.to_owned()]).unwrap();
        let of = |id: &str| format!("https://login.example/{id}/v2.0");
        assert_eq!(tenants.template(), of("{tenantid}"));
        assert!(tenants.admit(&of(ONE), ONE) && tenants.admit(&of(TWO), TWO));
        let foreign = "99999999-2222-3333-4444-555555555555";
        for (issuer, tid) in [
            (of(foreign), foreign),
            (of(ONE), TWO),
            (of(ONE), foreign),
            (of(foreign), ONE),
            (of(ONE), ""),
            (of("common"), ONE),
            (of("{tenantid}"), "{tenantid}"),
            (format!("{}/", of(ONE)), ONE),
            (of(&ONE.replace('1', "%31")), ONE),
            (of(TWO).to_uppercase(), TWO),
            ("https://evil.example/11111111-2222-3333-4444-555555555555/v2.0".to_owned(), ONE),
        ] {
            assert!(!tenants.admit(&issuer, tid), "{issuer} {tid}");
        }
    }

    #[test]
    fn only_a_word_for_any_tenant_in_the_first_segment_makes_an_issuer_one_of_many() {
        for issuer in ["https://a.test/common/v2.0", "https://a.test/Organizations", "https://a.test:1/consumers/"] {
            assert!(any_tenant(issuer).is_some() && Tenants::at(issuer, &[]).is_some(), "{issuer}");
        }
        for issuer in
            ["https://a.test", "https://a.test/x/common", "https://common/x", "https://a.test/commons", "common"]
        {
            assert!(any_tenant(issuer).is_none() && Tenants::at(issuer, &[]).is_none(), "{issuer}");
        }
    }
}
