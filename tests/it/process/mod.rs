//! What the process does: how it starts, what it says, how it stops.

mod admin;
mod boot;
mod claims;
mod descriptors;
mod inherited;
mod inquiry;
mod logs;
mod readiness;
mod reasons;
mod refusals;
mod shutdown;
mod stalled_log;
mod unread_answers;

/// A secret that must never be shown.
const CANARY: &str = "canary-client-secret-4711";

/// A configuration without a fault, on ports that the kernel chooses.
fn sound() -> String {
    format!(
        "public_url: http://localhost:4180
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
provider:
  zenkey:
    client_id: ccid-test
    client_secret: \"{CANARY}\"
    discovery_issuer: http://127.0.0.1:9
    discovery_ui: http://127.0.0.1:9/ui
    trusted_issuers:
      - http://127.0.0.1:9
  allow_private_addresses: true
sessions:
  store: memory
log:
  level: trace
routes:
  - {{ host: localhost, path: /public, access: anonymous, upstream: 'http://127.0.0.1:9' }}
  - {{ host: localhost, path: /app, access: session, upstream: 'http://127.0.0.1:9' }}
"
    )
}
