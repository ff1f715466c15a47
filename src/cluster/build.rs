//! Clusters from hard evidence, and from weighed evidence under constraints.
//!
//! Returns a tree of merges that is cut at any confidence, and what was not merged and why. The idea: hard evidence is joined first. Then the weighed merges are taken one by
//! one, the most confident first, and a merge is made unless a constraint forbids it: a pair of addresses that must stay apart, two services'
//! labels, two large clusters and too little confidence. What is forbidden is recorded with the reason. The order decides what is merged, so it is part of the definition:
//! confidence descending, then transaction, then the second address, the first, and the rule ascending.
//!
//! Invariants: no pair that must stay apart is in one cluster, but for those that hard evidence had joined, which are listed; and because confidence only falls, the clusters at a
//! confidence c are those that weighed evidence of c or more alone would have given.
//!
//! 1. Moeser, Narayanan: Resurrecting address clustering in Bitcoin (Financial Cryptography 2022), section 6: constraints from outputs that
//!    are predicted not to be change, and the collapse without them.
//! 2. Ermilov, Panov, Yanovich: Automatic Bitcoin address clustering (ICMLA 2017): tags as votes against a merge.
//! 3. Gower, Ross: Minimum spanning trees and single linkage cluster analysis (Applied Statistics 18, 1969), for the tree of merges.
//!
//! # Fooled by
//!
//! A confident mistake that comes first. Ann's change is found with less confidence than the wrong claim that Bob's output was hers; once that is
//! merged, the pair that must stay apart forbids the right one:
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::cluster::{self, Constraints, Rule, Soft, spending};
//!
//! let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
//! let mut builder = ChainBuilder::new();
//! let ann = NewInput::new(OutPoint::new(Txid::from_byte_array([1; 32]), 0)).prevout(TxOut { value: Amount::from_sat(110), ..to(1) });
//! builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![ann], vec![to(2), to(3)]))?;
//! let chain = builder.finish()?;
//! let view = chain.view();
//! let [ann, bob, change] = [1, 2, 3].map(|key| view.address_index(&to(key).script_pubkey).unwrap());
//! let tx = view.txs().next().unwrap().index();
//!
//! let hard = spending::evidence(view, "", |_| false);
//! let guess = |to, confidence_ppm| Soft::new(ann, to, tx, 0, confidence_ppm);
//! let constraints = Constraints::default().apart(bob, change);
//! let rules = [Rule::new("a_guess", 1)];
//! let built = cluster::build(&hard, &rules, &[guess(change, 700_000), guess(bob, 900_000)], &constraints);
//! let clusters = built.at(0);
//! assert!(clusters.is_same(ann, bob) && !clusters.is_same(ann, change));
//! // The veto says which merge it was and which pair forbade it.
//! assert_eq!(built.vetoes()[0].soft.b, change);
//! // At a confidence that neither guess reaches nothing is merged.
//! assert_eq!(built.at(950_000).len(), 3);
//! # Ok::<(), fundtrace::Error>(())
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::opponents::Opponents;
use super::{Basis, Clusters, Evidence, Rule};
use crate::chain::View;
use crate::id::{self, AddressIndex, TxIndex};
use crate::par::union::Sequential;

/// A millionth of certainty: how sure one is of a merge. `1_000_000` is certain.
pub type ConfidencePpm = u32;

/// Weighed evidence: a rule holds, with a confidence, that two addresses have one owner.
///
/// # Examples
///
/// See [`build`](self).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Soft {
    /// An address of one side: for change, one that the transaction spends from.
    pub a: AddressIndex,
    /// An address of the other side: for change, the one that is paid.
    pub b: AddressIndex,
    /// The transaction that the evidence rests on.
    pub tx: TxIndex,
    /// The position of its rule in the list that [`build`] is given.
    pub rule: u16,
    /// How sure the rule is, in millionths.
    pub confidence_ppm: ConfidencePpm,
}

impl Soft {
    /// Says that two addresses have one owner.
    pub fn new(a: AddressIndex, b: AddressIndex, tx: TxIndex, rule: u16, confidence_ppm: ConfidencePpm) -> Self {
        Self { a, b, tx, rule, confidence_ppm }
    }

    /// The order in which merges are tried.
    fn order(&self) -> impl Ord + use<> {
        (Reverse(self.confidence_ppm), self.tx, self.b, self.a, self.rule)
    }
}

/// What must not be merged.
///
/// # Examples
///
/// ```
/// use fundtrace::{AddressIndex, cluster::Constraints};
/// let address = AddressIndex::from_u32;
/// let constraints = Constraints::default()
///     .apart(address(1), address(2))
///     .label(address(1), "an exchange")
///     // Two clusters of more than 10,000 addresses each take a confidence of 99.9 %.
///     .growth(10_000, 999_000);
/// assert!(format!("{constraints:?}").contains("an exchange"));
/// ```
#[derive(Clone, Default, Debug)]
pub struct Constraints {
    apart: Vec<(AddressIndex, AddressIndex)>,
    labels: Vec<(AddressIndex, String)>,
    growth: Option<(usize, ConfidencePpm)>,
}

