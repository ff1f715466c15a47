//! Carries tags on to the clusters of their addresses: returns tags that cover them, each with what it rests on.
//!
//! A source tags one address of an exchange's, and the exchange has a million. Where it says that its tag stands for the whole cluster
//! ([`Tag::is_cluster_definer`], GraphSense's field), every address of the cluster gets the tag, marked as inferred, with the address that was
//! tagged, the rules that made the cluster and the cluster's name. Nothing is resolved: where a cluster has tags of two owners, it has both, the
//! more trusted first (the order that GraphSense's guide for TagPacks gives), and [`Tags::conflicts`] lists it. Such a conflict speaks
//! against the cluster as much as against a tag.
//!
//! # Where a trace stops
//!
//! A deposit address is swept together with others, or into the hot wallet; evidence of those sweeps, which come *after* the deposit, puts it
//! into the service's cluster. A trace that stops at a spread tag therefore ends at the deposit address itself, the first address of
//! the service that the money came to, and not one or more sweeps later at the address that was tagged. Each end names its own address and,
//! in the tag, the one that was tagged. It cannot end earlier than that, unless the cluster holds an address that is not the service's.
//!
//! # Fooled by
//!
//! A payment made by the service and a customer together: here a payjoin, in which both spend. The cluster then holds the customer, and the
//! customer's own address is called the service's.
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::cluster::{self, Carried};
//! use fundtrace::tag::{Tag, Tags};
//!
//! let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
//! let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(to(key));
//! let mut builder = ChainBuilder::new();
//! builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(5, 1), from(6, 2)], vec![to(1)]))?;
//! let chain = builder.finish()?;
//! let mut tags = Tags::default();
//! tags.insert(to(1).script_pubkey, Tag::new("a shop", "market", "this example").is_cluster_definer(true));
//! let clusters = cluster::by_spending(chain.view(), |_| false);
//! let spread = cluster::spread(chain.view(), &clusters, &tags, "spending 1", Carried::Definers);
//! let customer = chain.view().outputs_to(&to(2).script_pubkey).iter().next().unwrap();
//! let tag = spread.holding(chain.view().output(customer)).next().unwrap();
//! assert_eq!((tag.label.as_str(), tag.inferred.as_ref().unwrap().rule.as_str()), ("a shop", "spending 1"));
//! # Ok::<(), fundtrace::Error>(())
//! ```
//!
//! # References
//!
//! 1. GraphSense, tagpack-tool, `README_tagpacks.md`, "Mapping Address Tags to Clusters".

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Clusters;
use crate::chain::View;
use crate::id::{self, AddressIndex, ClusterIndex};
use crate::tag::{Inferred, Tag, Tags};

/// Which tags are carried on to clusters.
///
/// # Examples
///
/// See [`spread`](spread()).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Carried {
    /// Those that say they stand for the cluster.
    #[default]
    Definers,
    /// Every one. Most tags on an address of a service's customer are of one address alone, so this errs more.
    Every,
}

/// Carries tags on to the clusters of their addresses. `rule` says how the clusters were made, with versions and parameters.
///
/// The tags that were there stay as they are and come before what is added. What is added is of this chain alone. A tag that was retracted, or
/// is inferred itself (by an earlier run, say), is not carried on.
///
/// # Complexity
///
/// Eight bytes for each address of a cluster with a tag, and the time to sort them.
///
/// # Examples
///
/// The sweep of two deposits names the depositor's address by the other's tag.
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::{self, Carried};
/// use fundtrace::tag::{Tag, Tags};
///
/// let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(to(key));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(5, 1), from(6, 2)], vec![to(3)]))?;
/// let chain = builder.finish()?;
/// let mut tags = Tags::default();
/// tags.insert(to(1).script_pubkey, Tag::new("Example Exchange", "exchange", "its own list"));
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let spread = |carried| cluster::spread(chain.view(), &clusters, &tags, "spending 1", carried);
/// assert_eq!(spread(Carried::Definers).covered(), 0);
/// assert_eq!(spread(Carried::Every).covered(), 2);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn spread(view: View<'_>, clusters: &Clusters, tags: &Tags, rule: &str, carried: Carried) -> Tags {
    let mut found: BTreeMap<ClusterIndex, Vec<(AddressIndex, &Tag)>> = BTreeMap::new();
    for (script, tags) in tags.iter() {
        let Some(address) = view.address_index(script) else { continue };
        let Some(cluster) = clusters.of(address).filter(|cluster| clusters.size(*cluster) > 1) else { continue };
        // An inference is no ground for the next: it would lose where it came from.
        let stands = |tag: &Tag| tag.retracted.is_none() && tag.inferred.is_none();
        let goes = |tag: &&Tag| (tag.is_cluster_definer || carried == Carried::Every) && stands(tag);
        let going: Vec<_> = tags.iter().filter(goes).map(|tag| (address, tag)).collect();
        if !going.is_empty() {
            found.entry(cluster).or_default().extend(going);
        }
    }
    let mut groups = Vec::new();
    let mut addresses = Vec::new();
    for (cluster, mut tags) in found {
        // The sort is stable, so that tags of one address stay in the order they were added.
        tags.sort_by_key(|(address, tag)| (Reverse(tag.confidence.map(|confidence| confidence.percent())), *address));
        let name = view.address(clusters.first(cluster)).to_string();
        let place = id::small(groups.len());
        groups.push(inferred(view, &tags, rule, &name));
        addresses.extend(clusters.members(cluster).iter().map(|address| (*address, place)));
    }
    addresses.sort_unstable();
    tags.spread_over(groups, addresses)
}

/// The tags of a cluster, one of those that say the same.
fn inferred(view: View<'_>, tags: &[(AddressIndex, &Tag)], rule: &str, cluster: &str) -> Vec<Tag> {
    let mut said = std::collections::BTreeSet::new();
    let first = tags.iter().filter(|(_, tag)| said.insert(*tag));
    let carry = |(from, tag): &(AddressIndex, &Tag)| {
        let from = view.address(*from).to_string();
        (*tag).clone().inferred(Inferred::new(from, rule, cluster))
    };
    first.map(carry).collect()
}
