//! Votes: an output is change when the rules that name it outweigh those that name another by a threshold.
//!
//! Returns the output with the votes for and against. A rule votes where it leaves exactly one output; its vote is for that one and against
//! all others. Because for must exceed against, no two outputs can both win. Source: Moeser and Narayanan, "Resurrecting Address Clustering in Bitcoin"
//! (Financial Cryptography 2022), section 5: with 26 rules of weight one, thresholds of 7, 5, 3 and 1 give FPR 0.0006, 0.0026, 0.0095, 0.049 and TPR
//! 0.39, 0.573, 0.759, 0.922.

use std::fmt;

use super::{Change, Hindsight, Payment};
use crate::chain::{OutputSet, Tx};
use crate::id::OutputIndex;

/// Rules of one kind with weights, and a threshold.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Change, Fresh, LastOutput, Payment, PowerOfTen, Votes};
///
/// let rules: [Box<dyn Change>; 3] = [Box::new(Fresh), Box::new(PowerOfTen::default()), Box::new(LastOutput)];
/// let votes = rules.into_iter().fold(Votes::new(1), |votes, rule| votes.rule(rule, 1));
/// let chain = sketch(&[("t", &[("coin", 9_000_000, "alice")], &[(3_999_000, "new"), (5_000_000, "bob")])]);
/// // Decimals name output 0, the order output 1, and both addresses are new: one against one.
/// assert_eq!(vouts(&chain, "t", &votes), None);
/// let payment = Payment::of(chain.view().txs().next().unwrap()).unwrap();
/// let ballot = votes.rule(Box::new(PowerOfTen { digits: 4 }), 1).count(&payment).unwrap();
/// assert_eq!((ballot.votes_for, ballot.votes_against, ballot.confidence_ppm), (2, 1, 600_000));
/// ```
///
/// # Fooled by
///
/// Rules that are wrong for one and the same reason: each new-address rule calls a shop's new address change.
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::{Change, Fresh, Meiklejohn, Shadow, Votes};
/// let rules: [Box<dyn Change>; 3] = [Box::new(Fresh), Box::new(Meiklejohn), Box::new(Shadow)];
/// let votes = rules.into_iter().fold(Votes::new(3), |votes, rule| votes.rule(rule, 1));
/// let chain = sketch(&[
///     ("before", &[("coin", 100, "x")], &[(50, "alice's other"), (20, "y")]),
///     ("t", &[("coin", 900, "alice")], &[(500, "the shop's new one"), (399, "alice's other")]),
/// ]);
/// assert_eq!(vouts(&chain, "t", &votes), Some(vec![0]));
/// ```
#[derive(Clone)]
pub struct Votes<R> {
    rules: Vec<(R, u32)>,
    threshold: u32,
}

/// How a vote went.
///
/// # Examples
///
/// See [`Votes`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ballot {
    /// The output that is named as change.
    pub output: OutputIndex,
    /// The weight of the rules that name it.
    pub votes_for: u64,
    /// The weight of the rules that name another.
    pub votes_against: u64,
    /// (for + 1) / (for + against + 2) in millionths, rounded down: Laplace's rule of succession. It orders ballots and is no measured probability.
    pub confidence_ppm: u32,
}

/// What one rule votes for.
///
/// # Examples
///
/// See [`Votes::cast`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Vote {
    /// The rule, with its version and parameters.
    pub rule: String,
    /// The output that it names, and it alone.
    pub output: OutputIndex,
    /// The weight of its vote.
    pub weight: u32,
}

impl<R> Votes<R> {
    /// Makes a vote without rules. Votes for less votes against must reach the threshold, one at least.
    pub fn new(threshold: u32) -> Self {
        Self { rules: Vec::new(), threshold: threshold.max(1) }
    }

    /// Adds a rule with the weight of its vote.
    #[must_use]
    pub fn rule(mut self, rule: R, weight: u32) -> Self {
        self.rules.push((rule, weight));
        self
    }

    /// Counts; `None` where no output reaches the threshold.
    fn decide(&self, ask: impl Fn(&R) -> Option<OutputSet>) -> Option<Ballot> {
        let mut votes: Vec<(OutputIndex, u64)> = Vec::new();
        let mut cast = 0;
        for (rule, weight) in &self.rules {
            let Some(named) = ask(rule).and_then(|set| set.only()) else { continue };
            let weight = u64::from(*weight);
            cast += weight;
            match votes.iter_mut().find(|(output, _)| *output == named) {
                Some((_, votes)) => *votes += weight,
                None => votes.push((named, weight)),
            }
        }
        // More than half of the votes: there is no other.
        let (output, votes_for) =
            votes.into_iter().find(|(_, votes)| *votes * 2 >= cast + u64::from(self.threshold))?;
        let confidence = u128::from(votes_for + 1) * 1_000_000 / u128::from(cast + 2);
        let confidence_ppm = u32::try_from(confidence).expect("a share of a million");
        Some(Ballot { output, votes_for, votes_against: cast - votes_for, confidence_ppm })
    }

