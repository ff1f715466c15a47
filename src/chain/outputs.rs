//! A set of outputs.
//!
//! Most sets are of one transaction, and change rules make millions of them. So outputs that lie within 64 positions of the first are
//! bits of one word, and only wider sets are lists: the same set always has the same form.

use crate::id::OutputIndex;

/// How many positions a word holds.
const NEAR: u64 = 64;

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
pub struct OutputSet(Form);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Form {
    /// Bit 0 is `base` and is set, unless the set is empty; then `base` is 0.
    Near { base: u64, bits: u64 },
    /// Sorted, without duplicates, and wider than a word.
    Far(Vec<OutputIndex>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Near { base: 0, bits: 0 }
    }
}

impl OutputSet {
    /// Returns how many outputs there are.
    pub fn len(&self) -> usize {
        self.iter().len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Form::Near { bits: 0, .. })
    }

    /// Returns the only output, where there is exactly one.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{OutputIndex, chain::OutputSet};
    /// let of = |n: &[u64]| n.iter().copied().map(OutputIndex::from_u64).collect::<OutputSet>();
    /// assert_eq!(of(&[7]).only(), Some(OutputIndex::from_u64(7)));
    /// assert_eq!((of(&[]).only(), of(&[7, 8]).only()), (None, None));
    /// ```
    pub fn only(&self) -> Option<OutputIndex> {
        match self.0 {
            Form::Near { base, bits: 1 } => Some(OutputIndex::from_u64(base)),
            _ => None,
        }
    }

    /// True when `output` is in the set. Logarithmic time at most.
    pub fn contains(&self, output: OutputIndex) -> bool {
        match &self.0 {
            Form::Near { base, bits } => {
                output.to_u64().checked_sub(*base).is_some_and(|at| at < NEAR && bits >> at & 1 == 1)
            }
            Form::Far(sorted) => sorted.binary_search(&output).is_ok(),
        }
    }

    /// Iterates in chain order.
    pub fn iter(&self) -> OutputSetIter<'_> {
        match &self.0 {
            Form::Near { base, bits } => OutputSetIter { base: *base, bits: *bits, rest: &[] },
            Form::Far(sorted) => OutputSetIter { base: 0, bits: 0, rest: sorted },
        }
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
    /// assert_eq!(of(&[1, 2]).union(&of(&[2, 300])), of(&[1, 2, 300]));
    /// assert_eq!(of(&[1, 2]).intersection(&of(&[2, 300])), of(&[2]));
    /// ```
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|output| !other.contains(*output)).collect()
    }
}

impl FromIterator<OutputIndex> for OutputSet {
    fn from_iter<I: IntoIterator<Item = OutputIndex>>(outputs: I) -> Self {
        let mut outputs = outputs.into_iter();
        let (mut base, mut bits) = (0, 0_u64);
        while let Some(output) = outputs.next() {
            let at = output.to_u64();
            if bits == 0 {
                (base, bits) = (at, 1);
            } else if at >= base && at - base < NEAR {
                bits |= 1 << (at - base);
            } else if at < base && base - at <= u64::from(bits.leading_zeros()) {
                (base, bits) = (at, bits << (base - at) | 1);
            } else {
                let near = OutputSetIter { base, bits, rest: &[] };
                let mut sorted: Vec<_> = near.chain([output]).chain(outputs).collect();
                sorted.sort_unstable();
                sorted.dedup();
                return Self(Form::Far(sorted));
            }
        }
        Self(Form::Near { base, bits })
    }
}

/// The outputs of a set, in chain order.
///
/// # Examples
///
/// See [`OutputSet`].
#[derive(Clone, Debug)]
pub struct OutputSetIter<'s> {
    base: u64,
    bits: u64,
    rest: &'s [OutputIndex],
}

impl Iterator for OutputSetIter<'_> {
    type Item = OutputIndex;

    fn next(&mut self) -> Option<OutputIndex> {
        if self.bits != 0 {
            let at = self.base + u64::from(self.bits.trailing_zeros());
            self.bits &= self.bits - 1;
            return Some(OutputIndex::from_u64(at));
        }
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = crate::id::at(self.bits.count_ones()) + self.rest.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for OutputSetIter<'_> {}

impl<'s> IntoIterator for &'s OutputSet {
    type Item = OutputIndex;
    type IntoIter = OutputSetIter<'s>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for OutputSet {
    type Item = OutputIndex;
    type IntoIter = std::vec::IntoIter<OutputIndex>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0 {
            Form::Far(sorted) => sorted.into_iter(),
            near @ Form::Near { .. } => Self(near).iter().collect::<Vec<_>>().into_iter(),
        }
    }
}
