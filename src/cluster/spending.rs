//! Addresses that a transaction spends together have one owner.
//!
//! Returns clusters, or the evidence for them. The idea: to spend an output one must sign for it, so whoever makes a transaction of several inputs has, as
//! a rule, all their keys. Every transaction whose inputs spend from two addresses at least is one inference. A coinbase spends nothing; an
//! input whose address is unknown, or whose script has none, says nothing.
//!
//! Transactions that several people sign must be left out: the guard `skip` is asked about each transaction with two addresses, and those of which it says
//! true are no evidence. [`has_unnecessary_input`](super::has_unnecessary_input) is one guard.
//!
//! 1. Nakamoto: Bitcoin, a peer-to-peer electronic cash system (2008), section 10.
//! 2. Reid, Harrigan: An analysis of anonymity in the Bitcoin system (2011; Security and Privacy in Social Networks, 2013), section 4.2.
//! 3. Meiklejohn and others: A fistful of bitcoins (IMC 2013), heuristic 1.
//! 4. Harrigan, Fretter: The unreasonable effectiveness of address clustering (UIC 2016), on why the clusters grow as they do.
//!
//! # Fooled by
//!
//! A CoinJoin: two people sign one transaction, and without a guard they become one.
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::cluster;
//!
//! let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
//! let from = |key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([key; 32]), 0)).prevout(to(key, 70));
//! let mut builder = ChainBuilder::new();
//! // Ann (key 1) and Bob (key 2) mix 50 each; 3 and 4 get the equal parts, 5 and 6 the change.
//! let mix = vec![to(3, 50), to(4, 50), to(5, 19), to(6, 19)];
//! builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(1), from(2)], mix))?;
//! let chain = builder.finish()?;
//! let owner = |key| chain.view().address_index(&to(key, 0).script_pubkey).unwrap();
//!
//! assert!(cluster::by_spending(chain.view(), |_| false).is_same(owner(1), owner(2)));
//! // A guard that knows the form of the mix leaves it out.
//! let equal = |tx: fundtrace::chain::Tx<'_>| tx.outputs().filter(|output| output.value() == Some(Amount::from_sat(50))).count() > 1;
//! assert!(!cluster::by_spending(chain.view(), equal).is_same(owner(1), owner(2)));
//! # Ok::<(), fundtrace::Error>(())
//! ```

use super::evidence::Rows;
use super::{Basis, Clusters, Evidence, Rule};
use crate::chain::{Payers, Tx, View};
use crate::par;
use crate::par::union::Shared;

/// The rule's name.
pub const NAME: &str = "spending";
/// The rule's version.
pub const VERSION: u32 = 1;

/// Transactions that a thread takes at a time.
const PIECE: usize = 1 << 14;

/// Clusters the addresses that a transaction spends together, but for transactions of which `skip` says true; on the caller's rayon pool.
///
/// The clusters are those of [`evidence`], which is not kept. `skip` must be a function of the transaction alone.
///
/// # Complexity
///
/// One pass over the inputs' addresses. `skip` is asked about transactions that spend from two addresses at least.
///
/// # Examples
///
/// See [`Clusters`], and above.
pub fn by_spending(view: View<'_>, skip: impl Fn(Tx<'_>) -> bool + Send + Sync) -> Clusters {
    let union = Shared::new(view.addresses_seen());
    scan(view, skip, |rows| rows.join(&union));
    Clusters::of_parents(union.into_parents())
}

/// Collects what [`by_spending`] rests on, on the caller's rayon pool. `told` says what the guard leaves out; it stands in the evidence as
/// the rule's parameters.
///
/// # Examples
///
/// ```
/// use fundtrace::cluster::{Proofs, spending};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let evidence = spending::evidence(chain.view(), "coinjoin=keep", |_| false);
/// assert_eq!(evidence.rules()[0].to_string(), "spending 1 (coinjoin=keep)");
/// assert!(Proofs::of(evidence).clusters().is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn evidence(view: View<'_>, told: &str, skip: impl Fn(Tx<'_>) -> bool + Send + Sync) -> Evidence {
    let parts = scan(view, skip, |rows| rows);
    Evidence::of_rows(view, rule(told), &parts)
}

/// Names the rule, for who joins [`by_spending`] and keeps no evidence.
///
/// # Examples
///
/// ```
/// assert_eq!(fundtrace::cluster::spending::rule("").to_string(), "spending 1");
/// ```
pub fn rule(told: &str) -> Rule {
    Rule::new(NAME, VERSION).parameters(told).basis(Basis::Transaction)
}

/// Collects the rows of each piece of the view and hands them on.
fn scan<R: Send>(
    view: View<'_>,
    skip: impl Fn(Tx<'_>) -> bool + Send + Sync,
    take: impl Fn(Rows) -> R + Send + Sync,
) -> Vec<R> {
    let payers = Payers::of(view);
    let all = payers.txs();
    par::pieces(all.len(), PIECE, |range| {
        let mut rows = Rows::default();
        payers.each(all.start + range.start..all.start + range.end, |tx, addresses| {
            if addresses.iter().any(|address| *address != addresses[0]) && !skip(view.tx(tx)) {
                rows.push(tx, addresses);
            }
        });
        take(rows)
    })
}
