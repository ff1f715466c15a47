//! Tainted outputs by index, freed when they are spent.
//!
//! Outputs of one age lie on one page. A page is made when taint first reaches it and given back when its last tainted output is spent. A page of
//! which little is left is thinned out into a map, so memory grows with what is tainted and live and not with the chain.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::id::{self, OutputIndex};

/// What is kept of an output.
#[derive(Clone, Copy, Default)]
pub(super) struct Cell<M> {
    pub(super) mark: M,
    pub(super) hops: u32,
}

/// Outputs on a page; a page is thinned out when a sixteenth of them is left.
const PAGE: usize = 1 << 12;
const THIN: usize = PAGE / 16;

pub(super) struct Live<M, const N: usize = PAGE> {
    /// Every page's place among `pages`, or `NONE`.
    directory: Vec<u32>,
    pages: Vec<Page<M>>,
    /// Pages on which nothing is left.
    free: Vec<u32>,
    old: HashMap<u64, Cell<M>, BuildHasherDefault<Spread>>,
    thin: usize,
}

struct Page<M> {
    cells: Vec<Cell<M>>,
    live: usize,
    /// Whether more was on it than is left when it is thinned out: a new page is thin as well, but filling up.
    full: bool,
}

const NONE: u32 = u32::MAX;

impl<M: Copy + Default + PartialEq> Live<M> {
    /// Room for the outputs of a chain of so many.
    pub(super) fn new(outputs: usize) -> Self {
        Self::with(outputs, THIN)
    }
}

impl<M: Copy + Default + PartialEq, const N: usize> Live<M, N> {
    fn with(outputs: usize, thin: usize) -> Self {
        let directory = vec![NONE; outputs.div_ceil(N)];
        Self { directory, pages: Vec::new(), free: Vec::new(), old: HashMap::default(), thin }
    }

    /// Keeps an output.
    #[inline]
    pub(super) fn put(&mut self, output: OutputIndex, cell: Cell<M>) {
        let (number, at) = (output.at() / N, output.at() % N);
        if self.directory[number] == NONE {
            self.directory[number] = self.new_page();
        }
        let page = &mut self.pages[id::at(self.directory[number])];
        page.cells[at] = cell;
        page.live += 1;
        page.full |= page.live > self.thin;
    }

    fn new_page(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.pages.push(Page { cells: vec![Cell::default(); N], live: 0, full: false });
            id::small(self.pages.len() - 1)
        })
    }

    /// Takes an output that is being spent, if it is tainted.
    #[inline]
    pub(super) fn take(&mut self, output: OutputIndex) -> Option<Cell<M>> {
        let (number, at) = (output.at() / N, output.at() % N);
        let place = *self.directory.get(number)?;
        if place != NONE {
            let page = &mut self.pages[id::at(place)];
            let cell = page.cells[at];
            if cell.mark != M::default() {
                page.cells[at].mark = M::default();
                page.live -= 1;
                if page.live <= self.thin && (page.full || page.live == 0) {
                    self.thin_out(number);
                }
                return Some(cell);
            }
        }
        if self.old.is_empty() { None } else { self.take_old(output) }
    }

    #[inline(never)]
    fn take_old(&mut self, output: OutputIndex) -> Option<Cell<M>> {
        self.old.remove(&output.to_u64())
    }

    /// Moves what is left on a page into the map.
    #[inline(never)]
    fn thin_out(&mut self, number: usize) {
        let place = std::mem::replace(&mut self.directory[number], NONE);
        let page = &mut self.pages[id::at(place)];
        if page.live > 0 {
            for (at, cell) in page.cells.iter_mut().enumerate() {
                if cell.mark != M::default() {
                    self.old.insert(id::number(number * N + at), *cell);
                    cell.mark = M::default();
                }
            }
        }
        (page.live, page.full) = (0, false);
        self.free.push(place);
    }

    /// Everything that is left, by index.
    pub(super) fn into_rest(self) -> Vec<(OutputIndex, Cell<M>)> {
        let mut rest: Vec<_> =
            self.old.into_iter().map(|(output, cell)| (OutputIndex::from_u64(output), cell)).collect();
        for (number, place) in self.directory.into_iter().enumerate().filter(|(_, place)| *place != NONE) {
            let cells = self.pages[id::at(place)].cells.iter().enumerate();
            let held = cells.filter(|(_, cell)| cell.mark != M::default());
            rest.extend(held.map(|(at, cell)| (OutputIndex::of(number * N + at), *cell)));
        }
        rest.sort_unstable_by_key(|(output, _)| *output);
        rest
    }
}

/// Spreads output numbers over the map: a multiplication, as they are close to each other and nobody chooses them to collide.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte) ^ self.0);
        }
    }
    fn write_u64(&mut self, number: u64) {
        let product = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn pages_are_a_map(steps in prop::collection::vec((any::<bool>(), 0_u64..64, 1_u64..9), 0..300), thin in 0_usize..4) {
            let mut live = Live::<u64, 8>::with(64, thin);
            let mut plain = BTreeMap::new();
            for (put, output, mark) in steps {
                let index = OutputIndex::from_u64(output);
                if put && !plain.contains_key(&output) {
                    live.put(index, Cell { mark, hops: 0 });
                    plain.insert(output, mark);
                } else {
                    prop_assert_eq!(live.take(index).map(|cell| cell.mark), plain.remove(&output));
                }
            }
            let rest: Vec<_> = live.into_rest().into_iter().map(|(at, cell)| (at.to_u64(), cell.mark)).collect();
            prop_assert_eq!(rest, plain.into_iter().collect::<Vec<_>>());
        }
    }
}
