//! Where taint ends and what the balance is, fast: the ends of [`forward`](super::forward) without the way there.
//!
//! Two engines do one thing. The sparse one goes from spender to spender and costs what taint touches; the dense one goes through the chain
//! once and costs what the chain has, far less a transaction. A run starts sparse and goes on dense, on the same state, once taint is in so many
//! transactions that a look at all of them is cheaper. The specification engine is the twin of both.

mod dense;
mod live;
mod queue;
mod run;
mod sparse;

use std::collections::HashMap;

use bitcoin::Amount;

use super::{Balance, Options, Policy, Reason, Seed, Seeded, Stop, seed};
use crate::chain::View;
use crate::id::{self, OutputIndex, SourceIndex};
use crate::taint::flat::{Amounts, Flat, Labelled, Lanes, Placing, Rows, Sets};
use crate::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Rule, Seniority, Tiho};
use run::{Held, Run};
use sparse::{GiveWay, Sparse};

/// Which engine runs. All give the same result.
///
/// # Examples
///
/// See [`reach_with`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Engine {
    /// Sparse, and on as dense where that is cheaper.
    #[default]
    Auto,
    /// From spender to spender: O(n log n) in the inputs and outputs that taint touches.
    Sparse,
    /// Through the chain once, from the first spender of a seed on: O(n) in its inputs and outputs.
    Dense,
    /// Sparse through so many transactions, then dense: the switch at a place of the caller's choice.
    SwitchAfter(u64),
}

/// Follows the seeds' coins like [`forward`](super::forward), and keeps the ends and the balance only.
///
/// Everything it tells is what `forward` tells, to the satoshi: ends with hops, amounts by source and reasons, and the sheet that adds up. What it
/// does not keep is the way: ask `forward` for evidence. It is made for many runs and for long ones: a small trace takes microseconds, and a
/// transaction that taint crosses some hundred nanoseconds.
///
/// # Panics
///
/// As [`forward`](super::forward); and when a conserving run does not balance, which would be a bug here.
///
/// # Complexity
///
/// See [`Engine`]. Memory grows with the outputs that hold taint at a time, and with the ends.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::taint::Rule;
/// use fundtrace::trace::{self, Options, stop};
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let spend = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(3), vec![spend(1, 5), spend(2, 3)], vec![out(4), out(3)]))?;
/// let chain = builder.finish()?;
///
/// let stolen = chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft");
/// let reach = trace::reach(chain.view(), &[stolen], Rule::Haircut, &stop::never(), &Options::default());
/// let amounts: Vec<u64> = reach.ends().map(|end| end.amount.to_sat()).collect();
/// assert_eq!(amounts, [2, 2]);
/// assert_eq!(reach.balance().fees, Amount::from_sat(1));
/// assert!(reach.balance().adds_up());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn reach<'c, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rule: Rule,
    stop: &S,
    options: &Options,
) -> Reach<'c> {
    reach_with(Engine::Auto, view, seeds, rule, stop, options)
}

/// As [`reach`], by an engine of the caller's choice.
///
/// # Panics
///
/// As [`reach`].
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, taint::Rule, trace::{self, Engine, Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let reach = trace::reach_with(Engine::Dense, chain.view(), &[], Rule::Fifo, &stop::never(), &Options::default());
/// assert!(reach.ends().len() == 0);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn reach_with<'c, S: Stop + ?Sized>(
    engine: Engine,
    view: View<'c>,
    seeds: &[Seed],
    rule: Rule,
    stop: &S,
    options: &Options,
) -> Reach<'c> {
    let (sources, source_of) = seed::sources(seeds);
    let count = sources.len();
    let mut start = Start { engine, view, stop, found: Reach::new(view, policy(rule, count), *options, stop.describe()) };
    start.found.sources = sources;
    let placing = match rule {
        Rule::Poison if count <= Lanes::WIDTH => return start.run(Lanes, seeds, &source_of),
        Rule::Poison => return start.run(Sets::new(), seeds, &source_of),
        Rule::Fifo => return start.run(Rows::fifo(), seeds, &source_of),
        Rule::Lifo => return start.run(Rows::lifo(), seeds, &source_of),
        Rule::Haircut => Placing::Haircut,
        Rule::Seniority => Placing::Seniority,
        Rule::Juniority => Placing::Juniority,
        Rule::Tiho => Placing::Tiho,
    };
    if count <= 1 {
        start.run(Amounts::new(placing), seeds, &source_of)
    } else {
        start.run(Labelled::new(placing), seeds, &source_of)
    }
}

