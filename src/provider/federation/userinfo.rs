//! The userinfo endpoint (OpenID Connect Core 5.3).

use std::time::SystemTime;

use super::Federation;
use super::answers::read_userinfo;
use crate::carrier::differs::DigestForm;
use crate::oidc::jwt::JwtError;
use crate::oidc::key_proof::key_proof;
use crate::oidc::userinfo_jwt::{self, SignedUserInfo, UserInfoJwtError};
use crate::provider::client::Answer;
use crate::provider::{Carrier, Provider, ProviderError, UserInfo};
use crate::secret::{SecretString, SystemEntropy};

impl Federation {
    /// Asks for the attributes of the person whose access token this is, as JSON or as a signed answer.
    pub(super) async fn ask_userinfo(
        &self,
        carrier: &Carrier,
        access_token: &SecretString,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<UserInfo, ProviderError> {
        let mut url = carrier.userinfo_endpoint.clone().ok_or(ProviderError::invalid("no userinfo endpoint"))?;
        if let Some(id) = self.correlation(Some(&carrier.issuer), correlation_id) {
            url.query_pairs_mut().append_pair("correlation_id", id);
        }
        let authorization = SecretString::new(format!("Bearer {}", access_token.expose()));
        let form = self.trusted(&carrier.issuer).and_then(|member| member.differs.key_proof);
        let proof = match form.map(|form| form == DigestForm::Hex) {
            None => None,
            Some(hex) => {
                let proof = key_proof(&authorization, hex, self.authentication(carrier), now, &SystemEntropy);
                Some(
                    proof
                        .ok_or(ProviderError::invalid("no key of ours signs the proof that this carrier is to get"))?,
                )
            }
        };
        let answer = self.client.get_authorized("userinfo", &url, &authorization, proof.as_ref()).await?;
        if answer.status == 200 && userinfo_jwt::is_jwt(&answer.body) {
            return self.open_userinfo(carrier, &answer, now).await;
        }
        read_userinfo(&answer)
    }

    /// A signed answer is believed if the issuer signed it for us; its keys are those of its ID tokens.
    async fn open_userinfo(
        &self,
        carrier: &Carrier,
        answer: &Answer,
        now: SystemTime,
    ) -> Result<UserInfo, ProviderError> {
        let refuse = |error: UserInfoJwtError| {
            let advice = match error {
                UserInfoJwtError::Jwt(JwtError::AlgorithmNotAllowed) => {
                    "list its algorithm in `algorithms`, or have the provider send userinfo unsigned"
                }
                UserInfoJwtError::Jwt(JwtError::Encrypted) => "have the provider send userinfo that is not encrypted",
                _ => "compare with the provider's key set and with our registration there",
            };
            let refusal = answer.blame(ProviderError::invalid("not a userinfo answer"));
            refusal.found(&error.to_string()).advise(advice)
        };
        let read = SignedUserInfo::parse(&answer.body, self.settings.max_id_token).map_err(refuse)?;
        let (issuer, client_id) = (carrier.issuer.as_str(), self.settings.client_id_at(&carrier.issuer));
        let algorithms = self.trusted(issuer).map_or(&[][..], |trusted| &trusted.algorithms);
        let keys = self.keys(carrier, read.kid(), now).await?;
        let mut claims = read.verify(&keys, algorithms, issuer, client_id);
        if matches!(claims, Err(UserInfoJwtError::Jwt(JwtError::SignatureInvalid | JwtError::UnknownKey))) {
            let newer = self.keys_after_rotation(carrier, now).await?;
            claims = read.verify(&newer, algorithms, issuer, client_id);
        }
        let claims = serde_json::to_vec(&claims.map_err(refuse)?).unwrap_or_default();
        UserInfo::parse(&claims)
            .map_err(|fault| answer.blame(ProviderError::invalid("not a userinfo answer")).found(&fault.to_string()))
    }
}
