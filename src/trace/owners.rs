//! Who appears to own the outputs of a trace, and following coins between owners instead of between outputs.
//!
//! Returns the owner that clusters name for an output ([`Owners::of`]) and which transfers stay with one owner ([`Owners::payer`]). The idea: a thief who
//! moves coins from one address of his to the next has not paid anybody, so between entities that is no move. Where a trace is told of owners
//! ([`forward_between`](super::forward_between), [`reach_between`](super::reach_between)) the amounts stay what they are, for a transaction is a fact; only hops
//! change, and so what a limit on hops cuts.
//!
//! A transfer is inside one cluster when *every* input of its transaction, tainted or not, spends from an address of one cluster and the output pays an address of
//! the same one: its change, say. Where an input has no address, or the inputs are of several clusters, it is not known who paid whom, and
//! every output is a move; so too in a transaction of which the guard says that several people sign it, even where all its inputs have come to be of one
//! cluster by other transactions. An output whose script has no address belongs to nobody known and is always a move, and so is a fee that goes to a miner.
//!
//! An owner is an inference: it stands in types and fields of its own and names the rules it was formed under. The invariant: everything a trace tells but hops and
//! what a limit on hops or a stop of the caller's that asks for hops cuts is equal with owners and without.
//!
//! 1. Meiklejohn and others: A fistful of bitcoins (IMC 2013), section 5: peeling chains are followed by cluster.
//! 2. Moeser, Narayanan: Resurrecting address clustering in bitcoin (FC 2022), section 6, on clusters that collapse; then everything is inside.
//!
//! # Fooled by
//!
//! Clusters that are wrong: a CoinJoin taken for one person's payment makes two people one, and a payment from one to the other is no move any more.
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::cluster::{self, Rule};
//! use fundtrace::taint::Fifo;
//! use fundtrace::trace::{self, Options, Owners, stop};
//!
//! let txid = |n| Txid::from_byte_array([n; 32]);
//! let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
//! let from = |n, key| NewInput::new(OutPoint::new(txid(n), 0)).prevout(to(key, 50));
//! let mut builder = ChainBuilder::new();
//! // Ann (1) and Bob (2) mix; later Ann pays Bob.
//! builder.insert(NewTx::claimed(txid(10), vec![from(20, 1), from(21, 2)], vec![to(3, 50), to(4, 50)]))?;
//! builder.insert(NewTx::claimed(txid(11), vec![from(22, 1)], vec![to(2, 50)]))?;
//! let chain = builder.finish()?;
//! let view = chain.view();
//!
//! let wrong = cluster::by_spending(view, |_| false);
//! let owners = Owners::new(&wrong, vec![Rule::new("spending", 1).parameters("coinjoin=keep")]);
//! let stolen = view.output_at(OutPoint::new(txid(22), 0)).unwrap().seed("theft");
//! let trace = trace::forward_between(view, &[stolen], &Fifo, &stop::never(), &Options::default(), &owners);
//! assert_eq!(trace.ends()[0].hops, 0);
//! assert_eq!(trace.inside().unwrap().transfers, 1);
//! # Ok::<(), fundtrace::Error>(())
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use bitcoin::Amount;

use super::Trace;
use crate::chain::{Output, OutputSet, Tx};
use crate::cluster::{Clusters, Rule};
use crate::id::{AddressIndex, ClusterIndex, OutputIndex};

/// Who appears to own what: clusters, and the rules that they were formed under.
///
/// Form the clusters on the view that is traced: an address that only a longer view shows has no owner here.
///
/// # Examples
///
/// ```
/// use fundtrace::{cluster::{self, Rule}, trace::Owners};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let owners = Owners::new(&clusters, vec![Rule::new("spending", 1).parameters("coinjoin=keep")]);
/// assert_eq!(owners.told(), "spending 1 (coinjoin=keep)");
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone)]
pub struct Owners<'o> {
    clusters: &'o Clusters,
    rules: Vec<Rule>,
    guard: Option<&'o (dyn Fn(Tx<'_>) -> bool + Sync)>,
}

