//! Tainted outputs by index, freed when they are spent: a window of the newest in an array, what is older in a map.
//!
//! Most coins are spent soon, so most of the traffic stays in the window, which fits a cache; memory grows with what is tainted and live.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::id::{self, OutputIndex};

/// What is kept of an output.
#[derive(Clone, Copy, Default)]
pub(super) struct Cell<M> {
    pub(super) mark: M,
    pub(super) hops: u32,
}

/// Outputs in the window; a power of two.
const WINDOW: usize = 1 << 15;

pub(super) struct Live<M> {
    window: Vec<Cell<M>>,
    /// The first output after the window.
    end: usize,
    old: HashMap<u64, Cell<M>, BuildHasherDefault<Spread>>,
}

impl<M: Copy + Default + PartialEq> Live<M> {
    /// `end` is the first output that will be put in order.
    pub(super) fn new(end: usize) -> Self {
        Self { window: vec![Cell::default(); WINDOW], end, old: HashMap::default() }
    }

    /// Keeps an output of any age.
    pub(super) fn put(&mut self, output: OutputIndex, cell: Cell<M>) {
        let at = output.at();
        if at < self.end && self.end - at <= WINDOW {
            self.window[at % WINDOW] = cell;
        } else {
            self.old.insert(output.to_u64(), cell);
        }
    }

    /// Moves the window on to `end`. What falls out of it is kept in the map.
    pub(super) fn advance(&mut self, end: usize) {
        let slide = end - self.end;
        for at in self.end..self.end + slide.min(WINDOW) {
            let cell = &mut self.window[at % WINDOW];
            if cell.mark != M::default() {
                self.old.insert(id::number(at) - id::number(WINDOW), *cell);
                cell.mark = M::default();
            }
        }
        self.end = end;
    }

    /// Takes an output that is being spent.
    #[inline]
    pub(super) fn take(&mut self, output: OutputIndex) -> Option<Cell<M>> {
        let at = output.at();
        if self.end.wrapping_sub(at) <= WINDOW {
            let cell = &mut self.window[at % WINDOW];
            if cell.mark == M::default() {
                return None;
            }
            let taken = *cell;
            cell.mark = M::default();
            return Some(taken);
        }
        self.take_old(output)
    }

    #[inline(never)]
    fn take_old(&mut self, output: OutputIndex) -> Option<Cell<M>> {
        self.old.remove(&output.to_u64())
    }

    /// Everything that is left, in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (OutputIndex, Cell<M>)> + '_ {
        let first = self.end.saturating_sub(WINDOW);
        let window = &self.window;
        let recent = (first..self.end).map(move |at| (OutputIndex::of(at), window[at % WINDOW]));
        let old = self.old.drain().map(|(output, cell)| (OutputIndex::from_u64(output), cell));
        recent.filter(|(_, cell)| cell.mark != M::default()).chain(old)
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
