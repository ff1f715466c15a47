//! Why two addresses are in one cluster: the shortest chain of inferences, and which transactions are the only link.
//!
//! Evidence is a graph of two kinds of nodes, addresses and inferences. A derivation is a shortest way between two addresses in it, so breadth-first
//! search finds it; a stored spanning forest would be faster but gives some way, not a shortest. Of several shortest ways it is one with the fewest inferences
//! that were [judged in context](Basis::Context), and of those the one whose inferences come first in chain order, compared one by one from the first
//! address on: distances are measured from the second address, then the walk from the first takes the earliest inference that comes nearer.
//!
//! A transaction is the only link when without all that rests on it the two fall apart. That is asked of the graph itself, by two searches that take
//! turns, so that a small side is enough to tell. But the graph holds what the rules inferred with the transaction in sight. Only rules whose inferences each stand on their
//! own transaction would infer the rest without it too; [`Link`] keeps the two cases apart.

use std::collections::{HashMap, HashSet};

use super::{Basis, Clusters, Evidence, Inference, Rule};
use crate::id::{self, AddressIndex, TxIndex};

/// Clusters with the evidence for every merge.
///
/// Eight bytes an address for its list, on top of [`Clusters`] and [`Evidence`], and four for each address of each inference.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::{Proofs, spending};
///
/// let txid = |tx: u8| Txid::from_byte_array([tx; 32]);
/// let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(txid(tx), 0)).prevout(to(key));
/// let mut builder = ChainBuilder::new();
/// // Keys 1 and 2 pay together in 10, then 2 and 3 in 11.
/// builder.insert(NewTx::claimed(txid(10), vec![from(1, 1), from(2, 2)], vec![to(8)]))?;
/// builder.insert(NewTx::claimed(txid(11), vec![from(3, 2), from(4, 3)], vec![to(9)]))?;
/// let chain = builder.finish()?;
/// let view = chain.view();
/// let address = |key| view.address_index(&to(key).script_pubkey).unwrap();
///
/// let proofs = Proofs::of(spending::evidence(view, "", |_| false));
/// let derivation = proofs.explain(address(1), address(3)).unwrap();
/// let steps: Vec<_> = derivation.steps.iter().map(|step| (view.tx(step.tx).txid(), step.to, step.is_only_link)).collect();
/// assert_eq!(steps, [(txid(10), address(2), true), (txid(11), address(3), true)]);
/// // And so it is: without the first of them the two are apart.
/// assert!(!proofs.without(derivation.steps[0].tx).is_same(address(1), address(3)));
/// assert!(proofs.explain(address(1), address(8)).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Proofs {
    evidence: Evidence,
    clusters: Clusters,
    /// Where the inferences of each address begin; one more at the end.
    first: Vec<usize>,
    /// For each address the inferences that name it, in chain order.
    of: Vec<u32>,
}

/// Why two addresses are in one cluster.
///
/// # Examples
///
/// See [`Proofs`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Derivation {
    /// The steps from the first address to the second; none when they are the same.
    pub steps: Vec<Step>,
}

/// A step of a derivation: by this rule, this transaction shows that two addresses have one owner.
///
/// # Examples
///
/// See [`Proofs`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The transaction.
    pub tx: TxIndex,
    /// The rule.
    pub rule: Rule,
    /// The address that the step comes from.
    pub from: AddressIndex,
    /// The address that it leads to.
    pub to: AddressIndex,
    /// True when, among the inferences that were made, the two addresses of the whole derivation fall apart without what rests on this transaction. What
    /// that says of the addresses, [`link`](Self::link) tells.
    pub is_only_link: bool,
    /// What becomes of the two addresses of the whole derivation without this transaction.
    pub link: Link,
}

/// What becomes of two addresses without a transaction of their derivation.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::{Evidence, Link, Proofs, Rule, spending};
///
/// let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let from = |key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([key; 32]), 0)).prevout(to(key));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(Txid::from_byte_array([10; 32]), vec![from(1), from(2)], vec![to(3)]))?;
/// let chain = builder.finish()?;
/// let view = chain.view();
/// let [a, b, paid] = [1, 2, 3].map(|key| view.address_index(&to(key).script_pubkey).unwrap());
/// let tx = view.txs().next().unwrap().index();
/// let spent = spending::evidence(view, "", |_| false);
/// let link = |proofs: &Proofs, to| proofs.explain(a, to).unwrap().steps[0].link;
/// assert_eq!(link(&Proofs::of(spent.clone()), b), Link::Only);
/// // A rule on change might name another output if this transaction were not there.
/// let guessed = Evidence::of_pairs(view, Rule::new("a_guess", 1), [(tx, a, paid)]);
/// assert_eq!(link(&Proofs::of(spent.and(guessed)), paid), Link::OnlyMade);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Link {
    /// Without it the same rules do not put the two into one cluster: all the rules judge each transaction alone.
    Only,
    /// No other inference that was made joins the two, but some rule judges transactions in the light of others: without this one it might say otherwise.
    OnlyMade,
    /// Without it the same rules put the two into one cluster still: inferences that stand on other transactions alone, or on none, join them.
    Several,
    /// Other inferences join the two as well, but some of them were judged in the light of others: without this one they might not have been made.
    SeveralMade,
    /// The step is an [identity](Basis::Identity) and rests on no transaction.
    Identity,
}

