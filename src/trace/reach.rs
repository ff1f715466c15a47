//! Where taint ends and what the balance is, fast: the ends of [`forward`](super::forward) without the way there.
//!
//! Two engines do one thing. The sparse one goes from spender to spender and costs what taint touches; the dense one goes through the chain
//! once and costs what the chain has, far less a transaction. A run starts sparse and goes on dense, on the same state, once taint is in so many
//! transactions that a look at all of them is cheaper. The specification engine is the twin of both.

mod dense;
mod found;
mod live;
mod queue;
mod run;
mod sparse;
mod state;
mod stream;

pub use found::{Reach, Reached, Shares};
pub(super) use state::State;

use std::collections::HashMap;

use bitcoin::Amount;

use super::{Options, Owners, Policy, Reason, Seed, Seeded, Stop, seed};
use crate::chain::{Output, View};
use crate::id::{self, SourceIndex, TxIndex};
use crate::taint::flat::{Amounts, Flat, Labelled, Lanes, Placing, Rows, Sets};
use crate::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Rule, Seniority, Tiho};
use found::{UNKNOWN_SPENDER, UNSPENT};
use run::{Held, Run};
use sparse::{GiveWay, Sparse};

/// Which engine runs. All give the same result.
///
/// Inside, the dense one streams the chain where nothing stops, fees are booked, and every output counts as a hop; between owners
/// ([`reach_between`]) it does not.
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
    let labels: Vec<&str> = seeds.iter().map(|seed| seed.label.as_str()).collect();
    Start { engine, view, stop, options: *options, owners: None, keep: false }.run(&labels, seeds, rule, None).0
}

/// As [`reach_with`], but between owners: what stays inside one cluster is no move, as for [`forward_between`](super::forward_between).
///
/// # Panics
///
/// As [`reach`], and when the clusters are of another chain and have fewer addresses than they say.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, cluster, taint::Rule, trace::{self, Engine, Options, Owners, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let owners = Owners::new(&clusters, vec![cluster::Rule::new("spending", 1)]);
/// let options = Options::default();
/// let reach = trace::reach_between(Engine::Auto, chain.view(), &[], Rule::Fifo, &stop::never(), &options, &owners);
/// assert_eq!(reach.inside().unwrap().transfers, 0);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn reach_between<'c, S: Stop + ?Sized>(
    engine: Engine,
    view: View<'c>,
    seeds: &[Seed],
    rule: Rule,
    stop: &S,
    options: &Options,
    owners: &Owners<'_>,
) -> Reach<'c> {
    let labels: Vec<&str> = seeds.iter().map(|seed| seed.label.as_str()).collect();
    let start = Start { engine, view, stop, options: *options, owners: Some(owners), keep: false };
    start.run(&labels, seeds, rule, None).0
}

