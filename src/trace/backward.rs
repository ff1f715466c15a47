//! Where coins came from: the source of funds.
//!
//! A transaction read backwards is a transaction: its outputs, the fee last, are what comes in, and its inputs are what it pays. So every rule has a
//! backward run, the same rule on the transaction turned around. What that means differs:
//!
//! - **FIFO, LIFO, poison**: exactly what forward does, seen from the other end. What forward takes from `s` to `x` is what backward brings from `x` to `s`, to the
//!   satoshi.
//! - **Haircut**: what is wanted of a transaction is taken from its inputs in proportion to their values, by largest remainder. With one label that is less than
//!   a satoshi an input and transaction off the real-valued share; over a run, less than the number of inputs rounded on the way. With several labels the shares are drawn
//!   (as forward draws them): every label still adds up exactly, but its part of an input has no proven bound; within two satoshis is what was
//!   measured. Forward rounds elsewhere, so the two do not agree to the satoshi.
//! - **Seniority, juniority, TIHO**: no inverse, because forward looks at what is tainted. The same words on the turned transaction are another rule, and its name begins
//!   with `reverse_`.

use std::collections::{BTreeMap, HashMap};

use bitcoin::Amount;

use super::coinbase::Row;
use super::{Fees, Options, Policy, Reason, Seed, Seeded, Stop, Touch, Visit, seed};
use crate::chain::{Tx, View};
use crate::id::{OutputIndex, SourceIndex, TxIndex};
use crate::taint::{Lot, Part, Taint};

/// Why the search for an origin ends.
///
/// # Examples
///
/// See [`backward`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum OriginReason {
    /// A coinbase: new coins; and, where fees are not followed or the block is not there, the fees among them.
    Minted,
    /// The transaction that paid it was not supplied, or has an input of unknown value, so that nothing can be shared out.
    UnknownPrevout,
    /// A stop said so.
    Stopped(Reason),
}

impl OriginReason {
    /// Returns the name, in snake case: of a stop, its reason's.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::UnknownPrevout => "unknown_prevout",
            Self::Stopped(reason) => reason.as_str(),
        }
    }
}

/// Where the search for an origin ends.
///
/// # Examples
///
/// See [`backward`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OriginEnd {
    /// The transaction: the one that made the output, or the coinbase.
    pub tx: TxIndex,
    /// The output; `None` for the new coins of a block whose fees were followed further.
    pub output: Option<OutputIndex>,
    /// Hops from the nearest output that was asked about.
    pub hops: u32,
    /// How much of what was asked about comes from here, over all labels; for poison its value once.
    pub amount: Amount,
    /// The amount by label; for poison these overlap.
    pub by_source: Vec<(SourceIndex, Amount)>,
    /// Why it ends here.
    pub reason: OriginReason,
}

/// Where what was asked about came from, to the satoshi.
///
/// For every rule but poison `asked = minted + unknown + stopped + truncated + displaced`.
///
/// # Examples
///
/// See [`backward`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct OriginBalance {
    /// The value of the outputs that were asked about.
    pub asked: Amount,
    /// From coinbases.
    pub minted: Amount,
    /// From transactions that are not here, or not whole.
    pub unknown: Amount,
    /// From where a stop that is no limit ended the search: a service, a rule of the caller's.
    pub stopped: Amount,
    /// Where a limit of the analyst's cut the search.
    pub truncated: Amount,
    /// What came through another output that was asked about; its own rows tell where that comes from.
    pub displaced: Amount,
}

impl OriginBalance {
    /// True when both sides are equal.
    pub fn adds_up(&self) -> bool {
        self.asked == self.minted + self.unknown + self.stopped + self.truncated + self.displaced
    }
}

/// Where coins came from, under one rule. Every list is in chain order.
///
/// # Examples
///
/// See [`backward`].
#[derive(Clone, Debug)]
pub struct Origins<'c> {
    view: View<'c>,
    policy: Policy,
    options: Options,
    stop: String,
    labels: Vec<String>,
    wanted: Vec<Seeded>,
    unusable: Vec<OutputIndex>,
    touched: Vec<Touch>,
    ends: Vec<OriginEnd>,
    displaced: Vec<(OutputIndex, Vec<Part>, Amount)>,
    transactions: u64,
}