impl fmt::Debug for Owners<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owners").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// An owner that was inferred: a cluster by its name.
///
/// # Examples
///
/// See [`Owners::of`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Owner {
    /// The cluster's first address in chain order, its name: it stays when blocks are added, until the cluster merges with an older one.
    pub name: AddressIndex,
    /// How many addresses the cluster has; 1 where nothing joins the address to another.
    pub addresses: usize,
}

impl<'o> Owners<'o> {
    /// Takes clusters and says under which rules they were formed, with what those were told (what a guard left out, say).
    pub fn new(clusters: &'o Clusters, rules: Vec<Rule>) -> Self {
        Self { clusters, rules, guard: None }
    }

    /// Sets which transactions several people sign, so that nobody pays alone in them: the guard under which the clusters were formed.
    #[must_use]
    pub fn guard(mut self, guard: &'o (dyn Fn(Tx<'_>) -> bool + Sync)) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Returns the rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the rules in a line.
    pub fn told(&self) -> String {
        told(&self.rules)
    }

    /// Infers the owner of an output; `None` where its script has no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::{cluster::{self, Rule}, trace::Owners};
    /// let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(to(key));
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(5, 1), from(6, 2)], vec![to(2), to(3)]))?;
    /// let chain = builder.finish()?;
    /// let view = chain.view();
    /// let clusters = cluster::by_spending(view, |_| false);
    /// let owners = Owners::new(&clusters, vec![Rule::new("spending", 1)]);
    /// let tx = view.tx_at(&Txid::from_byte_array([9; 32])).unwrap();
    /// let [change, payment] = [0, 1].map(|at| tx.outputs().nth(at).unwrap());
    /// assert_eq!(owners.of(change).unwrap().addresses, 2);
    /// assert_eq!(Some(owners.of(change).unwrap().name), view.address_index(&to(1).script_pubkey));
    /// assert!(owners.is_inside(change) && !owners.is_inside(payment));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn of(&self, output: Output<'_>) -> Option<Owner> {
        let cluster = self.cluster_of(output)?;
        Some(Owner { name: self.clusters.first(cluster), addresses: self.clusters.size(cluster) })
    }

    /// Infers who pays in a transaction: the one cluster that all its inputs spend from. `None` where there is no such cluster, or the guard says that
    /// several people sign.
    pub fn payer(&self, tx: Tx<'_>) -> Option<ClusterIndex> {
        let mut inputs = tx.inputs();
        let payer = self.clusters.of(inputs.next()?.address_index()?)?;
        for input in inputs {
            if self.clusters.of(input.address_index()?) != Some(payer) {
                return None;
            }
        }
        let several = self.guard.is_some_and(|guard| guard(tx));
        (!several).then_some(payer)
    }

    /// True when the payer of its transaction paid this output to itself.
    pub fn is_inside(&self, output: Output<'_>) -> bool {
        let cluster = self.cluster_of(output);
        cluster.is_some() && cluster == self.payer(output.tx())
    }

    pub(super) fn cluster_of(&self, output: Output<'_>) -> Option<ClusterIndex> {
        self.clusters.of(output.address_index()?)
    }
}

/// Rules in a line.
pub(crate) fn told(rules: &[Rule]) -> String {
    rules.iter().map(Rule::to_string).collect::<Vec<_>>().join(", ")
}

/// Taint that went from one address to another of the same cluster, and was not counted as a move.
///
/// # Examples
///
/// See [`Trace::inside_transfers`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Transfer {
    /// The output that received it; its transaction is the one that was not counted.
    pub output: OutputIndex,
    /// How much taint; for poison the output's value.
    pub amount: Amount,
}

/// What was not counted as a move: the line that goes with the balance sheet.
///
/// # Examples
///
/// See [`Trace::inside_transfers`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Inside {
    /// How many transfers, outputs that is, stayed inside one cluster.
    pub transfers: u64,
    /// The taint in them, in satoshis. A satoshi counts once for each such transfer, so this may be more than was seeded, and more than there is.
    pub taint_sat: u128,
}

impl Inside {
    pub(super) fn add(&mut self, sat: u64) {
        self.transfers += 1;
        self.taint_sat += u128::from(sat);
    }
}

