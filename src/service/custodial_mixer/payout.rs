//! What may be paid out for a deposit: every output of the right size in the right time, and every few that are it together.
//!
//! The idea: a custodial mixer keeps a fee of a few per cent and pays within days, to addresses the customer named. So the payout is among the
//! outputs of the window that are worth the deposit less the fee, or, in parts, among the sets that are. So is much else, which is measured: the
//! same is asked of other outputs of about that size, from as long before the deposit, each with its own window (decoys). They are older than every
//! candidate, so none is its own decoy. What the mixer pays out for this deposit may still be what a decoy finds, for their windows overlap: the
//! measure errs against the rule. If decoys find as many, the answer means nothing.
//!
//! Sets grow with a power of the window's outputs: of two and three parts there are nearly always some where anybody may pay. They are worth asking for
//! where the mixer's coins are known.

use bitcoin::Amount;

use super::parts::{self, Sets};
use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Feature, Finding, Kind, Verdict};
use crate::id::{self, BlockHeight, OutputIndex, TxIndex};

/// The rule's name and version.
pub const PAYOUT: &str = "payout/2";

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
    /// Parts at most in which it is paid out: 1, so no sets are looked for. More than 3 are not.
    pub parts_max: u32,
    /// The least part in parts of a million of the deposit: 10 %.
    pub part_min_ppm: u32,
    /// Steps of the search for sets, for the deposit and for each decoy. After that the finding is undecided.
    pub steps_max: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            fee_min_ppm: 5_000,
            fee_max_ppm: 40_000,
            window_blocks: 432,
            near_ppm: 250_000,
            decoys_max: 64,
            parts_max: 1,
            part_min_ppm: 100_000,
            steps_max: 200_000,
        }
    }
}

impl Terms {
    /// Looks for payouts in up to so many parts; 3 at most.
    #[must_use]
    pub fn parts(mut self, max: u32) -> Self {
        self.parts_max = max.clamp(1, parts::PARTS_MAX);
        self
    }

    /// True when so much may be the payout for a deposit of so much.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::Amount;
    /// use fundtrace::service::custodial_mixer::Terms;
    /// let fits = |sat| Terms::default().fits(Amount::from_sat(1_000_000), Amount::from_sat(sat));
    /// assert!(fits(995_000) && fits(960_000) && !fits(995_001) && !fits(959_999));
    /// ```
    pub fn fits(&self, deposit: Amount, paid: Amount) -> bool {
        let (low, high) = self.range(deposit.to_sat());
        (low..=high).contains(&paid.to_sat())
    }

    /// The least and the most that is paid out for so much, in whole satoshis; nothing fits where the first is greater.
    fn range(&self, sat: u64) -> (u64, u64) {
        let less = |ppm: u32| u128::from(sat) * u128::from(1_000_000_u32.saturating_sub(ppm));
        let whole = |part: u128| u64::try_from(part).expect("a part of 64 bits");
        (whole(less(self.fee_max_ppm).div_ceil(1_000_000)), whole(less(self.fee_min_ppm) / 1_000_000))
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
    /// Of several outputs together, where the terms allow parts.
    pub sets: Sets,
    /// The measure of chance.
    pub decoys: Decoys,
    /// Under which terms.
    pub terms: Terms,
}

impl Payouts {
    /// Returns how sure the rule is that a given candidate is the payout: a grade.
    ///
    /// 30 % for the only one, divided by the number of candidates and sets, times the share of decoys that find nothing, as if two more had been asked and
    /// had found something: few decoys say little. Where none could be asked, 1 % at most; where the search for sets did not end, nothing.
    pub fn confidence(&self) -> Confidence {
        let (asked, found, count) = (self.decoys.asked, self.decoys.found, self.answers());
        let grade = if self.sets.is_whole { 300_000_u64.checked_div(count).unwrap_or(0) } else { 0 };
        let grade = if asked == 0 { grade.min(10_000) } else { grade * (asked - found) / (asked + 2) };
        Confidence::from_ppm(u32::try_from(grade).unwrap_or(0))
    }

    /// How many blocks of the window the view has: where it ends before, a payout may come later.
    fn seen(&self, view: View<'_>) -> u32 {
        let height = view.output(self.deposit).tx().height();
        let after = view.tip().zip(height).map_or(0, |(tip, height)| tip.to_u32().saturating_sub(height.to_u32()));
        after.min(self.terms.window_blocks)
    }

