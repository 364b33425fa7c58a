//! Authentication contexts: what was reached, and whether it is as much as was asked.
//!
//! Issuers are free in their words, so what a word means is data: a [`Words`] for each kind of issuer, written down where
//! that kind is described.

/// How sure one can be of a person by the way in which they signed in: a ladder that is the same for all issuers, whatever
/// their words are. A higher one is enough wherever a lower one is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// The connection belongs to a line; nobody was asked.
    Network,
    /// Somebody who holds the device said yes.
    Device,
    /// The person showed a PIN, a finger or a face.
    Person,
    /// A certified way of the highest level.
    Strong,
}

impl Assurance {
    /// All, from the lowest to the highest.
    pub const ALL: [Self; 4] = [Self::Network, Self::Device, Self::Person, Self::Strong];

    /// Its word in configuration, headers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Device => "device",
            Self::Person => "person",
            Self::Strong => "strong",
        }
    }
}

/// What an issuer's words for authentication contexts mean.
#[derive(Debug)]
pub struct Words {
    /// Its name, which no other has.
    pub name: &'static str,
    /// Old spellings, of a word that is followed by one digit: what stands before the digit, and what is said instead; `None`
    /// if the word was withdrawn and means nothing any more.
    pub old_spellings: &'static [(&'static str, Option<&'static str>)],
    /// Words of which a later one is more than an earlier one.
    pub order: &'static [&'static str],
    /// Words that should be asked for.
    pub in_use: &'static [&'static str],
    /// What a word assures; no other word assures anything.
    pub assurance: &'static [(&'static str, Assurance)],
}

/// [`Words`], by which they are told apart.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary(&'static Words);

/// Each word means itself and nothing else: NIST's `aal2` is a common one, and not ours to read.
static PLAIN: Words = Words { name: "plain", old_spellings: &[], order: &[], in_use: &[], assurance: &[] };

impl Vocabulary {
    /// Each word means itself and nothing else.
    pub const PLAIN: Self = Self(&PLAIN);

    /// The meaning that `words` says.
    pub const fn new(words: &'static Words) -> Self {
        Self(words)
    }

    /// Its name, which no other has.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Words that should be asked for; empty where nobody knows.
    pub fn in_use(self) -> &'static [&'static str] {
        self.0.in_use
    }

    /// What `acr`, in its normal spelling, assures; `None` for a word of which nobody said so.
    pub fn assurance(self, acr: &str) -> Option<Assurance> {
        self.0.assurance.iter().find(|(word, _)| *word == acr).map(|(_, assurance)| *assurance)
    }

    /// Words to ask for that assure at least `wanted`, the lowest first.
    pub fn assuring(self, wanted: Assurance) -> impl Iterator<Item = &'static str> {
        let enough = move |word: &&str| self.assurance(word).is_some_and(|found| found >= wanted);
        self.0.in_use.iter().copied().filter(enough)
    }

    /// As [`Vocabulary::assurance`], where the operator `said` something of words, which counts before what is known of them.
    pub fn assurance_as_said(self, said: &[(String, Assurance)], acr: &str) -> Option<Assurance> {
        let word = said.iter().find(|(word, _)| word == acr).map(|(_, assurance)| *assurance);
        word.or_else(|| self.assurance(acr))
    }

    /// As [`Vocabulary::assuring`], where the operator `said` something of words.
    pub fn assuring_as_said(self, said: &[(String, Assurance)], wanted: Assurance) -> Vec<String> {
        let enough = said.iter().filter(|(_, assurance)| *assurance >= wanted).map(|(word, _)| word.clone());
        let known = self.assuring(wanted).filter(|word| !said.iter().any(|(said, _)| said == word));
        enough.chain(known.map(str::to_owned)).collect()
    }

    /// What is said instead of an old spelling: `Some(None)` for a withdrawn word, `None` for what is no old spelling.
    pub fn replaced(self, acr: &str) -> Option<Option<String>> {
        let is_digit = |rest: &str| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit());
        self.0.old_spellings.iter().find_map(|(before, instead)| {
            let digit = acr.strip_prefix(before).filter(|rest| is_digit(rest))?;
            Some(instead.map(|instead| format!("{instead}{digit}")))
        })
    }

    /// The word that an acr is known by here; `None` for one that is withdrawn, and for what is no plain word.
    pub fn normal(self, acr: &str) -> Option<String> {
        let is_plain = || !acr.is_empty() && acr.len() <= 256 && !acr.chars().any(char::is_control);
        self.replaced(acr).unwrap_or_else(|| is_plain().then(|| acr.to_owned()))
    }

    /// Whether `reached` is at least `asked`: the same word, or a later one in the order of these words. A person who confirms
    /// with a PIN where a tap was asked has done more, not something else (dossier 8). Between other words there is no order:
    /// they are the same or they are not.
    pub fn is_met(self, reached: &str, asked: &str) -> bool {
        let place = |word: &str| self.0.order.iter().position(|known| *known == word);
        reached == asked || matches!((place(reached), place(asked)), (Some(reached), Some(asked)) if reached > asked)
    }
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self::PLAIN
    }
}

