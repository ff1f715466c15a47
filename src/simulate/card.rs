//! The calibration card: how much a chain looks like the one whose shares are published.
//!
//! It is computed from the chain alone, so any chain can have one, a real one too. The targets are from Moeser's notebooks (shares of
//! transactions to 2020), as the design's section 7.4 lists them; the share of transactions with a parent in the same block and the form of the
//! distribution of spending times are our own readings.

use std::fmt;

use serde::Serialize;

use super::rng::lognormal_at;
use super::user::BOTH_SPENT;
use crate::chain::{SequenceClass, Spent, Tx, View};
use crate::id;

/// A share that is published, and what a chain has of it.
///
/// # Examples
///
/// See [`Card`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct CardRow {
    /// What is counted.
    pub name: &'static str,
    /// The published share, in millionths; of a distance 0; of a number the least.
    pub target: u64,
    /// What the chain has, in the same unit.
    pub found: u64,
    /// How far off it may be; `None` where the target is the least it must be.
    pub within: Option<u64>,
    /// Whether it is a share, which is printed as a percentage.
    pub is_share: bool,
}

impl CardRow {
    /// True when what was found is as near as it should be.
    pub fn holds(&self) -> bool {
        self.within.map_or(self.found >= self.target, |within| self.found.abs_diff(self.target) <= within)
    }
}

/// The calibration card of a chain.
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::Card;
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let card = Card::of(chain.view());
/// assert_eq!(card.rows().len(), 17);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Card {
    rows: Vec<CardRow>,
}

/// What is counted over all transactions but coinbases.
#[derive(Default)]
struct Counted {
    txs: u64,
    outputs: [u64; 3],
    inputs_of_two: [u64; 3],
    back: u64,
    version_1: u64,
    lock_time: u64,
    replaceable: u64,
    witness: u64,
    data: u64,
    all_spent: u64,
    same_block: u64,
    /// Of transactions with two outputs that can be spent: how many there are of each age, and how long it took until both were.
    ages: Vec<u64>,
    both_spent: Vec<u64>,
    depth: u64,
}

impl Card {
    /// Computes the card of what a view shows. Coinbases are left out.
    ///
    /// # Complexity
    ///
    /// Linear in the inputs and outputs.
    pub fn of(view: View<'_>) -> Self {
        let mut counted = Counted::default();
        let tip = view.tip().map_or(0, |tip| tip.to_u32());
        let mut depths = vec![0_u32; view.end().at()];
        for tx in view.txs() {
            let parents =
                tx.inputs().filter_map(|input| input.prevout()).map(|output| depths[output.tx().index().at()] + 1);
            let depth = parents.max().unwrap_or(0);
            depths[tx.index().at()] = depth;
            counted.depth = counted.depth.max(u64::from(depth));
            if !tx.is_coinbase() {
                counted.add(view, tx, tip);
            }
        }
        Self { rows: counted.rows() }
    }

    /// Returns the rows.
    pub fn rows(&self) -> &[CardRow] {
        &self.rows
    }
}

impl Counted {
    fn add(&mut self, view: View<'_>, tx: Tx<'_>, tip: u32) {
        self.txs += 1;
        let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
        if outputs == 0 {
            return;
        }
        self.outputs[outputs.min(3) - 1] += 1;
        let spenders = tx.outputs().filter(|output| !output.is_unspendable()).map(|output| match output.spent() {
            Spent::By(spender) => view.tx(spender).height().map(|height| height.to_u32()),
            _ => None,
        });
        let spenders: Vec<Option<u32>> = spenders.collect();
        self.all_spent += u64::from(spenders.iter().all(Option::is_some));
        self.version_1 += u64::from(tx.version() == Some(1));
        self.lock_time += u64::from(tx.lock_time().is_some_and(|lock_time| lock_time > 0));
        let spends = || tx.inputs().filter_map(|input| input.spend());
        self.replaceable += u64::from(spends().any(|spend| spend.sequence() > SequenceClass::LockTime));
        self.witness += u64::from(spends().any(|spend| spend.has_witness()));
        let height = tx.height();
        let here = |output: crate::chain::Output<'_>| output.tx().height() == height && height.is_some();
        self.same_block += u64::from(tx.inputs().filter_map(|input| input.prevout()).any(here));
        if outputs != 2 {
            return;
        }
        self.inputs_of_two[inputs.clamp(1, 3) - 1] += 1;
        let mut paid = tx.outputs().filter_map(|output| output.address_index());
        self.back += u64::from(paid.any(|address| tx.inputs().any(|input| input.address_index() == Some(address))));
        self.data += u64::from(spenders.len() < 2);
        if let (Some(height), [one, other]) = (height.map(|height| height.to_u32()), spenders.as_slice()) {
            count(&mut self.ages, tip.saturating_sub(height));
            if let (Some(one), Some(other)) = (one, other) {
                count(&mut self.both_spent, one.max(other).saturating_sub(height));
            }
        }
    }

