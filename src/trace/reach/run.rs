//! What both fast engines do alike: a transaction is crossed, a coinbase is paid, an output is held or its taint is booked.

use std::collections::{BTreeMap, HashMap};

use bitcoin::Amount;

use super::super::coinbase::Row;
use super::super::{Fees, Inside, Options, Owners, Reason, Stop, Visit};
use super::found::{Ledger, Sums};
use crate::chain::{Hot, Output, View};
use crate::id::{BlockHeight, OutputIndex, SourceIndex, TxIndex};
use crate::taint::flat::{Flat, Input};

/// A tainted output.
#[derive(Clone, Copy)]
pub(super) struct Held<M> {
    pub(super) output: OutputIndex,
    pub(super) tx: TxIndex,
    pub(super) hops: u32,
    pub(super) mark: M,
}

/// A block whose coinbase is still to be paid.
struct Pending<'c, M> {
    row: Row<'c>,
    /// The first transaction after the block.
    end: TxIndex,
    /// By paying transaction, ascending: the fee's mark and the least hops of the inputs that brought it.
    fees: Vec<(TxIndex, M, u32)>,
}

pub(super) struct Run<'r, 'c, F: Flat, S: ?Sized> {
    pub(super) view: View<'c>,
    pub(super) hot: Hot<'c>,
    pub(super) flat: F,
    stop: &'r S,
    cuts: bool,
    options: Options,
    pub(super) owners: Option<&'r Owners<'r>>,
    /// What was not counted as moves between owners.
    pub(super) inside: Inside,
    /// Who owns each seeded output in the end, ascending.
    pub(super) seeds: Vec<(OutputIndex, SourceIndex)>,
    /// Whether a block is there, so that its coinbase can be paid.
    rows: HashMap<BlockHeight, bool>,
    pending: BTreeMap<BlockHeight, Pending<'c, F::Mark>>,
    pub(super) transactions: u64,
    pub(super) ledger: Ledger,
    /// Outputs that were held and that a visible transaction spends: an engine takes them from here.
    pub(super) placed: Vec<(TxIndex, Held<F::Mark>)>,
    /// Those that none spends.
    pub(super) rest: Vec<Held<F::Mark>>,
    pub(super) ended: Vec<(Held<F::Mark>, Reason)>,
    lots: Vec<Input<F::Mark>>,
    values: Vec<u64>,
    marks: Vec<F::Mark>,
}

