//! A queue that gives the smallest word first, for words that never come before the last one given: a radix heap.
//!
//! A word waits in the bucket of the highest bit in which it differs from the last word given. When the lowest buckets are empty the next one is
//! dealt out again, nearer to the front; so a word moves at most once a bit and all memory is walked in order, where a binary heap jumps.
//!
//! Source: Ahuja, Mehlhorn, Orlin & Tarjan, "Faster Algorithms for the Shortest Path Problem" (1990).

use crate::id;

/// Words that share their upper half are given together; see [`Queue::pop`].
#[derive(Debug)]
pub(super) struct Queue {
    /// The bucket `n > 0` holds words whose upper half differs from `last` in bit `n - 1` and in no higher one; bucket 0 those whose does not.
    buckets: [Vec<u64>; 33],
    last: u32,
    len: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { buckets: [const { Vec::new() }; 33], last: 0, len: 0 }
    }

    #[inline]
    fn bucket(&self, word: u64) -> usize {
        id::at(32 - (id::high(word) ^ self.last).leading_zeros())
    }

    /// Adds a word. Its upper half must not be less than that of the last words given.
    #[inline]
    pub(super) fn push(&mut self, word: u64) {
        let bucket = self.bucket(word);
        self.buckets[bucket].push(word);
        self.len += 1;
    }

    /// The least upper half there is, if it is below `end`. Words down to the last that this told may still be added; so where it is not below
    /// `end`, words from there on may.
    #[inline]
    pub(super) fn peek_before(&mut self, end: u32) -> Option<u32> {
        if self.buckets[0].is_empty() && !self.deal(end) {
            return None;
        }
        (self.last < end).then_some(self.last)
    }

    /// Deals the first bucket out again, unless all of it comes after `end`.
    fn deal(&mut self, end: u32) -> bool {
        if self.len == 0 {
            return false;
        }
        let Some(first) = self.buckets.iter().position(|bucket| !bucket.is_empty()) else { return false };
        let least = self.buckets[first].iter().map(|word| id::high(*word)).min().unwrap_or(self.last);
        if least >= end {
            return false;
        }
        self.last = least;
        let mut words = std::mem::take(&mut self.buckets[first]);
        for word in words.drain(..) {
            let bucket = self.bucket(word);
            self.buckets[bucket].push(word);
        }
        self.buckets[first] = words;
        true
    }

    /// Takes a word with the upper half that [`peek_before`](Self::peek_before) has just told; `None` when there is no other.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<u64> {
        let word = self.buckets[0].pop();
        self.len -= usize::from(word.is_some());
        word
    }

    /// Everything that is left, in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.len = 0;
        self.buckets.iter_mut().flat_map(|bucket| bucket.drain(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn words_come_in_order(steps in prop::collection::vec((any::<bool>(), 0_u32..1 << 20), 0..300)) {
            let (mut queue, mut plain, mut least) = (Queue::new(), BTreeSet::new(), 0);
            for (at, (push, above)) in steps.into_iter().enumerate() {
                if push {
                    let word = u64::from(least + above) << 32 | id::number(at);
                    queue.push(word);
                    plain.insert(word);
                    continue;
                }
                let first = plain.first().map(|word| id::high(*word));
                let end = first.map_or(5, |first| first + u32::try_from(at % 2).unwrap());
                prop_assert_eq!(queue.peek_before(end), first.filter(|first| *first < end));
                prop_assert_eq!(queue.peek_before(u32::MAX), first);
                let Some(first) = first else { continue };
                least = first;
                let mut given: Vec<u64> = std::iter::from_fn(|| queue.pop()).collect();
                given.sort_unstable();
                let rest = plain.split_off(&(u64::from(first + 1) << 32));
                prop_assert_eq!(given, plain.into_iter().collect::<Vec<_>>());
                plain = rest;
            }
            prop_assert_eq!(queue.drain().count(), plain.len());
        }
    }
}
