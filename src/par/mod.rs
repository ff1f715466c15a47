//! The only module that names rayon: pure functions over slices, answers in order.
//!
//! The thread count is the caller's rayon pool. Work is split over independent items and every result lands in its own
//! place, so the answer does not depend on how many threads there are.

use rayon::prelude::*;

/// Maps every item and returns the results in the items' order.
///
/// Morally `items.iter().map(f).collect()`, which is its twin in the tests and in `benches/taint.rs`.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    if items.len() < 2 {
        return items.iter().map(f).collect();
    }
    items.par_iter().map(f).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_is_kept() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(super::map(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
    }
}
