//! How a command line is read. Which options there are, and what they may be, stands with each bench.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::slice::Iter;
use std::str::FromStr;

/// What was given on the command line, an option at a time.
pub struct Arguments<'a> {
    rest: Iter<'a, String>,
    /// The option that values are read for.
    option: &'a str,
    help: &'static str,
}

impl<'a> Arguments<'a> {
    /// Begins with the first; `help` is what there is to be known.
    pub fn new(given: &'a [String], help: &'static str) -> Self {
        Self { rest: given.iter(), option: "", help }
    }

    /// The next option. Who asks for help gets it as the reason why nothing else is done.
    pub fn option(&mut self) -> Result<Option<&'a str>, String> {
        // What `cargo bench` adds by itself is nobody's option.
        let Some(option) = self.rest.find(|argument| *argument != "--bench") else { return Ok(None) };
        if ["--help", "-h"].contains(&option.as_str()) {
            return Err(self.help.to_owned());
        }
        self.option = option;
        Ok(Some(option))
    }

    /// What follows the option.
    pub fn value(&mut self) -> Result<&'a str, String> {
        let value = self.rest.next().map(String::as_str);
        value.ok_or_else(|| format!("{} needs a value\n{}", self.option, self.help))
    }

    /// The same, as a number of `range`.
    pub fn number<N: FromStr + PartialOrd + Display>(&mut self, range: RangeInclusive<N>) -> Result<N, String> {
        number(self.value()?, range)
    }

    /// The same, as words that are split by commas.
    pub fn words(&mut self) -> Result<Vec<String>, String> {
        let words = self.value()?.split(',').map(str::trim);
        Ok(words.filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    /// Why an option that the bench does not have is not read.
    pub fn unknown(&self) -> String {
        format!("{} is not known\n{}", self.option, self.help)
    }
}

/// A number of `range`; what is wrong with it otherwise.
pub fn number<N: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<N>) -> Result<N, String> {
    let found = text.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| format!("{text} is not a number from {} to {}", range.start(), range.end()))
}

/// Whether `name` is wanted: it holds one of `words`, or there are none.
pub fn wanted(words: &[String], name: &str) -> bool {
    words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
}
