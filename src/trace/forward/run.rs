//! The engine of a forward trace: what is held where, which transaction is next, and what happens there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bitcoin::Amount;

use crate::chain::{Output, Spent, Tx, View};
use crate::detect::Finding;
use crate::id::{BlockHeight, OutputIndex, SourceIndex, TxIndex};
use crate::taint::{Lot, Part, Taint};
use crate::trace::coinbase::Row;
use crate::trace::graph::{Carry, Via, sort_carries};
use crate::trace::owners::{Between, Transfer};
use crate::trace::seed;
use crate::trace::through::{Crossing, How, Mix, Mode, Passage, Suspect, Through, flag, flow};
use crate::trace::{
    Burned, Displaced, End, FeeTaint, Fees, Options, Owners, Policy, Reason, Seed, Seeded, Stop, Touch, Trace, Visit,
};

/// Visits transactions until nothing is held that moves on.
pub(super) fn follow<'c, T: Taint, S: Stop + ?Sized>(mut run: Run<'_, 'c, T, S>) -> Trace<'c> {
    let view = run.trace.view;
    while let Some(next) = run.queue.first().copied() {
        let height = BlockHeight::from_u32(view.columns().height_in_force(next));
        match run.pending.first_key_value().map(|(block, _)| *block).filter(|block| *block < height) {
            Some(block) => run.pay_coinbase(block),
            None => {
                run.queue.pop_first();
                run.visit(view.tx(next));
            }
        }
        while run.queue.is_empty()
            && let Some(block) = run.pending.first_key_value().map(|(block, _)| *block)
        {
            run.pay_coinbase(block);
        }
    }
    run.finish()
}

struct Held<M> {
    mark: M,
    hops: u32,
}

/// A tainted fee on its way to the coinbase, and the least hops of the inputs that brought it.
struct PendingFee<M> {
    mark: M,
    hops: u32,
}

pub(super) struct Run<'r, 'c, T: Taint, S: ?Sized> {
    rule: &'r T,
    stop: &'r S,
    held: BTreeMap<OutputIndex, Held<T::Mark>>,
    queue: BTreeSet<TxIndex>,
    /// Fees to be handed to a block's coinbase, by paying transaction.
    pending: BTreeMap<BlockHeight, BTreeMap<TxIndex, PendingFee<T::Mark>>>,
    /// Whether a block is there, so that its coinbase can be paid.
    rows: HashMap<BlockHeight, bool>,
    touched: BTreeMap<OutputIndex, Touch>,
    seed_of: HashMap<OutputIndex, SourceIndex>,
    lots: Vec<Lot<T::Mark>>,
    marks: Vec<T::Mark>,
    owners: Option<&'r Owners<'r>>,
    through: Option<&'r Through>,
    trace: Trace<'c>,
}

impl<'r, 'c, T: Taint, S: Stop + ?Sized> Run<'r, 'c, T, S> {
    pub(super) fn start(
        view: View<'c>,
        seeds: &[Seed],
        rule: &'r T,
        stop: &'r S,
        options: Options,
        owners: Option<&'r Owners<'r>>,
    ) -> Self {
        let labels: Vec<&str> = seeds.iter().map(|seed| seed.label.as_str()).collect();
        let (sources, by_label) = seed::numbered(&labels);
        let policy = Policy::of(rule, sources.len());
        let trace = Trace {
            view,
            policy,
            options,
            stop: stop.describe(),
            sources,
            seeds: Vec::new(),
            unseeded: Vec::new(),
            touched: Vec::new(),
            ends: Vec::new(),
            fees: Vec::new(),
            burned: Vec::new(),
            displaced: Vec::new(),
            carries: Vec::new(),
            carries_in: Vec::new(),
            nodes: Vec::new(),
            transactions: 0,
            between: owners.map(|owners| Between { rules: owners.rules().to_vec(), transfers: Vec::new() }),
            passage: Passage::default(),
        };
        let mut run = Self {
            rule,
            stop,
            held: BTreeMap::new(),
            queue: BTreeSet::new(),
            pending: BTreeMap::new(),
            rows: HashMap::new(),
            touched: BTreeMap::new(),
            seed_of: HashMap::new(),
            lots: Vec::new(),
            marks: Vec::new(),
            owners,
            through: None,
            trace,
        };
        for seed in seeds {
            run.seed(view.output(seed.output), by_label[&seed.label]);
        }
        run
    }

