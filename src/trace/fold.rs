//! A trace with each peel chain folded into one step, which opens into its peels.
//!
//! Returns the trace's transactions in chain order, stretches of a peel chain in one piece. The idea: a thief's chain of hundreds of peels is one
//! thing to a reader: so much went in, these pieces were cut off, so much is left. Invariant, for rules that conserve:
//! entered = peeled + rest + fees + lost, to the satoshi, because all five are read from the trace and none is worked out from values.
//!
//! Where a chain's own output is a seed again, what arrives there is lost to the other seed and the seed's value enters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bitcoin::Amount;

use super::{Trace, Via};
use crate::detect::Confidence;
use crate::id::{OutputIndex, TxIndex};
use crate::service::peel::{Peels, RULE, Stop};

/// A piece of a trace.
///
/// # Examples
///
/// See [`Trace::fold`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fold {
    /// A transaction by itself.
    Tx(TxIndex),
    /// A stretch of a peel chain.
    Chain(Folded),
}

/// A stretch of a peel chain through which taint was carried, as one step.
///
/// # Examples
///
/// See [`Trace::fold`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Folded {
    /// The coin that the first transaction spends, but for dust.
    pub from: OutputIndex,
    /// What is left after the last one.
    pub to: OutputIndex,
    /// The transactions in chain order, each with what it cut off.
    pub steps: Vec<FoldedStep>,
    /// Taint that came in from outside of the stretch.
    pub entered: Amount,
    /// Taint in what is left.
    pub rest: Amount,
    /// Why the stretch ends; `None` where the chain goes on and the trace stopped before.
    pub stop: Option<Stop>,
    /// Whether it has fewer steps than a chain must have, for [a tag cut it short](Peels::is_cut_short).
    pub cut_short: bool,
    /// How sure the rule is that the chain from here on is one owner's.
    pub confidence: Confidence,
    /// Whether the amounts are upper bounds, as under poison: they overlap and do not add up.
    pub is_bound: bool,
}

/// One transaction of a folded chain.
///
/// # Examples
///
/// See [`Trace::fold`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FoldedStep {
    /// The transaction.
    pub tx: TxIndex,
    /// The peels, each with its taint; one may have none.
    pub peels: Vec<(OutputIndex, Amount)>,
    /// Taint in the fee.
    pub fee: Amount,
    /// Taint that was burned here or gave way to another seed.
    pub lost: Amount,
}

impl Folded {
    /// Iterates the peels, each with its taint, in chain order.
    pub fn peels(&self) -> impl Iterator<Item = (OutputIndex, Amount)> {
        self.steps.iter().flat_map(|step| step.peels.iter().copied())
    }

    /// Returns the taint in all peels.
    pub fn peeled(&self) -> Amount {
        self.peels().map(|(_, amount)| amount).sum()
    }

    /// Returns the taint in the fees.
    pub fn fees(&self) -> Amount {
        self.steps.iter().map(|step| step.fee).sum()
    }

    /// Returns the taint that was burned or gave way to another seed.
    pub fn lost(&self) -> Amount {
        self.steps.iter().map(|step| step.lost).sum()
    }

    /// Says it in a sentence, which rule infers it and how sure that is; `name` names outputs.
    pub fn sentence(&self, name: impl Fn(OutputIndex) -> String) -> impl fmt::Display {
        let (cut, most) =
            (if self.cut_short { ", cut short by a tag" } else { "" }, if self.is_bound { "at most " } else { "" });
        format!(
            "inferred by {RULE} (confidence {} %): peel chain of {} transactions{cut} from {} to {}: {most}{} sat in, {} sat in {} peels, {} sat left, {} sat in fees",
            self.confidence.to_ppm() / 10_000,
            self.steps.len(),
            name(self.from),
            name(self.to),
            self.entered.to_sat(),
            self.peeled().to_sat(),
            self.peels().count(),
            self.rest.to_sat(),
            self.fees().to_sat(),
        )
    }
}

/// What a trace says of outputs and transactions, looked up once.
struct Books<'t, 'c> {
    trace: &'t Trace<'c>,
    seeds: BTreeSet<OutputIndex>,
    fees: BTreeMap<TxIndex, Amount>,
    lost: BTreeMap<TxIndex, Amount>,
}

impl<'t, 'c> Books<'t, 'c> {
    fn of(trace: &'t Trace<'c>) -> Self {
        let seeds: BTreeSet<OutputIndex> = trace.seeds().iter().map(|seed| seed.output).collect();
        let (mut fees, mut lost) = (BTreeMap::new(), BTreeMap::new());
        for fee in trace.fees() {
            *fees.entry(fee.tx).or_insert(Amount::ZERO) += fee.amount;
        }
        // A seed that nobody can spend burns its own value, which came from nowhere.
        let arrived = |output: Option<OutputIndex>| output.is_none_or(|output| !seeds.contains(&output));
        for burned in trace.burned().iter().filter(|burned| arrived(burned.output)) {
            *lost.entry(burned.tx).or_insert(Amount::ZERO) += burned.amount;
        }
        for displaced in trace.displaced() {
            let tx = trace.view().output(displaced.output).tx().index();
            *lost.entry(tx).or_insert(Amount::ZERO) += displaced.amount;
        }
        // Seeds named under a second label gave way before anything arrived.
        let mut named = BTreeSet::new();
        for seed in trace.seeds().iter().filter(|seed| !named.insert(seed.output)) {
            let lost = lost.entry(trace.view().output(seed.output).tx().index()).or_insert(Amount::ZERO);
            *lost = lost.checked_sub(seed.value).unwrap_or_default();
        }
        Self { trace, seeds, fees, lost }
    }

