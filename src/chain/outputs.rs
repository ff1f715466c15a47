//! A set of outputs.

use crate::id::OutputIndex;

/// A set of outputs of one chain, in chain order.
///
/// # Examples
///
/// ```
/// use fundtrace::{OutputIndex, chain::OutputSet};
/// let set: OutputSet = [3, 1, 3].into_iter().map(OutputIndex::from_u64).collect();
/// assert_eq!(set.len(), 2);
/// assert!(set.contains(OutputIndex::from_u64(1)));
/// assert_eq!(set.iter().next(), Some(OutputIndex::from_u64(1)));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OutputSet {
    sorted: Vec<OutputIndex>,
}

impl OutputSet {
    /// Returns how many outputs there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// True when `output` is in the set. Logarithmic time.
    pub fn contains(&self, output: OutputIndex) -> bool {
        self.sorted.binary_search(&output).is_ok()
    }

    /// Iterates in chain order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = OutputIndex> + '_ {
        self.sorted.iter().copied()
    }

    /// Returns the outputs in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// Returns the outputs in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|output| other.contains(*output)).collect()
    }

    /// Returns the outputs in this set and not in the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{OutputIndex, chain::OutputSet};
    /// let of = |n: &[u64]| n.iter().copied().map(OutputIndex::from_u64).collect::<OutputSet>();
    /// assert_eq!(of(&[1, 2, 3]).difference(&of(&[2])), of(&[1, 3]));
    /// assert_eq!(of(&[1, 2]).union(&of(&[2, 3])), of(&[1, 2, 3]));
    /// assert_eq!(of(&[1, 2]).intersection(&of(&[2, 3])), of(&[2]));
    /// ```
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|output| !other.contains(*output)).collect()
    }
}

impl FromIterator<OutputIndex> for OutputSet {
    fn from_iter<I: IntoIterator<Item = OutputIndex>>(outputs: I) -> Self {
        let mut sorted: Vec<_> = outputs.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted }
    }
}

impl<'s> IntoIterator for &'s OutputSet {
    type Item = OutputIndex;
    type IntoIter = std::iter::Copied<std::slice::Iter<'s, OutputIndex>>;

    fn into_iter(self) -> Self::IntoIter {
        self.sorted.iter().copied()
    }
}

impl IntoIterator for OutputSet {
    type Item = OutputIndex;
    type IntoIter = std::vec::IntoIter<OutputIndex>;

    fn into_iter(self) -> Self::IntoIter {
        self.sorted.into_iter()
    }
}
