//! What a fast run has found.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};

use super::super::{Balance, Inside, Options, Policy, Reason, Seeded, Stop};
use super::run::{Held, Run};
use crate::chain::View;
use crate::id::{self, OutputIndex, SourceIndex};
use crate::taint::flat::Flat;

/// Taint that left the trace in one way: in all, and by source.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    pub(super) total: u64,
    pub(super) by_source: Vec<u64>,
}

/// What is not an end.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ledger {
    pub(super) fees: Sums,
    pub(super) burned: Sums,
    pub(super) displaced: Sums,
}

impl Ledger {
    pub(super) fn new(sources: usize) -> Self {
        let sums = || Sums { total: 0, by_source: vec![0; sources] };
        Self { fees: sums(), burned: sums(), displaced: sums() }
    }

    pub(super) fn sources(&self) -> usize {
        self.fees.by_source.len()
    }
}

/// An output where taint ends.
///
/// # Examples
///
/// See [`reach`](super::reach()).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Reached<'r> {
    /// The output.
    pub output: OutputIndex,
    /// Hops from the nearest seed.
    pub hops: u32,
    /// How much of it is tainted: over all sources, and for poison its value once.
    pub amount: Amount,
    /// Why the trace ends here.
    pub reason: &'r Reason,
    /// The amounts by source, in the order of sources; for poison these overlap.
    pub by_source: Shares<'r>,
}

/// The amounts of an end by source.
///
/// # Examples
///
/// See [`reach`](super::reach()).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares<'r>(Kept<'r>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept<'r> {
    One(Amount),
    Many(&'r [(SourceIndex, Amount)]),
    /// Under poison: a bit a source, each with all of it.
    Lanes(u64, Amount),
}

impl<'r> Shares<'r> {
    /// Iterates each source with its amount, in the order of sources.
    pub fn iter(&self) -> impl Iterator<Item = (SourceIndex, Amount)> + use<'r> {
        let (lanes, whole, many) = match self.0 {
            Kept::One(amount) => (1, amount, &[][..]),
            Kept::Lanes(lanes, amount) => (lanes, amount, &[][..]),
            Kept::Many(many) => (0, Amount::ZERO, many),
        };
        let set = (0..64).filter(move |lane| lanes >> lane & 1 == 1);
        set.map(move |lane| (SourceIndex::from_u32(lane), whole)).chain(many.iter().copied())
    }
}

/// An end as it is kept: three words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    output: OutputIndex,
    amount: u64,
    hops: u32,
    /// Which of the reasons.
    reason: u32,
}

/// Where taint ended from a set of seeds under one rule, without the way there.
///
/// # Examples
///
/// See [`reach`](super::reach()).
#[derive(Clone, Debug)]
pub struct Reach<'c> {
    pub(super) view: View<'c>,
    pub(super) policy: Policy,
    pub(super) options: Options,
    pub(super) stop: String,
    pub(super) sources: Vec<String>,
    pub(super) seeds: Vec<Seeded>,
    pub(super) unseeded: Vec<OutputIndex>,
    pub(super) ends: Vec<Row>,
    /// Every reason once; the first two are the natural ones.
    pub(super) reasons: Vec<Reason>,
    /// With several sources: the amounts by source of all ends, and where those of each begin.
    pub(super) shares: Vec<(SourceIndex, Amount)>,
    pub(super) first_share: Vec<u64>,
    /// Under poison with up to 64 of them: a bit a source for each end, instead.
    pub(super) lanes: Vec<u64>,
    pub(super) ledger: Ledger,
    pub(super) transactions: u64,
    pub(super) inside: Option<Inside>,
}

impl<'c> Reach<'c> {
    pub(super) fn new(view: View<'c>, policy: Policy, options: Options, stop: String) -> Self {
        Self {
            view,
            policy,
            options,
            stop,
            sources: Vec::new(),
            seeds: Vec::new(),
            unseeded: Vec::new(),
            ends: Vec::new(),
            reasons: vec![Reason::Unspent, Reason::UnknownSpender],
            shares: Vec::new(),
            first_share: Vec::new(),
            lanes: Vec::new(),
            ledger: Ledger::default(),
            transactions: 0,
            inside: None,
        }
    }