impl<'r, 'c, F: Flat, S: Stop + ?Sized> Run<'r, 'c, F, S> {
    pub(super) fn new(
        view: View<'c>,
        flat: F,
        stop: &'r S,
        options: Options,
        owners: Option<&'r Owners<'r>>,
        sources: usize,
    ) -> Self {
        Self {
            view,
            hot: Hot::of(view),
            flat,
            stop,
            cuts: stop.cuts(),
            options,
            owners,
            inside: Inside::default(),
            seeds: Vec::new(),
            rows: HashMap::new(),
            pending: BTreeMap::new(),
            transactions: 0,
            ledger: Ledger::new(sources),
            placed: Vec::new(),
            rest: Vec::new(),
            ended: Vec::new(),
            lots: Vec::new(),
            values: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Puts the seeds that are `fresh`; the others were put before. Where one output has several owners it belongs to the last, and the
    /// others were displaced.
    pub(super) fn seed(&mut self, seeds: &[(Output<'c>, SourceIndex, u64)], fresh: impl Fn(Output<'c>) -> bool) {
        let mut owner = HashMap::new();
        for (output, source, value) in seeds {
            match owner.insert(output.index(), *source) {
                Some(other) if other != *source && fresh(*output) => {
                    let mark = self.flat.seed(*value, other);
                    self.book(mark, *value, |ledger| &mut ledger.displaced);
                }
                _ => {}
            }
        }
        self.seeds = owner.into_iter().collect();
        self.seeds.sort_unstable();
        let mut sorted: Vec<_> = seeds.iter().map(|(output, _, value)| (*output, *value)).collect();
        sorted.sort_unstable_by_key(|(output, _)| output.index());
        sorted.dedup_by_key(|(output, _)| output.index());
        for ((output, value), (_, source)) in sorted.into_iter().zip(self.seeds.clone()) {
            if fresh(output) {
                let mark = self.flat.seed(value, source);
                self.put_back(output, 0, mark);
                debug_assert_eq!(self.hot.value(output.index().at()), value);
            }
        }
    }

    /// Holds an output again that was held when a run was broken off: a later block may spend it, or have made it unspendable (BIP30).
    pub(super) fn put_back(&mut self, output: Output<'c>, hops: u32, mark: F::Mark) {
        let held = Held { output: output.index(), tx: output.tx().index(), hops, mark };
        self.hold(held, self.hot.value(output.index().at()), output.is_unspendable());
    }

    /// Carries taint through a transaction. `taken` are its tainted inputs with their place among the inputs.
    pub(super) fn cross(&mut self, tx: TxIndex, taken: &mut Vec<(usize, Held<F::Mark>)>) {
        let inputs = self.hot.inputs(tx);
        let blind = self.hot.is_blind(tx);
        self.lots.clear();
        if !blind {
            let clean = F::Mark::default();
            self.lots.extend(inputs.map(|input| Input { value: self.hot.input_value(input), mark: clean }));
        }
        let mut hops = u32::MAX;
        for (at, held) in taken.drain(..) {
            let stopped = if self.cuts { self.check(&held, Some(tx)) } else { None };
            match stopped.or(blind.then_some(Reason::UnknownPrevout)) {
                Some(reason) => self.ended.push((held, reason)),
                None => {
                    hops = hops.min(held.hops);
                    self.lots[at].mark = held.mark;
                }
            }
        }
        if hops == u32::MAX {
            return;
        }
        self.transactions += 1;
        let outputs = self.hot.outputs(tx);
        self.values.clear();
        self.values.extend(outputs.clone().map(|output| self.hot.value(output)));
        let brought: u64 = self.lots.iter().map(|lot| lot.value).sum();
        let paid: u64 = self.values.iter().sum();
        let fee = brought.checked_sub(paid).expect("a transaction's inputs cover its outputs");
        self.values.push(fee);
        self.flat.spread(&self.lots, &self.values, &mut self.marks);
        let last = self.marks.pop().unwrap_or_default();
        let mut seeds = self.seeds_among(&outputs);
        let payer = self.owners.and_then(|owners| Some((owners, owners.payer(self.view.tx(tx))?)));
        for (at, output) in outputs.enumerate() {
            let mark = self.marks[at];
            if mark == F::Mark::default() {
                continue;
            }
            let mut held = Held { output: OutputIndex::of(output), tx, hops: hops + 1, mark };
            let value = self.values[at];
            if seeds.next_if_at(&self.seeds, held.output) {
                self.book(mark, value, |ledger| &mut ledger.displaced);
                continue;
            }
            let unspendable = self.hot.is_unspendable(output);
            if let Some((owners, payer)) = payer
                && !unspendable
                && owners.cluster_of(self.view.output_in(held.output, tx)) == Some(payer)
            {
                held.hops = hops;
                self.inside.add(self.flat.amount(mark, value));
            }
            self.hold(held, value, unspendable);
        }
        self.pay_fee(tx, last, fee, hops);
    }

    fn pay_fee(&mut self, tx: TxIndex, mark: F::Mark, fee: u64, hops: u32) {
        // Poison marks a fee of nothing too, but nothing is paid to the miner.
        if self.flat.amount(mark, fee) == 0 {
            self.flat.free(mark);
            return;
        }
        if self.options.fees == Fees::Coinbase
            && let Some(height) = self.view.tx(tx).height()
        {
            let view = self.view;
            if !self.pending.contains_key(&height) && self.rows.get(&height) != Some(&false) {
                let row = Row::of(view, height);
                self.rows.insert(height, row.is_some());
                if let Some(row) = row {
                    let columns = view.columns();
                    let end = columns.block_of(tx).map_or(tx, |block| columns.txs_of_block(block).end);
                    self.pending.insert(height, Pending { row, end, fees: Vec::new() });
                }
            }
            if let Some(pending) = self.pending.get_mut(&height) {
                pending.fees.push((tx, self.flat.fee(mark), hops));
                return;
            }
        }
        self.book(mark, fee, |ledger| &mut ledger.fees);
    }

    /// The first block whose coinbase is to be paid, and the first transaction after it.
    pub(super) fn pending(&self) -> Option<(BlockHeight, TxIndex)> {
        self.pending.first_key_value().map(|(height, pending)| (*height, pending.end))
    }

    /// Hands a block's tainted fees to its coinbase, after every other transaction of the block.
    pub(super) fn pay_coinbase(&mut self, height: BlockHeight) {
        let Some(Pending { row, mut fees, .. }) = self.pending.remove(&height) else { return };
        fees.sort_unstable_by_key(|(payer, ..)| *payer);
        let hops = fees.iter().map(|(.., hops)| *hops).min().unwrap_or(0) + 1;
        self.lots.clear();
        for (payer, value) in row.lots(self.options.coinbase_order) {
            let paid = payer.and_then(|payer| fees.binary_search_by_key(&payer, |(payer, ..)| *payer).ok());
            self.lots.push(Input { value: value.to_sat(), mark: paid.map_or(F::Mark::default(), |at| fees[at].1) });
        }
        self.values.clear();
        self.values.extend(row.outputs().into_iter().map(Amount::to_sat));
        self.flat.spread(&self.lots, &self.values, &mut self.marks);
        let unclaimed = self.marks.pop().unwrap_or_default();
        for (at, output) in row.coinbase.outputs().enumerate() {
            let (mark, value) = (self.marks[at], self.values[at]);
            if mark == F::Mark::default() {
                continue;
            }
            if self.seeds.binary_search_by_key(&output.index(), |(seed, _)| *seed).is_ok() {
                self.book(mark, value, |ledger| &mut ledger.displaced);
                continue;
            }
            let held = Held { output: output.index(), tx: row.coinbase.index(), hops, mark };
            self.hold(held, value, output.is_unspendable());
        }
        self.book(unclaimed, row.unclaimed.to_sat(), |ledger| &mut ledger.burned);
    }

    fn hold(&mut self, held: Held<F::Mark>, value: u64, unspendable: bool) {
        if held.mark == F::Mark::default() {
            return;
        }
        if unspendable {
            // Poison marks an output worth nothing too; where nobody can spend it there is nothing to burn.
            self.book(held.mark, value, |ledger| &mut ledger.burned);
            return;
        }
        match self.hot.spender(held.output.at()) {
            Some(spender) => self.placed.push((spender, held)),
            None => self.rest.push(held),
        }
    }

    /// Books a mark and takes it back.
    fn book(&mut self, mark: F::Mark, value: u64, column: impl Fn(&mut Ledger) -> &mut Sums) {
        let sums = column(&mut self.ledger);
        sums.total += self.flat.amount(mark, value);
        self.flat.by_source(mark, value, &mut |source, amount| sums.by_source[source.at()] += amount);
        self.flat.free(mark);
    }

    /// Books what is held as burned, if nothing can spend it.
    pub(super) fn burns(&mut self, held: &Held<F::Mark>) -> bool {
        let burns = self.hot.is_unspendable(held.output.at());
        if burns {
            self.book(held.mark, self.hot.value(held.output.at()), |ledger| &mut ledger.burned);
        }
        burns
    }

    /// Books values by mark that were summed elsewhere.
    pub(super) fn book_all(
        &mut self,
        rows: impl Iterator<Item = (F::Mark, u64)>,
        column: impl Fn(&mut Ledger) -> &mut Sums,
    ) {
        for (mark, value) in rows {
            self.book(mark, value, &column);
        }
    }

    pub(super) fn check(&self, held: &Held<F::Mark>, spender: Option<TxIndex>) -> Option<Reason> {
        let output = self.view.output_in(held.output, held.tx);
        self.stop.check(&Visit {
            output,
            spender: spender.map(|tx| self.view.tx(tx)),
            hops: held.hops,
            amount: Amount::from_sat(self.amount(held)),
            seed: self.seeds.binary_search_by_key(&held.output, |(seed, _)| *seed).is_ok(),
            transactions: self.transactions,
        })
    }

    fn seeds_among(&self, outputs: &std::ops::Range<usize>) -> SeedsAhead {
        // Most runs have few seeds, all of them older than the transaction.
        let first = OutputIndex::of(outputs.start);
        if self.seeds.last().is_none_or(|(last, _)| *last < first) {
            return SeedsAhead { at: self.seeds.len() };
        }
        SeedsAhead { at: self.seeds.partition_point(|(seed, _)| *seed < first) }
    }

    /// How much of a held output is tainted.
    pub(super) fn amount(&self, held: &Held<F::Mark>) -> u64 {
        self.flat.amount(held.mark, self.hot.value(held.output.at()))
    }

    pub(super) fn drops_fees(&self) -> bool {
        self.options.fees == Fees::Drop
    }

    /// Whether a stop may say something.
    pub(super) fn cuts(&self) -> bool {
        self.cuts
    }
}

/// The seeds from one on, to go through beside a transaction's outputs.
struct SeedsAhead {
    at: usize,
}

impl SeedsAhead {
    /// True when the output is a seed. Outputs must be asked in order.
    fn next_if_at(&mut self, seeds: &[(OutputIndex, SourceIndex)], output: OutputIndex) -> bool {
        while seeds.get(self.at).is_some_and(|(seed, _)| *seed < output) {
            self.at += 1;
        }
        seeds.get(self.at).is_some_and(|(seed, _)| *seed == output)
    }
}
