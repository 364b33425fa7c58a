//! Identity headers for upstreams: names and encodings compiled at start, values rendered once per session.

/// A family of headers that apps already know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// `X-ZenKey-Sub`, `-Issuer`, `-Mccmnc`, `-Acr`, `-Amr`, `-Auth-Time` and one header per consented attribute.
    Zenkey,
    /// oauth2-proxy's answer headers: `X-Auth-Request-User`, `-Email`, `-Groups`, `-Preferred-Username`.
    XAuthRequest,
    /// oauth2-proxy's proxy-mode headers: `X-Forwarded-User`, `-Email`, `-Groups`, `-Preferred-Username`.
    XForwarded,
    /// Authelia and Grafana style: `Remote-User`, `Remote-Email`, `Remote-Name`, `Remote-Groups`.
    RemoteUser,
}

/// How a value that is not plain visible ASCII is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Percent-encoded UTF-8 of everything but visible ASCII and space, and of `%` itself. The default.
    #[default]
    Percent,
    /// The whole value, always, as unpadded base64url of its UTF-8.
    Base64Url,
    /// Only visible ASCII and space pass; any other value is left out whole.
    Ascii,
}

/// One header of a free mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    /// Header name.
    pub name: String,
    /// `sub`, `iss`, `mccmnc`, `acr`, `amr`, `auth_time` or the name of a claim.
    pub claim: String,
    /// Encoding of the value.
    pub encoding: Encoding,
}

/// What a route's upstream is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityHeaderSettings {
    /// Presets, in order.
    pub presets: Vec<Preset>,
    /// Further headers; a name that a preset already has replaces the preset's.
    pub map: Vec<HeaderRule>,
}
#[allow(missing_docs)] pub struct HeaderPlan; #[allow(missing_docs)] #[derive(Debug,Clone)] pub struct HeaderSet(std::sync::Arc<[(http::HeaderName,http::HeaderValue)]>);
#[allow(missing_docs)] impl HeaderPlan { pub fn render(&self,_:&super::Identity)->HeaderSet{ todo!() } }
#[allow(missing_docs)] impl HeaderSet { pub fn iter(&self)->impl Iterator<Item=(&http::HeaderName,&http::HeaderValue)>{ self.0.iter().map(|(a,b)|(a,b)) } }
#[allow(missing_docs)] pub struct Reserved; #[allow(missing_docs)] impl Reserved { pub fn covers(&self,_:&http::HeaderName)->bool{false} }
#[allow(missing_docs)] pub struct Forwarding; #[allow(missing_docs)] impl Forwarding { pub fn covers(&self,_:&http::HeaderName)->bool{false} }
