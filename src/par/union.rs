//! Union-find without locks: which of `n` things belong together, under evidence that comes in any order from any thread.
//!
//! Returns for each thing the smallest of its set, so that the answer does not depend on schedule or number of threads. The larger root is
//! linked under the smaller by compare-and-swap; finding halves the path it walks.
//!
//! Invariant: a parent is never greater than its child, and "p is an ancestor of x" stays true once it is. So there are no circles; a root that
//! was read late fails the swap and is looked up again; and halving may store an ancestor that somebody else has overtaken, but none that is false.
//! No other memory is published through the parents, so relaxed order is enough: whoever reads the labels has waited for the threads.
//!
//! 1. Anderson, Woll: Wait-free parallel algorithms for the union-find problem (STOC 1991).
//! 2. Dhulipala, Hong, Shun: ConnectIt, a framework for static and incremental parallel graph connectivity algorithms (PVLDB 14, 2020):
//!    `UniteAsync` with halving.
//!
//! # Complexity
//!
//! Four bytes a thing. Links go from larger to smaller and not by rank, so a path can be long in theory; numbers in order of appearance keep it short.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::id;

/// A place for a number: shared by threads, of one thread (the sequential twin), or watched by a model checker.
pub(crate) trait Place {
    fn new(number: u32) -> Self;
    fn get(&self) -> u32;
    fn set(&self, number: u32);
    /// Puts `new` where `old` still stands; false where it does not.
    fn swap(&self, old: u32, new: u32) -> bool;
    fn into_number(self) -> u32;
}

impl Place for AtomicU32 {
    fn new(number: u32) -> Self {
        Self::new(number)
    }
    #[inline]
    fn get(&self) -> u32 {
        self.load(Ordering::Relaxed)
    }
    #[inline]
    fn set(&self, number: u32) {
        self.store(number, Ordering::Relaxed);
    }
    #[inline]
    fn swap(&self, old: u32, new: u32) -> bool {
        self.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
    fn into_number(self) -> u32 {
        self.into_inner()
    }
}

impl Place for Cell<u32> {
    fn new(number: u32) -> Self {
        Self::new(number)
    }
    #[inline]
    fn get(&self) -> u32 {
        Self::get(self)
    }
    #[inline]
    fn set(&self, number: u32) {
        Self::set(self, number);
    }
    #[inline]
    fn swap(&self, old: u32, new: u32) -> bool {
        debug_assert_eq!(Self::get(self), old);
        Self::set(self, new);
        true
    }
    fn into_number(self) -> u32 {
        self.into_inner()
    }
}

/// Sets that only grow together.
#[derive(Debug)]
pub(crate) struct Union<P> {
    parent: Vec<P>,
}

/// Shared by threads.
pub(crate) type Shared = Union<AtomicU32>;

/// The same on one thread.
pub(crate) type Sequential = Union<Cell<u32>>;

impl<P: Place> Union<P> {
    /// So many things, each by itself.
    pub(crate) fn new(things: usize) -> Self {
        Self { parent: (0..id::small(things)).map(P::new).collect() }
    }

    /// Adds things by themselves until there are so many.
    pub(crate) fn grow(&mut self, things: usize) {
        self.parent.extend((id::small(self.parent.len())..id::small(things)).map(P::new));
    }

    /// The smallest of the set, as far as this thread can know; final once no other one links.
    #[inline]
    pub(crate) fn find(&self, mut thing: u32) -> u32 {
        loop {
            let parent = self.parent[id::at(thing)].get();
            if parent == thing {
                return thing;
            }
            let above = self.parent[id::at(parent)].get();
            if above == parent {
                return parent;
            }
            self.parent[id::at(thing)].set(above);
            thing = above;
        }
    }

    /// Makes two sets one. Returns what ceased to be a smallest one and what took its place; `None` where both were of one set.
    #[inline]
    pub(crate) fn link(&self, a: u32, b: u32) -> Option<(u32, u32)> {
        let (mut a, mut b) = (a, b);
        loop {
            (a, b) = (self.find(a), self.find(b));
            if a == b {
                return None;
            }
            let (low, high) = (a.min(b), a.max(b));
            // Fails where another thread has linked `high` since it was found to be a root.
            if self.parent[id::at(high)].swap(high, low) {
                return Some((high, low));
            }
        }
    }

    /// Reads the places of things that are about to be linked. A swap waits for the reads before it, so between swaps each read that misses the
    /// cache is waited for alone; here they are under way together.
    #[inline]
    pub(crate) fn warm(&self, things: impl Iterator<Item = u32>) {
        std::hint::black_box(things.fold(0, |all, thing| all ^ self.parent[id::at(thing)].get()));
    }

    /// The parents: none is greater than its child, and who is its own parent is the smallest of its set.
    pub(crate) fn into_parents(self) -> Vec<u32> {
        self.parent.into_iter().map(P::into_number).collect()
    }

    /// The parents as they are.
    pub(crate) fn parents(&self) -> impl Iterator<Item = u32> + '_ {
        self.parent.iter().map(P::get)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rayon::prelude::*;