    /// How many answers there are, single outputs and sets.
    fn answers(&self) -> u64 {
        id::number(self.candidates.len()).saturating_add(self.sets.count)
    }

    /// Returns a finding, to stand at the deposit's transaction; `None` where there is no candidate. It is undecided: it lists what may be.
    pub fn finding(&self, view: View<'_>) -> Option<Finding> {
        if self.answers() == 0 && self.sets.is_whole {
            return None;
        }
        let outpoint = |output: OutputIndex| view.output(output).outpoint().to_string();
        let listed = |outputs: &mut dyn Iterator<Item = OutputIndex>| {
            Feature::Text(outputs.map(outpoint).collect::<Vec<_>>().join(" "))
        };
        let mut rests_on: Vec<TxIndex> = self
            .candidates
            .iter()
            .map(|at| at.output)
            .chain(self.sets.listed.iter().flatten().copied())
            .chain([self.deposit])
            .map(|output| view.output(output).tx().index())
            .collect();
        rests_on.sort_unstable();
        rests_on.dedup();
        let rests_on = rests_on.into_iter().map(|tx| view.tx(tx).txid()).collect();
        let terms = &self.terms;
        let mut finding = Finding::new(Kind::CustodialMixer, "payout", PAYOUT, self.confidence())
            .feature("deposit", outpoint(self.deposit).as_str())
            .feature("candidates", self.candidates.len())
            .feature("candidates_at", listed(&mut self.candidates.iter().map(|candidate| candidate.output)))
            .feature("candidates_sat", Feature::Values(self.candidates.iter().map(|at| at.amount).collect()))
            .feature("decoys", id::low(self.decoys.asked))
            .feature("decoys_max", terms.decoys_max)
            .feature("decoys_near_ppm", terms.near_ppm)
            .feature("decoys_with_candidates", id::low(self.decoys.found))
            .feature("decoy_candidates", Feature::Count(self.decoys.candidates))
            .feature("fee_min_ppm", terms.fee_min_ppm)
            .feature("fee_max_ppm", terms.fee_max_ppm)
            .feature("window_blocks", terms.window_blocks)
            .feature("window_blocks_seen", self.seen(view))
            .feature("parts_max", terms.parts_max)
            .feature("rests_on", Feature::Txs(rests_on));
        if terms.parts_max > 1 {
            let first = self.sets.listed.first().map(Vec::as_slice).unwrap_or_default();
            finding = finding
                .feature("part_min_ppm", terms.part_min_ppm)
                .feature("steps_max", Feature::Count(terms.steps_max))
                .feature("sets", Feature::Count(self.sets.count))
                .feature("sets_whole", self.sets.is_whole)
                .feature("first_set_at", listed(&mut first.iter().copied()));
        }
        // Candidates are no answer: the best grade is below one half.
        Some(finding.verdict(Verdict::Undecided))
    }
}

/// An output of a window.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    sat: u64,
    output: OutputIndex,
    tx: TxIndex,
    height: u32,
}

/// The outputs of as many blocks before the deposit as after it, by value.
struct Window {
    /// What may be paid out.
    paid: Vec<Row>,
    /// What stands before the deposit and is worth about as much.
    near: Vec<Row>,
}

impl Window {
    fn of<'c>(view: View<'c>, deposit: Row, terms: &Terms, payer: impl Fn(Tx<'c>) -> bool) -> Self {
        let heights =
            deposit.height.saturating_sub(terms.window_blocks)..=deposit.height.saturating_add(terms.window_blocks);
        let near = u64::try_from(u128::from(deposit.sat) * u128::from(terms.near_ppm) / 1_000_000).unwrap_or(u64::MAX);
        let near = deposit.sat.saturating_sub(near)..=deposit.sat.saturating_add(near);
        let mut window = Self { paid: Vec::new(), near: Vec::new() };
        for tx in heights.flat_map(|height| view.block(BlockHeight::from_u32(height))).filter(|tx| !tx.is_coinbase()) {
            if tx.index() < deposit.tx {
                window.near.extend(tx.outputs().filter_map(row).filter(|row| near.contains(&row.sat)));
            }
            if payer(tx) {
                window.paid.extend(tx.outputs().filter_map(row));
            }
        }
        window.paid.sort_unstable();
        window.near.sort_unstable();
        window
    }

