//! Detectors of kinds of transactions against what the transactions are.
//!
//! Each class is scored against all the rest, as in Sokolova and Lapalme, A systematic analysis of performance measures for
//! classification tasks (Information Processing and Management 45, 2009), table 3.

use std::collections::BTreeMap;

use super::Ratio;

/// What a transaction is, or is said to be.
///
/// # Examples
///
/// See [`Detection`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Label<C> {
    /// It is not known; the detector cannot tell.
    Unknown,
    /// None of the classes.
    Nothing,
    /// This class.
    Of(C),
}

/// How well a detector does, for each class; a sum over transactions, and scores add up.
///
/// # Examples
///
/// ```
/// use fundtrace::eval::{Detection, Label::{Nothing, Of, Unknown}};
/// let mut score = Detection::default();
/// for (truth, said) in [
///     (Of("whirlpool"), Of("whirlpool")),
///     (Of("whirlpool"), Of("wasabi")),
///     (Of("whirlpool"), Unknown),
///     (Nothing, Of("wasabi")),
///     (Nothing, Nothing),
///     (Unknown, Of("whirlpool")),
/// ] {
///     score.add(truth, said);
/// }
/// assert_eq!(score.unknown, 1);
/// let whirlpool = score.class(&"whirlpool");
/// assert_eq!((whirlpool.right, whirlpool.wrong, whirlpool.missed, whirlpool.undecided), (1, 0, 1, 1));
/// assert_eq!(whirlpool.recall().to_string(), "0.3333");
/// assert_eq!(whirlpool.f1().to_string(), "0.5000");
/// assert_eq!(score.class(&"wasabi").precision().to_string(), "0.0000");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Detection<C> {
    /// Transactions of which it is known what they are.
    pub transactions: u64,
    /// Transactions of which it is not, left out.
    pub unknown: u64,
    /// Transactions of no class that the detector could not tell.
    pub undecided: u64,
    /// Each class that occurs in the truth or in what was said.
    pub classes: BTreeMap<C, ClassScore>,
}

/// How well a detector finds one class.
///
/// # Examples
///
/// See [`Detection`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct ClassScore {
    /// Transactions of the class that were said to be.
    pub right: u64,
    /// Transactions not of the class that were said to be.
    pub wrong: u64,
    /// Transactions of the class that were said to be something else, or nothing.
    pub missed: u64,
    /// Transactions of the class that the detector could not tell; not found either.
    pub undecided: u64,
}

impl ClassScore {
    /// Returns the share of transactions said to be of the class that are.
    pub fn precision(&self) -> Ratio {
        Ratio::new(self.right, self.right + self.wrong)
    }

    /// Returns the share of transactions of the class that were said to be.
    pub fn recall(&self) -> Ratio {
        Ratio::new(self.right, self.right + self.missed + self.undecided)
    }

    /// Returns the harmonic mean of precision and recall.
    pub fn f1(&self) -> Ratio {
        Ratio::new(2 * self.right, 2 * self.right + self.wrong + self.missed + self.undecided)
    }
}

impl<C> Default for Detection<C> {
    fn default() -> Self {
        Self { transactions: 0, unknown: 0, undecided: 0, classes: BTreeMap::new() }
    }
}

impl<C: Ord + Clone> Detection<C> {
    /// Counts one transaction: what it is, and what it was said to be. Logarithmic in the classes.
    pub fn add(&mut self, truth: Label<C>, said: Label<C>) {
        use Label::{Nothing, Of, Unknown};
        if matches!(truth, Unknown) {
            self.unknown += 1;
            return;
        }
        self.transactions += 1;
        match (truth, said) {
            (Of(truth), Of(said)) if truth == said => self.entry(truth).right += 1,
            (Of(truth), Unknown) => self.entry(truth).undecided += 1,
            (Of(truth), said) => {
                self.entry(truth).missed += 1;
                if let Of(said) = said {
                    self.entry(said).wrong += 1;
                }
            }
            (_, Of(said)) => self.entry(said).wrong += 1,
            (_, Unknown) => self.undecided += 1,
            (_, Nothing) => {}
        }
    }

    /// Returns the score of a class; zeros where it never occurs.
    pub fn class(&self, class: &C) -> ClassScore {
        self.classes.get(class).copied().unwrap_or_default()
    }

    /// Adds the counts of other transactions.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::eval::{Detection, Label::Of};
    /// let mut score = Detection::default();
    /// score.add(Of(1), Of(1));
    /// score.merge(&score.clone());
    /// assert_eq!(score.class(&1).right, 2);
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.unknown += other.unknown;
        self.undecided += other.undecided;
        for (class, theirs) in &other.classes {
            let ours = self.entry(class.clone());
            ours.right += theirs.right;
            ours.wrong += theirs.wrong;
            ours.missed += theirs.missed;
            ours.undecided += theirs.undecided;
        }
    }

    fn entry(&mut self, class: C) -> &mut ClassScore {
        self.classes.entry(class).or_default()
    }
}
