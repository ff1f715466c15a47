//! Equal outputs: any CoinJoin of the classic form, whoever made it.
//!
//! 1. With p participants, each gets an output of the common amount and at most one change output, so p is half the outputs, rounded up;
//!    exactly p outputs have the most frequent value, and at least p inputs of p scripts pay for them.
//! 2. Kalodner et al., BlockSci: Design and applications of a blockchain analysis platform (USENIX Security 2020), section 3, and version 0.7's
//!    documentation of its two CoinJoin heuristics; the idea, not the code. Of values that are equally frequent the lowest counts.
//! 3. [`Rules::budget`](super::Rules::budget) bounds the search for a way to deal out the inputs.

use super::{Rules, packing, stonewall};
use crate::chain::Tx;
use crate::detect::shape::Shape;
use crate::detect::{Confidence, Finding, Kind, Verdict};

/// The rule's name and version.
pub const RULE: &str = "equal/1";

/// How sure it is of many participants.
pub(super) const GREATEST: Confidence = Confidence::from_percent(55);

/// Amounts of dust that other protocols write in rows: Omni's and Counterparty's markers are not money to hide.
const MARKERS_SAT: [u64; 2] = [546, 2_730];
/// Up to here an amount is a marker or dust.
pub(super) const SMALL_SAT: u64 = 2_730;

/// Says whether a transaction has the form of a CoinJoin with equal outputs. O(n log n), and the budget.
///
/// Undecided where an input's value or script is unknown, or when the budget ends. `No` for the form of a
/// [`stonewall`].
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Verdict, coinjoin::{Rules, equal}};
/// let rules = Rules::default();
/// let chain = detect::sketch(&[300_000; 4], &[200_000, 200_000, 200_000, 200_000, 99_000, 98_000])?;
/// // Half of six outputs are three, and four are equal: not the form.
/// assert!(chain.view().txs().find_map(|tx| equal::find(tx, &rules)).is_none());
/// let chain = detect::sketch(&[300_000; 3], &[200_000, 200_000, 200_000, 99_000, 98_000])?;
/// assert!(chain.view().txs().find_map(|tx| equal::find(tx, &rules)).unwrap().is_yes());
/// let chain = detect::sketch(&[300_000; 2], &[200_000, 200_000, 99_000, 98_000])?;
/// let stonewall = chain.view().txs().find_map(|tx| equal::find(tx, &rules)).unwrap();
/// assert_eq!(stonewall.verdict, Verdict::No);
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A batch of three equal prizes, paid out of three coins, with two other payments.
///
/// ```
/// use fundtrace::detect::{self, coinjoin::{Rules, equal}};
/// let chain = detect::sketch(&[250_000, 180_000, 170_000], &[150_000, 150_000, 150_000, 75_000, 20_000])?;
/// let rules = Rules::default();
/// assert!(chain.view().txs().find_map(|tx| equal::find(tx, &rules)).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>, rules: &Rules) -> Option<Finding> {
    of(tx, &Shape::of(tx), rules)
}

pub(super) fn of(tx: Tx<'_>, shape: &Shape<'_>, rules: &Rules) -> Option<Finding> {
    let (inputs, outputs) = (shape.inputs_len, shape.outputs.len());
    if inputs < 2 || outputs < 3 {
        return None;
    }
    let p = outputs.div_ceil(2);
    let common = shape.mode()?;
    if p > inputs || common.count != p || MARKERS_SAT.contains(&common.sat) {
        return None;
    }
    if shape.input_scripts().is_some_and(|scripts| scripts < p) {
        return None;
    }
    if let Some(veto) = stonewall::of(shape) {
        return Some(veto);
    }
    let finding = || {
        Finding::new(Kind::Coinjoin, "equal", RULE, confidence(p))
            .denominations([common.sat])
            .feature("input_scripts_known", shape.input_scripts().is_some())
            .feature("inputs", inputs)
            .participants(p)
    };
    match packing::dealt(tx, shape, common, rules.budget) {
        Some(true) => Some(finding()),
        Some(false) => None,
        None => Some(finding().verdict(Verdict::Undecided)),
    }
}

/// The more participants, the less it is chance.
fn confidence(participants: usize) -> Confidence {
    match participants {
        0..=2 => Confidence::from_percent(25),
        3..=4 => Confidence::from_percent(40),
        _ => GREATEST,
    }
}