impl<'c> Origins<'c> {
    /// Returns the view that was searched.
    pub fn view(&self) -> View<'c> {
        self.view
    }

    /// Returns the rule; its name begins with `reverse_` where it is not the forward rule seen from the other end.
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

    /// Returns the labels; [`SourceIndex`] counts them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the outputs that were asked about.
    pub fn wanted(&self) -> &[Seeded] {
        &self.wanted
    }

    /// Returns those that cannot be asked about: the view does not show them, or nobody told their value.
    pub fn unusable(&self) -> &[OutputIndex] {
        &self.unusable
    }

    /// Returns every output on the way, those asked about and the ends included: how much of what was asked about went through it.
    pub fn touched(&self) -> &[Touch] {
        &self.touched
    }

    /// Returns where the search ends.
    pub fn ends(&self) -> &[OriginEnd] {
        &self.ends
    }

    /// Returns how many transactions were walked through, coinbases not counted.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// Finds how much went through an output. Logarithmic time.
    pub fn touch(&self, output: OutputIndex) -> Option<&Touch> {
        let at = self.touched.binary_search_by_key(&output, |touch| touch.output).ok()?;
        Some(&self.touched[at])
    }

    /// Returns the balance over all labels.
    pub fn balance(&self) -> OriginBalance {
        let mut balance =
            OriginBalance { asked: self.wanted.iter().map(|wanted| wanted.value).sum(), ..OriginBalance::default() };
        for end in &self.ends {
            *balance.column(&end.reason) += end.amount;
        }
        balance.displaced = self.displaced.iter().map(|(.., amount)| *amount).sum();
        balance
    }

    /// Returns the balance of each label, in the order of [`SourceIndex`]. Under poison they overlap.
    pub fn balances(&self) -> Vec<OriginBalance> {
        let mut balances = vec![OriginBalance::default(); self.labels.len()];
        for wanted in &self.wanted {
            balances[wanted.source.at()].asked += wanted.value;
        }
        for end in &self.ends {
            for (source, amount) in &end.by_source {
                *balances[source.at()].column(&end.reason) += *amount;
            }
        }
        for part in self.displaced.iter().flat_map(|(_, parts, _)| parts) {
            balances[part.source.at()].displaced += part.amount;
        }
        balances
    }
}

impl OriginBalance {
    fn column(&mut self, reason: &OriginReason) -> &mut Amount {
        match reason {
            OriginReason::Minted => &mut self.minted,
            OriginReason::UnknownPrevout => &mut self.unknown,
            OriginReason::Stopped(reason) if reason.is_limit() => &mut self.truncated,
            OriginReason::Stopped(_) => &mut self.stopped,
        }
    }
}

/// Finds where the coins of some outputs came from, under a rule.
///
/// Outputs with one label are asked about together. Where one lies on the way of another, what comes to it is booked as displaced: where that came from is
/// the first one's own answer. The stop is asked at every output on the way but those asked about; its [`Visit::spender`] is the transaction through which the
/// output was found, [`Visit::hops`] counts from what was asked about, and [`Visit::seed`] is false. (So `stop::as_of`, which looks at the spender, says nothing useful.)
///
/// With [`Fees::Coinbase`] the fees in a coinbase are followed to the transactions that paid them, where the block is there.
///
/// # Panics
///
/// When an index is not from this chain, or a rule of the caller's breaks its own law.
///
/// # Complexity
///
/// As [`forward`](super::forward()).
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::taint::Fifo;
/// use fundtrace::trace::{self, Options, OriginReason, stop};
///
/// // Inputs of 5 and 3 pay 4 and 3, and a fee of 1: the second output is the last satoshi of the first input and two of the other.
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let spend = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(3), vec![spend(1, 5), spend(2, 3)], vec![out(4), out(3)]))?;
/// let chain = builder.finish()?;
///
/// let deposit = chain.view().output_at(OutPoint::new(txid(3), 1)).unwrap().seed("deposit");
/// let origins = trace::backward(chain.view(), &[deposit], &Fifo, &stop::never(), &Options::default());
/// let amounts: Vec<u64> = origins.ends().iter().map(|end| end.amount.to_sat()).collect();
/// assert_eq!(amounts, [1, 2]);
/// assert_eq!(origins.ends()[0].reason, OriginReason::UnknownPrevout);
/// assert!(origins.balance().adds_up());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn backward<'c, T: Taint, S: Stop + ?Sized>(
    view: View<'c>,
    wanted: &[Seed],
    rule: &T,
    stop: &S,
    options: &Options,
) -> Origins<'c> {
    let labels: Vec<&str> = wanted.iter().map(|seed| seed.label.as_str()).collect();
    let (labels, by_label) = seed::numbered(&labels);
    let mut policy = Policy::of(rule, labels.len());
    policy.name = name(policy.name);
    let found = Origins {
        view,
        policy,
        options: *options,
        stop: stop.describe(),
        labels,
        wanted: Vec::new(),
        unusable: Vec::new(),
        touched: Vec::new(),
        ends: Vec::new(),
        displaced: Vec::new(),
        transactions: 0,
    };
    let mut walk = Walk { rule, stop, owner: HashMap::new(), open: BTreeMap::new(), fees: BTreeMap::new(), found };
    walk.ask(wanted, &by_label);
    while let Some((_, place)) = walk.open.pop_last() {
        walk.step(place);
    }
    walk.finish()
}

