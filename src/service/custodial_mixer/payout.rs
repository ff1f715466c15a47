//! What may be paid out for a deposit: every output of the right size in the right time.
//!
//! The idea: a custodial mixer keeps a fee of a few per cent and pays within days, to an address the customer named. So the payout is among the
//! outputs of the window that are worth the deposit less the fee. So is much else, which is measured: the same is asked of other outputs
//! of that size in the same window (decoys), and if those find as many, the answer means nothing. Payouts in several parts are not found.

use bitcoin::Amount;

use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Finding, Kind};
use crate::id::{self, BlockHeight, OutputIndex};

/// The rule's name and version.
pub const PAYOUT: &str = "payout/1";

/// Within which bounds a payout is looked for. The numbers are ours, after the fees and delays that mixers advertised.
///
/// # Examples
///
/// See [`payouts`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// The least fee in parts of a million of the deposit: 0.5 %.
    pub fee_min_ppm: u32,
    /// The greatest: 4 %.
    pub fee_max_ppm: u32,
    /// Blocks after the deposit within which it is paid out: 432, three days.
    pub window_blocks: u32,
    /// Decoys are worth so much more or less, in parts of a million: 25 %.
    pub near_ppm: u32,
    /// Decoys at most.
    pub decoys_max: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self { fee_min_ppm: 5_000, fee_max_ppm: 40_000, window_blocks: 432, near_ppm: 250_000, decoys_max: 64 }
    }
}

/// An output that may be the payout.
///
/// # Examples
///
/// See [`payouts`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// The output.
    pub output: OutputIndex,
    /// What it is worth.
    pub amount: Amount,
    /// Blocks after the deposit.
    pub blocks: u32,
}

/// What the same question finds for other outputs of that size.
///
/// # Examples
///
/// See [`payouts`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Decoys {
    /// How many were asked.
    pub asked: u64,
    /// How many of them find anything.
    pub found: u64,
    /// What they find, all together.
    pub candidates: u64,
}

/// The candidates for one deposit, with what they are worth as evidence.
///
/// # Examples
///
/// See [`payouts`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Payouts {
    /// The deposit.
    pub deposit: OutputIndex,
    /// In chain order.
    pub candidates: Vec<Candidate>,
    /// The measure of chance.
    pub decoys: Decoys,
    /// Under which terms.
    pub terms: Terms,
}

impl Payouts {
    /// Returns how sure the rule is that a given candidate is the payout: a grade.
    ///
    /// 30 % for the only one, divided by the number of candidates, times the share of decoys that find nothing. Where no decoy could be asked, 1 % at
    /// most.
    pub fn confidence(&self) -> Confidence {
        let (asked, found, count) = (self.decoys.asked, self.decoys.found, id::number(self.candidates.len()));
        let grade = 300_000_u64.checked_div(count).unwrap_or(0);
        let grade = (grade * (asked - found)).checked_div(asked).unwrap_or(grade.min(10_000));
        Confidence::from_ppm(u32::try_from(grade).unwrap_or(0))
    }

    /// Returns a finding, to stand at the deposit's transaction; `None` where there is no candidate.
    pub fn finding(&self, view: View<'_>) -> Option<Finding> {
        let values = self.candidates.iter().map(|candidate| candidate.amount).collect();
        let mut rests_on: Vec<_> = self.candidates.iter().map(|at| view.output(at.output).tx().txid()).collect();
        rests_on.dedup();
        (!self.candidates.is_empty()).then(|| {
            Finding::new(Kind::CustodialMixer, "payout", PAYOUT, self.confidence())
                .feature("deposit", view.output(self.deposit).outpoint().to_string().as_str())
                .feature("candidates", self.candidates.len())
                .feature("candidates_sat", crate::detect::Feature::Values(values))
                .feature("decoys", id::low(self.decoys.asked))
                .feature("decoys_with_candidates", id::low(self.decoys.found))
                .feature("decoy_candidates", id::low(self.decoys.candidates))
                .feature("fee_min_ppm", self.terms.fee_min_ppm)
                .feature("fee_max_ppm", self.terms.fee_max_ppm)
                .feature("window_blocks", self.terms.window_blocks)
                .feature("rests_on", crate::detect::Feature::Txs(rests_on))
        })
    }
}

/// The outputs of a window by value.
struct Window {
    /// Value, output, height; ascending.
    outputs: Vec<(u64, OutputIndex, u32)>,
    from: u32,
}

