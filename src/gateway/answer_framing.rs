//! How long an app's answer is, said once and in one way.
//!
//! The framework reads an answer by rules of its own and passes its fields on as they came. Whoever stands between us and
//! the client may read them by other rules, and see another answer in the same bytes. So what frames is what was
//! understood, or the answer is refused.

use http::header;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};

use super::head::content_length;

/// Leaves one plain length or one plain `chunked` in `response`.
///
/// # Errors
/// If it has anything else: the app's fault, for which the client gets 502.
pub(super) fn settle(response: &mut ResponseHeader) -> Result<()> {
    let (mut codings, mut lengths) = (0, 0);
    // Answers have few fields: looking at each of them costs less than looking these two up.
    for (name, value) in &response.headers {
        if *name == header::TRANSFER_ENCODING {
            codings += 1;
            if codings > 1 || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(fault("the upstream's transfer coding is not plain chunked"));
            }
        } else if *name == header::CONTENT_LENGTH {
            lengths += 1;
            if lengths > 1 || content_length(value.as_bytes()).is_none() {
                return Err(fault("the upstream's content length is not one plain number"));
            }
        }
    }
    if codings > 0 && lengths > 0 {
        // The coding counts (RFC 9112, 6.3), for us and the framework; nobody behind us shall take the other.
        response.remove_header(&header::CONTENT_LENGTH);
    }
    Ok(())
}

/// Leaves no length in an interim answer, which has no body (RFC 9110, 15.2), and no word about the app's connection.
pub(super) fn none(interim: &mut ResponseHeader) -> Result<()> {
    interim.remove_header(&header::CONNECTION);
    interim.remove_header(&header::CONTENT_LENGTH);
    interim.remove_header(&header::TRANSFER_ENCODING);
    Ok(())
}

fn fault(why: &'static str) -> Box<Error> {
    let mut error = Error::explain(ErrorType::InvalidHTTPHeader, why);
    error.as_up();
    error
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The framing that is left of `fields`; `None` if the answer is refused.
    fn left(fields: &[(&'static str, &str)]) -> Option<Vec<String>> {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            response.append_header(*name, HeaderValue::from_str(value).unwrap()).unwrap();
        }
        settle(&mut response).ok()?;
        let fields = response.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        Some(fields.collect())
    }

    // attacks, classes E and F
    #[test]
    fn an_answer_of_two_readings_is_refused() {
        for length in ["05", "+5", "-5", "5, 5", "5,6", "0x5", "", "5 5", "9223372036854775808", "5e0", "5.0", "5;"] {
            assert_eq!(left(&[("content-length", length)]), None, "{length:?}");
        }
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "", "xchunked", "chunked;q=1", "gzip"] {
            assert_eq!(left(&[("transfer-encoding", coding)]), None, "{coding:?}");
        }
        assert_eq!(left(&[("content-length", "5"), ("content-length", "5")]), None);
        assert_eq!(left(&[("content-length", "5"), ("content-length", "6")]), None);
        assert_eq!(left(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]), None);
        assert_eq!(left(&[("transfer-encoding", "chunked"), ("content-length", "x")]), None);
        // The twins.
        assert_eq!(left(&[]).unwrap(), [""; 0]);
        assert_eq!(left(&[("content-length", "0")]).unwrap(), ["content-length: 0"]);
        assert_eq!(left(&[("content-length", "9223372036854775807")]).unwrap().len(), 1);
        assert_eq!(left(&[("transfer-encoding", "Chunked")]).unwrap(), ["transfer-encoding: Chunked"]);
        let both = [("content-length", "5"), ("transfer-encoding", "chunked")];
        assert_eq!(left(&both).unwrap(), ["transfer-encoding: chunked"]);
    }
}