    use super::*;

    /// The smallest of each set.
    fn labels<P: Place>(union: Union<P>) -> Vec<u32> {
        let mut labels = union.into_parents();
        for at in 0..labels.len() {
            labels[at] = labels[id::at(labels[at])];
        }
        labels
    }

    fn sequential(things: usize, links: &[(u32, u32)]) -> Vec<u32> {
        let union = Sequential::new(things);
        links.iter().for_each(|(a, b)| {
            union.link(*a, *b);
        });
        labels(union)
    }

    /// Walks from every thing that nobody has reached.
    fn components(things: usize, links: &[(u32, u32)]) -> Vec<u32> {
        let mut labels = vec![u32::MAX; things];
        for start in 0..id::small(things) {
            let mut queue = vec![start];
            while let Some(at) = queue.pop() {
                if labels[id::at(at)] == u32::MAX {
                    labels[id::at(at)] = start;
                    queue.extend(links.iter().filter(|link| link.0 == at).map(|link| link.1));
                    queue.extend(links.iter().filter(|link| link.1 == at).map(|link| link.0));
                }
            }
        }
        labels
    }

    fn evidence() -> impl Strategy<Value = (usize, Vec<(u32, u32)>)> {
        (1_u32..60).prop_flat_map(|things| (Just(id::at(things)), prop::collection::vec((0..things, 0..things), 0..90)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn sets_are_the_components_of_the_evidence((things, links) in evidence()) {
            let expected = components(things, &links);
            prop_assert_eq!(&sequential(things, &links), &expected);
            let turned: Vec<_> = links.iter().rev().map(|(a, b)| (*b, *a)).collect();
            prop_assert_eq!(&sequential(things, &turned), &expected, "the order does not matter");
            let twice = [&links[..], &turned].concat();
            prop_assert_eq!(&sequential(things, &twice), &expected, "nor does repetition");
        }

        #[test]
        fn a_link_tells_who_ceased_to_be_smallest((things, links) in evidence()) {
            let union = Sequential::new(things);
            let mut smallest: Vec<u32> = (0..id::small(things)).collect();
            for (a, b) in links {
                let (x, y) = (smallest[id::at(a)], smallest[id::at(b)]);
                prop_assert_eq!(union.link(a, b), (x != y).then_some((x.max(y), x.min(y))));
                smallest.iter_mut().filter(|label| **label == x.max(y)).for_each(|label| *label = x.min(y));
            }
        }
    }

    #[test]
    fn threads_agree_to_the_label() {
        let things = 20_000;
        let mut word = 7_u64;
        let mut below = |end: u32| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            id::high(word) % end
        };
        // Half of the links near, as in a chain, and half of them anywhere.
        let links: Vec<(u32, u32)> = (0..15_000)
            .map(|n| {
                let a = below(20_000);
                (a, if n % 2 == 0 { (a + below(30)).min(19_999) } else { below(20_000) })
            })
            .collect();
        let expected = sequential(things, &links);
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let union = Shared::new(things);
            pool.install(|| {
                links.par_chunks(16).for_each(|some| {
                    some.iter().for_each(|(a, b)| {
                        let _ = union.link(*a, *b);
                    })
                })
            });
            assert_eq!(labels(union), expected, "{threads} threads");
        }
    }

    impl Place for shuttle::sync::atomic::AtomicU32 {
        fn new(number: u32) -> Self {
            Self::new(number)
        }
        fn get(&self) -> u32 {
            self.load(Ordering::Relaxed)
        }
        fn set(&self, number: u32) {
            self.store(number, Ordering::Relaxed);
        }
        fn swap(&self, old: u32, new: u32) -> bool {
            self.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        }
        fn into_number(self) -> u32 {
            self.into_inner()
        }
    }

    /// Two threads on chosen links, in every order that the scheduler picks.
    fn race(first: &'static [(u32, u32)], second: &'static [(u32, u32)]) {
        let expected = sequential(6, &[first, second].concat());
        let union = Arc::new(Union::<shuttle::sync::atomic::AtomicU32>::new(6));
        let threads: Vec<_> = [first, second]
            .map(|links| {
                let union = Arc::clone(&union);
                shuttle::thread::spawn(move || {
                    links.iter().for_each(|(a, b)| {
                        let _ = union.link(*a, *b);
                    })
                })
            })
            .into();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(labels(Arc::into_inner(union).unwrap()), expected);
    }

    // The checker's threads take turns, so it shows every order of the steps but not what relaxed order adds; that follows from the invariant.
    #[test]
    fn no_interleaving_loses_a_link() {
        // Both want to link 3, to different roots; then paths long enough to be halved while they grow.
        shuttle::check_dfs(|| race(&[(3, 1)], &[(3, 2)]), None);
        shuttle::check_random(|| race(&[(5, 4), (3, 2), (5, 3)], &[(4, 2), (5, 1), (2, 0)]), 2_000);
        shuttle::check_pct(|| race(&[(5, 4), (4, 3), (3, 2)], &[(5, 1), (4, 0), (2, 5)]), 2_000, 3);
    }
}
