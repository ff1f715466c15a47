//! Where a run stands: what is held and what was booked, in names that outlive the chain's indexes.

use std::collections::HashSet;

use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};

use super::super::{Classed, Mix, Reason, Stop};
use super::Usable;
use super::found::Ledger;
use super::run::{Held, Run};
use crate::chain::View;
use crate::id::SourceIndex;
use crate::tag::Tag;
use crate::taint::Rule;
use crate::taint::flat::{Flat, Piece};

/// A run between two blocks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::trace) struct State {
    held: Vec<SavedHeld>,
    ended: Vec<(SavedHeld, SavedReason)>,
    ledger: Ledger,
    transactions: u64,
    /// The seeds that were there.
    seeded: Vec<(Txid, u32)>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedHeld {
    output: (Txid, u32),
    hops: u32,
    /// Source and amount; no source where it is clean.
    pieces: Vec<(Option<u32>, u64)>,
}

/// A reason to write down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedReason {
    Unspent,
    UnknownSpender,
    UnknownPrevout,
    Tagged(Box<Tag>),
    Hops,
    Below,
    AsOf,
    Budget,
    Custom(String),
    Mix(Mix),
    Classified(Box<Classed>),
}

/// No sum of a run comes near; what goes on from less cannot overflow.
const SUM_MAX: u64 = u64::MAX / 2;

/// Whether every satoshi of an output that the rule marks is written down, also the clean ones.
fn is_row(rule: Rule) -> bool {
    matches!(rule, Rule::Fifo | Rule::Lifo)
}

fn named(outpoint: OutPoint) -> (Txid, u32) {
    (outpoint.txid, outpoint.vout)
}

impl State {
    pub(super) fn of<F: Flat, S: Stop + ?Sized>(run: &Run<'_, '_, F, S>, seeds: &[Usable<'_>]) -> Self {
        let save = |held: &Held<F::Mark>| SavedHeld {
            output: named(run.view.output_in(held.output, held.tx).outpoint()),
            hops: held.hops,
            pieces: run
                .flat
                .save(held.mark)
                .iter()
                .map(|(of, amount)| (of.map(SourceIndex::to_u32), *amount))
                .collect(),
        };
        let mut held: Vec<&Held<F::Mark>> = run.rest.iter().collect();
        held.sort_unstable_by_key(|held| held.output);
        let mut ended: Vec<_> = run.ended.iter().collect();
        ended.sort_unstable_by_key(|(held, _)| held.output);
        let mut seeded: Vec<(Txid, u32)> = seeds.iter().map(|(output, ..)| named(output.outpoint())).collect();
        seeded.sort_unstable();
        seeded.dedup();
        Self {
            held: held.into_iter().map(save).collect(),
            ended: ended.into_iter().map(|(held, reason)| (save(held), SavedReason::of(reason))).collect(),
            ledger: run.ledger.clone(),
            transactions: run.transactions,
            seeded,
        }
    }

    pub(super) fn has_seeded(&self, outpoint: OutPoint) -> bool {
        self.seeded.binary_search(&named(outpoint)).is_ok()
    }

    /// Every output that the state names.
    pub(in crate::trace) fn outpoints(&self) -> impl Iterator<Item = OutPoint> + '_ {
        self.all().map(|held| OutPoint::new(held.output.0, held.output.1))
    }

