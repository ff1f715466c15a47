//! The change rules against true change: every rule, and votes over them, on some worlds.

use std::fmt;

use super::{ChangeCase, ChangeScore, Pick, true_change};
use crate::chain::{OutputSet, Tx, View};
use crate::change::{
    Context, Fingerprints, Hindsight, Mask, Payment, Published, Rule, SameFingerprint, VOTERS, Votes,
    voters_in_hindsight,
};
use crate::truth::Truth;

/// Thresholds of votes with the rates that were published of them: Moeser and Narayanan (2022), section 5, with 26 rules.
const THRESHOLDS: [(u32, Published); 4] = [
    (1, Published::rates(922_000, 49_000)),
    (3, Published::rates(759_000, 9_500)),
    (5, Published::rates(573_000, 2_600)),
    (7, Published::rates(390_000, 600)),
];

/// Scores of the change rules over any number of worlds.
///
/// Every payment with known change is asked about, those too that have none. A rule is scored where it leaves exactly one output, as it would
/// be used; the confidence is the ballot's, or the published one, or one half. Rules that need clusters are left out.
///
/// # Examples
///
/// ```
/// use fundtrace::{eval::ChangeStudy, truth::Truth};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::read(chain.view(), "".as_bytes())?;
/// let mut study = ChangeStudy::default();
/// study.add(chain.view(), &truth);
/// assert!(study.rows().iter().all(|row| row.score.transactions == 0));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct ChangeStudy {
    rows: Vec<ChangeRow>,
}

/// How well a change rule does.
///
/// # Examples
///
/// See [`ChangeStudy`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChangeRow {
    /// The rule's name.
    pub rule: String,
    /// True when it looks at later transactions.
    pub looks_ahead: bool,
    /// What was counted.
    pub score: ChangeScore,
    /// The rates that were published of it.
    pub published: Option<Published>,
}

impl ChangeStudy {
    /// Adds the payments of a world. They are asked about side by side on the caller's rayon pool.
    ///
    /// # Panics
    ///
    /// When view and truth are not of one chain.
    pub fn add(&mut self, view: View<'_>, truth: &Truth) {
        let fingerprints = Fingerprints::of(view);
        let context = Context::default().fingerprints(&fingerprints);
        let masks = Mask::ALL.map(|mask| (mask, SameFingerprint::new(&fingerprints, mask)));
        let mut rows = Vec::new();
        for rule in Rule::ALL.into_iter().filter(|rule| !matches!(rule, Rule::Nothing | Rule::SameFingerprint)) {
            let Some(asked) = rule.hindsight(&context) else { continue };
            let looks_ahead = rule.change(&context).is_none();
            rows.push(single(rule.as_str(), looks_ahead, rule.published(), view, truth, &asked));
        }
        rows.extend(masks.iter().map(|(mask, rule)| single(mask.name, true, mask.published, view, truth, rule)));
        let voters = || VOTERS.iter().filter_map(|rule| rule.hindsight(&context));
        for (threshold, _) in THRESHOLDS {
            let votes = voters().fold(Votes::new(threshold), |votes, rule| votes.rule(rule, 1));
            let name = format!("{} votes, threshold {threshold}", VOTERS.len());
            rows.push(voted(name, false, None, view, truth, &votes));
        }
        for (threshold, published) in THRESHOLDS {
            let votes = voters_in_hindsight(&fingerprints, threshold);
            let name = format!("26 votes, threshold {threshold}");
            rows.push(voted(name, true, Some(published), view, truth, &votes));
        }
        if self.rows.is_empty() {
            self.rows = rows;
        } else {
            self.rows.iter_mut().zip(rows).for_each(|(sum, row)| sum.score = [sum.score, row.score].into_iter().sum());
        }
    }

    /// Returns a row for each rule, then for fingerprints under each mask, then for votes.
    pub fn rows(&self) -> &[ChangeRow] {
        &self.rows
    }
}

fn single(
    rule: &str,
    looks_ahead: bool,
    published: Option<Published>,
    view: View<'_>,
    truth: &Truth,
    asked: &impl Hindsight,
) -> ChangeRow {
    let confidence_ppm = published.and_then(Published::confidence_ppm).unwrap_or(500_000);
    let score = score(view, truth, |tx| Some((asked.candidates(tx)?, confidence_ppm)));
    ChangeRow { rule: rule.to_owned(), looks_ahead, score, published }
}

fn voted(
    rule: String,
    looks_ahead: bool,
    published: Option<Published>,
    view: View<'_>,
    truth: &Truth,
    votes: &Votes<impl Hindsight>,
) -> ChangeRow {
    let score = score(view, truth, |tx| {
        let ballot = votes.count_in_hindsight(tx)?;
        Some(([ballot.output].into_iter().collect(), ballot.confidence_ppm))
    });
    ChangeRow { rule, looks_ahead, score, published }
}

fn score(view: View<'_>, truth: &Truth, ask: impl Fn(Tx<'_>) -> Option<(OutputSet, u32)> + Sync) -> ChangeScore {
    let scores = view.scan(|tx| {
        let mut score = ChangeScore::default();
        if Payment::of(tx).is_none() {
            return score;
        }
        let known = true_change(truth, tx);
        let said = ask(tx).map(|(set, confidence_ppm)| {
            let vouts: Vec<u32> = set.iter().map(|output| view.output(output).vout()).collect();
            (vouts, confidence_ppm)
        });
        let pick =
            said.as_ref().map(|(candidates, confidence_ppm)| Pick { candidates, confidence_ppm: *confidence_ppm });
        let outputs = tx.outputs().filter(|output| !output.is_unspendable()).count();
        score.add(&ChangeCase { outputs: crate::id::small(outputs), truth: known.as_deref(), pick });
        score
    });
    scores.into_iter().sum()
}

impl ChangeStudy {
    /// Writes the rows that are asked for as a table.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::eval::ChangeStudy;
    /// assert_eq!(ChangeStudy::default().table(|row| row.looks_ahead).lines().count(), 4);
    /// ```
    pub fn table(&self, keep: impl Fn(&ChangeRow) -> bool) -> String {
        let mut table = String::from(
            "Change rules; in simulation; not a known error rate on the real chain. Published rates are of another ground truth.\n\n\
             | rule | looks ahead | TPR | FPR | precision | decides | TPR published | FPR published | precision published |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for row in self.rows.iter().filter(|row| keep(row)) {
            table.push_str(&row.to_string());
        }
        table
    }
}

/// A line of the table.
impl fmt::Display for ChangeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ppm =
            |ppm: Option<u32>| ppm.map_or_else(String::new, |ppm| super::Ratio::new(ppm, 1_000_000_u32).to_string());
        let ahead = if self.looks_ahead { "yes" } else { "no" };
        let (tpr, fpr) = (self.score.true_positive_rate(), self.score.false_positive_rate());
        write!(
            f,
            "| {} | {ahead} | {tpr:.3} | {fpr:.4} | {:.3} | {:.3} |",
            self.rule,
            self.score.precision(),
            self.score.coverage()
        )?;
        let of = |rate: fn(Published) -> Option<u32>| ppm(self.published.and_then(rate));
        writeln!(f, " {} | {} | {} |", of(|p| p.tpr_ppm), of(|p| p.fpr_ppm), of(|p| p.precision_ppm))
    }
}

/// The table that COMPARE.md carries.
impl fmt::Display for ChangeStudy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(|_| true))
    }
}
