//! The only module that names rayon: pure functions over slices, answers in order.
//!
//! The thread count is the caller's rayon pool. Work is split over independent items and every result lands in its own
//! place, so the answer does not depend on how many threads there are.

use std::ops::Range;

use rayon::prelude::*;

pub(crate) mod union;

/// Maps every item and returns the results in the items' order.
///
/// Morally `items.iter().map(f).collect()`, which is its twin in the tests and in `benches/taint.rs`.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    if items.len() < 2 {
        return items.iter().map(f).collect();
    }
    items.par_iter().map(f).collect()
}

/// Maps pieces of `0..len` of at most `piece` positions and returns the results in order.
///
/// Where the pieces end does not depend on the number of threads.
pub(crate) fn pieces<R: Send>(len: usize, piece: usize, f: impl Fn(Range<usize>) -> R + Sync + Send) -> Vec<R> {
    let starts: Vec<usize> = (0..len).step_by(piece).collect();
    map(&starts, |start| f(*start..len.min(start + piece)))
}

/// As [`map`], handing the items over.
pub(crate) fn map_owned<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    if items.len() < 2 {
        return items.into_iter().map(f).collect();
    }
    items.into_par_iter().map(f).collect()
}

/// How many threads the caller's pool has.
/// As [`map_owned`], of items that are each worth a thread's while: none waits behind another on a thread that was called away.
fn map_coarse<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    items.into_par_iter().with_max_len(1).map(f).collect()
}

pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Does two things side by side where there is a thread for each.
pub(crate) fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(a, b)
}

/// Maps batches of items ahead of the consumer, which sees the results one by one and in order: while it takes one batch,
/// the next is mapped.
///
/// Morally `batches.flatten().map(f).try_for_each(consume)`.
pub(crate) fn ahead<T: Send, R: Send, E: Send>(
    batches: impl Iterator<Item = Vec<T>> + Send,
    f: impl Fn(T) -> R + Sync + Send,
    mut consume: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E> {
    let mut ready = Vec::new();
    for batch in batches {
        let (done, next) = join(|| ready.into_iter().try_for_each(&mut consume), || map_coarse(batch, &f));
        done?;
        ready = next;
    }
    ready.into_iter().try_for_each(&mut consume)
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_is_kept() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(super::map(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn pieces_cover_everything_once() {
        for (len, piece) in [(0, 3), (1, 3), (9, 3), (10, 3)] {
            let all: Vec<usize> = super::pieces(len, piece, |range| range.collect::<Vec<_>>()).concat();
            assert_eq!(all, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn ahead_consumes_in_order_and_stops_at_the_first_error() {
        let batches = (0..10_u32).map(|batch| (batch * 7..batch * 7 + 7).collect::<Vec<_>>());
        let mut seen = Vec::new();
        let stopped = super::ahead(
            batches,
            |n| n * 2,
            |n| {
                seen.push(n);
                if n < 60 { Ok(()) } else { Err(n) }
            },
        );
        assert_eq!(stopped, Err(60));
        assert_eq!(seen, (0..=30).map(|n| n * 2).collect::<Vec<_>>());
    }
}