    fn seed(&mut self, output: Output<'c>, source: SourceIndex) {
        let known = output.value().filter(|_| self.trace.view.sees(output.tx().index()));
        let Some(value) = known else {
            self.trace.unseeded.push(output.index());
            return;
        };
        match self.seed_of.insert(output.index(), source) {
            Some(other) if other == source => return,
            Some(_) => {
                self.touched.remove(&output.index());
                let burned = self.trace.burned.iter().position(|burned| burned.output == Some(output.index()));
                let earlier = match burned {
                    Some(at) => Some((self.trace.burned[at].amount, self.trace.burned.remove(at).parts)),
                    None => self
                        .held
                        .remove(&output.index())
                        .map(|held| (self.rule.amount(&held.mark), self.parts(&held.mark))),
                };
                let (amount, parts) = earlier.unwrap_or_default();
                self.trace.displaced.push(Displaced { output: output.index(), by: source, amount, parts });
            }
            None => {}
        }
        self.trace.seeds.push(Seeded { output: output.index(), source, value });
        let mark = self.rule.seed(value, source);
        self.hold(output, mark, 0);
    }

    /// Makes the run one that does as the analyst chose at mixes.
    pub(super) fn through(mut self, through: &'r Through) -> Self {
        self.through = Some(through);
        self.trace.passage.given = Some(through.given());
        self.trace.stop = format!("{}; {}", self.trace.stop, through.describe());
        self
    }

    /// Carries the taint of a transaction's inputs to its outputs and its fee.
    fn visit(&mut self, tx: Tx<'c>) {
        // Without every input's value neither the fee nor a share is known.
        let blind = tx.input_value().is_none();
        let seen = self.through.and_then(|through| Some((through, through.mixes.look(tx)?)));
        let (mix, suspect) = match seen {
            Some((through, finding)) if !through.mixes.affirms(&finding) => (None, Some((finding, false))),
            Some(seen) => (Some(seen), None),
            None => (None, self.through.and_then(|through| Some((through.mixes.overruled(tx)?, true)))),
        };
        let stops = mix.as_ref().filter(|(through, _)| through.mode == Mode::Stop);
        let stops = stops.map(|(_, finding)| Reason::Mix(Arc::new(Mix::of(finding))));
        let mut entered = Amount::ZERO;
        let mut lots = std::mem::take(&mut self.lots);
        lots.clear();
        let mut hops_least = u32::MAX;
        for input in tx.inputs() {
            let mut lot = Lot { value: input.value().unwrap_or(Amount::ZERO), mark: T::Mark::default() };
            if let Some(prevout) = input.prevout()
                && let Some(held) = self.held.remove(&prevout.index())
            {
                let stopped = self.check(prevout, Some(tx), &held);
                match stopped.or_else(|| stops.clone()).or(blind.then_some(Reason::UnknownPrevout)) {
                    Some(reason) => {
                        if matches!(reason, Reason::Mix(_)) && stops.is_some() {
                            entered += self.rule.amount(&held.mark);
                        }
                        self.end(prevout.index(), held, reason);
                    }
                    None => {
                        hops_least = hops_least.min(held.hops);
                        self.carry(Via::Output(prevout.index()), prevout.tx().index(), tx.index(), &held.mark);
                        lot.mark = held.mark;
                    }
                }
            }
            lots.push(lot);
        }
        if hops_least != u32::MAX {
            self.trace.transactions += 1;
            if let Some((finding, vetoed)) = suspect {
                let entered = lots.iter().map(|lot| self.rule.amount(&lot.mark)).sum();
                self.trace.passage.suspects.push(Suspect { tx: tx.index(), finding, entered, vetoed });
            }
            self.spread(tx, &lots, hops_least, mix);
        } else if let (Some(_), Some((_, finding)), true) = (stops, mix, entered > Amount::ZERO) {
            self.stopped(tx, finding, entered);
        }
        self.lots = lots;
    }

    /// Notes a mix that the trace does not cross.
    fn stopped(&mut self, tx: Tx<'c>, finding: Finding, entered: Amount) {
        let (tx, how) = (tx.index(), How::Stopped);
        let crossing =
            Crossing { tx, finding, how, entered, changes: Vec::new(), settled: Vec::new(), moves: Vec::new() };
        self.trace.passage.crossings.push(crossing);
    }