    /// What a transaction brought to an output: a seed's own value is not of it.
    fn arrived(&self, output: OutputIndex) -> Amount {
        let touch = self.trace.touch(output).filter(|_| !self.seeds.contains(&output));
        touch.map_or(Amount::ZERO, |touch| touch.amount)
    }

    fn carried_in(&self, tx: TxIndex) -> impl Iterator<Item = (OutputIndex, Amount)> {
        self.trace.carries_to(tx).filter_map(|carry| match carry.via {
            Via::Output(output) => Some((output, carry.amount)),
            Via::Fee(_) => None,
        })
    }

    fn is_carried(&self, output: OutputIndex) -> bool {
        self.trace.touch(output).is_some_and(|touch| touch.carried)
    }

    /// The stretch that begins at a step.
    fn stretch(&self, peels: &Peels<'_>, first: TxIndex) -> Option<Folded> {
        let mut step = peels.step(first)?;
        let (from, mut entered, mut steps, mut before) = (step.spends, Amount::ZERO, Vec::new(), None);
        let stop = loop {
            let inside = |output: OutputIndex| Some(output) == before && !self.seeds.contains(&output);
            let outside = self.carried_in(step.tx).filter(|(output, _)| !inside(*output));
            entered += outside.map(|(_, amount)| amount).sum::<Amount>();
            steps.push(FoldedStep {
                tx: step.tx,
                peels: step.peels.iter().map(|(output, _)| (*output, self.arrived(*output))).collect(),
                fee: self.fees.get(&step.tx).copied().unwrap_or_default(),
                lost: self.lost.get(&step.tx).copied().unwrap_or_default(),
            });
            match peels.next(step.tx) {
                Ok(next) if self.is_carried(step.main) => {
                    before = Some(step.main);
                    step = peels.step(next)?;
                }
                Ok(_) => break None,
                Err(stop) => break Some(stop),
            }
        };
        let long = steps.len() >= crate::id::at(peels.terms().steps_min);
        let cut_short = !long && peels.is_cut_short(first) && stop.is_some();
        if !long && !cut_short {
            return None;
        }
        // Of what is shown, not of what a limit of the run hides.
        let confidence = peels.stretch(first, steps.len())?.confidence();
        let (rest, is_bound) = (self.arrived(step.main), !self.trace.policy().conserving);
        Some(Folded { from, to: step.main, steps, entered, rest, stop, cut_short, confidence, is_bound })
    }
}

impl Trace<'_> {
    /// Folds each stretch of a peel chain of at least [`Terms::steps_min`](crate::service::peel::Terms::steps_min) transactions into one
    /// step, and such as [a tag cut short](Peels::is_cut_short). What is not of such a stretch stands by itself.
    ///
    /// Under poison the amounts are upper bounds and do not add up.
    ///
    /// # Panics
    ///
    /// When the chains are of another chain, or were looked for as of another height.
    ///
    /// # Complexity
    ///
    /// O(n log n) in what the trace holds.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("../change/sketch.txt")]
    /// use fundtrace::change::Change;
    /// use fundtrace::service::peel::{Known, Peels, Ratio, Terms};
    /// use fundtrace::taint::Fifo;
    /// use fundtrace::trace::{self, Fold, Options, Seed, stop};
    /// let chain = sketch(&[
    ///     ("a", &[("coin", 90_000, "thief")], &[(89_900, "t0")]),
    ///     ("b", &[("a:0", 89_900, "t0")], &[(5_000, "ann"), (84_800, "t1")]),
    ///     ("c", &[("b:1", 84_800, "t1")], &[(4_000, "ben"), (80_700, "t2")]),
    ///     ("d", &[("c:1", 80_700, "t2")], &[(3_000, "cid"), (77_600, "t3")]),
    /// ]);
    /// let view = chain.view();
    /// let seed = view.output_at(OutPoint::new(txid("a"), 0)).unwrap().index();
    /// let seeds = [Seed::new(seed, "theft")];
    /// let trace = trace::forward(view, &seeds, &Fifo, &stop::never(), &Options::default());
    /// let peels = Peels::of(view, &Ratio::default().in_hindsight(), &Terms::default(), Known::default());
    /// // What made the seed, and one step.
    /// let [Fold::Tx(_), Fold::Chain(folded)] = &trace.fold(&peels)[..] else { panic!() };
    /// assert_eq!((folded.steps.len(), folded.peeled().to_sat(), folded.rest.to_sat()), (3, 12_000, 77_600));
    /// assert_eq!(folded.entered, folded.peeled() + folded.rest + folded.fees() + folded.lost());
    /// ```
    pub fn fold(&self, peels: &Peels<'_>) -> Vec<Fold> {
        let same = peels.view().is_of_same_chain(self.view) && peels.view().height() == self.view.height();
        assert!(same, "the peel chains are of another view than the trace");
        let books = Books::of(self);
        let mut done = BTreeSet::new();
        let mut folds = Vec::new();
        for tx in self.nodes() {
            if done.contains(tx) {
                continue;
            }
            let carries = books.carried_in(*tx).next().is_some();
            match books.stretch(peels, *tx).filter(|_| carries) {
                Some(folded) => {
                    done.extend(folded.steps.iter().map(|step| step.tx));
                    folds.push(Fold::Chain(folded));
                }
                None => folds.push(Fold::Tx(*tx)),
            }
        }
        folds
    }
}
