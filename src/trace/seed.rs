//! What is called stolen.

use std::collections::HashMap;

use crate::chain::Output;
use crate::id::{OutputIndex, SourceIndex};

/// An output that is stolen whole, under a label. Seeds with one label are one source.
///
/// # Examples
///
/// ```
/// use fundtrace::{OutputIndex, trace::Seed};
/// let seed = Seed::new(OutputIndex::from_u64(3), "theft");
/// assert_eq!(seed.label, "theft");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Seed {
    /// The output.
    pub output: OutputIndex,
    /// The name of its source.
    pub label: String,
}

impl Seed {
    /// Names an output as stolen.
    pub fn new(output: OutputIndex, label: impl Into<String>) -> Self {
        Self { output, label: label.into() }
    }
}

impl Output<'_> {
    /// Names this output as stolen, under a label.
    ///
    /// # Examples
    ///
    /// See [`trace::forward`](crate::trace::forward).
    pub fn seed(self, label: impl Into<String>) -> Seed {
        Seed::new(self.index(), label)
    }
}

/// The labels in the order in which they are first named, each once, and the number of each.
pub(super) fn numbered(labels: &[&str]) -> (Vec<String>, HashMap<String, SourceIndex>) {
    let mut sources: Vec<String> = Vec::new();
    let mut by_label = HashMap::new();
    for label in labels {
        by_label.entry((*label).to_owned()).or_insert_with(|| {
            sources.push((*label).to_owned());
            SourceIndex::of(sources.len() - 1)
        });
    }
    (sources, by_label)
}
