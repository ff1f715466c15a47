//! Which clusters must not become one, while clusters become one.

use std::collections::{BTreeMap, HashMap};

/// For each cluster those that it must stay apart from, with the constraint that says so.
///
/// A cluster has a handle, which stays its own when its first address changes: of two that merge the one with more opponents keeps its handle,
/// and only the other's opponents are told. So n constraints cost n log n tellings, whatever merges.
#[derive(Default, Debug)]
pub(super) struct Opponents {
    /// By first address; one that is not there is its own handle and has no opponents.
    handle: HashMap<u32, u32>,
    /// By handle: the opponents' handles, and the first constraint between the two.
    of: HashMap<u32, BTreeMap<u32, u32>>,
}

impl Opponents {
    /// Keeps two clusters apart. Constraints are numbered in the order of the calls.
    pub(super) fn add(&mut self, a: u32, b: u32, constraint: u32) {
        let (a, b) = (self.handle_of(a), self.handle_of(b));
        for (one, other) in [(a, b), (b, a)] {
            self.of.entry(one).or_default().entry(other).or_insert(constraint);
        }
    }

    fn handle_of(&self, first: u32) -> u32 {
        self.handle.get(&first).copied().unwrap_or(first)
    }

    /// The constraint that keeps two clusters apart.
    pub(super) fn between(&self, a: u32, b: u32) -> Option<u32> {
        self.of.get(&self.handle_of(a))?.get(&self.handle_of(b)).copied()
    }

    /// Two clusters that nothing keeps apart have become one, whose first address is `low`.
    pub(super) fn merge(&mut self, low: u32, high: u32) {
        let (low_handle, high_handle) = (self.handle_of(low), self.handle_of(high));
        self.handle.remove(&high);
        let count = |handle: &u32| self.of.get(handle).map_or(0, BTreeMap::len);
        let (kept, gone) = if count(&low_handle) >= count(&high_handle) {
            (low_handle, high_handle)
        } else {
            (high_handle, low_handle)
        };
        // The handle of a cluster without opponents is never stored anywhere but here.
        if kept != low {
            self.handle.insert(low, kept);
        } else {
            self.handle.remove(&low);
        }
        for (opponent, constraint) in self.of.remove(&gone).unwrap_or_default() {
            let theirs = self.of.get_mut(&opponent).expect("opponents know each other");
            theirs.remove(&gone);
            for (one, other) in [(opponent, kept), (kept, opponent)] {
                let least = self.of.entry(one).or_default().entry(other).or_insert(constraint);
                *least = constraint.min(*least);
            }
        }
    }

    /// How many pairs of clusters are kept apart.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.of.values().map(BTreeMap::len).sum::<usize>() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opponents_follow_whoever_merges() {
        let mut opponents = Opponents::default();
        opponents.add(1, 2, 0);
        opponents.add(3, 4, 1);
        opponents.add(3, 5, 2);
        assert_eq!((opponents.between(2, 1), opponents.between(1, 3)), (Some(0), None));
        // 3 has more opponents, 1 is the first: the cluster is called 1 and keeps the handle 3.
        opponents.merge(1, 3);
        assert_eq!(
            (opponents.between(1, 2), opponents.between(1, 4), opponents.between(5, 1)),
            (Some(0), Some(1), Some(2))
        );
        // 2 and 4 are both opponents of 1: one pair is left of the two, with the earlier constraint.
        opponents.merge(2, 4);
        assert_eq!((opponents.between(1, 2), opponents.len()), (Some(0), 2));
        opponents.merge(0, 1);
        assert_eq!((opponents.between(0, 5), opponents.between(1, 5)), (Some(2), None));
    }
}
