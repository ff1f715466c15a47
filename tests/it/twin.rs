//! The plain engine: one pass over every transaction in chain order with a map from outpoint to taint. What the library's engine
//! finds must be this, to the satoshi.
//!
//! It shares the rules' arithmetic with the library (their own twins stand in `oracle.rs`) and nothing else: stops, hops, seeds, fees,
//! coinbases, subsidies, burning and ends are worked out here again from section 1 of the design.

use std::collections::{BTreeMap, HashMap};

use fundtrace::bitcoin::{Amount, Network};
use fundtrace::chain::{Output, Spent, Tx};
use fundtrace::taint::{Lot, Taint};
use fundtrace::trace::{CoinbaseOrder, Fees, Options, Reason};
use fundtrace::{OutputIndex, SourceIndex, TxIndex, View};

use crate::mini::{EndRow, Ledger, StopRow, add_displaced, name_of, name_of_outpoint, script, unique};

/// A seed as (output, label).
pub type TwinSeed = (OutputIndex, String);

struct Pass<'r, 'c, T: Taint> {
    view: View<'c>,
    rule: &'r T,
    stops: &'r [StopRow],
    options: Options,
    labels: Vec<String>,
    seeds: HashMap<OutputIndex, SourceIndex>,
    state: HashMap<OutputIndex, (T::Mark, u32)>,
    /// Tainted fees by payer, kept until their block is over.
    fees: HashMap<TxIndex, (T::Mark, u32)>,
    transactions: u64,
    /// Ends and touched outputs by index, so that names are given in chain order.
    ends: BTreeMap<OutputIndex, EndRow>,
    touched: BTreeMap<OutputIndex, (u64, u32, bool)>,
    ledger: Ledger,
}