    fn rows(&self) -> Vec<CardRow> {
        let two = self.outputs[1];
        let share = |name, of: u64, all: u64, target| {
            let found = (u128::from(of) * 1_000_000 / u128::from(all.max(1))).try_into().unwrap_or(0);
            CardRow { name, target, found, within: Some(50_000), is_share: true }
        };
        let (distance, median, expected_median) = self.spending();
        let number = |name, target, found, within| CardRow { name, target, found, within, is_share: false };
        vec![
            share("one output", self.outputs[0], self.txs, 140_000),
            share("two outputs", self.outputs[1], self.txs, 758_000),
            share("three outputs or more", self.outputs[2], self.txs, 103_000),
            share("of two outputs: one input", self.inputs_of_two[0], two, 788_000),
            share("of two outputs: two inputs", self.inputs_of_two[1], two, 136_000),
            share("of two outputs: three inputs or more", self.inputs_of_two[2], two, 76_000),
            share("of two outputs: one to an address that is spent", self.back, two, 209_000),
            share("of two outputs: one cannot be spent (data)", self.data, two, 57_000),
            share("version 1", self.version_1, self.txs, 807_000),
            share("lock time", self.lock_time, self.txs, 246_000),
            share("replaceable (BIP 125)", self.replaceable, self.txs, 62_000),
            share("spends a witness", self.witness, self.txs, 271_000),
            share("all outputs spent", self.all_spent, self.txs, 870_000),
            share("a parent in the same block", self.same_block, self.txs, 150_000),
            CardRow {
                name: "blocks until both outputs are spent: Kolmogorov-Smirnov distance",
                target: 0,
                found: distance,
                within: Some(50_000),
                is_share: true,
            },
            // Within a half, since the distance says the rest.
            number("their median, as the chain's age allows", expected_median, median, Some(expected_median / 2)),
            number("hops of the longest chain", 1_000, self.depth, None),
        ]
    }

    /// The greatest distance between the distribution of the time until both outputs are spent and the one it should have among those that
    /// are old enough, in millionths; then the median that was found and the one that should be.
    ///
    /// Of a transaction of age `a` whose time follows `F`, nobody sees a time beyond `a`. So the distribution among those that are
    /// seen is `sum of F(min(t, a)) / sum of F(a)` over all transactions.
    fn spending(&self) -> (u64, u64, u64) {
        let by_age: Vec<u128> = cumulative(self.ages.len()).into_iter().map(u128::from).collect();
        let all: u128 = self.ages.iter().map(|count| u128::from(*count)).sum();
        let (mut below, mut above) = (0_u128, all);
        let seen: u128 = self.ages.iter().zip(&by_age).map(|(count, share)| u128::from(*count) * share).sum();
        let spent: u128 = self.both_spent.iter().map(|count| u128::from(*count)).sum();
        if seen == 0 || spent == 0 {
            return (0, 0, 0);
        }
        let (mut sum, mut distance) = (0_u128, 0);
        let mut medians: [Option<usize>; 2] = [None, None];
        for (t, (share, count)) in by_age.iter().zip(&self.ages).enumerate() {
            below += u128::from(*count) * share;
            above -= u128::from(*count);
            sum += u128::from(self.both_spent.get(t).copied().unwrap_or(0));
            let expected = (below + above * share) * 1_000_000 / seen;
            let found = sum * 1_000_000 / spent;
            distance = distance.max(expected.abs_diff(found));
            for (median, share) in medians.iter_mut().zip([found, expected]) {
                if share >= 500_000 {
                    median.get_or_insert(t);
                }
            }
        }
        let [found, expected] = medians.map(|median| id::number(median.unwrap_or(0)));
        (u64::try_from(distance).unwrap_or(u64::MAX), found, expected)
    }
}

fn count(counts: &mut Vec<u64>, at: u32) {
    if counts.len() <= id::at(at) {
        counts.resize(id::at(at) + 1, 0);
    }
    counts[id::at(at)] += 1;
}

/// For each number of blocks the share of times that are not longer, of 2^32.
fn cumulative(blocks: usize) -> Vec<u64> {
    let (median, sigma) = BOTH_SPENT;
    let mut place = 0_u64;
    let shares = (0..blocks).map(|t| {
        // The greatest place whose time is below the next block's; it only grows.
        let (mut low, mut high) = (place, 1 << 32);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if lognormal_at(median, sigma, middle.min((1 << 32) - 1)) <= id::number(t) {
                low = middle
            } else {
                high = middle - 1
            }
        }
        place = low;
        place
    });
    shares.collect()
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<64} {:>9} {:>9}", "calibration", "target", "found")?;
        for row in &self.rows {
            let text = |number: u64| match row.is_share {
                true => format!("{}.{:02} %", number / 10_000, number / 100 % 100),
                false => number.to_string(),
            };
            let mark = if row.holds() { "" } else { "  off" };
            writeln!(f, "{:<64} {:>9} {:>9}{mark}", row.name, text(row.target), text(row.found))?;
        }
        Ok(())
    }
}