/// The rules that are no inverse have names of their own.
fn name(forward: &'static str) -> &'static str {
    match forward {
        "seniority" => "reverse_seniority",
        "juniority" => "reverse_juniority",
        "tiho" => "reverse_tiho",
        other => other,
    }
}

/// What is wanted of one transaction, by output; and the least hops.
struct Place<M> {
    tx: TxIndex,
    outputs: BTreeMap<OutputIndex, (M, u32)>,
}

struct Walk<'r, 'c, T: Taint, S: ?Sized> {
    rule: &'r T,
    stop: &'r S,
    owner: HashMap<OutputIndex, SourceIndex>,
    /// By block; in a block the coinbase is taken before the others, which pay the fees in it; then the last first.
    open: BTreeMap<(u32, bool, TxIndex), Place<T::Mark>>,
    /// What is wanted of a transaction's fee.
    fees: BTreeMap<TxIndex, (T::Mark, u32)>,
    found: Origins<'c>,
}

impl<'c, T: Taint, S: Stop + ?Sized> Walk<'_, 'c, T, S> {
    fn ask(&mut self, wanted: &[Seed], by_label: &HashMap<String, SourceIndex>) {
        let view = self.found.view;
        for seed in wanted {
            let (output, source) = (view.output(seed.output), by_label[&seed.label]);
            let Some(value) = output.value().filter(|_| view.sees(output.tx().index())) else {
                self.found.unusable.push(seed.output);
                continue;
            };
            match self.owner.insert(seed.output, source) {
                Some(other) if other == source => continue,
                Some(other) => self.displace(seed.output, &self.rule.seed(value, other)),
                None => {}
            }
            self.found.wanted.push(Seeded { output: seed.output, source, value });
        }
        let mut owners: Vec<_> = self.owner.iter().map(|(output, source)| (*output, *source)).collect();
        owners.sort_unstable();
        for (output, source) in owners {
            let value = view.output(output).value().unwrap_or(Amount::ZERO);
            self.put(output, self.rule.seed(value, source), 0);
        }
    }

    fn displace(&mut self, output: OutputIndex, mark: &T::Mark) {
        let amount = self.rule.amount(mark);
        let parts = self.parts(mark);
        self.found.displaced.push((output, parts, amount));
    }

    /// Notes what is wanted of an output, for when its transaction's turn comes.
    fn put(&mut self, output: OutputIndex, mark: T::Mark, hops: u32) {
        if mark == T::Mark::default() {
            return;
        }
        let tx = self.found.view.output(output).tx();
        let (amount, parts) = (self.rule.amount(&mark), self.parts(&mark));
        self.found.touched.push(Touch { output, hops, amount, parts, carried: false });
        self.place(tx).outputs.insert(output, (mark, hops));
    }

    fn place(&mut self, tx: Tx<'c>) -> &mut Place<T::Mark> {
        let index = tx.index();
        let key = (self.found.view.columns().height_in_force(index), tx.is_coinbase(), index);
        self.open.entry(key).or_insert_with(|| Place { tx: index, outputs: BTreeMap::new() })
    }

    fn step(&mut self, place: Place<T::Mark>) {
        let tx = self.found.view.tx(place.tx);
        let fee = self.fees.remove(&place.tx);
        if tx.is_coinbase() {
            return self.coinbase(tx, place);
        }
        let (Some(value), Some(all)) = (tx.fee(), tx.input_value()) else {
            for (output, (mark, hops)) in place.outputs {
                self.end(tx.index(), Some(output), &mark, hops, OriginReason::UnknownPrevout);
            }
            return;
        };
        debug_assert_eq!(tx.output_value().map(|paid| paid + value), Some(all));
        let hops = place.outputs.values().chain(&fee).map(|(_, hops)| *hops).min().unwrap_or(0) + 1;
        let mut lots = self.lots(tx, place.outputs);
        lots.push(Lot { value, mark: fee.map(|(mark, _)| mark).unwrap_or_default() });
        let values: Vec<Amount> = tx.inputs().map(|input| input.value().unwrap_or(Amount::ZERO)).collect();
        let marks = self.turn(&lots, &values);
        self.found.transactions += 1;
        for (input, mark) in tx.inputs().zip(marks) {
            if let Some(prevout) = input.prevout().filter(|_| mark != T::Mark::default()) {
                self.arrive(prevout.index(), tx, mark, hops);
            }
        }
    }

    /// The outputs of a transaction as what comes in.
    fn lots(&mut self, tx: Tx<'c>, mut wanted: BTreeMap<OutputIndex, (T::Mark, u32)>) -> Vec<Lot<T::Mark>> {
        let mut lots = Vec::with_capacity(tx.outputs().len() + 1);
        for output in tx.outputs() {
            let mark = wanted.remove(&output.index()).map(|(mark, _)| mark);
            lots.push(Lot { value: output.value().unwrap_or(Amount::ZERO), mark: mark.unwrap_or_default() });
        }
        lots
    }

    /// Calls the rule on the turned transaction and holds it to its law.
    fn turn(&self, lots: &[Lot<T::Mark>], values: &[Amount]) -> Vec<T::Mark> {
        let mut marks = Vec::new();
        self.rule.spread(self.found.labels.len(), lots, values, &mut marks);
        if T::CONSERVING {
            let within = marks.iter().zip(values).all(|(mark, value)| self.rule.amount(mark) <= *value);
            let arrived: Amount = lots.iter().map(|lot| self.rule.amount(&lot.mark)).sum();
            let handed_on: Amount = marks.iter().map(|mark| self.rule.amount(mark)).sum();
            assert!(within && arrived == handed_on, "rule {} must conserve value", self.rule.name());
        }
        marks
    }

    fn coinbase(&mut self, tx: Tx<'c>, place: Place<T::Mark>) {
        let followed = self.found.options.fees == Fees::Coinbase;
        let row = tx.height().filter(|_| followed).and_then(|height| Row::of(self.found.view, height));
        let Some(row) = row.filter(|row| row.coinbase.index() == tx.index()) else {
            for (output, (mark, hops)) in place.outputs {
                self.end(tx.index(), Some(output), &mark, hops, OriginReason::Minted);
            }
            return;
        };
        let hops = place.outputs.values().map(|(_, hops)| *hops).min().unwrap_or(0);
        let mut lots = self.lots(tx, place.outputs);
        lots.push(Lot { value: row.unclaimed, mark: T::Mark::default() });
        let payers = row.lots(self.found.options.coinbase_order);
        let values: Vec<Amount> = payers.iter().map(|(_, value)| *value).collect();
        let marks = self.turn(&lots, &values);
        for ((payer, _), mark) in payers.into_iter().zip(marks) {
            match payer {
                _ if mark == T::Mark::default() => {}
                None => self.end(tx.index(), None, &mark, hops, OriginReason::Minted),
                // Poison marks a fee of nothing too, but nothing was paid.
                Some(_) if self.rule.amount(&mark) == Amount::ZERO => {}
                Some(payer) => {
                    self.fees.insert(payer, (self.rule.fee(mark), hops));
                    self.place(self.found.view.tx(payer));
                }
            }
        }
    }

    fn arrive(&mut self, output: OutputIndex, through: Tx<'c>, mark: T::Mark, hops: u32) {
        if self.owner.contains_key(&output) {
            self.displace(output, &mark);
            return;
        }
        let at = self.found.view.output(output);
        let stopped = self.stop.check(&Visit {
            output: at,
            spender: Some(through),
            hops,
            amount: self.rule.amount(&mark),
            seed: false,
            transactions: self.found.transactions,
        });
        if let Some(reason) = stopped {
            let (amount, parts) = (self.rule.amount(&mark), self.parts(&mark));
            self.found.touched.push(Touch { output, hops, amount, parts, carried: false });
            self.end(at.tx().index(), Some(output), &mark, hops, OriginReason::Stopped(reason));
            return;
        }
        self.put(output, mark, hops);
    }

    fn end(&mut self, tx: TxIndex, output: Option<OutputIndex>, mark: &T::Mark, hops: u32, reason: OriginReason) {
        let mut by_source = Vec::new();
        self.rule.by_source(mark, &mut |source, amount| by_source.push((source, amount)));
        let amount = self.rule.amount(mark);
        self.found.ends.push(OriginEnd { tx, output, hops, amount, by_source, reason });
    }

    fn parts(&self, mark: &T::Mark) -> Vec<Part> {
        let mut parts = Vec::new();
        self.rule.parts(mark, &mut |part| parts.push(part));
        parts
    }

    fn finish(self) -> Origins<'c> {
        let mut found = self.found;
        found.touched.sort_by_key(|touch| touch.output);
        found.ends.sort_by_key(|end| (end.tx, end.output));
        found.displaced.sort_by_key(|(output, ..)| *output);
        let mut ends = found.ends.iter().filter_map(|end| end.output).collect::<Vec<_>>();
        ends.sort_unstable();
        for touch in &mut found.touched {
            touch.carried = ends.binary_search(&touch.output).is_err();
        }
        if T::CONSERVING {
            let adds_up = found.balance().adds_up() && found.balances().iter().all(OriginBalance::adds_up);
            assert!(adds_up, "rule {} must conserve value over the whole run", found.policy.name);
        }
        found
    }
}
