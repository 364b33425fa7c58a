//! How a carrier refuses a program: the OAuth error body.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::call::Repeated;
use super::keys::KeyFault;

/// An OAuth error, with the status that goes with it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl Refusal {
    pub(super) fn request(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    pub(super) fn client(description: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
    }
}

impl From<Repeated> for Refusal {
    fn from(_: Repeated) -> Self {
        Self::request("invalid_request", "A parameter was sent twice")
    }
}

impl From<KeyFault> for Refusal {
    fn from(_: KeyFault) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, error: "server_error", description: "No key could be made" }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::debug!(error = self.error, reason = self.description, "The simulated carrier refuses");
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Basic realm=\"token\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
