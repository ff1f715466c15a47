//! The frozen partition: for each address its cluster, for each cluster its addresses.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::id::{self, AddressIndex, ClusterIndex};

/// Addresses in clusters: every address is in exactly one.
///
/// Clusters are numbered by their first address, in chain order, so the same partition has the same numbers however it was found. Twelve bytes
/// an address and four a cluster at most.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster;
///
/// let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(to(key));
/// let mut builder = ChainBuilder::new();
/// // Keys 1 and 2 pay together, and are paid nothing back; key 3 is paid.
/// builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(5, 1), from(6, 2)], vec![to(3)]))?;
/// let chain = builder.finish()?;
/// let address = |key| chain.view().address_index(&to(key).script_pubkey).unwrap();
///
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// assert_eq!((clusters.addresses(), clusters.len()), (3, 2));
/// assert!(clusters.is_same(address(1), address(2)) && !clusters.is_same(address(1), address(3)));
/// let largest = clusters.largest(1)[0];
/// assert_eq!(clusters.members(largest), [address(1), address(2)]);
/// assert_eq!(clusters.of(address(2)), Some(largest));
/// assert_eq!(clusters.first(largest), address(1));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clusters {
    /// The cluster of each address.
    of: Vec<u32>,
    /// Where each cluster's members begin; one more at the end.
    first: Vec<u32>,
    members: Vec<AddressIndex>,
}

impl Clusters {
    /// Freezes a forest in which no parent is greater than its child: `parents[x] == x` for the first of each cluster.
    pub(crate) fn of_parents(parents: Vec<u32>) -> Self {
        let mut of = parents;
        // While counting, `first[c + 1]` is the size of cluster c; then where it begins; after its members are placed, where it ends.
        // Room for every address by itself, so that it never moves; pages that nobody writes cost nothing.
        let mut first = Vec::with_capacity(of.len() + 1);
        first.push(0);
        for at in 0..of.len() {
            let parent = id::at(of[at]);
            debug_assert!(parent <= at);
            of[at] = if parent == at {
                first.push(0);
                id::small(first.len() - 2)
            } else {
                of[parent]
            };
            first[id::at(of[at]) + 1] += 1;
        }
        let mut sum = 0;
        for size in &mut first[1..] {
            (*size, sum) = (sum, sum + *size);
        }
        let mut members = vec![AddressIndex::default(); of.len()];
        for (at, cluster) in of.iter().enumerate() {
            let place = &mut first[id::at(*cluster) + 1];
            members[id::at(*place)] = AddressIndex::of(at);
            *place += 1;
        }
        Self { of, first, members }
    }

    /// Makes clusters of labels: addresses of one label are in one cluster, in whatever numbers the labels are. `labels` has one for each address, in chain order.
    ///
    /// # Panics
    ///
    /// When there are 2^32 labels or more.
    ///
    /// # Complexity
    ///
    /// O(n log n).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{AddressIndex, cluster::Clusters};
    /// let clusters = Clusters::from_labels(&[7, 9, 7]);
    /// let members: Vec<_> = clusters.iter().map(|(_, members)| members.to_vec()).collect();
    /// assert_eq!(members, [vec![0, 2], vec![1]].map(|all| all.into_iter().map(AddressIndex::from_u32).collect::<Vec<_>>()));
    /// // What the labels are called makes no difference.
    /// assert_eq!(clusters, Clusters::from_labels(&[1, 0, 1]));
    /// ```
    pub fn from_labels(labels: &[u32]) -> Self {
        let mut firsts = BTreeMap::new();
        let parents =
            labels.iter().enumerate().map(|(at, label)| *firsts.entry(*label).or_insert_with(|| id::small(at)));
        Self::of_parents(parents.collect())
    }

    /// Returns how many addresses there are.
    pub fn addresses(&self) -> usize {
        self.of.len()
    }

    /// Returns how many clusters there are; an address by itself is one.
    pub fn len(&self) -> usize {
        self.first.len() - 1
    }

    /// True when there is no address.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Returns the cluster of an address; `None` where the view that was clustered does not show the address.
    pub fn of(&self, address: AddressIndex) -> Option<ClusterIndex> {
        self.of.get(address.at()).map(|cluster| ClusterIndex::from_u32(*cluster))
    }

    /// True when both addresses are in one cluster.
    pub fn is_same(&self, a: AddressIndex, b: AddressIndex) -> bool {
        self.of(a).is_some_and(|cluster| self.of(b) == Some(cluster))
    }

    /// Returns the addresses of a cluster in chain order.
    ///
    /// # Panics
    ///
    /// When the cluster is of another partition and there are not so many here; so for every question about a cluster.
    pub fn members(&self, cluster: ClusterIndex) -> &[AddressIndex] {
        &self.members[id::at(self.first[cluster.at()])..id::at(self.first[cluster.at() + 1])]
    }

    /// Returns how many addresses a cluster has.
    pub fn size(&self, cluster: ClusterIndex) -> usize {
        self.members(cluster).len()
    }

    /// Returns the first address of a cluster in chain order: the name that stays when blocks are added, until the cluster merges with an older one. Where previous
    /// transactions are missing it need not stay: one that only a later block spends from comes first in chain order, and so do its addresses.
    pub fn first(&self, cluster: ClusterIndex) -> AddressIndex {
        self.members(cluster)[0]
    }

    /// Iterates the clusters with their addresses, by their first address.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ClusterIndex, &[AddressIndex])> {
        (0..self.len()).map(|at| (ClusterIndex::of(at), self.members(ClusterIndex::of(at))))
    }

    /// Returns the clusters of most addresses, the largest first, of equal ones the older first. Linear in the clusters.
    pub fn largest(&self, count: usize) -> Vec<ClusterIndex> {
        let mut all: Vec<ClusterIndex> = (0..self.len()).map(ClusterIndex::of).collect();
        let key = |cluster: &ClusterIndex| (Reverse(self.size(*cluster)), *cluster);
        if count < all.len() {
            all.select_nth_unstable_by_key(count, key);
            all.truncate(count);
        }
        all.sort_unstable_by_key(key);
        all
    }

    /// For each address the first of its cluster: parents as [`of_parents`](Self::of_parents) takes them.
    pub(crate) fn to_parents(&self) -> Vec<u32> {
        self.of.iter().map(|cluster| self.first(ClusterIndex::from_u32(*cluster)).to_u32()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_numbered_by_their_first_address() {
        // 0 1 2 3 4 5 6: {0, 3, 5}, {1}, {2, 6}, {4}; 5 hangs below 3, as halving may leave it.
        let clusters = Clusters::of_parents(vec![0, 1, 2, 0, 4, 3, 2]);
        let members: Vec<Vec<u32>> =
            clusters.iter().map(|(_, members)| members.iter().map(|address| address.to_u32()).collect()).collect();
        assert_eq!(members, [vec![0, 3, 5], vec![1], vec![2, 6], vec![4]]);
        assert_eq!(clusters.largest(2).iter().map(|cluster| cluster.to_u32()).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(clusters.largest(9).len(), 4);
        assert_eq!(Clusters::of_parents(clusters.to_parents()), clusters);
        assert_eq!(clusters.of(AddressIndex::from_u32(7)), None);
    }
}