    fn spread(&mut self, tx: Tx<'c>, lots: &[Lot<T::Mark>], hops: u32, mix: Option<(&Through, Finding)>) {
        let mut values: Vec<Amount> = tx.outputs().map(|output| output.value().unwrap_or(Amount::ZERO)).collect();
        values.push(tx.fee().expect("a transaction whose inputs are all known has a fee"));
        let mut marks = match mix {
            Some((through, finding)) => self.cross(tx, through, finding, lots, &values),
            None => self.spread_marks(lots, &values),
        };
        let fee = marks.pop().unwrap_or_default();
        let payer = self.owners.and_then(|owners| Some((owners, owners.payer(tx)?)));
        for (output, mark) in tx.outputs().zip(marks.drain(..)) {
            let inside = payer.is_some_and(|(owners, payer)| owners.cluster_of(output) == Some(payer));
            self.put(output, mark, if inside { hops } else { hops + 1 });
            if inside && let Some(touch) = self.touched.get(&output.index()).filter(|_| !self.is_seed(output)) {
                let transfer = Transfer { output: output.index(), amount: touch.amount };
                self.trace.between.as_mut().expect("owners are given").transfers.push(transfer);
            }
        }
        self.marks = marks;
        let amount = self.rule.amount(&fee);
        // Poison marks a fee of nothing too, but nothing is paid to the miner.
        if amount == Amount::ZERO {
            return;
        }
        let fee = self.rule.fee(fee);
        let mut taint = FeeTaint { tx: tx.index(), amount, parts: self.parts(&fee), coinbase: None };
        if let Some(height) = self.coinbase_height(tx) {
            let coinbase = self.trace.view.block(height).next();
            taint.coinbase = coinbase.map(Tx::index);
            self.pending.entry(height).or_default().insert(tx.index(), PendingFee { mark: fee, hops });
        }
        self.trace.fees.push(taint);
    }

    /// Calls the rule and holds it to its law.
    fn spread_marks(&mut self, lots: &[Lot<T::Mark>], values: &[Amount]) -> Vec<T::Mark> {
        let mut marks = std::mem::take(&mut self.marks);
        self.rule.spread(self.trace.sources.len(), lots, values, &mut marks);
        self.hold_to_law(lots, values, &marks);
        marks
    }

    /// Takes the taint through a mix as the analyst chose.
    fn cross(
        &mut self,
        tx: Tx<'c>,
        through: &Through,
        finding: Finding,
        lots: &[Lot<T::Mark>],
        values: &[Amount],
    ) -> Vec<T::Mark> {
        let inputs: Vec<Amount> = lots.iter().map(|lot| lot.value).collect();
        let (how, passed) = through.flow(tx, &finding, &inputs, values);
        let (marks, moves, settled) = match passed.flow {
            Some(flow) => {
                let (marks, moves) = flow::cross(self.rule, self.trace.sources.len(), lots, values, &flow);
                self.hold_to_law(lots, values, &marks);
                (marks, moves, flow.settled)
            }
            None => (self.spread_marks(lots, values), Vec::new(), Vec::new()),
        };
        let entered = lots.iter().map(|lot| self.rule.amount(&lot.mark)).sum();
        let (tx, changes) = (tx.index(), passed.changes);
        self.trace.passage.crossings.push(Crossing { tx, finding, how, entered, changes, settled, moves });
        marks
    }

    fn hold_to_law(&self, lots: &[Lot<T::Mark>], values: &[Amount], marks: &[T::Mark]) {
        assert_eq!(marks.len(), values.len(), "rule {} must mark every output", self.rule.name());
        if T::CONSERVING {
            let within = marks.iter().zip(values).all(|(mark, value)| self.rule.amount(mark) <= *value);
            let arrived: Amount = lots.iter().map(|lot| self.rule.amount(&lot.mark)).sum();
            let handed_on: Amount = marks.iter().map(|mark| self.rule.amount(mark)).sum();
            assert!(within && arrived == handed_on, "rule {} must conserve value", self.rule.name());
            debug_assert_eq!(
                self.sums(lots.iter().map(|lot| &lot.mark)),
                self.sums(marks),
                "rule {} must conserve each source",
                self.rule.name()
            );
        }
    }