    /// What each rule that votes votes for, in the order in which they were added.
    fn cast_by(&self, ask: impl Fn(&R) -> Option<OutputSet>, name: impl Fn(&R) -> String) -> Vec<Vote> {
        let vote = |(rule, weight): &(R, u32)| {
            let output = ask(rule)?.only()?;
            Some(Vote { rule: name(rule), output, weight: *weight })
        };
        self.rules.iter().filter_map(vote).collect()
    }

    fn describe(&self, name: impl Fn(&R) -> (&'static str, u32)) -> Vec<(&'static str, String)> {
        let rules = self.rules.iter().map(|(rule, weight)| {
            let (name, version) = name(rule);
            ("rule", format!("{name} {version} (weight {weight})"))
        });
        std::iter::once(("threshold", self.threshold.to_string())).chain(rules).collect()
    }
}

impl<R: Change> Votes<R> {
    /// Counts the votes on a payment; `None` where no output reaches the threshold.
    pub fn count(&self, payment: &Payment<'_>) -> Option<Ballot> {
        self.decide(|rule| rule.candidates(payment))
    }

    /// Returns what each rule that names exactly one output votes for, in the order in which the rules were added.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("sketch.txt")]
    /// use fundtrace::change::{self, AddressReuse, LastOutput, Payment, Votes};
    /// let chain = sketch(&[("t", &[("coin", 900, "alice")], &[(500, "alice"), (399, "bob")])]);
    /// let payment = Payment::of(chain.view().txs().next().unwrap()).unwrap();
    /// let votes = Votes::<Box<dyn change::Change>>::new(1).rule(Box::new(AddressReuse), 1).rule(Box::new(LastOutput), 1);
    /// let cast: Vec<_> = votes.cast(&payment).into_iter().map(|vote| (vote.rule, chain.view().output(vote.output).vout())).collect();
    /// assert_eq!(cast, [("address_reuse 1".into(), 0), ("last_output 1".into(), 1)]);
    /// ```
    pub fn cast(&self, payment: &Payment<'_>) -> Vec<Vote> {
        self.cast_by(|rule| rule.candidates(payment), |rule| named(rule.name(), rule.version(), rule.parameters()))
    }
}

impl<R: Hindsight> Votes<R> {
    /// Counts the votes on a transaction; `None` where no output reaches the threshold. Looks ahead as the rules do.
    pub fn count_in_hindsight(&self, tx: Tx<'_>) -> Option<Ballot> {
        self.decide(|rule| rule.candidates(tx))
    }

    /// Returns what [`cast`](Votes::cast) does, under rules that look ahead.
    pub fn cast_in_hindsight(&self, tx: Tx<'_>) -> Vec<Vote> {
        self.cast_by(|rule| rule.candidates(tx), |rule| named(rule.name(), rule.version(), rule.parameters()))
    }
}

/// A rule as a vote names it.
fn named(name: &str, version: u32, parameters: Vec<(&'static str, String)>) -> String {
    let told: Vec<String> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if told.is_empty() { format!("{name} {version}") } else { format!("{name} {version} ({})", told.join(", ")) }
}

impl<R> fmt::Debug for Votes<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rules, threshold) = (self.rules.len(), self.threshold);
        f.debug_struct("Votes").field("rules", &rules).field("threshold", &threshold).finish_non_exhaustive()
    }
}

impl<R: Change> Change for Votes<R> {
    fn name(&self) -> &'static str {
        "votes"
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        self.describe(|rule| (rule.name(), rule.version()))
    }

    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        self.count(payment).map(|ballot| [ballot.output].into_iter().collect())
    }
}

impl<R: Hindsight> Hindsight for Votes<R> {
    fn name(&self) -> &'static str {
        "votes"
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        self.describe(|rule| (rule.name(), rule.version()))
    }

    fn candidates(&self, tx: Tx<'_>) -> Option<OutputSet> {
        self.count_in_hindsight(tx).map(|ballot| [ballot.output].into_iter().collect())
    }
}
