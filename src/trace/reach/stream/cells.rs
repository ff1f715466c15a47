//! What a stream holds: a cell for every output of the chain.
//!
//! Memory comes with the first taint on a page of cells. Under poison with one source a cell is two bytes, as how near an output is says all; under the
//! other rules there is a word for the mark beside it. Cells are atomic only so that safe code may share them: no two transactions of one step of a
//! stream touch the same, and every access is a plain one.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU16, AtomicU64};

use super::super::run::Held;
use super::Column;
use crate::id::{OutputIndex, TxIndex};
use crate::taint::flat::{Scratch, Word};

/// The distance that a cell cannot tell.
const FAR: u16 = u16::MAX;

/// Cells by output.
#[derive(Debug)]
pub(super) struct Cells {
    /// `FAR - hops` where an output is tainted, else 0: greatest first, as the nearest seed counts.
    pub(super) near: Vec<AtomicU16>,
    /// The marks of what is tainted; none where there is one source under poison, whose mark is 1. Where an output is clean a mark means nothing: a clean
    /// input is told by its small cell and does not wait for a word.
    pub(super) marks: Vec<AtomicU64>,
}

impl Cells {
    /// Clean cells for so many outputs.
    pub(super) fn new(outputs: usize, one: bool) -> Self {
        // Vectors of zeros are pages that the system has not made yet; atomics have no such short way.
        let near = vec![0_u16; outputs].into_iter().map(AtomicU16::new).collect();
        let marks = vec![0_u64; if one { 0 } else { outputs }].into_iter().map(AtomicU64::new).collect();
        Self { near, marks }
    }

    /// Holds an output; `None` where it is too far away.
    pub(super) fn put(&mut self, held: &Held<u64>) -> Option<()> {
        let at = held.output.at();
        let near = FAR.checked_sub(u16::try_from(held.hops).ok()?).filter(|near| *near > 0)?;
        *self.near[at].get_mut() = near;
        if let Some(mark) = self.marks.get_mut(at) {
            *mark.get_mut() = held.mark;
        }
        Some(())
    }

    /// How many outputs are held.
    pub(super) fn len(&self) -> usize {
        self.near.iter().filter(|near| near.load(Relaxed) != 0).count()
    }

    /// Calls `each` with what is held, in chain order.
    pub(super) fn for_each(&self, mut each: impl FnMut(Held<u64>)) {
        let near = self.near.iter().map(|near| near.load(Relaxed)).enumerate();
        for (at, near) in near.filter(|(_, near)| *near != 0) {
            let mark = self.marks.get(at).map_or(1, |mark| mark.load(Relaxed));
            each(Held { output: OutputIndex::of(at), tx: TxIndex::default(), hops: u32::from(FAR - near), mark });
        }
    }
}

/// Poison with one source.
pub(super) struct Nearest<'c> {
    pub(super) near: &'c [AtomicU16],
}

impl Column for Nearest<'_> {
    type Taken = u16;

    /// Cells this small are as quick to take as to look at.
    #[inline]
    fn look(&self, _: usize) -> u64 {
        0
    }

    #[inline]
    fn take(&self, output: usize, taken: &mut u16) {
        if let Some(cell) = self.near.get(output) {
            *taken = (*taken).max(cell.load(Relaxed));
            cell.store(0, Relaxed);
        }
    }

    #[inline]
    fn is_clean(taken: u16) -> bool {
        taken == 0
    }

    #[inline]
    fn pour(&self, taken: u16, brought: u64, first: usize, values: &[[u8; 8]], _: &mut Room) -> Option<(u64, u64)> {
        let near = taken - 1;
        let mut fee = brought;
        for (cell, value) in self.near[first..].iter().zip(values) {
            cell.store(near, Relaxed);
            fee = fee.wrapping_sub(u64::from_le_bytes(*value));
        }
        (near > 0).then_some((1, fee))
    }

    fn swap(&self, output: usize, (_, near): (u64, u16)) -> (u64, u16) {
        let old = self.near[output].load(Relaxed);
        self.near[output].store(near, Relaxed);
        (u64::from(old != 0), old)
    }

    #[inline]
    fn worth(mark: u64, value: u64) -> (u64, u64) {
        (mark, value * mark)
    }
}

/// Any rule of one word.
pub(super) struct Marked<'c, F> {
    pub(super) rule: &'c F,
    pub(super) cells: &'c Cells,
}

impl<F: Word> Column for Marked<'_, F> {
    type Taken = (u64, u16);

    #[inline]
    fn look(&self, output: usize) -> u64 {
        match self.cells.near.get(output).map(|near| near.load(Relaxed)) {
            None | Some(0) => 0,
            Some(_) => self.cells.marks[output].load(Relaxed),
        }
    }

    #[inline]
    fn take(&self, output: usize, taken: &mut (u64, u16)) {
        let Some(cell) = self.cells.near.get(output) else { return };
        let near = cell.load(Relaxed);
        if near != 0 {
            taken.0 = F::join(taken.0, self.cells.marks[output].load(Relaxed));
            taken.1 = taken.1.max(near);
            cell.store(0, Relaxed);
        }
    }

    #[inline]
    fn is_clean(taken: (u64, u16)) -> bool {
        taken.0 == 0
    }

    #[inline]
    fn pour(
        &self,
        taken: (u64, u16),
        brought: u64,
        first: usize,
        values: &[[u8; 8]],
        room: &mut Room,
    ) -> Option<(u64, u64)> {
        let near = taken.1 - 1;
        room.values.clear();
        room.values.extend(values.iter().map(|value| u64::from_le_bytes(*value)));
        let fee = brought.wrapping_sub(room.values.iter().sum());
        room.values.push(fee);
        self.rule.pour(taken.0, brought, &room.values, &mut room.parts, &mut room.scratch);
        let cells = self.cells.marks[first..].iter().zip(&self.cells.near[first..]);
        for ((mark, cell), part) in cells.zip(&room.parts[..values.len()]) {
            mark.store(*part, Relaxed);
            cell.store(if *part == 0 { 0 } else { near }, Relaxed);
        }
        (near > 0).then(|| (room.parts[values.len()], fee))
    }

    fn swap(&self, output: usize, (mark, near): (u64, u16)) -> (u64, u16) {
        let (mark_cell, near_cell) = (&self.cells.marks[output], &self.cells.near[output]);
        let old = (mark_cell.load(Relaxed), near_cell.load(Relaxed));
        mark_cell.store(mark, Relaxed);
        near_cell.store(near, Relaxed);
        if old.1 == 0 { (0, 0) } else { old }
    }

    #[inline]
    fn worth(mark: u64, value: u64) -> (u64, u64) {
        match F::ANY {
            true if mark == 0 => (0, 0),
            true => (mark, value),
            false => (1, mark),
        }
    }
}

/// Room to work in, used again for every transaction.
#[derive(Default)]
pub(super) struct Room {
    values: Vec<u64>,
    parts: Vec<u64>,
    scratch: Scratch,
}
