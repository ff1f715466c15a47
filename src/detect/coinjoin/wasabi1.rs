//! Wasabi 1.0 and 1.1: one common amount of about 0.1 BTC, and change.
//!
//! 1. Every participant gets one output of a common amount, from version 1.1 on more of twice the amount, four times and so on, and
//!    change of any size. Inputs are native SegWit.
//! 2. Dumplings' scanner (thresholds from height 610,000 on); Schnoering and Vazirgiannis, Heuristics for Detecting CoinJoin Transactions
//!    on the Bitcoin Blockchain, arXiv 2311.12491, section 4 (levels). Before height 610,000 Dumplings goes by the coordinator's two
//!    addresses; here they are the caller's, in [`Rules::coordinators`](super::Rules::coordinators), and the form decides without them.
//! 3. In the first months the amount was another: from 0.01 to 0.12 BTC in rounds of six and more.

use super::Rules;
use super::era::{self, Block};
use crate::chain::{ScriptType, Tx};
use crate::detect::shape::{Repeated, Shape};
use crate::detect::{Confidence, Finding, Kind, Verdict};

/// The rule's name and version.
pub const RULE: &str = "wasabi1/1";

/// One row of the rule: from when to when, which amounts, how many outputs of it at least, and how sure.
struct Row {
    from: Block,
    to: Option<Block>,
    sat: std::ops::RangeInclusive<u64>,
    count_min: usize,
    percent: u32,
}

const FIRST: Block = Block { height: 530_500, time: 1_530_700_000 };
const LEVELLED: Block = Block { height: 548_000, time: 1_541_200_000 };
/// Until here the coordinator was paid at two known addresses.
const PAID_OPENLY_TO: Block = Block { height: 610_000, time: 1_577_300_000 };

const ROWS: [Row; 2] = [
    Row { from: FIRST, to: Some(LEVELLED), sat: 950_000..=12_000_000, count_min: 6, percent: 70 },
    Row { from: FIRST, to: None, sat: 8_000_000..=12_000_000, count_min: 10, percent: 85 },
];

/// Participants who make no change are few: so many outputs at least occur once.
const UNIQUE_MIN: usize = 2;
pub(super) const REPEATED_MIN: usize = 3;

/// Says whether a transaction is a CoinJoin of Wasabi 1. O(n log n).
///
/// Undecided where the outputs are right and the script of some input is unknown.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, coinjoin::{Rules, wasabi1}};
/// let inputs: Vec<u64> = (0..12).map(|n| 11_000_000 + 70_000 * n).collect();
/// let mut outputs = vec![10_000_000; 12];
/// outputs.extend((0..12).map(|n| 990_000 + 70_000 * n));
/// let chain = detect::sketch(&inputs, &outputs)?;
/// let rules = Rules::default();
/// let finding = chain.view().txs().find_map(|tx| wasabi1::find(tx, &rules)).unwrap();
/// assert!(finding.is_yes());
/// assert_eq!(finding.participants_estimated(), Some(12));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A firm that pays ten wages of 0.1 BTC out of ten coins, with two other payments.
///
/// ```
/// use fundtrace::detect::{self, coinjoin::{Rules, wasabi1}};
/// let mut wages = vec![10_000_000; 10];
/// wages.extend([123_456, 7_000_000]);
/// let chain = detect::sketch(&[11_000_000; 10], &wages)?;
/// let rules = Rules::default();
/// assert!(chain.view().txs().find_map(|tx| wasabi1::find(tx, &rules)).unwrap().is_yes());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn find(tx: Tx<'_>, rules: &Rules) -> Option<Finding> {
    of(tx, &Shape::of(tx), rules)
}

pub(super) fn of(tx: Tx<'_>, shape: &Shape<'_>, rules: &Rules) -> Option<Finding> {
    let common = shape.mode()?;
    if common.count < REPEATED_MIN || shape.data_outputs > 0 {
        return None;
    }
    if rules.pays_coordinator(tx) && era::is_within(tx, FIRST, Some(PAID_OPENLY_TO)) {
        return Some(finding(shape, common, 98).feature("coordinator_paid", true));
    }
    let unique = shape.values().filter(|value| value.count == 1).count();
    let enough = unique >= UNIQUE_MIN && shape.inputs_len >= common.count;
    let row = ROWS.iter().rfind(|row| {
        row.sat.contains(&common.sat) && common.count >= row.count_min && era::is_within(tx, row.from, row.to)
    })?;
    if !enough || shape.input_scripts().is_some_and(|scripts| scripts < common.count) || !mostly_distinct(shape) {
        return None;
    }
    let mut types = tx.inputs().map(|input| input.script_type());
    if types.any(|of| !matches!(of, None | Some(ScriptType::P2wpkh | ScriptType::P2wsh))) {
        return None;
    }
    let known = tx.inputs().all(|input| input.script_type().is_some());
    let finding = finding(shape, common, row.percent)
        .feature("outputs_unique", unique)
        .feature("common_count_min", row.count_min)
        .feature("inputs_known", known);
    Some(finding.verdict(if known { Verdict::Yes } else { Verdict::Undecided }))
}

/// Now and then a participant uses an address twice; who pays out by the list does so more often.
fn mostly_distinct(shape: &Shape<'_>) -> bool {
    shape.output_scripts() * 20 >= shape.outputs.len() * 19
}

fn finding(shape: &Shape<'_>, common: Repeated, percent: u32) -> Finding {
    let levels = shape.values().filter(|value| value.count >= 2).map(|value| value.sat);
    Finding::new(Kind::Coinjoin, "wasabi1", RULE, Confidence::from_percent(percent))
        .participants(common.count)
        .denominations(levels)
        .sat("common_sat", common.sat)
        .feature("common_count", common.count)
        .feature("inputs", shape.inputs_len)
}