/// Goes on from a state that [`State`] describes, and returns the state that was reached beside what was found.
///
/// `labels` are those of all seeds, also of those whose transactions are not there yet; they number the sources. A state that no run ends in
/// is refused with what is wrong.
pub(super) fn resume<'c, S: Stop + ?Sized>(
    view: View<'c>,
    labels: &[&str],
    seeds: &[Seed],
    rule: Rule,
    stop: &S,
    options: &Options,
    from: Option<&State>,
) -> Result<(Reach<'c>, State), &'static str> {
    let start = Start { engine: Engine::Auto, view, stop, options: *options, owners: None, keep: true };
    if let Some(from) = from {
        let (sources, by_label) = seed::numbered(labels);
        let mut found = Reach::new(view, policy(rule, sources.len()), *options, stop.describe());
        from.check(view, &start.usable(seeds, &by_label, &mut found), sources.len(), rule)?;
    }
    Ok(start.run(labels, seeds, rule, from))
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

/// A seed that can be used: its output, its source, its value.
type Usable<'c> = (Output<'c>, SourceIndex, u64);

/// A run that is about to begin.
struct Start<'r, 'c, S: ?Sized> {
    engine: Engine,
    view: View<'c>,
    stop: &'r S,
    options: Options,
    owners: Option<&'r Owners<'r>>,
    /// Whether the state is wanted that the run ends in.
    keep: bool,
}

impl<'r, 'c, S: Stop + ?Sized> Start<'r, 'c, S> {
    fn run(&self, labels: &[&str], seeds: &[Seed], rule: Rule, from: Option<&State>) -> (Reach<'c>, State) {
        let (sources, by_label) = seed::numbered(labels);
        let count = sources.len();
        let mut found = Reach::new(self.view, policy(rule, count), self.options, self.stop.describe());
        found.sources = sources;
        let seeds = self.usable(seeds, &by_label, &mut found);
        let placing = match rule {
            Rule::Poison if count <= Lanes::WIDTH => {
                return self.follow(Lanes, Some(stream::pass), &seeds, found, from);
            }
            Rule::Poison => return self.follow(Sets::new(), None, &seeds, found, from),
            Rule::Fifo => return self.follow(Rows::fifo(), None, &seeds, found, from),
            Rule::Lifo => return self.follow(Rows::lifo(), None, &seeds, found, from),
            Rule::Haircut => Placing::Haircut,
            Rule::Seniority => Placing::Seniority,
            Rule::Juniority => Placing::Juniority,
            Rule::Tiho => Placing::Tiho,
        };
        if count <= 1 {
            self.follow(Amounts::new(placing), Some(stream::pass), &seeds, found, from)
        } else {
            self.follow(Labelled::new(placing), None, &seeds, found, from)
        }
    }

    fn follow<F: Flat>(
        &self,
        flat: F,
        stream: Option<Stream<'r, 'c, F, S>>,
        seeds: &[Usable<'c>],
        mut found: Reach<'c>,
        from: Option<&State>,
    ) -> (Reach<'c>, State) {
        let mut run = Run::new(self.view, flat, self.stop, self.options, self.owners, found.sources.len());
        if let Some(from) = from {
            from.restore(&mut run);
        }
        run.seed(seeds, |output| from.is_none_or(|from| !from.has_seeded(output.outpoint())));
        let mut sparse = Sparse::new();
        match self.engine {
            Engine::Sparse => sparse.run(&mut run, GiveWay::Never),
            Engine::Auto => {
                let apart = if stream.is_some() && stream::fits(&run) { STREAM_APART } else { DENSE_APART };
                sparse.run(&mut run, GiveWay::WhenDense(apart));
            }
            Engine::Dense => sparse.take(&mut run),
            Engine::SwitchAfter(visits) => sparse.run(&mut run, GiveWay::After(visits)),
        }
        if let Some(next) = sparse.next() {
            let placed: Vec<_> = sparse.drain().collect();
            if !stream.is_some_and(|stream| stream(&mut run, next, &placed, &mut found, self.keep)) {
                run.placed = dense::pass(&mut run, next, placed.into_iter());
                sparse.run(&mut run, GiveWay::Never);
            }
        }
        let state = if self.keep { State::of(&run, seeds) } else { State::default() };
        take_rest(&mut run, &mut found);
        (close(run, found), state)
    }

    /// Sorts out the seeds that can be used, each with its source and value.
    fn usable(
        &self,
        seeds: &[Seed],
        by_label: &HashMap<String, SourceIndex>,
        found: &mut Reach<'c>,
    ) -> Vec<Usable<'c>> {
        let mut usable = Vec::with_capacity(seeds.len());
        for seed in seeds {
            let output = self.view.output(seed.output);
            let Some(value) = output.value().filter(|_| self.view.sees(output.tx().index())) else {
                found.unseeded.push(seed.output);
                continue;
            };
            usable.push((output, by_label[&seed.label], value.to_sat()));
        }
        // One output under the same label as the last that named it counts once.
        let mut owner = HashMap::new();
        usable.retain(|(output, source, _)| owner.insert(output.index(), *source) != Some(*source));
        let seeded = |(output, source, value): &Usable<'c>| Seeded {
            output: output.index(),
            source: *source,
            value: Amount::from_sat(*value),
        };
        found.seeds = usable.iter().map(seeded).collect();
        usable
    }
}

/// How many transactions may lie between two visits of the sparse engine before a pass over all of them costs more: where the run is streamed, and
/// where it is not. Measured on a chain of a million transactions (DESIGN.md, "When does an engine give way to the other?").
const STREAM_APART: u64 = 8;
const DENSE_APART: u64 = 2;

/// How a rule of one word streams a chain; see [`stream::pass`].
type Stream<'r, 'c, F, S> =
    fn(&mut Run<'r, 'c, F, S>, TxIndex, &[(TxIndex, Held<<F as Flat>::Mark>)], &mut Reach<'c>, bool) -> bool;

/// Turns what is left into ends.
fn take_rest<'c, F: Flat, S: Stop + ?Sized>(run: &mut Run<'_, 'c, F, S>, found: &mut Reach<'c>) {
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
            found.push(run, stopped, reason);
        }
        let unspent = run.hot.is_unspent(held.output, held.tx);
        found.push(run, held, if unspent { UNSPENT } else { UNKNOWN_SPENDER });
    }
    rows.for_each(|(stopped, reason)| found.push(run, stopped, reason));
}

/// Books what was not an end, and checks that everything adds up.
fn close<'c, F: Flat, S: Stop + ?Sized>(run: Run<'_, 'c, F, S>, mut found: Reach<'c>) -> Reach<'c> {
    if found.sources.len() > 1 && found.lanes.is_empty() {
        found.first_share.push(id::number(found.shares.len()));
    }
    found.transactions = run.transactions;
    found.inside = run.owners.map(|_| run.inside);
    found.ledger = run.ledger;
    if found.policy.conserving {
        let adds_up = found.balance().adds_up() && found.balances().iter().all(|balance| balance.adds_up());
        assert!(adds_up, "rule {} must conserve value and each source over the whole run", found.policy.name);
    }
    found
}