impl Constraints {
    /// Keeps two addresses apart: outputs of which one is held not to be change, say.
    #[must_use]
    pub fn apart(mut self, a: AddressIndex, b: AddressIndex) -> Self {
        self.apart.push((a, b));
        self
    }

    /// Says that an address is this service's. Clusters of different services are not merged.
    #[must_use]
    pub fn label(mut self, address: AddressIndex, label: impl Into<String>) -> Self {
        self.labels.push((address, label.into()));
        self
    }

    /// Merges two clusters that both have more addresses than this only on evidence of this confidence or more.
    #[must_use]
    pub fn growth(mut self, addresses: usize, confidence_ppm: ConfidencePpm) -> Self {
        self.growth = Some((addresses, confidence_ppm));
        self
    }
}

/// A merge that was made on weighed evidence: a node of the tree.
///
/// # Examples
///
/// See [`Built::tree`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Merge {
    /// The evidence.
    pub soft: Soft,
    /// The first address of the cluster that was older, and stays the first.
    pub into: AddressIndex,
    /// The first address of the cluster that ceased to be one.
    pub from: AddressIndex,
    /// How many addresses either had.
    pub sizes: (usize, usize),
}

/// A merge that was not made.
///
/// # Examples
///
/// See [`build`](self).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Veto {
    /// The evidence.
    pub soft: Soft,
    /// The first address of either cluster, the older first.
    pub clusters: (AddressIndex, AddressIndex),
    /// Why not.
    pub reason: VetoReason,
}

/// Why a merge was not made.
///
/// # Examples
///
/// See [`build`](self).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VetoReason {
    /// One cluster has the first of these addresses and the other the second, and they must stay apart.
    Apart(AddressIndex, AddressIndex),
    /// The two would have these labels.
    Labels(Vec<String>),
    /// Both are large: so many addresses, the older cluster's first.
    Growth(usize, usize),
}

/// Where hard evidence itself breaks a constraint; hard evidence is joined all the same.
///
/// # Examples
///
/// See [`Built::contradictions`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Contradiction {
    /// These addresses must stay apart and are joined.
    Apart(AddressIndex, AddressIndex),
    /// The cluster of this first address has these labels.
    Labels(AddressIndex, Vec<String>),
}

/// A cluster that has grown too large, or has several services' labels, and the merges to look at.
///
/// # Examples
///
/// See [`Built::alarms`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Alarm {
    /// The cluster's first address.
    pub cluster: AddressIndex,
    /// How many addresses it has.
    pub addresses: usize,
    /// The labels on its addresses.
    pub labels: Vec<String>,
    /// Its merges, those whose smaller side was largest first; of equal ones the less confident, then the later one first.
    pub merges: Vec<Merge>,
}

/// Hard evidence joined, and a tree of merges over it.
///
/// # Examples
///
/// See [`build`](self).
#[derive(Clone, Debug)]
pub struct Built {
    base: Clusters,
    rules: Vec<Rule>,
    tree: Vec<Merge>,
    agreeing: Vec<Soft>,
    vetoes: Vec<Veto>,
    contradictions: Vec<Contradiction>,
    labels: Vec<(AddressIndex, String)>,
}

/// Joins hard evidence, then weighed evidence as far as constraints allow. `rules` are those that [`Soft::rule`] counts. Weighed evidence about addresses that
/// the hard evidence's view does not show is passed over.
///
/// On one thread: each decision rests on those before it.
///
/// # Panics
///
/// When a rule is not in the list.
///
/// # Complexity
///
/// Sorting the weighed evidence, then n log n steps over it and the constraints.
///
/// # Examples
///
/// See [above](self).
pub fn build(hard: &Evidence, rules: &[Rule], soft: &[Soft], constraints: &Constraints) -> Built {
    let base = hard.clusters();
    let shown = |soft: &&Soft| soft.a.at() < base.addresses() && soft.b.at() < base.addresses();
    let mut soft: Vec<Soft> = soft.iter().filter(shown).copied().collect();
    assert!(soft.iter().all(|soft| usize::from(soft.rule) < rules.len()), "a rule that is not in the list");
    soft.sort_by_key(Soft::order);
    let mut state = State::of(&base, constraints);
    let mut tree = Vec::new();
    let (mut agreeing, mut vetoes) = (Vec::new(), Vec::new());
    for soft in soft {
        let (x, y) = (state.union.find(soft.a.to_u32()), state.union.find(soft.b.to_u32()));
        let (low, high) = (x.min(y), x.max(y));
        if low == high {
            agreeing.push(soft);
            continue;
        }
        let clusters = (AddressIndex::from_u32(low), AddressIndex::from_u32(high));
        match state.veto(low, high, soft.confidence_ppm) {
            Some(reason) => vetoes.push(Veto { soft, clusters, reason }),
            None => {
                let sizes = (state.size[id::at(low)], state.size[id::at(high)]);
                tree.push(Merge { soft, into: clusters.0, from: clusters.1, sizes });
                state.merge(low, high);
            }
        }
    }
    let State { contradictions, .. } = state;
    let labels = constraints.labels.clone();
    Built { base, rules: rules.to_vec(), tree, agreeing, vetoes, contradictions, labels }
}

