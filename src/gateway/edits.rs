//! Headers that the operator writes into answers of the app, or takes away from them.

use http::HeaderName;
use pingora::http::ResponseHeader;

use super::context::Context;
use super::reply::is_interim;

/// Edits an answer of the app. Not answers of the gateway, which are what they have to be.
///
/// # Errors
/// If the framework refuses a name or value.
pub(super) fn edit_answer(response: &mut ResponseHeader, context: &Context) -> pingora::Result<()> {
    let Some(edits) = context.permit.as_ref().map(|permit| &permit.route().response_headers) else { return Ok(()) };
    if edits.is_empty() || is_interim(response) {
        return Ok(());
    }
    let doomed: Vec<HeaderName> = response.headers.keys().filter(|name| edits.drops(name.as_str())).cloned().collect();
    for name in &doomed {
        response.remove_header(name);
    }
    for (name, value) in edits.written() {
        response.append_header(name.clone(), value.clone())?;
    }
    Ok(())
}