impl Link {
    /// Returns the name: `only`, `only_made`, `several`, `several_made`, `identity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::OnlyMade => "only_made",
            Self::Several => "several",
            Self::SeveralMade => "several_made",
            Self::Identity => "identity",
        }
    }
}

impl Proofs {
    /// Joins the evidence and makes it searchable.
    ///
    /// # Panics
    ///
    /// When there are 2^32 inferences or more.
    pub fn of(evidence: Evidence) -> Self {
        let clusters = evidence.clusters();
        assert!(u32::try_from(evidence.len()).is_ok(), "too many inferences to number");
        // As in `Clusters`: sizes, then where each list begins, then where it ends.
        let mut first = vec![0; evidence.addresses() + 1];
        evidence.all_members().iter().for_each(|address| first[address.at() + 1] += 1);
        let mut sum = 0;
        for size in &mut first[1..] {
            (*size, sum) = (sum, sum + *size);
        }
        let mut of = vec![0; sum];
        for at in 0..evidence.len() {
            for address in evidence.members_of(at) {
                let place = &mut first[address.at() + 1];
                of[*place] = id::small(at);
                *place += 1;
            }
        }
        Self { evidence, clusters, first, of }
    }

    /// Returns the clusters.
    pub fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// Returns all the evidence.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Iterates the inferences that name an address, in chain order. None where the view does not show it.
    pub fn naming(&self, address: AddressIndex) -> impl Iterator<Item = Inference<'_>> {
        self.naming_at(address).iter().map(|at| self.evidence.get(id::at(*at)))
    }

    fn naming_at(&self, address: AddressIndex) -> &[u32] {
        if address.at() < self.evidence.addresses() {
            &self.of[self.first[address.at()]..self.first[address.at() + 1]]
        } else {
            &[]
        }
    }

    /// Derives that two addresses have one owner, in as few inferences as can be; `None` where they are not in one cluster.
    ///
    /// # Complexity
    ///
    /// Linear in the evidence of the cluster, and once more for each transaction on the way.
    pub fn explain(&self, from: AddressIndex, to: AddressIndex) -> Option<Derivation> {
        if !self.clusters.is_same(from, to) {
            return None;
        }
        let distance = self.distances(to, from);
        // Every address that the inferences so far lead to and that is as near as can be.
        let mut reached = vec![vec![from]];
        let mut inferences = Vec::new();
        let (steps, mut judged) = distance[&from];
        for left in (0..steps).rev() {
            let leads_to = |at: u32, address: &AddressIndex| {
                let after = judged.checked_sub(self.judged(at));
                after.is_some_and(|after| distance.get(address) == Some(&(left, after)))
            };
            let nearer = |at: u32| self.members(at).iter().any(|address| leads_to(at, address));
            let here = reached.last().expect("the first address is there");
            let all = here.iter().flat_map(|address| self.naming_at(*address));
            let next = *all.filter(|at| nearer(**at)).min().expect("a distance has a way");
            reached.push(self.members(next).iter().filter(|address| leads_to(next, address)).copied().collect());
            judged -= self.judged(next);
            inferences.push(next);
        }
        Some(Derivation { steps: self.steps(from, to, &inferences, &reached) })
    }

    /// Picks the addresses between the inferences, from the end: the first in chain order that both sides name.
    fn steps(
        &self,
        from: AddressIndex,
        to: AddressIndex,
        inferences: &[u32],
        reached: &[Vec<AddressIndex>],
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut end = to;
        for (at, here) in inferences.iter().zip(reached).rev() {
            let Inference { tx, rule, addresses } = self.evidence.get(id::at(*at));
            let shared = here.iter().copied().find(|address| addresses.binary_search(address).is_ok());
            let start = shared.expect("an inference names an address that was reached");
            let (rule, link) = (rule.clone(), Link::Identity);
            steps.push(Step { tx, rule, from: start, to: end, is_only_link: false, link });
            end = start;
        }
        steps.reverse();
        // Two steps may rest on one transaction.
        let mut asked: HashMap<TxIndex, Link> = HashMap::new();
        for step in steps.iter_mut().filter(|step| step.rule.basis != Basis::Identity) {
            step.link = *asked.entry(step.tx).or_insert_with(|| self.link(step.tx, from, to));
            step.is_only_link = matches!(step.link, Link::Only | Link::OnlyMade);
        }
        steps
    }

    fn link(&self, tx: TxIndex, from: AddressIndex, to: AddressIndex) -> Link {
        let in_context = self.evidence.rules().iter().any(|rule| rule.basis == Basis::Context);
        match (self.separates(tx, from, to), in_context) {
            (true, false) => Link::Only,
            (true, true) => Link::OnlyMade,
            (false, false) => Link::Several,
            // What stands whatever else there is may join the two by itself.
            (false, true) if !self.are_apart(from, to, |at| self.stays(at, tx) && self.judged(at) == 0) => {
                Link::Several
            }
            (false, true) => Link::SeveralMade,
        }
    }

    /// One for an inference that was judged in context, none for others.
    fn judged(&self, inference: u32) -> u32 {
        u32::from(self.evidence.basis_of(id::at(inference)) == Basis::Context)
    }

    fn stays(&self, inference: u32, tx: TxIndex) -> bool {
        !self.evidence.rests_on(id::at(inference), tx)
    }

    fn members(&self, inference: u32) -> &[AddressIndex] {
        self.evidence.members_of(id::at(inference))
    }

    /// How many inferences lead from `to` to each address, and how few of them can have been judged in context, until `from` is found.
    fn distances(&self, to: AddressIndex, from: AddressIndex) -> HashMap<AddressIndex, (u32, u32)> {
        let mut distance = HashMap::from([(to, (0, 0))]);
        let mut used = HashSet::new();
        let (mut frontier, mut steps) = (vec![to], 0);
        while !distance.contains_key(&from) {
            steps += 1;
            let mut next = Vec::new();
            // Those with the fewest come first, so the first to use an inference is the best to have come by.
            frontier.sort_by_key(|address| distance[address].1);
            for address in frontier {
                let before = distance[&address].1;
                for at in self.naming_at(address).iter().filter(|at| used.insert(**at)) {
                    let found = (steps, before + self.judged(*at));
                    for member in self.members(*at) {
                        let known = distance.entry(*member).or_insert_with(|| {
                            next.push(*member);
                            found
                        });
                        *known = found.min(*known);
                    }
                }
            }
            assert!(!next.is_empty(), "both are in one cluster");
            frontier = next;
        }
        distance
    }

    /// True when two addresses of one cluster fall apart without what rests on a transaction, among the inferences that were made.
    ///
    /// # Complexity
    ///
    /// Linear in the evidence of the smaller side, where there is one.
    ///
    /// # Examples
    ///
    /// See [`Proofs`].
    pub fn separates(&self, tx: TxIndex, a: AddressIndex, b: AddressIndex) -> bool {
        a != b && self.clusters.is_same(a, b) && self.are_apart(a, b, |at| self.stays(at, tx))
    }

    /// True when the inferences that are kept do not join two different addresses.
    fn are_apart(&self, a: AddressIndex, b: AddressIndex, keep: impl Fn(u32) -> bool) -> bool {
        let (mut near, mut far) = (Side::at(a), Side::at(b));
        loop {
            // The side that has looked at less goes on.
            let (side, other) = if near.work <= far.work { (&mut near, &far) } else { (&mut far, &near) };
            let Some(address) = side.queue.pop() else { return true };
            for at in self.naming_at(address) {
                side.work += 1;
                if !keep(*at) || !side.used.insert(*at) {
                    continue;
                }
                for member in self.members(*at) {
                    side.work += 1;
                    if other.seen.contains(member) {
                        return false;
                    }
                    if side.seen.insert(*member) {
                        side.queue.push(*member);
                    }
                }
            }
        }
    }

    /// Clusters everything but what rests on a transaction: the partition had those inferences not been made. Linear in the evidence.
    ///
    /// # Examples
    ///
    /// See [`Proofs`].
    pub fn without(&self, tx: TxIndex) -> Clusters {
        self.evidence.without(tx).clusters()
    }
}

/// One of two searches that look for each other.
struct Side {
    queue: Vec<AddressIndex>,
    seen: HashSet<AddressIndex>,
    used: HashSet<u32>,
    work: u64,
}

impl Side {
    fn at(address: AddressIndex) -> Self {
        Self { queue: vec![address], seen: HashSet::from([address]), used: HashSet::new(), work: 0 }
    }
}
