//! Values by mark, added up side by side.

use crate::id;
use crate::taint::flat::Word;

/// How many marks are summed side by side.
const ROWS: usize = 256;

/// Sums by mark. Under poison with many sources a few sets of them fill most of a chain, and adding to each source would be a loop for each fee.
pub(super) struct Booked {
    rows: Vec<(u64, u64)>,
    /// What had to make room.
    full: Vec<(u64, u64)>,
}

impl Booked {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), full: Vec::new() }
    }

    #[inline]
    pub(super) fn add(&mut self, (mark, value): (u64, u64)) {
        if self.rows.is_empty() {
            self.rows.resize(ROWS, (0, 0));
        }
        let at = id::at(id::high(mark.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 24);
        let row = &mut self.rows[at];
        if row.0 != mark {
            self.full.extend((row.1 > 0).then_some(*row));
            *row = (mark, 0);
        }
        row.1 += value;
    }

    pub(super) fn add_all(&mut self, other: Self) {
        other.full.into_iter().chain(other.rows).filter(|(_, value)| *value > 0).for_each(|row| self.add(row));
    }

    /// The marks with their values; of a rule that keeps amounts the sum is the mark.
    pub(super) fn into_rows<F: Word>(self) -> impl Iterator<Item = (u64, u64)> {
        let rows = self.full.into_iter().chain(self.rows).filter(|(_, value)| *value > 0);
        rows.map(|(mark, value)| (if F::ANY { mark } else { value }, value))
    }
}