/// The clusters while they merge. Everything is kept by a cluster's first address.
struct State<'a> {
    union: Sequential,
    size: Vec<usize>,
    constraints: &'a Constraints,
    opponents: Opponents,
    labels: BTreeMap<u32, BTreeSet<&'a str>>,
    contradictions: Vec<Contradiction>,
}

impl<'a> State<'a> {
    fn of(base: &Clusters, constraints: &'a Constraints) -> Self {
        let union = Sequential::new(base.addresses());
        let mut size = vec![0; base.addresses()];
        for (at, first) in base.to_parents().into_iter().enumerate() {
            union.link(first, id::small(at));
            size[id::at(first)] += 1;
        }
        let mut state = Self {
            union,
            size,
            constraints,
            opponents: Opponents::default(),
            labels: BTreeMap::new(),
            contradictions: Vec::new(),
        };
        state.constrain(base.addresses());
        state
    }

    fn constrain(&mut self, addresses: usize) {
        for (at, (a, b)) in self.constraints.apart.iter().enumerate() {
            if a.at() >= addresses || b.at() >= addresses {
                continue;
            }
            let (x, y) = (self.union.find(a.to_u32()), self.union.find(b.to_u32()));
            if x == y {
                self.contradictions.push(Contradiction::Apart(*a, *b));
            } else {
                self.opponents.add(x, y, id::small(at));
            }
        }
        for (address, label) in self.constraints.labels.iter().filter(|(address, _)| address.at() < addresses) {
            self.labels.entry(self.union.find(address.to_u32())).or_default().insert(label);
        }
        for (first, labels) in self.labels.iter().filter(|(_, labels)| labels.len() > 1) {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            self.contradictions.push(Contradiction::Labels(AddressIndex::from_u32(*first), labels));
        }
    }

    fn veto(&self, low: u32, high: u32, confidence_ppm: ConfidencePpm) -> Option<VetoReason> {
        if let Some(constraint) = self.opponents.between(low, high) {
            let (a, b) = self.constraints.apart[id::at(constraint)];
            return Some(VetoReason::Apart(a, b));
        }
        if let (Some(ours), Some(theirs)) = (self.labels.get(&low), self.labels.get(&high)) {
            let both: BTreeSet<&str> = ours.union(theirs).copied().collect();
            if both.len() > 1 {
                return Some(VetoReason::Labels(both.into_iter().map(str::to_owned).collect()));
            }
        }
        let (least, enough) = self.constraints.growth?;
        let sizes = (self.size[id::at(low)], self.size[id::at(high)]);
        (sizes.0.min(sizes.1) > least && confidence_ppm < enough).then_some(VetoReason::Growth(sizes.0, sizes.1))
    }

    fn merge(&mut self, low: u32, high: u32) {
        self.union.link(low, high);
        self.size[id::at(low)] += self.size[id::at(high)];
        self.opponents.merge(low, high);
        if let Some(labels) = self.labels.remove(&high) {
            self.labels.entry(low).or_default().extend(labels);
        }
    }
}

impl Built {
    /// Returns the clusters of hard evidence alone.
    pub fn base(&self) -> &Clusters {
        &self.base
    }