    fn sums<'m>(&self, marks: impl IntoIterator<Item = &'m T::Mark>) -> BTreeMap<SourceIndex, Amount>
    where
        T::Mark: 'm,
    {
        let mut sums = BTreeMap::new();
        for mark in marks {
            self.rule.by_source(mark, &mut |source, amount| *sums.entry(source).or_insert(Amount::ZERO) += amount);
        }
        sums
    }

    /// The block whose coinbase takes this transaction's fee, if fees are followed and the block is there.
    fn coinbase_height(&mut self, tx: Tx<'c>) -> Option<BlockHeight> {
        if self.trace.options.fees != Fees::Coinbase {
            return None;
        }
        let height = tx.height()?;
        let view = self.trace.view;
        let there = *self.rows.entry(height).or_insert_with(|| Row::of(view, height).is_some());
        there.then_some(height)
    }

    /// Hands a block's tainted fees to its coinbase, after every other transaction of the block.
    fn pay_coinbase(&mut self, height: BlockHeight) {
        let mut fees = self.pending.remove(&height).expect("only blocks with a pending fee are paid");
        let row = Row::of(self.trace.view, height).expect("a fee is pending only where the block is there");
        let hops = fees.values().map(|fee| fee.hops).min().unwrap_or(0) + 1;
        let mut lots = Vec::new();
        for (payer, value) in row.lots(self.trace.options.coinbase_order) {
            let mut mark = T::Mark::default();
            if let Some(payer) = payer
                && let Some(fee) = fees.remove(&payer)
            {
                self.carry(Via::Fee(payer), payer, row.coinbase.index(), &fee.mark);
                mark = fee.mark;
            }
            lots.push(Lot { value, mark });
        }
        let mut marks = self.spread_marks(&lots, &row.outputs());
        let unclaimed = marks.pop().unwrap_or_default();
        for (output, mark) in row.coinbase.outputs().zip(marks.drain(..)) {
            self.put(output, mark, hops);
        }
        self.marks = marks;
        let amount = self.rule.amount(&unclaimed);
        if amount > Amount::ZERO {
            let parts = self.parts(&unclaimed);
            self.trace.burned.push(Burned { tx: row.coinbase.index(), output: None, amount, parts });
        }
    }

    /// Puts arriving taint at an output, unless the output is a seed and belongs to another already.
    fn put(&mut self, output: Output<'c>, mark: T::Mark, hops: u32) {
        if mark == T::Mark::default() {
            return;
        }
        match self.seed_of.get(&output.index()) {
            Some(&by) => {
                let (amount, parts) = (self.rule.amount(&mark), self.parts(&mark));
                self.trace.displaced.push(Displaced { output: output.index(), by, amount, parts });
            }
            None => self.hold(output, mark, hops),
        }
    }

    fn hold(&mut self, output: Output<'c>, mark: T::Mark, hops: u32) {
        if mark == T::Mark::default() {
            return;
        }
        let (amount, parts) = (self.rule.amount(&mark), self.parts(&mark));
        if output.is_unspendable() {
            // Poison marks an output worth nothing too; where nobody can spend it there is nothing to burn.
            if amount > Amount::ZERO {
                let (tx, output) = (output.tx().index(), Some(output.index()));
                self.trace.burned.push(Burned { tx, output, amount, parts });
            }
            return;
        }
        if let Spent::By(spender) = output.spent() {
            self.queue.insert(spender);
        }
        let index = output.index();
        self.touched.insert(index, Touch { output: index, hops, amount, parts, carried: false });
        self.held.insert(index, Held { mark, hops });
    }

    fn carry(&mut self, via: Via, from: TxIndex, to: TxIndex, mark: &T::Mark) {
        let amount = self.rule.amount(mark);
        self.trace.carries.push(Carry { from, to, via, amount });
        if let Via::Output(output) = via {
            self.touched.get_mut(&output).expect("what is carried was held").carried = true;
        }
    }

    fn check(&self, output: Output<'c>, spender: Option<Tx<'c>>, held: &Held<T::Mark>) -> Option<Reason> {
        self.stop.check(&Visit {
            output,
            spender,
            hops: held.hops,
            amount: self.rule.amount(&held.mark),
            seed: self.is_seed(output),
            transactions: self.trace.transactions,
        })
    }

    fn is_seed(&self, output: Output<'c>) -> bool {
        self.seed_of.contains_key(&output.index())
    }

    fn end(&mut self, output: OutputIndex, held: Held<T::Mark>, reason: Reason) {
        let mut by_source = Vec::new();
        self.rule.by_source(&held.mark, &mut |source, amount| by_source.push((source, amount)));
        let amount = self.rule.amount(&held.mark);
        self.trace.ends.push(End { output, hops: held.hops, amount, by_source, reason });
    }

    fn parts(&self, mark: &T::Mark) -> Vec<Part> {
        let mut parts = Vec::new();
        self.rule.parts(mark, &mut |part| parts.push(part));
        parts
    }

    fn finish(mut self) -> Trace<'c> {
        let view = self.trace.view;
        for (index, held) in std::mem::take(&mut self.held) {
            let output = view.output(index);
            let natural = if output.spent() == Spent::Unspent { Reason::Unspent } else { Reason::UnknownSpender };
            let reason = self.check(output, None, &held).unwrap_or(natural);
            self.end(index, held, reason);
        }
        let mut trace = self.trace;
        trace.touched = self.touched.into_values().collect();
        trace.ends.sort_by_key(|end| end.output);
        trace.fees.sort_by_key(|fee| fee.tx);
        trace.burned.sort_by_key(|burned| (burned.tx, burned.output));
        trace.displaced.sort_by_key(|displaced| displaced.output);
        if let Some(between) = &mut trace.between {
            between.transfers.sort_by_key(|transfer| transfer.output);
        }
        trace.carries_in = sort_carries(&mut trace.carries);
        trace.nodes = trace.find_nodes();
        flag::finish(&mut trace, self.through);
        if T::CONSERVING {
            let adds_up = trace.balance().adds_up() && trace.balances().iter().all(|balance| balance.adds_up());
            assert!(adds_up, "rule {} must conserve value and each source over the whole run", trace.policy.name);
        }
        trace
    }
}
