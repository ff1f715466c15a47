//! JoinMarket: a suspicion. Makers and a taker, one common amount that the taker chose, change for each.
//!
//! 1. Of n participants each gets one output of the common amount; all but perhaps the taker get change.
//! 2. Dumplings' scanner (height 392,300 on; exactly one repeated value), the crocs group's limits (a hundred inputs and outputs, inputs to
//!    outputs at most four to one), graphsense-lib (at least three participants; a confidence deliberately below one half).
//! 3. That the inputs can be dealt out so that each participant pays for what it gets is asked within a budget
//!    ([`Rules::budget`](super::Rules::budget)).
//!
//! JoinMarket has no mark of its own and is the largest source of false positives: do not throw away other strong links because of it.

use super::era::{self, Block};
use super::packing;
use super::{Rules, equal};
use crate::chain::Tx;
use crate::detect::shape::{Repeated, Shape};
use crate::detect::{Confidence, Finding, Kind, Verdict};

/// The rule's name and version.
pub const RULE: &str = "joinmarket/1";

const FIRST: Block = Block { height: 392_300, time: 1_452_100_000 };
const PARTICIPANTS_MIN: usize = 3;
const TXOS_MAX: usize = 100;
const INPUTS_AN_OUTPUT_MAX: usize = 4;

/// Says whether a transaction may be a CoinJoin of JoinMarket. O(n log n), and the budget.
///
/// Undecided where an input's value or script is unknown, or when the budget ends.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Confidence, coinjoin::{Rules, joinmarket}};
/// let inputs = [9_000_000, 7_000_000, 12_345_678, 5_100_000];
/// let outputs = [5_000_000, 5_000_000, 5_000_000, 5_000_000, 4_000_500, 2_000_400, 7_346_000, 97_000];
/// let chain = detect::sketch(&inputs, &outputs)?;
/// let rules = Rules::default();
/// let finding = chain.view().txs().find_map(|tx| joinmarket::find(tx, &rules)).unwrap();
/// assert!(finding.is_yes());
/// assert!(finding.confidence < Confidence::from_percent(50));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A shop that settles three equal invoices out of three coins and has, for its own reasons, three other payees.
///
/// ```
/// use fundtrace::detect::{self, coinjoin::{Rules, joinmarket}};
/// let chain = detect::sketch(&[900_000, 800_000, 700_000], &[500_000, 500_000, 500_000, 399_000, 299_000, 199_000])?;
/// let rules = Rules::default();
/// assert!(chain.view().txs().find_map(|tx| joinmarket::find(tx, &rules)).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>, rules: &Rules) -> Option<Finding> {
    of(tx, &Shape::of(tx), rules)
}

pub(super) fn of(tx: Tx<'_>, shape: &Shape<'_>, rules: &Rules) -> Option<Finding> {
    let (inputs, outputs) = (shape.inputs_len, shape.outputs.len());
    if inputs > TXOS_MAX || outputs > TXOS_MAX || shape.data_outputs > 0 {
        return None;
    }
    let mut repeated = shape.values().filter(|value| value.count > 1);
    let common = repeated.next()?;
    // Without change the taker's output is the only one of its kind; two common amounts are another protocol.
    let changes = outputs - common.count;
    let dealt = changes == common.count || changes + 1 == common.count;
    if repeated.next().is_some() || common.count < PARTICIPANTS_MIN || !dealt || common.sat <= equal::SMALL_SAT {
        return None;
    }
    if !era::is_within(tx, FIRST, None) {
        return None;
    }
    let crowded = inputs < common.count || inputs > INPUTS_AN_OUTPUT_MAX * outputs;
    if crowded || !shape.outputs_distinct() || shape.input_scripts().is_some_and(|scripts| scripts < common.count) {
        return None;
    }
    match packing::dealt(tx, shape, common, rules.budget) {
        Some(true) => Some(finding(shape, common)),
        Some(false) => None,
        None => Some(finding(shape, common).verdict(Verdict::Undecided)),
    }
}

fn finding(shape: &Shape<'_>, common: Repeated) -> Finding {
    Finding::new(Kind::Coinjoin, "joinmarket", RULE, Confidence::from_percent(49))
        .room(5)
        .feature("changes", shape.outputs.len() - common.count)
        .denominations([common.sat])
        .feature("input_scripts_known", shape.input_scripts().is_some())
        .feature("inputs", shape.inputs_len)
        .participants(common.count)
}
