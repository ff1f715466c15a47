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

/// The labels in the order in which they are first named, and for every seed the number of its label.
pub(super) fn sources(seeds: &[Seed]) -> (Vec<String>, Vec<SourceIndex>) {
    let mut sources: Vec<String> = Vec::new();
    let mut by_label = HashMap::new();
    let number = |seed: &Seed| {
        *by_label.entry(seed.label.clone()).or_insert_with_key(|label| {
            sources.push(label.clone());
            SourceIndex::of(sources.len() - 1)
        })
    };
    let numbers = seeds.iter().map(number).collect();
    (sources, numbers)
}
