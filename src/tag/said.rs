//! A tag in words.

use std::fmt;

use super::{Inferred, Tag};

impl Tag {
    /// Says on which days it holds, where it does not hold on all, and when it was taken back; empty where it says nothing of that.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tag;
    /// let tag = Tag::new("A", "", "a list");
    /// assert_eq!(tag.days(), "");
    /// assert_eq!(tag.clone().since("2020-01-01".parse()?).days(), "holds since 2020-01-01");
    /// assert_eq!(tag.clone().since("2020-01-01".parse()?).until("2020-12-31".parse()?).days(), "holds from 2020-01-01 to 2020-12-31");
    /// assert_eq!(tag.until("2020-12-31".parse()?).retracted("2024-01-01".parse()?).days(), "holds until 2020-12-31; taken back 2024-01-01");
    /// # Ok::<(), String>(())
    /// ```
    pub fn days(&self) -> String {
        let holds = match (self.since, self.until) {
            (Some(since), Some(until)) => Some(format!("holds from {since} to {until}")),
            (Some(since), None) => Some(format!("holds since {since}")),
            (None, Some(until)) => Some(format!("holds until {until}")),
            (None, None) => None,
        };
        let taken_back = self.retracted.map(|day| format!("taken back {day}"));
        holds.into_iter().chain(taken_back).collect::<Vec<_>>().join("; ")
    }

    /// Who says so, or that nobody is named.
    pub(crate) fn sayer(&self) -> &str {
        if self.source.is_empty() { "a source without a name" } else { &self.source }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut notes: Vec<String> = Vec::new();
        notes.extend([&self.category, &self.abuse].into_iter().filter(|word| !word.is_empty()).cloned());
        notes.extend(self.confidence.map(|confidence| format!("confidence {confidence}")));
        if !self.source.is_empty() {
            let date = self.lastmod.map_or(String::new(), |date| format!(", changed {date}"));
            notes.push(format!("says {}{date}", self.source));
        }
        notes.extend(Some(self.days()).filter(|days| !days.is_empty()));
        notes.extend(self.inferred.as_ref().map(ToString::to_string));
        f.write_str(&self.label)?;
        if notes.is_empty() { Ok(()) } else { write!(f, " ({})", notes.join("; ")) }
    }
}

impl fmt::Display for Inferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, rule, .. } = self;
        if from.is_empty() { write!(f, "inferred by {rule}") } else { write!(f, "inferred from {from} by {rule}") }
    }
}
