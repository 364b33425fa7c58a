//! What a route demands of an identity, beyond that there is one.

/// Demands of one route; the default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Authentication context: one of these, exactly (`a1`, `a3`). Empty: any.
    pub acr: Vec<String>,
    /// Claims that must be there: name and the values of which one must match exactly. For lists, one element.
    pub claims: Vec<(String, Vec<String>)>,
    /// Domains of which the verified e-mail address must be one (ASCII lower case). Empty: any.
    pub email_domains: Vec<String>,
}
#[allow(missing_docs)] impl Requirement { pub fn check(&self,_:&crate::identity::Identity)->Result<(),Unmet>{Ok(())} }
#[allow(missing_docs)] #[derive(Debug)] pub enum Unmet{Acr}
