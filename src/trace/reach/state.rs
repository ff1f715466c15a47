//! Where a run stands: what is held and what was booked, in names that outlive the chain's indexes.

use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};

use super::super::{Reason, Stop};
use super::Usable;
use super::found::Ledger;
use super::run::{Held, Run};
use crate::id::SourceIndex;
use crate::tag::Tag;
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
    UnknownPrevout,
    Tagged(Tag),
    Hops,
    Below,
    AsOf,
    Budget,
    Custom(String),
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
        let held = self.held.iter().chain(self.ended.iter().map(|(held, _)| held));
        held.map(|held| OutPoint::new(held.output.0, held.output.1))
    }

    /// What is held, with its amount where the rule keeps amounts: under poison that is the output's value.
    pub(in crate::trace) fn held(&self, conserving: bool) -> impl Iterator<Item = (OutPoint, Option<Amount>)> + '_ {
        self.held.iter().map(move |held| {
            let tainted = held.pieces.iter().filter(|(of, _)| of.is_some()).map(|(_, amount)| *amount);
            let amount = conserving.then(|| Amount::from_sat(tainted.fold(0, u64::saturating_add)));
            (OutPoint::new(held.output.0, held.output.1), amount)
        })
    }

    /// The greatest number of a source that it names, and whether each booked column has a number for each of so many.
    pub(in crate::trace) fn fits(&self, sources: usize) -> bool {
        let held = self.held.iter().chain(self.ended.iter().map(|(held, _)| held));
        let known = held
            .flat_map(|held| &held.pieces)
            .all(|(of, _)| of.is_none_or(|of| SourceIndex::from_u32(of).at() < sources));
        let columns = [&self.ledger.fees, &self.ledger.burned, &self.ledger.displaced];
        known && columns.iter().all(|sums| sums.by_source.len() == sources)
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

impl SavedReason {
    /// Runs end at a spender for these reasons; the natural ones are told anew each time.
    fn of(reason: &Reason) -> Self {
        match reason {
            Reason::Tagged(tag) => Self::Tagged((**tag).clone()),
            Reason::Hops => Self::Hops,
            Reason::Below => Self::Below,
            Reason::AsOf => Self::AsOf,
            Reason::Budget => Self::Budget,
            Reason::Custom(what) => Self::Custom(what.to_string()),
            Reason::UnknownPrevout | Reason::Unspent | Reason::UnknownSpender => Self::UnknownPrevout,
        }
    }

    fn back(&self) -> Reason {
        match self {
            Self::UnknownPrevout => Reason::UnknownPrevout,
            Self::Tagged(tag) => Reason::Tagged(tag.clone().into()),
            Self::Hops => Reason::Hops,
            Self::Below => Reason::Below,
            Self::AsOf => Reason::AsOf,
            Self::Budget => Reason::Budget,
            Self::Custom(what) => Reason::Custom(what.as_str().into()),
        }
    }
}