    /// What is held, with its amount where the rule keeps amounts: under poison that is the output's value.
    pub(in crate::trace) fn held(&self, conserving: bool) -> impl Iterator<Item = (OutPoint, Option<Amount>)> + '_ {
        self.held.iter().map(move |held| held.told(conserving))
    }

    /// What has ended at its spender, in the same form.
    pub(in crate::trace) fn ended(&self, conserving: bool) -> impl Iterator<Item = (OutPoint, Option<Amount>)> + '_ {
        self.ended.iter().map(move |(held, _)| held.told(conserving))
    }

    /// Says what is wrong with it, if anything is, as far as that shows without the chain.
    pub(in crate::trace) fn fits(&self, sources: usize, rule: Rule) -> Result<(), &'static str> {
        let mut seen = HashSet::new();
        for held in self.all() {
            if !seen.insert(held.output) {
                return Err("an output stands in it twice");
            }
            let known = |of: &Option<u32>| of.is_none_or(|of| SourceIndex::from_u32(of).at() < sources);
            if !held.pieces.iter().all(|(of, _)| known(of)) {
                return Err("it names a source that it does not have");
            }
            let listed = held.pieces.iter().all(|(of, _)| of.is_some()) && held.pieces.is_sorted_by(|a, b| a.0 < b.0);
            if !is_row(rule) && !listed {
                return Err("an output's sources are not in their order");
            }
        }
        if !self.seeded.is_sorted_by(|a, b| a < b) {
            return Err("its seeds are not in their order");
        }
        for sums in [&self.ledger.fees, &self.ledger.burned, &self.ledger.displaced] {
            if sums.by_source.len() != sources {
                return Err("it names a source that it does not have");
            }
            let parts: u128 = sums.by_source.iter().map(|sum| u128::from(*sum)).sum();
            let split = rule == Rule::Poison || parts == u128::from(sums.total);
            if !split || sums.by_source.iter().chain([&sums.total]).any(|sum| *sum > SUM_MAX) {
                return Err("its sums are wrong");
            }
        }
        if self.transactions > SUM_MAX { Err("its sums are wrong") } else { Ok(()) }
    }

    /// Says what is wrong with it in a view that has every output that it names: an engine counts on it that no more is tainted than
    /// there is, and that what was seeded is all there.
    pub(super) fn check(
        &self,
        view: View<'_>,
        seeds: &[Usable<'_>],
        sources: usize,
        rule: Rule,
    ) -> Result<(), &'static str> {
        let mut sums = vec![0_u128; sources];
        for held in self.all() {
            let value = view.output_at(OutPoint::new(held.output.0, held.output.1)).and_then(|output| output.value());
            let value = value.map_or(0, |value| u128::from(value.to_sat()));
            let tainted: u128 = held.pieces.iter().map(|(_, amount)| u128::from(*amount)).sum();
            if tainted > value || is_row(rule) && tainted < value {
                return Err("an output's taint does not fit its value");
            }
            if u64::from(held.hops) + u64::from(view.end().to_u32()) >= u64::from(u32::MAX) {
                return Err("an output is more hops away than the chain has transactions");
            }
            for (of, amount) in &held.pieces {
                if let Some(of) = of {
                    sums[SourceIndex::from_u32(*of).at()] += u128::from(*amount);
                }
            }
        }
        let held: HashSet<OutPoint> = self.outpoints().collect();
        let mut seeded = vec![0_u128; sources];
        for (output, source, value) in seeds {
            if self.has_seeded(output.outpoint()) {
                seeded[source.at()] += u128::from(*value);
            } else if held.contains(&output.outpoint()) {
                return Err("it holds a seed that it has not seeded");
            }
        }
        if rule == Rule::Poison {
            return Ok(());
        }
        for booked in [&self.ledger.fees, &self.ledger.burned, &self.ledger.displaced] {
            sums.iter_mut().zip(&booked.by_source).for_each(|(sum, booked)| *sum += u128::from(*booked));
        }
        if sums == seeded { Ok(()) } else { Err("it does not add up to what was seeded") }
    }

    /// Makes room for so many sources, of which the new ones come last.
    pub(in crate::trace) fn widen(&mut self, sources: usize) {
        for sums in [&mut self.ledger.fees, &mut self.ledger.burned, &mut self.ledger.displaced] {
            sums.by_source.resize(sources, 0);
        }
    }

    fn all(&self) -> impl Iterator<Item = &SavedHeld> {
        self.held.iter().chain(self.ended.iter().map(|(held, _)| held))
    }

    /// Puts a run where this one was broken off. Every output must be in the run's view: see [`outpoints`](Self::outpoints).
    pub(super) fn restore<F: Flat, S: Stop + ?Sized>(&self, run: &mut Run<'_, '_, F, S>) {
        run.ledger = self.ledger.clone();
        run.transactions = self.transactions;
        let mut load = |held: &SavedHeld| {
            let pieces: Vec<Piece> =
                held.pieces.iter().map(|(of, sat)| (of.map(SourceIndex::from_u32), *sat)).collect();
            let output = run.view.output_at(OutPoint::new(held.output.0, held.output.1))?;
            Some((output, held.hops, run.flat.load(&pieces)))
        };
        let held: Vec<_> = self.held.iter().filter_map(&mut load).collect();
        let ended: Vec<_> = self.ended.iter().filter_map(|(held, reason)| Some((load(held)?, reason.back()))).collect();
        for (output, hops, mark) in held {
            run.put_back(output, hops, mark);
        }
        for ((output, hops, mark), reason) in ended {
            run.ended.push((Held { output: output.index(), tx: output.tx().index(), hops, mark }, reason));
        }
    }
}

impl SavedHeld {
    fn told(&self, conserving: bool) -> (OutPoint, Option<Amount>) {
        let tainted = self.pieces.iter().filter(|(of, _)| of.is_some()).map(|(_, amount)| *amount);
        let amount = conserving.then(|| Amount::from_sat(tainted.fold(0, u64::saturating_add)));
        (OutPoint::new(self.output.0, self.output.1), amount)
    }
}

impl SavedReason {
    /// A stop of the caller's may give any of them at a spender.
    fn of(reason: &Reason) -> Self {
        match reason {
            Reason::Tagged(tag) => Self::Tagged(Box::new((**tag).clone())),
            Reason::Hops => Self::Hops,
            Reason::Below => Self::Below,
            Reason::AsOf => Self::AsOf,
            Reason::Budget => Self::Budget,
            Reason::Mix(mix) => Self::Mix((**mix).clone()),
            Reason::Classified(classed) => Self::Classified(Box::new((**classed).clone())),
            Reason::Custom(what) => Self::Custom(what.to_string()),
            Reason::UnknownPrevout => Self::UnknownPrevout,
            Reason::Unspent => Self::Unspent,
            Reason::UnknownSpender => Self::UnknownSpender,
        }
    }

    fn back(&self) -> Reason {
        match self {
            Self::Unspent => Reason::Unspent,
            Self::UnknownSpender => Reason::UnknownSpender,
            Self::UnknownPrevout => Reason::UnknownPrevout,
            Self::Tagged(tag) => Reason::Tagged(tag.clone().into()),
            Self::Hops => Reason::Hops,
            Self::Below => Reason::Below,
            Self::AsOf => Reason::AsOf,
            Self::Budget => Reason::Budget,
            Self::Mix(mix) => Reason::Mix(mix.clone().into()),
            Self::Classified(classed) => Reason::Classified((**classed).clone().into()),
            Self::Custom(what) => Reason::Custom(what.as_str().into()),
        }
    }
}
