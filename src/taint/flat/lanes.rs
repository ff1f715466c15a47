//! Poison for up to 64 sources at once: a bit each.

use super::{Flat, Input, Piece, Scratch, Word};
use crate::id::SourceIndex;

/// Poison in lanes: source `n` is bit `n`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes;

impl Lanes {
    /// How many sources there can be.
    pub(crate) const WIDTH: usize = 64;
}

impl Flat for Lanes {
    type Mark = u64;

    fn seed(&mut self, _: u64, source: SourceIndex) -> u64 {
        1 << source.at()
    }

    fn spread(&mut self, inputs: &[Input<u64>], outputs: &[u64], into: &mut Vec<u64>) {
        let all = inputs.iter().fold(0, |all, input| all | input.mark);
        into.clear();
        into.resize(outputs.len(), all);
    }

    fn amount(&self, mark: u64, value: u64) -> u64 {
        if mark == 0 { 0 } else { value }
    }

    fn by_source(&self, mark: u64, value: u64, each: &mut impl FnMut(SourceIndex, u64)) {
        let mut left = mark;
        while left != 0 {
            each(SourceIndex::from_u32(left.trailing_zeros()), value);
            left &= left - 1;
        }
    }

    fn lanes(&self, mark: u64) -> Option<u64> {
        Some(mark)
    }

    fn save(&self, mark: u64) -> Vec<Piece> {
        (0..64).filter(|lane| mark >> lane & 1 == 1).map(|lane| (Some(SourceIndex::from_u32(lane)), 0)).collect()
    }

    fn load(&mut self, pieces: &[Piece]) -> u64 {
        pieces.iter().filter_map(|(source, _)| Some(self.seed(0, (*source)?))).fold(0, |all, lane| all | lane)
    }

    fn free(&mut self, _: u64) {}
}

impl Word for Lanes {
    const ANY: bool = true;

    #[inline]
    fn join(first: u64, second: u64) -> u64 {
        first | second
    }

    #[inline]
    fn pour(&self, brought: u64, _: u64, outputs: &[u64], into: &mut Vec<u64>, _: &mut Scratch) {
        into.clear();
        into.resize(outputs.len(), brought);
    }
}