pub fn run<T: Taint>(view: View<'_>, seeds: &[TwinSeed], rule: &T, stops: &[StopRow], options: Options) -> Ledger {
    let mut labels: Vec<String> = Vec::new();
    for (_, label) in seeds {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
    let mut pass = Pass {
        view,
        rule,
        stops,
        options,
        labels,
        seeds: HashMap::new(),
        state: HashMap::new(),
        fees: HashMap::new(),
        transactions: 0,
        ends: BTreeMap::new(),
        touched: BTreeMap::new(),
        ledger: Ledger::default(),
    };
    for (output, label) in seeds {
        pass.seed(view.output(*output), label);
    }
    for tx in view.txs() {
        if !tx.is_coinbase() {
            pass.spend(tx);
        }
        // The last transaction of a block closes it.
        if let Some(height) = tx.height()
            && view.block(height).last().is_some_and(|last| last.index() == tx.index())
        {
            pass.close_block(tx);
        }
    }
    pass.finish()
}

impl<T: Taint> Pass<'_, '_, T> {
    fn name(&self, output: OutputIndex) -> String {
        name_of_outpoint(self.view.output(output).outpoint())
    }

    fn by_label(&self, mark: &T::Mark) -> Vec<(String, u64)> {
        let mut sums: BTreeMap<SourceIndex, u64> = BTreeMap::new();
        self.rule.parts(mark, &mut |part| *sums.entry(part.source).or_default() += part.amount.to_sat());
        sums.into_iter().map(|(of, sat)| (self.labels[of.to_u32() as usize].clone(), sat)).collect()
    }

    fn seed(&mut self, output: Output<'_>, label: &str) {
        let visible = output.tx().is_stub() || self.view.txs().any(|tx| tx.index() == output.tx().index());
        let (true, Some(value)) = (visible, output.value()) else { return };
        let at = self.labels.iter().position(|known| known == label).unwrap();
        let source = SourceIndex::from_u32(u32::try_from(at).unwrap());
        if let Some(other) = self.seeds.insert(output.index(), source) {
            if other == source {
                return;
            }
            // The same output under another label: the earlier seed gives way whole.
            let earlier = self.labels[other.to_u32() as usize].clone();
            self.state.remove(&output.index());
            self.touched.remove(&output.index());
            self.ledger.burned.remove(&self.name(output.index()));
            if value > Amount::ZERO {
                let row = vec![(earlier, value.to_sat())];
                add_displaced(&mut self.ledger, name_of_outpoint(output.outpoint()), value.to_sat(), row);
            }
        }
        self.ledger.seeded += value.to_sat();
        self.hold(output, self.rule.seed(value, source), 0);
    }

    fn hold(&mut self, output: Output<'_>, mark: T::Mark, hops: u32) {
        let amount = self.rule.amount(&mark).to_sat();
        if mark == T::Mark::default() {
            return;
        }
        if output.is_unspendable() {
            if amount > 0 {
                let row = (amount, self.by_label(&mark));
                self.ledger.burned.insert(self.name(output.index()), row);
            }
            return;
        }
        self.touched.insert(output.index(), (amount, hops, false));
        self.state.insert(output.index(), (mark, hops));
    }

    fn arrive(&mut self, output: Output<'_>, mark: T::Mark, hops: u32) {
        if mark != T::Mark::default() && self.seeds.contains_key(&output.index()) {
            let amount = self.rule.amount(&mark).to_sat();
            if amount > 0 {
                let row = self.by_label(&mark);
                add_displaced(&mut self.ledger, name_of_outpoint(output.outpoint()), amount, row);
            }
            return;
        }
        self.hold(output, mark, hops);
    }

    fn end(&mut self, output: OutputIndex, mark: &T::Mark, hops: u32, reason: Reason) {
        let (amount, by_source) = (self.rule.amount(mark).to_sat(), self.by_label(mark));
        self.ends.insert(output, EndRow { amount, by_source, hops, reason });
    }

    /// The first stop that holds, in the order given.
    fn stop(&self, output: Output<'_>, spender: Option<Tx<'_>>, mark: &T::Mark, hops: u32) -> Option<Reason> {
        let amount = self.rule.amount(mark).to_sat();
        self.stops.iter().find_map(|stop| match stop {
            StopRow::Hops(max) => (hops >= *max).then_some(Reason::Hops),
            StopRow::Below(least) => (amount < *least).then_some(Reason::Below),
            StopRow::AsOf(at) => {
                let later = spender?.height().is_none_or(|height| height.to_u32() > *at);
                later.then_some(Reason::AsOf)
            }
            StopRow::Budget(max) => (spender.is_some() && self.transactions >= *max).then_some(Reason::Budget),
            StopRow::Tagged(_) if self.seeds.contains_key(&output.index()) => None,
            StopRow::Tagged(keys) => {
                let found = keys.iter().find(|(key, _)| output.script() == Some(&script(key)));
                found.map(|(_, label)| Reason::Tagged(fundtrace::tag::Tag::new(label, "", "this test").into()))
            }
            StopRow::Outputs(least) => (spender?.outputs().len() >= *least).then(|| Reason::Custom("batch".into())),
        })
    }

    fn spend(&mut self, tx: Tx<'_>) {
        let values: Vec<Option<Amount>> = tx.inputs().map(|input| input.value()).collect();
        let mut lots = Vec::new();
        let mut hops_least = None;
        for (input, value) in tx.inputs().zip(&values) {
            let mut lot = Lot { value: value.unwrap_or(Amount::ZERO), mark: T::Mark::default() };
            let prevout = input.prevout().unwrap();
            if let Some((mark, hops)) = self.state.remove(&prevout.index()) {
                let reason = self.stop(prevout, Some(tx), &mark, hops);
                let reason = reason.or(values.contains(&None).then_some(Reason::UnknownPrevout));
                match reason {
                    Some(reason) => self.end(prevout.index(), &mark, hops, reason),
                    None => {
                        hops_least = Some(hops_least.map_or(hops, |least: u32| least.min(hops)));
                        self.touched.get_mut(&prevout.index()).unwrap().2 = true;
                        lot.mark = mark;
                    }
                }
            }
            lots.push(lot);
        }
        let Some(hops) = hops_least else { return };
        self.transactions += 1;
        let mut outputs: Vec<Amount> = tx.outputs().map(|output| output.value().unwrap()).collect();
        let total = |amounts: &[Amount]| amounts.iter().copied().sum::<Amount>();
        outputs.push(lots.iter().map(|lot| lot.value).sum::<Amount>() - total(&outputs));
        let mut marks = Vec::new();
        self.rule.spread(self.labels.len(), &lots, &outputs, &mut marks);
        let fee = marks.pop().unwrap();
        for (output, mark) in tx.outputs().zip(marks) {
            self.arrive(output, mark, hops + 1);
        }
        // A fee of nothing brings the miner nothing, whatever the rule calls it.
        if self.rule.amount(&fee) > Amount::ZERO {
            self.fees.insert(tx.index(), (self.rule.fee(fee), hops));
            if tx.height().is_none() {
                self.book_fee(tx);
            }
        }
    }

    fn book_fee(&mut self, tx: Tx<'_>) {
        let Some((mark, _)) = self.fees.remove(&tx.index()) else { return };
        let row = (self.rule.amount(&mark).to_sat(), self.by_label(&mark), false);
        self.ledger.fees.insert(name_of(tx.txid()), row);
    }

    fn close_block(&mut self, last: Tx<'_>) {
        let height = last.height().unwrap();
        let txs: Vec<Tx<'_>> = self.view.block(height).collect();
        let payers: Vec<Tx<'_>> = txs.iter().copied().filter(|tx| !tx.is_coinbase()).collect();
        let coinbase = txs.iter().copied().find(|tx| tx.is_coinbase());
        let tainted = payers.iter().any(|tx| self.fees.contains_key(&tx.index()));
        let entitled = coinbase.and_then(|coinbase| self.entitled(coinbase, &payers));
        let (Some(coinbase), Some(unclaimed), true, Fees::Coinbase) = (coinbase, entitled, tainted, self.options.fees)
        else {
            payers.into_iter().for_each(|tx| self.book_fee(tx));
            return;
        };
        let mut lots = Vec::new();
        let mut hops_least = u32::MAX;
        for tx in payers {
            let mut lot = Lot { value: tx.fee().unwrap(), mark: T::Mark::default() };
            if let Some((mark, hops)) = self.fees.remove(&tx.index()) {
                hops_least = hops_least.min(hops);
                let row = (self.rule.amount(&mark).to_sat(), self.by_label(&mark), true);
                self.ledger.fees.insert(name_of(tx.txid()), row);
                lot.mark = mark;
            }
            lots.push(lot);
        }
        let subsidy = Lot { value: subsidy(self.view.network(), height.to_u32()), mark: T::Mark::default() };
        match self.options.coinbase_order {
            CoinbaseOrder::SubsidyFirst => lots.insert(0, subsidy),
            _ => lots.push(subsidy),
        }
        let mut outputs: Vec<Amount> = coinbase.outputs().map(|output| output.value().unwrap()).collect();
        outputs.push(unclaimed);
        let mut marks = Vec::new();
        self.rule.spread(self.labels.len(), &lots, &outputs, &mut marks);
        let unclaimed = marks.pop().unwrap();
        for (output, mark) in coinbase.outputs().zip(marks) {
            self.arrive(output, mark, hops_least + 1);
        }
        if self.rule.amount(&unclaimed) > Amount::ZERO {
            let row = (self.rule.amount(&unclaimed).to_sat(), self.by_label(&unclaimed));
            self.ledger.burned.insert(name_of(coinbase.txid()), row);
        }
    }

    /// What the miner left unclaimed, if it is certain that all of the block is here.
    fn entitled(&self, coinbase: Tx<'_>, payers: &[Tx<'_>]) -> Option<Amount> {
        let height = coinbase.height()?;
        let mut row = subsidy(self.view.network(), height.to_u32());
        for tx in payers {
            row += tx.fee()?;
        }
        let unclaimed = row.checked_sub(coinbase.output_value()?)?;
        let declared = self.view.complete().is_some_and(|(from, to)| from <= height && height <= to);
        (declared || unclaimed == Amount::ZERO).then_some(unclaimed)
    }

    fn finish(mut self) -> Ledger {
        let mut left: Vec<_> = std::mem::take(&mut self.state).into_iter().collect();
        left.sort_by_key(|(output, _)| *output);
        for (at, (mark, hops)) in left {
            let output = self.view.output(at);
            let natural = if output.spent() == Spent::Unspent { Reason::Unspent } else { Reason::UnknownSpender };
            let reason = self.stop(output, None, &mark, hops).unwrap_or(natural);
            self.end(at, &mark, hops, reason);
        }
        for (at, row) in std::mem::take(&mut self.ends) {
            let name = unique(&self.ledger.ends, self.name(at));
            self.ledger.ends.insert(name, row);
        }
        for (at, row) in std::mem::take(&mut self.touched) {
            let name = unique(&self.ledger.touched, self.name(at));
            self.ledger.touched.insert(name, row);
        }
        self.ledger.transactions = self.transactions;
        self.ledger
    }
}

/// 50 BTC, halved every 210,000 blocks, on a regression test chain every 150.
fn subsidy(network: Network, height: u32) -> Amount {
    let mut subsidy = 5_000_000_000;
    for _ in 0..height / if network == Network::Regtest { 150 } else { 210_000 } {
        subsidy /= 2;
    }
    Amount::from_sat(subsidy)
}
