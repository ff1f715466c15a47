//! Outputs of one mix that are spent together later: the strongest evidence of whose they are.
//!
//! A transaction that is no mix itself, nor suspected to be one, and spends coins that came through different outputs of one mix joins them: whoever signed it had
//! both. Outputs of a mix that came through a later one count no more, for behind that they may be anybody's; linked change counts. What counts is what the transaction joins anew, so coins that parted behind the mix and meet again say nothing. An input
//! without taint counts too where it is an output of that mix.
//!
//! Source: post-mix behaviour cuts anonymity sets by a tenth to a half (Gavenda et al.); the rule is ours.
//!
//! # Fooled by
//!
//! A service that sweeps the deposits of two customers who took part in one mix: see the second half.
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::detect::{Confidence, coinjoin::Rules};
//! use fundtrace::taint::Fifo;
//! use fundtrace::trace::{self, Mixes, Mode, Options, Through, stop};
//!
//! let txid = |n| Txid::from_byte_array([n; 32]);
//! let out = |sat, n: u8| {
//!     let script_pubkey = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]));
//!     TxOut { value: Amount::from_sat(sat), script_pubkey }
//! };
//! let first = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat, n));
//! let inputs = vec![first(1, 101_000), first(2, 100_000), first(3, 100_000), first(4, 100_000), first(5, 100_000)];
//! let mut builder = ChainBuilder::new();
//! builder.insert(NewTx::claimed(txid(9), inputs, (20..25).map(|n| out(100_000, n)).collect()))?;
//! // Two of the five are spent together: by one owner, or by an exchange at which two owners deposited. The chain does not say.
//! let spend = |vout| NewInput::new(OutPoint::new(txid(9), vout));
//! builder.insert(NewTx::claimed(txid(10), vec![spend(1), spend(3)], vec![out(199_000, 30)]))?;
//! let chain = builder.finish()?;
//! let view = chain.view();
//! let stolen = view.output_at(OutPoint::new(txid(1), 0)).unwrap();
//! let through = Through::new(Mode::Spread, Mixes::new(Rules::default(), Confidence::from_percent(60)));
//! let trace = trace::forward_through(view, &[stolen.seed("theft")], &Fifo, &stop::never(), &through, &Options::default());
//! let found = &trace.consolidations()[0];
//! assert_eq!(found.outputs.iter().map(|output| view.output(*output).vout()).collect::<Vec<_>>(), [1, 3]);
//! # Ok::<(), fundtrace::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::How;
use crate::chain::Input;
use crate::detect::Confidence;
use crate::id::{OutputIndex, TxIndex};
use crate::trace::Trace;

/// The rule's name and version.
pub(crate) const RULE: &str = "postmix_consolidation/1";

/// How sure the rule is: a grade of ours.
pub(crate) const CONFIDENCE: Confidence = Confidence::from_percent(80);

/// A transaction that joins outputs of one mix: an inference of `postmix_consolidation/1`.
///
/// # Examples
///
/// See [`Trace::consolidations`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Consolidation {
    /// The transaction that joins them.
    pub tx: TxIndex,
    /// The mix.
    pub mix: TxIndex,
    /// The outputs of the mix that were joined, in chain order.
    pub outputs: Vec<OutputIndex>,
    /// The rule and its version.
    pub rule: &'static str,
    /// How sure the rule is.
    pub confidence: Confidence,
}

/// Finds them, by transaction and then by mix.
pub(super) fn find(trace: &Trace<'_>) -> Vec<Consolidation> {
    let mut found = Vec::new();
    if trace.passage.crossings.is_empty() {
        return found;
    }
    let is_mix = |tx: TxIndex| trace.passage.at(tx).is_some() || trace.passage.suspect(tx).is_some();
    for tx in trace.nodes.iter().filter(|tx| !is_mix(**tx)) {
        let spender = trace.view.tx(*tx);
        // What joins two coins has two inputs.
        if spender.inputs().len() < 2 || trace.carries_to(*tx).next().is_none() {
            continue;
        }
        // By mix: what each input came through, and the most that one input did.
        let mut by_mix: BTreeMap<TxIndex, (BTreeSet<OutputIndex>, usize)> = BTreeMap::new();
        for input in spender.inputs() {
            let mut own: BTreeMap<TxIndex, BTreeSet<OutputIndex>> = BTreeMap::new();
            for output in roots(trace, input) {
                own.entry(trace.view.output(output).tx().index()).or_default().insert(output);
            }
            for (mix, outputs) in own {
                let (all, most) = by_mix.entry(mix).or_default();
                *most = outputs.len().max(*most);
                all.extend(outputs);
            }
        }
        for (mix, (outputs, most)) in by_mix {
            if outputs.len() > most {
                let outputs = outputs.into_iter().collect();
                found.push(Consolidation { tx: *tx, mix, outputs, rule: RULE, confidence: CONFIDENCE });
            }
        }
    }
    found
}

/// The outputs of the last mixes that an input came through: as flagged, or itself.
fn roots(trace: &Trace<'_>, input: Input<'_>) -> Vec<OutputIndex> {
    let Some(prevout) = input.prevout() else { return Vec::new() };
    if let Some(behind) = trace.behind(prevout.index()) {
        return behind.last.to_vec();
    }
    let crossing = trace.passage.at(prevout.tx().index()).filter(|crossing| crossing.how != How::Stopped);
    let mixed = |vout| crossing.is_some_and(|crossing| !crossing.settled.contains(&vout));
    if trace.touch(prevout.index()).is_none() && mixed(prevout.vout()) { vec![prevout.index()] } else { Vec::new() }
}
