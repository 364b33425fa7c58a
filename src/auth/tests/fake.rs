//! A carrier that says what the test wants it to say.

use super::*;

/// A carrier that answers at once, and signs whatever nonce the test learned from the authorization request.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) nonce: Mutex<String>,
    pub(super) now: Mutex<Option<SystemTime>>,
    pub(super) redeemed: AtomicUsize,
    /// What it makes of refresh tokens, if it gives any.
    pub(super) refreshing: Mutex<Option<recheck::Refreshing>>,
    /// The name of its session, if it says so.
    pub(super) sid: Mutex<Option<String>>,
    /// How much more it says in its ID tokens than anybody asked for.
    pub(super) padding: Mutex<String>,
    /// Where its sessions end, if it says so.
    pub(super) ends: Mutex<Option<Url>>,
}

pub(super) fn carrier() -> Carrier {
    let url = |path: &str| Url::parse(&format!("{CARRIER}{path}")).unwrap();
    Carrier {
        issuer: CARRIER.to_owned(),
        authorization_endpoint: url("/authorize"),
        token_endpoint: url("/token"),
        userinfo_endpoint: None,
        end_session_endpoint: None,
        jwks_uri: url("/jwks"),
        mccmnc: Some("310007".to_owned()),
        mccmnc_confirmed: true,
        iss_parameter_supported: false,
        auth_method: Default::default(),
        pushed_endpoint: None,
        server_initiated_endpoint: None,
        server_initiated_cancel_endpoint: None,
        sim_tenure_endpoint: None,
        requires_pushed_requests: false,
    }
}

#[async_trait]
impl Provider for Fake {
    async fn discover(&self, _: &str, _: &str, _: SystemTime) -> Result<Discovery, ProviderError> {
        Ok(Discovery::Carrier(Box::new(carrier())))
    }

    fn doubt(&self, _: &str, _now: SystemTime) {}

    async fn issuer(&self, _: SystemTime) -> Result<Carrier, ProviderError> {
        Ok(carrier())
    }

    async fn refresh(
        &self,
        _: &Carrier,
        token: &SecretString,
        _: SystemTime,
    ) -> Result<crate::oidc::refresh::RefreshResponse, ProviderError> {
        let now = self.now.lock().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let sign = |subject: &str| {
            let claims = json!({ "iss": CARRIER, "sub": subject, "aud": "ccid-a", "iat": now, "exp": now + 600 });
            RSA.token(&json!({ "alg": "RS256", "kid": "k" }), &claims)
        };
        let mut refreshing = self.refreshing.lock();
        refreshing.as_mut().ok_or(ProviderError::invalid("no refresh tokens"))?.answer(token, sign)
    }

    async fn logout_keys(
        &self,
        _: &str,
        _: Option<&str>,
        _: std::net::IpAddr,
        _: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        Ok(Arc::new(test_tokens::key_set(&[RSA.jwk("k")])))
    }

    async fn end_session_endpoint(&self, issuer: &str, _: SystemTime) -> Option<Url> {
        self.ends.lock().clone().filter(|_| issuer == CARRIER)
    }

    async fn redeem(&self, _: &Carrier, _: &CodeGrant<'_>) -> Result<Tokens, ProviderError> {
        self.redeemed.fetch_add(1, Ordering::SeqCst);
        let now = self.now.lock().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": CARRIER, "sub": "somebody", "aud": "ccid-a", "nonce": *self.nonce.lock(), "acr": "a1",
            "iat": now, "exp": now + 600, "sid": *self.sid.lock(), "padding": *self.padding.lock(),
        });
        let id_token = RSA.token(&json!({ "alg": "RS256", "kid": "k" }), &claims);
        let refresh_token = self.refreshing.lock().as_ref().map(recheck::Refreshing::issued);
        Ok(Tokens { id_token, access_token: Some(SecretString::new("a")), refresh_token })
    }

    async fn keys(&self, _: &Carrier, _: Option<&str>, _: SystemTime) -> Result<Arc<KeySet>, ProviderError> {
        Ok(Arc::new(test_tokens::key_set(&[RSA.jwk("k")])))
    }

    fn token_keys_at_hand(&self, _: &str, _: SystemTime) -> Option<Arc<KeySet>> {
        None
    }

    async fn token_keys(
        &self,
        _: &str,
        _: Option<&str>,
        _: std::net::IpAddr,
        _: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        Ok(Arc::new(test_tokens::key_set(&[RSA.jwk("k")])))
    }

    async fn userinfo(&self, _: &Carrier, _: &SecretString, _: &str, _: SystemTime) -> Result<UserInfo, ProviderError> {
        Err(ProviderError::timeout())
    }
}
