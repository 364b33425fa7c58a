//! What a person reads of each refusal, and what they can do about it.

use http::StatusCode;

use super::Refusal;

/// What a refusal looks like from outside.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// Status.
    pub status: StatusCode,
    /// Machine word: in JSON, logs and metrics.
    pub code: &'static str,
    /// Heading.
    pub title: &'static str,
    /// What happened, whose fault it is, what to do next.
    pub text: &'static str,
    /// What the person can do about it with one click.
    pub way: Way,
}

/// What a person can do about a refusal with one click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Begin another sign-in for the page.
    Start,
    /// Ask for the same page once more. What was sent by a form is not sent again.
    Reload,
    /// Go to the site's start page.
    Home,
    /// Nothing: the text says what else, or a program reads it.
    Nothing,
}

type Words = (&'static str, &'static str, Way);

impl Refusal {
    /// Status, code and words.
    pub fn message(self) -> Message {
        let (status, code) = self.code();
        let (title, text, way) = self.words();
        Message { status, code, title, text, way }
    }

    /// Heading, text, way on.
    fn words(self) -> Words {
        use Way as W;
        match self {
            Self::AttributeMissing => (
                "This page needs to know more",
                "You are signed in, and have not shared all that this page needs.",
                W::Nothing,
            ),
            Self::AttemptExpired => {
                ("That took too long", "This sign-in was started too long ago. Nothing is lost: start again.", W::Start)
            }
            Self::AttemptUnknown => (
                "This sign-in cannot go on",
                "It was already finished, or it was started in another browser, or this browser did not keep our cookie. Start again here.",
                W::Start,
            ),
            Self::BodyTooLarge => {
                ("That is too large", "What you sent is larger than this site takes. Send less at once.", W::Nothing)
            }
            Self::CallbackMalformed => {
                ("This answer cannot be read", "The address that brought you here is damaged. Start again.", W::Start)
            }
            Self::CarrierMismatch => (
                "The answer came from somebody else",
                "Another provider answered than the one we asked. For your safety the sign-in was stopped.",
                W::Start,
            ),
            Self::CarrierUnknownPerson => (
                "You are not known there yet",
                "The sign-in service found no account for you or for your phone. Set it up there, or choose another one.",
                W::Start,
            ),
            Self::ClientTooSlow => (
                "That took too long",
                "What you sent stopped arriving. Check your connection and send it again.",
                W::Nothing,
            ),
            Self::CookieLost => (
                "Your browser does not keep our cookie",
                "You signed in several times, but your browser brought no cookie back. Allow cookies for this site and check the clock of this device.",
                W::Start,
            ),
            Self::Declined => (
                "You were not signed in",
                "The request to sign you in was declined. If you did not ask for it, you need do nothing. Otherwise start again.",
                W::Start,
            ),
            Self::DeviceUnavailable => (
                "Your phone could not be reached",
                "Make sure that it is switched on and has a connection, then try again.",
                W::Start,
            ),
            Self::HeadTooLarge => (
                "Your browser sent too much",
                "The cookies or headers are too large. Clear the cookies of this site and try again.",
                W::Nothing,
            ),
            Self::Internal => (
                "Something broke on our side",
                "This is not your fault. Please tell whoever runs this site, with the id below.",
                W::Reload,
            ),
            Self::Maintenance(_) => ("Closed for a while", "This page is being worked on. Try again later.", W::Reload),
            Self::MethodNotAllowed => {
                ("Method not allowed", "This address cannot be used in this way. Open it from the app again.", W::Home)
            }
            Self::MethodNotServed => ("Method not allowed", "This kind of request is not served here.", W::Nothing),
            Self::NetworkFailure => (
                "Your phone could not be checked",
                "The carrier could not verify the SIM. Check the phone's connection, then try again.",
                W::Start,
            ),
            Self::NoRoute => ("No such page", "This site has no page at this address. Check the address.", W::Home),
            Self::NotFound => ("No such page", "This address does not exist.", W::Home),
            Self::NotSignedIn => (
                "You were not signed in",
                "You were not signed in, and the provider gave no reason that is known here. Try again, or another way.",
                W::Start,
            ),
            Self::OtherPerson => (
                "That was somebody else",
                "The person who is signed in here was asked to confirm, and somebody else did. Nothing was changed. Start again, or sign out first.",
                W::Start,
            ),
            Self::SimUnmet => (
                "Not with this SIM yet",
                "This page is not for numbers that were moved to another SIM in the last day, and yours was, or your carrier could not say. Try again later. If you have no new SIM, call your carrier.",
                W::Nothing,
            ),
            Self::PolicyUnmet => (
                "You may not open this page",
                "You are signed in, but this page asks for more than your sign-in has. Ask whoever runs this site.",
                W::Nothing,
            ),
            Self::ProviderInvalid => (
                "The answer was not valid",
                "The sign-in service sent an answer that could not be verified. This is not your fault. Try again later.",
                W::Start,
            ),
            Self::ProviderRefused => (
                "This site is not set up correctly",
                "Nobody can sign in until it is. This is not your fault. Please tell whoever runs this site, with the id below.",
                W::Home,
            ),
            Self::ProviderTimeout => (
                "The sign-in service did not answer",
                "It took too long, so you were not signed in. This is not your fault. Try again in a moment.",
                W::Start,
            ),
            Self::ProviderUnavailable(_) => (
                "Signing in does not work right now",
                "The sign-in service cannot be reached. People who are signed in are not affected. Try again in a minute.",
                W::Start,
            ),
            Self::RequestMalformed => (
                "This request cannot be read",
                "The address or the request is malformed. Check the address you opened.",
                W::Home,
            ),
            Self::ScopeMissing => (
                "Not with this token",
                "The access token lacks a scope that is needed here. Ask for one that has it.",
                W::Nothing,
            ),
            Self::SeveralCredentials => {
                ("That cannot be read", "The request carries more than one set of credentials. Send one.", W::Nothing)
            }
            Self::SignOutForeign => {
                ("This came from another site", "Another site tried to sign you out. Nothing was changed.", W::Home)
            }
            Self::SignOutNotKept => (
                "You may still be signed in",
                "A part of this site is down, and it cannot note your sign-out for later. Go back and sign out again in a few minutes.",
                W::Nothing,
            ),
            Self::SignOutUnheard => (
                "You are signed out in this browser",
                "A part of this site is down, so other parts do not know yet. They are told as soon as it is back. There is nothing you need to do.",
                W::Nothing,
            ),
            Self::StepUpNeeded => (
                "Confirm that it is you",
                "You are signed in, but this asks you to confirm who you are. What you sent was not passed on: go back and copy it, confirm, then send it again.",
                W::Start,
            ),
            Self::StoreNotWritable => (
                "Signing in does not work right now",
                "This site cannot keep new sign-ins at the moment. People who are signed in are not affected. Try again in a few minutes.",
                W::Start,
            ),
            Self::StoreUnavailable => (
                "We cannot look you up right now",
                "A part of this site is down. If you were signed in, you still are. Try again in a minute.",
                W::Reload,
            ),
            Self::TargetTooLong => {
                ("This address is too long", "The address you opened is longer than this site takes.", W::Home)
            }
            Self::TimedOut => (
                "No answer from your phone",
                "The request on your phone was not answered in time. Try again and have the phone at hand.",
                W::Start,
            ),
            Self::TooManySignIns(_) => (
                "Too many sign-ins at once",
                "More sign-ins were started from your network than this site takes in so short a time. Wait a minute, then try again.",
                W::Start,
            ),
            Self::Unauthenticated => (
                "You are not signed in",
                "What you sent was not passed on. Go back and copy it, sign in, then send it again.",
                W::Start,
            ),
            Self::UnknownHost => {
                ("No such site here", "This server does not serve the site you asked for.", W::Nothing)
            }
            Self::TokenInvalid => (
                "Not with this token",
                "The access token is not good here, or not any more. Ask for a new one.",
                W::Nothing,
            ),
            Self::TokenMissing => {
                ("This is for programs", "An access token is needed here, in the Authorization header.", W::Nothing)
            }
            Self::TooManyFailures(_) => (
                "Too many bad tokens",
                "Too many access tokens from your address were not good. Wait a moment.",
                W::Nothing,
            ),
            Self::UnknownIssuer => (
                "This sign-in is not offered here",
                "The link that brought you here asks for a sign-in service that this site does not use.",
                W::Start,
            ),
            Self::LinkForeign => (
                "This came from another site",
                "Another site tried to link your sign-in to an account. Nothing was changed.",
                W::Home,
            ),
            Self::LinkUnknown => (
                "This link cannot be used",
                "It was used before, or it is too old, or it was opened in another browser. Go back to the site and start from your account there.",
                W::Home,
            ),
            Self::LinkedElsewhere => (
                "This sign-in belongs to another account",
                "Your sign-in is linked to another account of this site, so nothing was changed. Whoever runs the site can change that.",
                W::Home,
            ),
            Self::TooManySubjects => (
                "This account has enough sign-ins",
                "As many sign-ins as this site allows are linked to the account. Whoever runs the site can take one away.",
                W::Home,
            ),
            Self::UnlinkedUser => (
                "You have no account here yet",
                "You are signed in, but this site does not know yet which account is yours. Whoever runs it can link it to your sign-in.",
                W::Nothing,
            ),
            Self::Unsupported => (
                "Your phone is not set up for this",
                "Install your carrier's app, set it up, then try again.",
                W::Start,
            ),
            Self::UpstreamTimeout => {
                ("The app did not answer", "The app behind this page took too long. Try again in a moment.", W::Reload)
            }
            Self::UpstreamUnavailable => (
                "The app is not there",
                "The app behind this page cannot be reached. This is not your fault. Try again in a moment.",
                W::Reload,
            ),
            Self::WeakSignIn => (
                "A stronger sign-in is needed",
                "This site asks that you confirm who you are in a stronger way than you did. Try again, and use it.",
                W::Start,
            ),
            Self::WebSocketForeign => (
                "Not from this page",
                "A page of another site tried to connect to this one. Open this site itself.",
                W::Home,
            ),
        }
    }
}

#[cfg(test)]
mod tests;
