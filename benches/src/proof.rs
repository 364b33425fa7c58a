//! Before anything is measured: does the contender do its work at all?

use crate::client::{self, Answer};
use crate::contender::Running;
use crate::requests::Credential;

/// A header that many apps trust. Some contenders use it themselves; the others were not told to watch it.
const COMMON: &str = "X-Auth-User";
const FORGED: &str = "mallory-forged";

/// Proves that `running` refuses whom it does not know and tells the app who is there. Returns what became of forged
/// identity headers.
pub(crate) fn prove(running: &Running) -> Result<String, String> {
    let ask = |credential: &Credential, more: &str| {
        let fields = format!("Accept: */*\r\n{}{more}", credential.field());
        let host = running.authority.clone();
        client::ask("GET", &host, &running.proof_path, &fields, "")
    };
    let known = ask(&running.credential, "")?;
    if known.status != 200 {
        return Err(format!("does not let its own session in: {}", first_line(&known)));
    }
    if running.refuses {
        for (what, credential) in
            [("no credential", Credential::None), ("a garbled credential", running.credential.garbled())]
        {
            let answer = ask(&credential, "")?;
            if answer.status == 200 {
                return Err(format!("lets a request in that shows {what}"));
            }
        }
    }
    if let Some(identity) = running.identity
        && !echoed(&known).any(|(name, value)| name.eq_ignore_ascii_case(identity) && !value.is_empty())
    {
        return Err(format!("does not tell the app {identity}: {}", known.body.replace("\r\n", " | ")));
    }
    let fate = |name: &str| -> Result<&str, String> {
        let answer = ask(&running.credential, &format!("{name}: {FORGED}\r\n"))?;
        Ok(match answer.status {
            200 if answer.body.contains(FORGED) => "passed on",
            200 => "removed",
            _ => "refused",
        })
    };
    let common = fate(COMMON)?;
    Ok(match running.identity {
        // A second `Authorization` beside a bearer token would be another test than this one.
        Some(own) if own.eq_ignore_ascii_case("authorization") => format!("{COMMON}: {common}"),
        Some(own) if !own.eq_ignore_ascii_case(COMMON) => format!("{own}: {}; {COMMON}: {common}", fate(own)?),
        _ => format!("{COMMON}: {common}"),
    })
}

/// The header fields that the app saw.
fn echoed(answer: &Answer) -> impl Iterator<Item = (&str, &str)> {
    answer.body.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

fn first_line(answer: &Answer) -> &str {
    answer.head.lines().next().unwrap_or_default()
}
