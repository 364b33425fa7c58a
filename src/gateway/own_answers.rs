//! Routes without an app: the answer is the operator's, once it is clear who may have it.

use http::{HeaderValue, StatusCode, header};
use pingora::proxy::Session;

use super::context::Context;
use super::proxy::{Gateway, view};
use crate::auth::{Decision, Recipient, Refusal, Refused};
use crate::route::OwnAnswer;
use crate::route::path::NormalTarget;
use crate::web::Reply;

impl Gateway {
    /// What is answered in the place of an app to a request that may pass.
    pub(super) fn answer_itself(
        &self,
        session: &Session,
        context: &mut Context,
        target: &NormalTarget,
        decision: Decision,
    ) -> Decision {
        let Decision::Forward(permit) = decision else { return decision };
        let Some(answer) = &permit.route().own_answer else { return Decision::Forward(permit) };
        let reply = match answer {
            OwnAnswer::Fixed { status, content_type, body } => Some(fixed(*status, content_type, body)),
            OwnAnswer::Redirect { status, to, appends } => {
                let inner = context.inner_target.take();
                let behind = appends.then(|| inner.as_deref().unwrap_or_else(|| target.forwarded()));
                OwnAnswer::location(to, behind).map(|location| redirect(*status, location))
            }
        };
        let Some(mut reply) = reply else {
            let refused = context.refused(Refusal::RequestMalformed, Some("its path cannot stand in a `Location`"));
            let refused = Refused { route: Some(&permit.route().name), ..refused };
            let view = view(session, context, target);
            let recipient = Recipient::Anyone { view: &view, start: context.snapshot.start() };
            return Decision::Answer(self.exit.refuse(refused, recipient).closing());
        };
        // It stands for an app's answer, and is edited as one.
        let edits = &permit.route().response_headers;
        reply.headers.retain(|(name, _)| !edits.drops(name.as_str()));
        reply.headers.extend(edits.written().map(|(name, value)| (name.clone(), value.clone())));
        context.outcome = permit.outcome();
        context.permit = Some(permit);
        Decision::Answer(reply)
    }
}

fn fixed(status: StatusCode, content_type: &HeaderValue, body: &bytes::Bytes) -> Reply {
    let mut reply = Reply::empty(status);
    if !body.is_empty() {
        reply.set(header::CONTENT_TYPE, content_type.clone());
        reply.set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        reply.body = body.clone();
    }
    reply
}

fn redirect(status: StatusCode, location: HeaderValue) -> Reply {
    let mut reply = Reply::empty(status);
    reply.set(header::LOCATION, location);
    reply
}