    /// Returns the rules that [`Soft::rule`] counts.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the merges in the order in which they were made: confidence never rises.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster::{self, Constraints, spending}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let built = cluster::build(&spending::evidence(chain.view(), "", |_| false), &[], &[], &Constraints::default());
    /// assert!(built.tree().is_empty() && built.at(0).is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn tree(&self) -> &[Merge] {
        &self.tree
    }

    /// Returns the weighed evidence that merged nothing because both its addresses were in one cluster when it was tried, in that order.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster::{self, Constraints, spending}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let built = cluster::build(&spending::evidence(chain.view(), "", |_| false), &[], &[], &Constraints::default());
    /// assert!(built.agreeing().is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn agreeing(&self) -> &[Soft] {
        &self.agreeing
    }

    /// Returns the merges that constraints forbade, in the order in which they were tried.
    pub fn vetoes(&self) -> &[Veto] {
        &self.vetoes
    }

    /// Returns where hard evidence breaks a constraint: pairs in the order given, then labels by cluster.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster::{self, Constraints, spending}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let built = cluster::build(&spending::evidence(chain.view(), "", |_| false), &[], &[], &Constraints::default());
    /// assert!(built.contradictions().is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn contradictions(&self) -> &[Contradiction] {
        &self.contradictions
    }

    /// Cuts the tree: the clusters by hard evidence and by merges of this confidence or more. Linear.
    pub fn at(&self, confidence_ppm: ConfidencePpm) -> Clusters {
        let made = self.tree.partition_point(|merge| merge.soft.confidence_ppm >= confidence_ppm);
        let mut parents = self.base.to_parents();
        for merge in &self.tree[..made] {
            parents[merge.from.at()] = merge.into.to_u32();
        }
        Clusters::of_parents(parents)
    }

    /// Returns the merges of this confidence or more, and [what agrees](Self::agreeing) with them, as evidence: an inference each. Together with the hard
    /// evidence they give the clusters that [`at`](Self::at) gives, and derivations through either. What such a derivation says of a [link](super::Link) is so among
    /// the inferences that were made: built anew without it, a merge that a constraint forbade might have been made.
    ///
    /// # Panics
    ///
    /// When the view is of another chain.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster::{self, Constraints, spending}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let built = cluster::build(&spending::evidence(chain.view(), "", |_| false), &[], &[], &Constraints::default());
    /// assert_eq!(built.evidence(chain.view(), 0).inferences().len(), 0);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn evidence(&self, view: View<'_>, confidence_ppm: ConfidencePpm) -> Evidence {
        let made = self.tree.partition_point(|merge| merge.soft.confidence_ppm >= confidence_ppm);
        let of = |at: usize, rule: &Rule| {
            let agreeing = self.agreeing.iter().filter(|soft| soft.confidence_ppm >= confidence_ppm);
            let heard = self.tree[..made].iter().map(|merge| &merge.soft).chain(agreeing);
            let heard = heard.filter(|soft| usize::from(soft.rule) == at);
            // A merge may hang by what was joined before, whatever the rule thinks of itself.
            let rule = rule.clone().basis(Basis::Context);
            Evidence::of_pairs(view, rule, heard.map(|soft| (soft.tx, soft.a, soft.b)))
        };
        let all = self.rules.iter().enumerate().map(|(at, rule)| of(at, rule)).reduce(Evidence::and);
        // Without a rule there is no merge.
        all.unwrap_or_else(|| Evidence::of_pairs(view, Rule::new("none", 1), []))
    }

    /// Returns clusters at a confidence that have more than so many millionths of all addresses, or labels of several services, with up to `merges` merges to
    /// look at each; the largest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster::{self, Constraints, spending}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let built = cluster::build(&spending::evidence(chain.view(), "", |_| false), &[], &[], &Constraints::default());
    /// assert!(built.alarms(0, 10_000, 5).is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn alarms(&self, confidence_ppm: ConfidencePpm, share_ppm: u32, merges: usize) -> Vec<Alarm> {
        let clusters = self.at(confidence_ppm);
        let mut labels: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for (address, label) in &self.labels {
            if let Some(cluster) = clusters.of(*address) {
                labels.entry(cluster).or_default().insert(label);
            }
        }
        let large =
            |size: usize| id::number(size) * 1_000_000 > id::number(clusters.addresses()) * u64::from(share_ppm);
        let mut alarms: Vec<Alarm> = Vec::new();
        for (cluster, members) in clusters.iter() {
            let labels =
                labels.get(&cluster).map_or_else(Vec::new, |all| all.iter().map(|l| (*l).to_owned()).collect());
            if large(members.len()) || labels.len() > 1 {
                alarms.push(Alarm { cluster: members[0], addresses: members.len(), labels, merges: Vec::new() });
            }
        }
        for merge in self.tree.iter().take_while(|merge| merge.soft.confidence_ppm >= confidence_ppm) {
            let first = clusters.of(merge.into).map(|cluster| clusters.first(cluster));
            if let Ok(at) = alarms.binary_search_by_key(&first, |alarm| Some(alarm.cluster)) {
                alarms[at].merges.push(*merge);
            }
        }
        for alarm in &mut alarms {
            alarm.merges.sort_by_key(|merge| (Reverse(merge.sizes.0.min(merge.sizes.1)), Reverse(merge.soft.order())));
            alarm.merges.truncate(merges);
        }
        alarms.sort_by_key(|alarm| (Reverse(alarm.addresses), alarm.cluster));
        alarms
    }
}