impl PartialEq for Vocabulary {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Vocabulary {}

#[cfg(test)]
mod tests {
    use super::*;

    static LEVELS: Words = Words {
        name: "levels",
        old_spellings: &[("aal", Some("a")), ("loa", None)],
        order: &["a1", "a2", "a3"],
        in_use: &["a1", "a3"],
        assurance: &[("a1", Assurance::Device), ("a2", Assurance::Device), ("a3", Assurance::Person)],
    };

    #[test]
    fn a_word_assures_what_was_said_of_it_and_every_other_word_nothing() {
        let levels = Vocabulary::new(&LEVELS);
        assert_eq!(levels.assurance("a2"), Some(Assurance::Device));
        for unknown in ["a4", "A3", "a3 ", "", "aal3", "loa3", "a1 a3"] {
            assert_eq!(levels.assurance(unknown), None, "{unknown}");
        }
        assert_eq!(levels.assuring(Assurance::Network).collect::<Vec<_>>(), ["a1", "a3"]);
        assert_eq!(levels.assuring(Assurance::Person).collect::<Vec<_>>(), ["a3"]);
        assert_eq!(levels.assuring(Assurance::Strong).count(), 0);
        assert_eq!(Vocabulary::PLAIN.assurance("a3"), None);
        assert!(Assurance::ALL.is_sorted() && Assurance::Network < Assurance::Strong);
    }

    #[test]
    fn more_than_was_asked_is_enough_and_less_is_not() {
        // C25
        let is_met = |reached, asked| Vocabulary::new(&LEVELS).is_met(reached, asked);
        assert!(is_met("a3", "a3") && is_met("a3", "a1") && is_met("urn:x", "urn:x"));
        for (reached, asked) in
            [("a1", "a3"), ("urn:y", "urn:x"), ("a33", "a1"), ("a4", "a3"), ("b3", "a1"), ("", "a1")]
        {
            assert!(!is_met(reached, asked), "{reached} for {asked}");
        }
    }

    // PF08
    #[test]
    fn a_plain_issuers_words_mean_themselves() {
        for word in ["aal2", "loa2", "loa3", "a1", "urn:mace:incommon:iap:silver", "1"] {
            assert_eq!(Vocabulary::PLAIN.normal(word).as_deref(), Some(word));
        }
        assert!(!Vocabulary::PLAIN.is_met("a3", "a1"), "no order among words that nobody put in order");
        assert!(!Vocabulary::PLAIN.is_met("aal2", "a2") && Vocabulary::PLAIN.is_met("aal2", "aal2"));
        // The twin: words that are in order, and have old spellings.
        let levels = Vocabulary::new(&LEVELS);
        assert_eq!(levels.normal("aal2").as_deref(), Some("a2"));
        assert_eq!(levels.normal("loa2"), None);
        assert_eq!(levels.normal("loa22").as_deref(), Some("loa22"));
        for bad in ["", "a\n", &"x".repeat(257)] {
            assert_eq!(Vocabulary::PLAIN.normal(bad), None);
            assert_eq!(levels.normal(bad), None);
        }
        assert_ne!(levels, Vocabulary::PLAIN);
    }
}
