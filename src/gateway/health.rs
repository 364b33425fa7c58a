//! Asks the servers of an upstream how they are, as requests would go there: with its TLS, its protocol and its names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::{Method, StatusCode, header};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use tracing::{info, warn};

use super::peer::{Manner, host_for, peer_of};
use crate::route::upstream::HealthSettings;
use crate::telemetry::Metrics;
use crate::upstream::Upstream;

/// How often the metric of servers that nobody asks is brought up to date.
const PACE: Duration = Duration::from_secs(1);

/// Keeps asking the servers of `upstream`, if they are to be asked, and says in log and metric who gets requests. Never ends.
pub async fn watch(upstream: Upstream, metrics: Arc<Metrics>) {
    let connector = Connector::new(None);
    let group = &upstream.group;
    let names: Vec<_> = group.servers().iter().map(|server| server.at().to_string()).collect();
    let health = group.settings().health.clone();
    loop {
        if let Some(health) = &health {
            let all = (0..names.len()).map(|place| ask(&connector, &upstream, place, health));
            for (place, (good, name)) in join_all(all).await.into_iter().zip(&names).enumerate() {
                let why = good.as_ref().err().map(String::as_str).unwrap_or_default();
                match group.checked(place, good.is_ok(), Instant::now(), health) {
                    Some(true) => info!(server = name, "A server of an upstream is well again"),
                    Some(false) => warn!(server = name, reason = why, "A server of an upstream is not well (`health`)"),
                    None => {}
                }
            }
        }
        for (place, name) in names.iter().enumerate() {
            let available = group.is_available(place, Instant::now());
            metrics.upstream_available.with_label_values(&[name]).set(i64::from(available));
        }
        tokio::time::sleep(health.as_ref().map_or(PACE, |health| health.every)).await;
    }
}

/// One question.
///
/// # Errors
/// In words for the log, if it is not well.
async fn ask(connector: &Connector, upstream: &Upstream, place: usize, health: &HealthSettings) -> Result<(), String> {
    let answer = tokio::time::timeout(health.timeout, status(connector, upstream, place, health)).await;
    let status = answer.map_err(|_| format!("no answer within {:?}", health.timeout))??;
    let good = match health.status {
        Some(wanted) => status.as_u16() == wanted,
        None => status.is_success() || status.is_redirection(),
    };
    good.then_some(()).ok_or_else(|| format!("it answered {status}"))
}

async fn status(
    connector: &Connector,
    upstream: &Upstream,
    place: usize,
    health: &HealthSettings,
) -> Result<StatusCode, String> {
    let server = upstream.group.server(place).ok_or("it is not there any more")?;
    let address =
        server.endpoints().map(|endpoints| endpoints.address().ok_or("its name has no address")).transpose()?;
    let manner = Manner { upgraded: false, fresh: true };
    let peer = peer_of(upstream, server, address, manner).ok_or("its certificates cannot be used")?;
    let tls = upstream.group.settings().tls.is_some();
    let host = host_for(upstream, Some(place)).map(|host| host.to_str().unwrap_or_default().to_owned());
    let host = host.unwrap_or_else(|| server.at().authority(tls));
    let request = || {
        let mut request = RequestHeader::build(Method::GET, health.path.as_bytes(), None)?;
        // A socket has no host of its own.
        request.insert_header(header::HOST, if host.starts_with("unix:") { "localhost" } else { &host })?;
        request.insert_header(header::USER_AGENT, "zengate-health")?;
        Ok::<_, Box<pingora::Error>>(request)
    };
    let asked = async {
        let (mut session, _) = connector.get_http_session(&*peer).await?;
        session.write_request_header(Box::new(request()?)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        Ok::<_, Box<pingora::Error>>(session.response_header().map(|response| response.status))
    };
    let status = asked.await.map_err(|error| error.etype().as_str().to_owned())?;
    status.ok_or_else(|| "it gave no answer".to_owned())
}
