//! What a TagPack has no field for, in the context: that a tag is inferred, and a confidence that is a number.
//!
//! GraphSense's schema takes any text as a context, and asks for JSON where it can be. So a tag that needs more than the schema has gets
//! `{"fundtrace":{"inferred":{"from":..,"rule":..,"cluster":..},"confidence":75,"context":".."}}`, of which the first two stand there where
//! there is something to say, and the last is the tag's own context. A context that looks like that is wrapped as well, so that what
//! is written reads back equal whatever a stranger wrote.

use serde::{Deserialize, Serialize};

use super::{Confidence, Inferred, Tag};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    fundtrace: Kept,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inferred: Option<Inferred>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<u8>,
    #[serde(default)]
    pub(super) context: String,
}

impl Kept {
    #[cfg(feature = "tagpack")]
    pub(super) fn confidence(&self) -> Option<Confidence> {
        self.confidence.and_then(Confidence::of_percent)
    }
}

/// A tag's context as it is written.
pub(crate) fn wrapped(tag: &Tag) -> String {
    let number = tag.confidence.filter(|confidence| confidence.level().is_none());
    if tag.inferred.is_none() && number.is_none() && unwrapped(&tag.context).is_none() {
        return tag.context.clone();
    }
    let confidence = number.map(Confidence::percent);
    let kept = Kept { inferred: tag.inferred.clone(), confidence, context: tag.context.clone() };
    serde_json::to_string(&Envelope { fundtrace: kept }).expect("an envelope is plain data")
}

/// What a context holds, if it was wrapped.
pub(super) fn unwrapped(context: &str) -> Option<Kept> {
    // Most contexts are none, and need not be parsed.
    let kept = serde_json::from_str::<Envelope>(Some(context).filter(|text| text.starts_with("{\"fundtrace\":"))?)
        .ok()?
        .fundtrace;
    kept.confidence.is_none_or(|percent| Confidence::of_percent(percent).is_some()).then_some(kept)
}
