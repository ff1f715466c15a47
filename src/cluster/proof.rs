//! Why two addresses are in one cluster: the shortest chain of inferences, and which transactions are the only link.
//!
//! Evidence is a graph of two kinds of nodes, addresses and inferences. A derivation is a shortest way between two addresses in it, so breadth-first
//! search finds it; a stored spanning forest would be faster but gives some way, not a shortest. Of several shortest ways it is the one whose
//! inferences come first in chain order, compared one by one from the first address on: distances are measured from the second address, then the
//! walk from the first takes the earliest inference that comes nearer.
//!
//! A transaction is the only link when without all that rests on it the two fall apart. That is asked of the graph itself, by two searches that take
//! turns, so that a small side is enough to tell.

use std::collections::{HashMap, HashSet};

use super::{Clusters, Evidence, Inference, Rule};
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
    /// True when the two addresses of the whole derivation fall apart without what rests on this transaction.
    pub is_only_link: bool,
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
        for left in (0..distance[&from]).rev() {
            let nearer = |at: u32| self.members(at).iter().any(|address| distance.get(address) == Some(&left));
            let here = reached.last().expect("the first address is there");
            let all = here.iter().flat_map(|address| self.naming_at(*address));
            let next = *all.filter(|at| nearer(**at)).min().expect("a distance has a way");
            let leads_to = |address: &&AddressIndex| distance.get(*address) == Some(&left);
            reached.push(self.members(next).iter().filter(leads_to).copied().collect());
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
            steps.push(Step { tx, rule: rule.clone(), from: start, to: end, is_only_link: false });
            end = start;
        }
        steps.reverse();
        // Two steps may rest on one transaction.
        let mut asked: HashMap<TxIndex, bool> = HashMap::new();
        for step in &mut steps {
            step.is_only_link = *asked.entry(step.tx).or_insert_with(|| self.separates(step.tx, from, to));
        }
        steps
    }

    fn members(&self, inference: u32) -> &[AddressIndex] {
        self.evidence.members_of(id::at(inference))
    }

    /// How many inferences lead from `to` to each address, until `from` is found.
    fn distances(&self, to: AddressIndex, from: AddressIndex) -> HashMap<AddressIndex, u32> {
        let mut distance = HashMap::from([(to, 0)]);
        let mut used = HashSet::new();
        let (mut frontier, mut steps) = (vec![to], 0);
        while !distance.contains_key(&from) {
            steps += 1;
            let mut next = Vec::new();
            for address in frontier {
                for at in self.naming_at(address).iter().filter(|at| used.insert(**at)) {
                    for member in self.members(*at) {
                        distance.entry(*member).or_insert_with(|| {
                            next.push(*member);
                            steps
                        });
                    }
                }
            }
            assert!(!next.is_empty(), "both are in one cluster");
            frontier = next;
        }
        distance
    }

    /// True when two addresses of one cluster fall apart without what rests on a transaction.
    ///
    /// # Complexity
    ///
    /// Linear in the evidence of the smaller side, where there is one.
    ///
    /// # Examples
    ///
    /// See [`Proofs`].
    pub fn separates(&self, tx: TxIndex, a: AddressIndex, b: AddressIndex) -> bool {
        if a == b || !self.clusters.is_same(a, b) {
            return false;
        }
        let (mut near, mut far) = (Side::at(a), Side::at(b));
        loop {
            // The side that has looked at less goes on.
            let (side, other) = if near.work <= far.work { (&mut near, &far) } else { (&mut far, &near) };
            let Some(address) = side.queue.pop() else { return true };
            for at in self.naming_at(address) {
                side.work += 1;
                if self.evidence.tx_of(id::at(*at)) == tx || !side.used.insert(*at) {
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

    /// Clusters everything but what rests on a transaction: the partition had that merge not been made. Linear in the evidence.
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