fn policy(rule: Rule, sources: usize) -> Policy {
    match rule {
        Rule::Poison => Policy::of(&Poison, sources),
        Rule::Haircut => Policy::of(&Haircut, sources),
        Rule::Fifo => Policy::of(&Fifo, sources),
        Rule::Lifo => Policy::of(&Lifo, sources),
        Rule::Seniority => Policy::of(&Seniority, sources),
        Rule::Juniority => Policy::of(&Juniority, sources),
        Rule::Tiho => Policy::of(&Tiho, sources),
    }
}

/// Taint that left the trace in one way: in all, and by source.
#[derive(Clone, Debug, Default)]
struct Sums {
    total: u64,
    by_source: Vec<u64>,
}

/// What is not an end.
#[derive(Clone, Debug, Default)]
struct Ledger {
    fees: Sums,
    burned: Sums,
    displaced: Sums,
}

impl Ledger {
    fn new(sources: usize) -> Self {
        let sums = || Sums { total: 0, by_source: vec![0; sources] };
        Self { fees: sums(), burned: sums(), displaced: sums() }
    }
}

/// An output where taint ends.
///
/// # Examples
///
/// See [`reach`].
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
/// See [`reach`].
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
struct Row {
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
/// See [`reach`].
#[derive(Clone, Debug)]
pub struct Reach<'c> {
    view: View<'c>,
    policy: Policy,
    options: Options,
    stop: String,
    sources: Vec<String>,
    seeds: Vec<Seeded>,
    unseeded: Vec<OutputIndex>,
    ends: Vec<Row>,
    /// Every reason once; the first two are the natural ones.
    reasons: Vec<Reason>,
    /// With several sources: the amounts by source of all ends, and where those of each begin.
    shares: Vec<(SourceIndex, Amount)>,
    first_share: Vec<u64>,
    /// Under poison with up to 64 of them: a bit a source for each end, instead.
    lanes: Vec<u64>,
    ledger: Ledger,
    transactions: u64,
}

impl<'c> Reach<'c> {
    fn new(view: View<'c>, policy: Policy, options: Options, stop: String) -> Self {
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
        self.ends.iter().enumerate().map(|(at, row)| Reached {
            output: row.output,
            hops: row.hops,
            amount: Amount::from_sat(row.amount),
            reason: &self.reasons[id::at(row.reason)],
            by_source: self.shares_of(at, row),
        })
    }