/// What a trace between entities keeps of them.
#[derive(Clone, Debug)]
pub(super) struct Between {
    pub(super) rules: Vec<Rule>,
    /// In chain order.
    pub(super) transfers: Vec<Transfer>,
}

/// What an owner holds where a trace ends.
///
/// # Examples
///
/// See [`Trace::holdings`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Holding {
    /// The owner; `None` for all outputs whose scripts have no address, of which nothing says that they are of one.
    pub owner: Option<Owner>,
    /// The taint in its outputs where the trace ends. Under poison their value.
    pub amount: Amount,
    /// Those outputs.
    pub outputs: OutputSet,
    /// Hops from the nearest seed, the least of them.
    pub hops: u32,
}

impl Trace<'_> {
    /// Returns the rules under which transfers inside one cluster were not counted as moves; `None` where every transfer is a move.
    pub fn entity_rules(&self) -> Option<&[Rule]> {
        self.between.as_ref().map(|between| &between.rules[..])
    }

    /// Returns the transfers that were not counted as moves, in chain order; none where every transfer is a move.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster, taint::Fifo, trace::{self, Options, Owners, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let clusters = cluster::by_spending(chain.view(), |_| false);
    /// let owners = Owners::new(&clusters, vec![cluster::Rule::new("spending", 1)]);
    /// let trace = trace::forward_between(chain.view(), &[], &Fifo, &stop::never(), &Options::default(), &owners);
    /// assert!(trace.inside_transfers().is_empty());
    /// assert_eq!(trace.inside().unwrap().taint_sat, 0);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn inside_transfers(&self) -> &[Transfer] {
        self.between.as_ref().map_or(&[], |between| &between.transfers)
    }

    /// Sums up the transfers that were not counted as moves; `None` where every transfer is a move.
    pub fn inside(&self) -> Option<Inside> {
        let between = self.between.as_ref()?;
        let mut inside = Inside::default();
        between.transfers.iter().for_each(|transfer| inside.add(transfer.amount.to_sat()));
        Some(inside)
    }

    /// True when the transfer that brought this output's taint was not counted as a move. Logarithmic time.
    pub fn is_inside(&self, output: OutputIndex) -> bool {
        self.inside_transfers().binary_search_by_key(&output, |transfer| transfer.output).is_ok()
    }

    /// Gathers the ends by owner: the greatest amount first, of equals by name; outputs without an address last. The amounts sum to those of the
    /// ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster, taint::Fifo, trace::{self, Options, Owners, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let clusters = cluster::by_spending(chain.view(), |_| false);
    /// let owners = Owners::new(&clusters, vec![cluster::Rule::new("spending", 1)]);
    /// let trace = trace::forward(chain.view(), &[], &Fifo, &stop::never(), &Options::default());
    /// assert!(trace.holdings(&owners).is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn holdings(&self, owners: &Owners<'_>) -> Vec<Holding> {
        let mut by_owner: BTreeMap<Option<Owner>, Vec<usize>> = BTreeMap::new();
        for (at, end) in self.ends.iter().enumerate() {
            by_owner.entry(owners.of(self.view.output(end.output))).or_default().push(at);
        }
        let holding = |(owner, ends): (_, Vec<usize>)| {
            let ends = ends.iter().map(|at| &self.ends[*at]);
            Holding {
                owner,
                amount: ends.clone().map(|end| end.amount).sum(),
                outputs: ends.clone().map(|end| end.output).collect(),
                hops: ends.map(|end| end.hops).min().unwrap_or(0),
            }
        };
        let mut holdings: Vec<Holding> = by_owner.into_iter().map(holding).collect();
        holdings.sort_by_key(|holding| (holding.owner.is_none(), Reverse(holding.amount), holding.owner));
        holdings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_in_circles_may_be_more_than_there_is() {
        let mut inside = Inside::default();
        inside.add(u64::MAX);
        inside.add(1);
        assert_eq!((inside.transfers, inside.taint_sat), (2, u128::from(u64::MAX) + 1));
    }
}