    /// What may be a payout for a deposit: outputs, and sets of them.
    fn answers(&self, deposit: Row, terms: &Terms) -> (Vec<Row>, Sets) {
        let (low, high) = terms.range(deposit.sat);
        let last = deposit.height.saturating_add(terms.window_blocks);
        let is_later = |row: &&Row| row.tx > deposit.tx && (deposit.height..=last).contains(&row.height);
        let below = |least: u64| self.paid.partition_point(|row| row.sat < least);
        let range = |low: u64, high: u64| below(low)..below(high.saturating_add(1)).max(below(low));
        let whole = self.paid[range(low, high)].iter().filter(is_later).copied().collect();
        if terms.parts_max < 2 {
            return (whole, Sets::default());
        }
        let part = u128::from(deposit.sat) * u128::from(terms.part_min_ppm) / 1_000_000;
        let part = u64::try_from(part).unwrap_or(u64::MAX).max(1);
        let parts = self.paid[range(part, high)].iter().filter(is_later);
        let parts: Vec<(u64, OutputIndex)> = parts.map(|row| (row.sat, row.output)).collect();
        (whole, parts::sets(&parts, low, high, terms.parts_max, terms.steps_max))
    }

    /// Asks the same for other outputs that are worth about as much. Where the search for sets does not end, something is taken to be found.
    fn decoys(&self, terms: &Terms) -> Decoys {
        // Evenly spaced over the sizes, so that the choice is nobody's.
        let mut decoys = Decoys::default();
        let Some(step) = self.near.len().checked_next_multiple_of(terms.decoys_max).map(|len| len / terms.decoys_max)
        else {
            return decoys;
        };
        for decoy in self.near.iter().step_by(step.max(1)) {
            let (whole, sets) = self.answers(*decoy, terms);
            decoys.asked += 1;
            decoys.found += u64::from(!whole.is_empty() || sets.count > 0 || !sets.is_whole);
            decoys.candidates = decoys.candidates.saturating_add(id::number(whole.len())).saturating_add(sets.count);
        }
        decoys
    }
}

/// An output that somebody can spend, of known value and height.
fn row(output: Output<'_>) -> Option<Row> {
    let (sat, tx) = (output.value()?.to_sat(), output.tx());
    let height = tx.height()?.to_u32();
    (!output.is_unspendable()).then(|| Row { sat, output: output.index(), tx: tx.index(), height })
}

/// Lists what may be paid out for a deposit, and what chance would find. `payer` tells whose transactions may pay: those of the mixer's
/// cluster, where it is known, or everybody's. `None` where the deposit's value or height is unknown.
///
/// # Complexity
///
/// O(w log w) in the outputs of the window, which is as long before the deposit as after it; with parts, for the deposit and for each decoy up to
/// [`Terms::steps_max`] steps more, of O(log w).
///
/// # Examples
///
/// ```
#[doc = include_str!("../../change/sketch.txt")]
/// use fundtrace::service::custodial_mixer::{self, Terms};
/// let chain = sketch(&[
///     ("z", &[("coin", 1_200_000, "zoe")], &[(1_100_000, "shop"), (90_000, "zoe2")]),
///     ("a", &[("coin", 1_001_000, "me")], &[(1_000_000, "mixer")]),
///     ("b", &[("coin", 5_000_000, "pot")], &[(980_000, "elsewhere"), (4_010_000, "pot2")]),
///     ("c", &[("coin", 500_000, "ann")], &[(100_000, "shop"), (390_000, "ann2")]),
/// ]);
/// let deposit = chain.view().output_at(OutPoint::new(txid("a"), 0)).unwrap().index();
/// let found = custodial_mixer::payouts(chain.view(), deposit, &Terms::default(), |_| true).unwrap();
/// assert_eq!(found.candidates[0].amount.to_sat(), 980_000);
/// // There is one other output of about that size before, and nothing is found for it.
/// assert_eq!((found.decoys.asked, found.decoys.found), (1, 0));
/// assert_eq!(found.confidence().to_ppm(), 100_000);
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
    let asked = view.output(deposit);
    let (sat, tx, height) = (asked.value()?.to_sat(), asked.tx().index(), asked.tx().height()?.to_u32());
    let own = Row { sat, output: deposit, tx, height };
    let window = Window::of(view, own, terms, payer);
    let (whole, sets) = window.answers(own, terms);
    let candidate =
        |row: Row| Candidate { output: row.output, amount: Amount::from_sat(row.sat), blocks: row.height - height };
    let mut candidates: Vec<Candidate> = whole.into_iter().map(candidate).collect();
    candidates.sort_unstable();
    Some(Payouts { deposit, candidates, sets, decoys: window.decoys(terms), terms: *terms })
}
