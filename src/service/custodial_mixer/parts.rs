//! Sets of two or three outputs that are worth so much together: how many there are, and the first of them.
//!
//! Over values in ascending order; the last part of a set is a range, which is counted at once. A step is one range.

use crate::id::{self, OutputIndex};

/// Sets of more parts are not looked for: there are too many of them to mean anything.
pub(super) const PARTS_MAX: u32 = 3;

/// So many sets are named.
const LISTED_MAX: usize = 16;

/// Sets of outputs that are worth a payout together.
///
/// # Examples
///
/// See [`payouts`](super::payouts).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Sets {
    /// How many there are; where the search did not end, how many were found.
    pub count: u64,
    /// The first 16, by value of the least part, the second, the third; the parts of each ascend by value.
    pub listed: Vec<Vec<OutputIndex>>,
    /// Whether the search came to its end.
    pub is_whole: bool,
}

impl Default for Sets {
    fn default() -> Self {
        Self { count: 0, listed: Vec::new(), is_whole: true }
    }
}

struct Search<'r> {
    /// Ascending.
    rows: &'r [(u64, OutputIndex)],
    low: u64,
    high: u64,
    left: u64,
    found: Sets,
}

/// Looks for sets of two and up to `parts_max` of the rows, which ascend, that sum to between `low` and `high`.
pub(super) fn sets(rows: &[(u64, OutputIndex)], low: u64, high: u64, parts_max: u32, steps_max: u64) -> Sets {
    let mut search = Search { rows, low, high, left: steps_max, found: Sets::default() };
    for parts in 2..=parts_max.min(PARTS_MAX) {
        if search.more(&mut Vec::new(), 0, 0, parts).is_none() {
            search.found.is_whole = false;
            break;
        }
    }
    search.found
}

impl Search<'_> {
    /// Adds `parts` more rows from `start` on; `None` when the steps are over.
    fn more(&mut self, set: &mut Vec<usize>, start: usize, sum: u64, parts: u32) -> Option<()> {
        if parts == 1 {
            return self.last(set, start, sum);
        }
        for at in start..self.rows.len() {
            let sum = sum.saturating_add(self.rows[at].0);
            // What follows is worth as much at least.
            if sum.saturating_add(self.rows[at].0.saturating_mul(u64::from(parts) - 1)) > self.high {
                break;
            }
            set.push(at);
            let more = self.more(set, at + 1, sum, parts - 1);
            set.pop();
            more?;
        }
        Some(())
    }

    /// Counts the rows that make the set whole.
    fn last(&mut self, set: &[usize], start: usize, sum: u64) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let rest = &self.rows[start..];
        let least = self.low.saturating_sub(sum);
        let Some(most) = self.high.checked_sub(sum) else { return Some(()) };
        let (from, to) = (rest.partition_point(|row| row.0 < least), rest.partition_point(|row| row.0 <= most));
        self.found.count += id::number(to.saturating_sub(from));
        for at in from..to {
            if self.found.listed.len() == LISTED_MAX {
                break;
            }
            let set = set.iter().copied().chain([start + at]);
            self.found.listed.push(set.map(|at| self.rows[at].1).collect());
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_search_agrees_with_trying_every_set(
            mut sats in prop::collection::vec(1_u64..30, 0..9),
            low in 1_u64..60,
            wide in 0_u64..10,
            parts_max in 1_u32..4,
        ) {
            sats.sort_unstable();
            let rows: Vec<(u64, OutputIndex)> = (0..).map(OutputIndex::from_u64).zip(&sats).map(|(at, sat)| (*sat, at)).collect();
            let fits = |set: &u32| {
                let sum: u64 = (0..sats.len()).filter(|at| set >> at & 1 == 1).map(|at| sats[at]).sum();
                (2..=parts_max).contains(&set.count_ones()) && (low..=low + wide).contains(&sum)
            };
            let naive = (0..1_u32 << sats.len()).filter(fits).count();
            let found = sets(&rows, low, low + wide, parts_max, u64::MAX);
            prop_assert_eq!((found.count, found.is_whole), (naive as u64, true));
            prop_assert_eq!(found.listed.len(), naive.min(LISTED_MAX));
            let masks: Vec<u32> = found.listed.iter().map(|set| set.iter().map(|at| 1 << at.to_u64()).sum()).collect();
            prop_assert!(masks.iter().all(fits));
            // Fewer steps find no more, and say so.
            let cut = sets(&rows, low, low + wide, parts_max, 2);
            prop_assert!(cut.count <= found.count && (cut.count == found.count || !cut.is_whole));
        }
    }
}