    /// Finds the end at an output. Logarithmic time.
    pub fn end(&self, output: OutputIndex) -> Option<Reached<'_>> {
        let at = self.ends.binary_search_by_key(&output, |row| row.output).ok()?;
        self.ends().nth(at)
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

/// A run that is about to begin.
struct Start<'r, 'c, S: ?Sized> {
    engine: Engine,
    view: View<'c>,
    stop: &'r S,
    found: Reach<'c>,
}

impl<'c, S: Stop + ?Sized> Start<'_, 'c, S> {
    fn run<F: Flat>(mut self, flat: F, seeds: &[Seed], source_of: &[SourceIndex]) -> Reach<'c> {
        let mut run = Run::new(self.view, flat, self.stop, self.found.options, self.found.sources.len());
        let usable = self.usable(seeds, source_of);
        run.seed(&usable);
        let mut sparse = Sparse::new();
        match self.engine {
            Engine::Sparse => sparse.run(&mut run, GiveWay::Never),
            Engine::Auto => sparse.run(&mut run, GiveWay::WhenDense),
            Engine::Dense => sparse.take(&mut run),
            Engine::SwitchAfter(visits) => sparse.run(&mut run, GiveWay::After(visits)),
        }
        if let Some(from) = sparse.next() {
            let placed: Vec<_> = sparse.drain().collect();
            run.placed = dense::pass(&mut run, from, placed.into_iter());
            sparse.run(&mut run, GiveWay::Never);
        }
        self.finish(run)
    }

    /// Sorts out the seeds that can be used, each with its source and value.
    fn usable(&mut self, seeds: &[Seed], source_of: &[SourceIndex]) -> Vec<(crate::chain::Output<'c>, SourceIndex, u64)> {
        let mut usable = Vec::with_capacity(seeds.len());
        for (seed, source) in seeds.iter().zip(source_of) {
            let output = self.view.output(seed.output);
            let Some(value) = output.value().filter(|_| self.view.sees(output.tx().index())) else {
                self.found.unseeded.push(seed.output);
                continue;
            };
            usable.push((output, *source, value.to_sat()));
        }
        // One output under the same label as the last that named it counts once.
        let mut owner = HashMap::new();
        usable.retain(|(output, source, _)| owner.insert(output.index(), *source) != Some(*source));
        let seeded = |(output, source, value): &(crate::chain::Output<'c>, SourceIndex, u64)| Seeded {
            output: output.index(),
            source: *source,
            value: Amount::from_sat(*value),
        };
        self.found.seeds = usable.iter().map(seeded).collect();
        usable
    }

    fn finish<F: Flat>(self, mut run: Run<'_, 'c, F, S>) -> Reach<'c> {
        let mut found = self.found;
        let mut rows: Vec<(Held<F::Mark>, u32)> = Vec::new();
        let mut numbers = HashMap::new();
        let mut number = |reason: Reason, reasons: &mut Vec<Reason>| {
            *numbers.entry(reason).or_insert_with_key(|reason| {
                reasons.push(reason.clone());
                id::small(reasons.len() - 1)
            })
        };
        for (held, reason) in std::mem::take(&mut run.ended) {
            rows.push((held, number(reason, &mut found.reasons)));
        }
        let mut rest = std::mem::take(&mut run.rest);
        if run.cuts() {
            rest.retain(|held| match run.check(held, None) {
                Some(reason) => {
                    rows.push((*held, number(reason, &mut found.reasons)));
                    false
                }
                None => true,
            });
        }
        rows.sort_unstable_by_key(|(held, _)| held.output);
        rest.sort_unstable_by_key(|held| held.output);
        found.ends.reserve_exact(rest.len() + rows.len());
        let mut rows = rows.into_iter().peekable();
        for held in rest {
            while let Some((stopped, reason)) = rows.next_if(|(stopped, _)| stopped.output < held.output) {
                found.push(&run, stopped, reason);
            }
            let unspent = run.hot.is_unspent(held.output, held.tx);
            found.push(&run, held, if unspent { UNSPENT } else { UNKNOWN_SPENDER });
        }
        rows.for_each(|(stopped, reason)| found.push(&run, stopped, reason));
        if found.sources.len() > 1 && found.lanes.is_empty() {
            found.first_share.push(id::number(found.shares.len()));
        }
        found.transactions = run.transactions;
        found.ledger = run.ledger;
        if found.policy.conserving {
            let adds_up = found.balance().adds_up() && found.balances().iter().all(|balance| balance.adds_up());
            assert!(adds_up, "rule {} must conserve value and each source over the whole run", found.policy.name);
        }
        found
    }
}

/// Where the natural reasons stand among the reasons.
const UNSPENT: u32 = 0;
const UNKNOWN_SPENDER: u32 = 1;

impl<'c> Reach<'c> {
    fn push<F: Flat, S: Stop + ?Sized>(&mut self, run: &Run<'_, 'c, F, S>, held: Held<F::Mark>, reason: u32) {
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
