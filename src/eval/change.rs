//! Change rules against the true change.
//!
//! A rule names one output of a transaction as its change, with a confidence, or several of which one should be it, or none. Rates are
//! counted over outputs, as a classifier's are: true change outputs are the positives, all others of the same transactions the
//! negatives. For transactions of two outputs with one change both rates are shares of transactions, as in Moeser and Narayanan,
//! Resurrecting address clustering in Bitcoin (Financial Cryptography 2022), section 5. The confidence is scored as in Brier,
//! Verification of forecasts expressed in terms of probability (Monthly Weather Review 78, 1950), in the form for two classes.

use std::iter::Sum;

use super::Ratio;
use crate::chain::Tx;
use crate::id::{self, OutputIndex};
use crate::truth::{Role, Truth};

/// Certainty, in millionths.
const CERTAIN: u32 = 1_000_000;

/// What a rule says is change.
///
/// # Examples
///
/// See [`ChangeScore`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick<'a> {
    /// The outputs by vout: one, or several of which the rule cannot tell which.
    pub candidates: &'a [u32],
    /// How sure the rule is of its one candidate, in millionths; more counts as certain.
    pub confidence_ppm: u32,
}

/// One transaction.
///
/// # Examples
///
/// See [`ChangeScore`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChangeCase<'a> {
    /// How many outputs it has.
    pub outputs: u32,
    /// Its true change by vout, none where it is empty; `None` where it is not known.
    pub truth: Option<&'a [u32]>,
    /// What the rule says, if anything.
    pub pick: Option<Pick<'a>>,
}

/// How well a change rule does; a sum over transactions, and scores add up.
///
/// # Examples
///
/// ```
/// use fundtrace::eval::{ChangeCase, ChangeScore, Pick};
/// let pick = |candidates| Some(Pick { candidates, confidence_ppm: 900_000 });
/// let score: ChangeScore = [
///     ChangeCase { outputs: 2, truth: Some(&[1]), pick: pick(&[1]) },
///     ChangeCase { outputs: 2, truth: Some(&[1]), pick: pick(&[0]) },
///     ChangeCase { outputs: 3, truth: Some(&[2]), pick: pick(&[0, 2]) },
///     ChangeCase { outputs: 2, truth: Some(&[0]), pick: None },
///     ChangeCase { outputs: 2, truth: None, pick: pick(&[0]) },
/// ].into_iter().collect();
/// assert_eq!(score.unknown, 1);
/// assert_eq!(score.true_positive_rate().to_string(), "0.2500");
/// assert_eq!(score.false_positive_rate().to_string(), "0.2000");
/// assert_eq!(score.coverage().to_string(), "0.5000");
/// assert_eq!(score.ambiguous_right().to_string(), "1.0000");
/// // (0.1 squared + 0.9 squared) / 2
/// assert_eq!(score.brier().to_string(), "0.4100");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct ChangeScore {
    /// Transactions whose change is known.
    pub transactions: u64,
    /// Transactions whose change is not known, left out.
    pub unknown: u64,
    /// Outputs that are change.
    pub change: u64,
    /// Outputs that are not.
    pub other: u64,
    /// Transactions where the rule names one output.
    pub decided: u64,
    /// Of them, those where it is change.
    pub right: u64,
    /// Transactions where the rule names several.
    pub ambiguous: u64,
    /// Of them, those where one is change.
    pub ambiguous_right: u64,
    /// The sum over decided transactions of the square of confidence less outcome, in units of 10^-12.
    pub squares: u128,
}

impl ChangeScore {
    /// Counts one transaction.
    pub fn add(&mut self, case: &ChangeCase<'_>) {
        let Some(truth) = case.truth else {
            self.unknown += 1;
            return;
        };
        let change = id::small(truth.len());
        self.transactions += 1;
        self.change += u64::from(change);
        self.other += u64::from(case.outputs.saturating_sub(change));
        let Some(pick) = case.pick else {
            return;
        };
        let right = pick.candidates.iter().any(|vout| truth.contains(vout));
        match pick.candidates.len() {
            0 => {}
            1 => {
                self.decided += 1;
                self.right += u64::from(right);
                let outcome = if right { CERTAIN } else { 0 };
                self.squares += u128::from(outcome.abs_diff(pick.confidence_ppm.min(CERTAIN))).pow(2);
            }
            _ => {
                self.ambiguous += 1;
                self.ambiguous_right += u64::from(right);
            }
        }
    }

    /// Returns the share of change outputs that the rule names.
    pub fn true_positive_rate(&self) -> Ratio {
        Ratio::new(self.right, self.change)
    }

    /// Returns the share of other outputs that the rule names.
    pub fn false_positive_rate(&self) -> Ratio {
        Ratio::new(self.decided - self.right, self.other)
    }

    /// Returns the share of named outputs that are change.
    pub fn precision(&self) -> Ratio {
        Ratio::new(self.right, self.decided)
    }

    /// Returns the share of transactions where the rule names one output.
    pub fn coverage(&self) -> Ratio {
        Ratio::new(self.decided, self.transactions)
    }

    /// Returns, of the transactions where the rule names several outputs, the share where one of them is change.
    pub fn ambiguous_right(&self) -> Ratio {
        Ratio::new(self.ambiguous_right, self.ambiguous)
    }

    /// Returns the mean square of confidence less outcome over the decided transactions: 0 is perfect, 0.25 what "one half" always gets.
    pub fn brier(&self) -> Ratio {
        Ratio::new(self.squares, u128::from(self.decided) * u128::from(CERTAIN).pow(2))
    }
}

impl<'a> FromIterator<ChangeCase<'a>> for ChangeScore {
    fn from_iter<I: IntoIterator<Item = ChangeCase<'a>>>(cases: I) -> Self {
        let mut score = Self::default();
        cases.into_iter().for_each(|case| score.add(&case));
        score
    }
}

impl Sum for ChangeScore {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |a, b| Self {
            transactions: a.transactions + b.transactions,
            unknown: a.unknown + b.unknown,
            change: a.change + b.change,
            other: a.other + b.other,
            decided: a.decided + b.decided,
            right: a.right + b.right,
            ambiguous: a.ambiguous + b.ambiguous,
            ambiguous_right: a.ambiguous_right + b.ambiguous_right,
            squares: a.squares + b.squares,
        })
    }
}

/// Returns the true change of a transaction by vout: its outputs of role [`Role::Change`].
///
/// `None` where a row does not tell every output's role, and where the question has no answer: owners who move coins among their own
/// outputs, or mix them, have more than one output of their own, and none is left over.
///
/// # Examples
///
/// ```
/// use fundtrace::{eval, truth::Truth};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::read(chain.view(), "".as_bytes())?;
/// assert!(chain.view().txs().all(|tx| eval::true_change(&truth, tx).is_none()));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn true_change(truth: &Truth, tx: Tx<'_>) -> Option<Vec<u32>> {
    use Role::{Change, Mix, Postmix, Premix, Sweep, Transfer};
    let role = |output: OutputIndex| {
        truth.role(output).filter(|role| !matches!(role, Mix | Postmix | Premix | Sweep | Transfer))
    };
    let mut change = Vec::new();
    for output in tx.outputs() {
        if role(output.index())? == Change {
            change.push(output.vout());
        }
    }
    Some(change)
}
