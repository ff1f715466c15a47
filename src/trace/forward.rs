//! The specification engine: the tainted transaction that stands first in the chain is visited next.
//!
//! Every output stands before its spender in chain order, so when a transaction is taken from the queue all that will ever reach
//! its inputs has arrived. What the engine does is all in `run`; faster engines are compared with it.
//!
//! ```text
//! put every seed; queue its spender
//! while the queue is not empty:
//!     first hand the fees of every earlier block to its coinbase
//!     take the first transaction; gather its inputs; ask the stops; spread the rest over the outputs and the fee
//!     put what each output got: displaced at a seed, burned where nobody can spend it, else held; queue its spender
//! whatever is still held ends where it is
//! ```

mod run;

use run::{Run, follow};

use super::through::Through;
use super::{Options, Owners, Seed, Stop, Trace};
use crate::chain::View;
use crate::taint::Taint;

/// Follows the seeds' coins through the view under a rule, until a stop or until nothing spends them.
///
/// Seeds with one label are one source. A seed may be an output that is known only as a prevout. Where one output is named under two
/// labels, or taint reaches a seed, the output belongs to the later one and what gave way is booked as displaced.
///
/// A seed that the view does not show, or whose value nobody told, cannot be used: it stands in [`Trace::unseeded`], in every manifest, and
/// where its transaction is missing in [`Trace::missing`]. Ask for it before you trust a balance.
///
/// # Panics
///
/// When a seed's index is not from this chain, when a rule of the caller's breaks its own law (a
/// [conserving](Taint::CONSERVING) rule that loses or makes value), or when one output is named under so many labels that the seeds'
/// sum overflows ([`spec::resolve`](crate::spec::resolve) refuses those).
///
/// # Complexity
///
/// O(n log n) in the number of inputs and outputs of the transactions that taint is carried through, times what the rule costs.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::taint::Fifo;
/// use fundtrace::trace::{self, Options, Reason, stop};
///
/// // Five stolen satoshis and three others pay 4 and 3, and a fee of 1.
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let spend = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(3), vec![spend(1, 5), spend(2, 3)], vec![out(4), out(3)]))?;
/// let chain = builder.finish()?;
///
/// let view = chain.view();
/// let stolen = view.output_at(OutPoint::new(txid(1), 0)).unwrap();
/// let trace = trace::forward(view, &[stolen.seed("theft")], &Fifo, &stop::never(), &Options::default());
///
/// let amounts: Vec<u64> = trace.ends().iter().map(|end| end.amount.to_sat()).collect();
/// assert_eq!(amounts, [4, 1]);
/// assert_eq!(trace.ends()[0].reason, Reason::UnknownSpender);
/// assert!(trace.balance().adds_up());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn forward<'c, T: Taint, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rule: &T,
    stop: &S,
    options: &Options,
) -> Trace<'c> {
    follow(Run::start(view, seeds, rule, stop, *options, None))
}

/// As [`forward`], but between owners: what stays inside one cluster is no move.
///
/// Amounts, fees and the balance are those of [`forward`]; a hop leads from one owner to another. What was not counted stands in
/// [`Trace::inside_transfers`].
///
/// # Panics
///
/// As [`forward`], and when the clusters are of another chain and have fewer addresses than they say.
///
/// # Complexity
///
/// As [`forward`]; for each transaction that taint is carried through, its inputs' clusters are looked up, and the guard is asked where they are one.
///
/// # Examples
///
/// A transfer to oneself:
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::{self, Rule};
/// use fundtrace::taint::Fifo;
/// use fundtrace::trace::{self, Options, Owners, PathLimits, stop};
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let mut builder = ChainBuilder::new();
/// // The loot of key 1 pays 4 to key 2 and 1 back to key 1.
/// let loot = NewInput::new(OutPoint::new(txid(1), 0)).prevout(to(1, 5));
/// builder.insert(NewTx::claimed(txid(2), vec![loot], vec![to(2, 4), to(1, 1)]))?;
/// let chain = builder.finish()?;
///
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let owners = Owners::new(&clusters, vec![Rule::new("spending", 1).parameters("coinjoin=keep")]);
/// let stolen = chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft");
/// let trace = trace::forward_between(chain.view(), &[stolen], &Fifo, &stop::never(), &Options::default(), &owners);
/// let ends: Vec<(u64, u32)> = trace.ends().iter().map(|end| (end.amount.to_sat(), end.hops)).collect();
/// assert_eq!(ends, [(4, 1), (1, 0)]);
/// assert_eq!(trace.inside().unwrap().taint_sat, 1);
/// let path = &trace.paths(trace.ends()[1].output, PathLimits::default()).paths[0];
/// assert_eq!((path.steps.len(), path.moves()), (2, 0));
/// assert!(path.explain_with(&trace, &owners).to_string().contains("no move: payer and payee are one cluster under spending 1"));
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn forward_between<'c, T: Taint, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rule: &T,
    stop: &S,
    options: &Options,
    owners: &Owners<'_>,
) -> Trace<'c> {
    follow(Run::start(view, seeds, rule, stop, *options, Some(owners)))
}

/// As [`forward`], with a choice of what happens at mixes: see [`through`](super::through). The analyst's stops are asked first.
///
/// # Panics
///
/// As [`forward`].
///
/// # Complexity
///
/// As [`forward`]; and for each mix the detector's, for spreading O(m n log m) with m inputs and n outputs, for links what
/// [`Through::limits`] allows.
///
/// # Examples
///
/// See [`through`](super::through).
pub fn forward_through<'c, T: Taint, S: Stop + ?Sized>(
    view: View<'c>,
    seeds: &[Seed],
    rule: &T,
    stop: &S,
    through: &Through,
    options: &Options,
) -> Trace<'c> {
    follow(Run::start(view, seeds, rule, stop, *options, None).through(through))
}
