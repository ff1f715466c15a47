//! Attribution as data: who is said to stand behind an address, and who says so.
//!
//! A tag is an inference of somebody's, never a fact of the chain: it keeps its source. Readers for tag files and spreading over
//! clusters come later; today tags are put in one by one, or come from a case file.

use std::collections::HashMap;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Script, ScriptBuf};
use serde::{Deserialize, Serialize};

use crate::chain::{Output, View};
use crate::id::AddressIndex;

/// A label for an address, and where it comes from.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::Tag;
/// let tag = Tag::new("Example Exchange", "exchange", "court filing 12-345, exhibit 3");
/// assert_eq!(tag.category, "exchange");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tag {
    /// Who or what it is.
    pub label: String,
    /// What kind of service or actor it is.
    #[serde(default)]
    pub category: String,
    /// Who says so.
    #[serde(default)]
    pub source: String,
}

impl Tag {
    /// Makes a tag.
    pub fn new(label: impl Into<String>, category: impl Into<String>, source: impl Into<String>) -> Self {
        Self { label: label.into(), category: category.into(), source: source.into() }
    }
}

/// Tags by address.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::ScriptBuf;
/// use fundtrace::tag::{Tag, Tags};
/// let mut tags = Tags::default();
/// tags.insert(ScriptBuf::from_hex("51")?, Tag::new("anyone", "", "the script itself"));
/// assert_eq!(tags.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Tags {
    /// Keyed by canonical script, so that a tag on a P2PKH address covers the P2PK outputs of its key.
    by_script: HashMap<ScriptBuf, Vec<Tag>>,
}

impl Tags {
    /// Adds a tag for a script, and for every script that shares its address. Several tags on one are kept side by side.
    pub fn insert(&mut self, script: ScriptBuf, tag: Tag) {
        let key = crate::chain::canonical(&script).map(|canonical| canonical.into_owned());
        self.by_script.entry(key.unwrap_or(script)).or_default().push(tag);
    }

    /// Returns the tags on the address or script that an output pays, in the order they were added.
    pub fn of(&self, output: Output<'_>) -> &[Tag] {
        output.script().map_or(&[], |script| self.of_script(script))
    }

    /// Returns how many addresses are tagged.
    pub fn len(&self) -> usize {
        self.by_script.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.by_script.is_empty()
    }

    /// Hashes the tags, whatever order the addresses were added in: two runs with one hash stopped at the same tags.
    ///
    /// SHA-256 over a line for each tag, sorted: the script in hex, then label, category and source, each quoted.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::tag::Tags;
    /// assert_eq!(Tags::default().digest(), Tags::default().digest());
    /// ```
    pub fn digest(&self) -> sha256::Hash {
        let line = |script: &ScriptBuf, Tag { label, category, source }: &Tag| {
            format!("{} {label:?} {category:?} {source:?}\n", script.to_hex_string())
        };
        let mut lines: Vec<String> =
            self.by_script.iter().flat_map(|(script, tags)| tags.iter().map(|tag| line(script, tag))).collect();
        lines.sort_unstable();
        sha256::Hash::hash(lines.concat().as_bytes())
    }

    /// The tagged addresses that a view shows, in chain order, each with its tags.
    pub(crate) fn addresses(&self, view: View<'_>) -> Vec<(AddressIndex, &[Tag])> {
        let seen = view.addresses_seen();
        let found = |(script, tags): (&ScriptBuf, _)| {
            let tags: &Vec<Tag> = tags;
            Some((view.address_index(script).filter(|address| address.at() < seen)?, tags.as_slice()))
        };
        let mut found: Vec<_> = self.by_script.iter().filter_map(found).collect();
        found.sort_unstable_by_key(|(address, _)| *address);
        found
    }

    fn of_script(&self, script: &Script) -> &[Tag] {
        let canonical = crate::chain::canonical(script);
        let key = canonical.as_deref().unwrap_or(script);
        self.by_script.get(key).map_or(&[], Vec::as_slice)
    }
}
