//! What a rule about services says of an address, for a report: an inference with its rule, its reasons and what would defeat it.

use std::fmt;

use serde::Serialize;

use crate::tag::{Confidence, Inferred, Tag};

/// What a rule about services says of an address: a probable deposit address of an exchange, say, and why.
///
/// # Examples
///
/// ```
/// use fundtrace::report::Classification;
/// let class = Classification::new("probable deposit address", "Example Exchange", "deposit 1")
///     .confidence(85)
///     .source("its own list, 2022-11-16")
///     .because("every spend of it goes to the exchange's hot wallet")
///     .defeated_by("a payment processor that forwards for many");
/// assert_eq!(class.to_string(), "probable deposit address of Example Exchange (confidence 85 of 100 by rule deposit 1; tag: its own list, 2022-11-16)");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Classification {
    /// What it is: `probable deposit address`.
    pub kind: String,
    /// Whose.
    pub owner: String,
    /// What kind of service or actor that is: `exchange`; empty where nobody says.
    pub category: String,
    /// The rule that says so, with its version.
    pub rule: String,
    /// How sure the rule is, from 0 to 100; `None` where it does not say.
    pub confidence: Option<u8>,
    /// The tag on which it rests: its source and date; empty where it rests on none.
    pub source: String,
    /// An address of the owner's to which this one's coins go; empty where none is named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// How sure the tag is on which it rests, from 0 to 100; `None` where nobody says, or it rests on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_confidence: Option<u8>,
    /// What it rests on, a sentence each.
    pub why: Vec<String>,
    /// What would show that it is wrong, a sentence each.
    pub defeat: Vec<String>,
}

impl Classification {
    /// Says what an address is, whose, and by which rule.
    pub fn new(kind: impl Into<String>, owner: impl Into<String>, rule: impl Into<String>) -> Self {
        let (kind, owner, rule) = (kind.into(), owner.into(), rule.into());
        let [category, source, from] = [const { String::new() }; 3];
        let (confidence, tag_confidence, why, defeat) = (None, None, Vec::new(), Vec::new());
        Self { kind, owner, category, rule, confidence, source, from, tag_confidence, why, defeat }
    }

    /// Says what kind of service or actor the owner is.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = category.into();
        self
    }

    /// Says how sure the tag is on which it rests, from 0 to 100: an inference is no surer than its ground.
    #[must_use]
    pub fn tag_confidence(mut self, percent: Option<u8>) -> Self {
        self.tag_confidence = percent.map(|percent| percent.min(100));
        self
    }

    /// Says how sure the rule is, from 0 to 100.
    #[must_use]
    pub fn confidence(mut self, percent: u8) -> Self {
        self.confidence = Some(percent.min(100));
        self
    }

    /// Names the tag on which it rests.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Names an address of the owner's to which this one's coins go.
    #[must_use]
    pub fn from(mut self, from: impl Into<String>) -> Self {
        self.from = from.into();
        self
    }

    /// Adds what it rests on.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds what would show that it is wrong.
    #[must_use]
    pub fn defeated_by(mut self, defeat: impl Into<String>) -> Self {
        self.defeat.push(defeat.into());
        self
    }
}

impl Classification {
    /// Returns the tag that says the same, to be written into a [TagPack](super::tagpack): its source is the rule, its context the rest. It says that it
    /// is [inferred](Tag::inferred).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::report::Classification;
    /// let class = Classification::new("probable deposit address", "Example Exchange", "deposit 1").category("exchange").confidence(85);
    /// let tag = class.to_tag();
    /// assert_eq!((tag.label.as_str(), tag.category.as_str()), ("Example Exchange", "exchange"));
    /// assert!(tag.source.ends_with(", rule deposit 1") && tag.context.contains("probable deposit address"));
    /// ```
    pub fn to_tag(&self) -> Tag {
        let Self { kind, rule, confidence, source, why, defeat, .. } = self;
        let context = serde_json::json!({
            "kind": kind, "confidence": confidence, "tag": source, "why": why, "defeat": defeat,
        });
        let by = format!("fundtrace {}, rule {rule}", env!("CARGO_PKG_VERSION"));
        let inferred = Inferred::new(&self.from, rule, "");
        let tag = Tag::new(&self.owner, &self.category, by).context(context.to_string()).inferred(inferred);
        match confidence.and_then(Confidence::of_percent) {
            Some(confidence) => tag.confidence(confidence),
            None => tag,
        }
    }
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} (", self.kind, self.owner)?;
        if let Some(percent) = self.confidence {
            write!(f, "confidence {percent} of 100 ")?;
        }
        write!(f, "by rule {}", self.rule)?;
        if !self.source.is_empty() {
            write!(f, "; tag: {}", self.source)?;
        }
        f.write_str(")")
    }
}