impl Window {
    fn of<'c>(view: View<'c>, deposit: Output<'c>, height: u32, terms: &Terms, payer: impl Fn(Tx<'c>) -> bool) -> Self {
        let last = height.saturating_add(terms.window_blocks);
        let heights = (height..=last).map(BlockHeight::from_u32);
        let txs = heights.flat_map(|height| view.block(height));
        let outside = |tx: &Tx<'c>| !tx.is_coinbase() && tx.index() > deposit.tx().index() && payer(*tx);
        let row = |output: Output<'c>| {
            let height = output.tx().height().map_or(height, BlockHeight::to_u32);
            Some((output.value()?.to_sat(), output.index(), height)).filter(|_| !output.is_unspendable())
        };
        let mut outputs: Vec<_> = txs.filter(outside).flat_map(|tx| tx.outputs().filter_map(row)).collect();
        outputs.sort_unstable();
        Self { outputs, from: height }
    }

    /// The outputs that may be a payout for so much.
    fn of_size(&self, sat: u64, terms: &Terms) -> &[(u64, OutputIndex, u32)] {
        let less = |ppm: u32| u128::from(sat) * u128::from(1_000_000_u32.saturating_sub(ppm));
        let below = |least: u128| self.outputs.partition_point(|(value, ..)| u128::from(*value) * 1_000_000 < least);
        let (from, to) = (below(less(terms.fee_max_ppm)), below(less(terms.fee_min_ppm) + 1));
        &self.outputs[from..to.max(from)]
    }

    /// Asks the same for other outputs that are worth about as much.
    fn decoys(&self, sat: u64, terms: &Terms) -> Decoys {
        let near = u64::try_from(u128::from(sat) * u128::from(terms.near_ppm) / 1_000_000).unwrap_or(u64::MAX);
        let below = |least: u64| self.outputs.partition_point(|(value, ..)| *value < least);
        let range = below(sat.saturating_sub(near))..below(sat.saturating_add(near).saturating_add(1));
        let others = &self.outputs[range];
        // Evenly spaced over the sizes, so that the choice is nobody's.
        let step = others.len().div_ceil(terms.decoys_max.max(1)).max(1);
        let mut decoys = Decoys::default();
        for (value, output, _) in others.iter().step_by(step) {
            let found = self.of_size(*value, terms).iter().filter(|row| row.1 != *output).count();
            decoys.asked += 1;
            decoys.found += u64::from(found > 0);
            decoys.candidates += id::number(found);
        }
        decoys
    }
}

/// Lists what may be paid out for a deposit, and what chance would find. `payer` tells whose transactions may pay: those of the mixer's
/// cluster, where it is known, or everybody's. `None` where the deposit's value or height is unknown.
///
/// # Complexity
///
/// O(w log w) in the outputs of the window.
///
/// # Examples
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer::{self, Terms};
/// let chain = sketch(&[
///     ("a", &[("coin", 1_001_000, "me")], &[(1_000_000, "mixer")]),
///     ("b", &[("coin", 5_000_000, "pot")], &[(980_000, "elsewhere"), (4_010_000, "pot2")]),
///     ("c", &[("coin", 500_000, "ann")], &[(100_000, "shop"), (390_000, "ann2")]),
/// ]);
/// let deposit = chain.view().output_at(OutPoint::new(txid("a"), 0)).unwrap().index();
/// let found = custodial_mixer::payouts(chain.view(), deposit, &Terms::default(), |_| true).unwrap();
/// assert_eq!(found.candidates[0].amount.to_sat(), 980_000);
/// // There is one other output of about that size, the candidate itself, and nothing is found for it.
/// assert_eq!((found.decoys.asked, found.decoys.found), (1, 0));
/// assert_eq!(found.confidence().to_ppm(), 300_000);
/// ```
///
/// # Fooled by
///
/// Anybody who pays about as much soon after: here a shop gets the change of the same customer.
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer::{self, Terms};
/// let chain = sketch(&[
///     ("a", &[("coin", 2_000_000, "me")], &[(1_000_000, "mixer"), (999_000, "me2")]),
///     ("b", &[("a:1", 999_000, "me2")], &[(985_000, "shop"), (13_000, "me3")]),
/// ]);
/// let deposit = chain.view().output_at(OutPoint::new(txid("a"), 0)).unwrap().index();
/// let found = custodial_mixer::payouts(chain.view(), deposit, &Terms::default(), |_| true).unwrap();
/// assert_eq!(found.candidates.len(), 1);
/// ```
pub fn payouts<'c>(
    view: View<'c>,
    deposit: OutputIndex,
    terms: &Terms,
    payer: impl Fn(Tx<'c>) -> bool,
) -> Option<Payouts> {
    let output = view.output(deposit);
    let (sat, height) = (output.value()?.to_sat(), output.tx().height()?.to_u32());
    let window = Window::of(view, output, height, terms, payer);
    let candidate = |row: &(u64, OutputIndex, u32)| Candidate {
        output: row.1,
        amount: Amount::from_sat(row.0),
        blocks: row.2 - window.from,
    };
    let mut candidates: Vec<Candidate> = window.of_size(sat, terms).iter().map(candidate).collect();
    candidates.sort_unstable();
    Some(Payouts { deposit, candidates, decoys: window.decoys(sat, terms), terms: *terms })
}