    /// Returns the view that was traced.
    pub fn view(&self) -> View<'c> {
        self.view
    }

    /// Returns the rule.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the conventions of the run.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Returns what the stop rules were, as they describe themselves.
    pub fn stop(&self) -> &str {
        &self.stop
    }

    /// Returns the labels of the sources; [`SourceIndex`] counts them.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Returns the outputs that were seeded, in the order they were given.
    pub fn seeds(&self) -> &[Seeded] {
        &self.seeds
    }

    /// Returns the seeds that could not be used: outputs that the view does not show, or whose value nobody told.
    pub fn unseeded(&self) -> &[OutputIndex] {
        &self.unseeded
    }

    /// Returns the outputs that hold taint, in chain order.
    pub fn ends(&self) -> impl ExactSizeIterator<Item = Reached<'_>> + DoubleEndedIterator {
        self.ends.iter().enumerate().map(|(at, row)| self.reached(at, row))
    }

    /// Finds the end at an output. Logarithmic time.
    pub fn end(&self, output: OutputIndex) -> Option<Reached<'_>> {
        let at = self.ends.binary_search_by_key(&output, |row| row.output).ok()?;
        Some(self.reached(at, &self.ends[at]))
    }

    fn reached(&self, at: usize, row: &Row) -> Reached<'_> {
        Reached {
            output: row.output,
            hops: row.hops,
            amount: Amount::from_sat(row.amount),
            reason: &self.reasons[id::at(row.reason)],
            by_source: self.shares_of(at, row),
        }
    }

    fn shares_of(&self, at: usize, row: &Row) -> Shares<'_> {
        if let Some(lanes) = self.lanes.get(at) {
            return Shares(Kept::Lanes(*lanes, Amount::from_sat(row.amount)));
        }
        if self.first_share.is_empty() {
            return Shares(Kept::One(Amount::from_sat(row.amount)));
        }
        let (first, end) = (self.first_share[at], self.first_share[at + 1]);
        Shares(Kept::Many(&self.shares[id::at(first)..id::at(end)]))
    }

    /// Returns how many transactions taint was carried through, coinbases not counted.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// Returns what was not counted as moves between owners; `None` where every transfer is a move.
    pub fn inside(&self) -> Option<Inside> {
        self.inside
    }

    /// Returns the balance over all sources.
    pub fn balance(&self) -> Balance {
        let mut balance = Balance { seeded: self.seeds.iter().map(|seed| seed.value).sum(), ..Balance::default() };
        for end in self.ends() {
            *if end.reason.is_limit() { &mut balance.truncated } else { &mut balance.ends } += end.amount;
        }
        balance.fees = Amount::from_sat(self.ledger.fees.total);
        balance.burned = Amount::from_sat(self.ledger.burned.total);
        balance.displaced = Amount::from_sat(self.ledger.displaced.total);
        balance
    }

    /// Returns the balance of each source, in the order of [`SourceIndex`]. Under poison they overlap.
    pub fn balances(&self) -> Vec<Balance> {
        if self.sources.len() == 1 {
            return vec![self.balance()];
        }
        let mut balances = vec![Balance::default(); self.sources.len()];
        for seed in &self.seeds {
            balances[seed.source.at()].seeded += seed.value;
        }
        for end in self.ends() {
            for (source, amount) in end.by_source.iter() {
                let balance = &mut balances[source.at()];
                *if end.reason.is_limit() { &mut balance.truncated } else { &mut balance.ends } += amount;
            }
        }
        for (at, balance) in balances.iter_mut().enumerate() {
            balance.fees = Amount::from_sat(self.ledger.fees.by_source[at]);
            balance.burned = Amount::from_sat(self.ledger.burned.by_source[at]);
            balance.displaced = Amount::from_sat(self.ledger.displaced.by_source[at]);
        }
        balances
    }
}

/// Where the natural reasons stand among the reasons.
pub(super) const UNSPENT: u32 = 0;
pub(super) const UNKNOWN_SPENDER: u32 = 1;

impl<'c> Reach<'c> {
    pub(super) fn push<F: Flat, S: Stop + ?Sized>(
        &mut self,
        run: &Run<'_, 'c, F, S>,
        held: Held<F::Mark>,
        reason: u32,
    ) {
        self.ends.push(Row { output: held.output, amount: run.amount(&held), hops: held.hops, reason });
        if self.sources.len() < 2 {
            return;
        }
        if let Some(lanes) = run.flat.lanes(held.mark) {
            self.lanes.push(lanes);
        } else {
            self.first_share.push(id::number(self.shares.len()));
            let value = run.hot.value(held.output.at());
            run.flat.by_source(held.mark, value, &mut |source, part| {
                self.shares.push((source, Amount::from_sat(part)));
            });
        }
    }
}
