//! Rules that keep amounts, with one source: a mark is a number of satoshis.

use super::place::Scratch;
use super::{Flat, Input, Piece, Placing, Word};
use crate::id::SourceIndex;

/// One source's amounts, placed by a rule.
#[derive(Debug)]
pub(crate) struct Amounts {
    placing: Placing,
    scratch: Scratch,
}

impl Amounts {
    pub(crate) fn new(placing: Placing) -> Self {
        Self { placing, scratch: Scratch::default() }
    }
}

impl Flat for Amounts {
    type Mark = u64;

    fn seed(&mut self, value: u64, _: SourceIndex) -> u64 {
        value
    }

    fn spread(&mut self, inputs: &[Input<u64>], outputs: &[u64], into: &mut Vec<u64>) {
        let (total, all) = inputs.iter().fold((0, 0), |(total, all), input| (total + input.mark, all + input.value));
        self.placing.place(total, all, outputs, into, &mut self.scratch);
    }

    fn amount(&self, mark: u64, _: u64) -> u64 {
        mark
    }

    fn by_source(&self, mark: u64, _: u64, each: &mut impl FnMut(SourceIndex, u64)) {
        if mark > 0 {
            each(SourceIndex::default(), mark);
        }
    }

    fn save(&self, mark: u64) -> Vec<Piece> {
        vec![(Some(SourceIndex::default()), mark)]
    }

    fn load(&mut self, pieces: &[Piece]) -> u64 {
        pieces.iter().map(|(_, amount)| *amount).sum()
    }

    fn free(&mut self, _: u64) {}
}

impl Word for Amounts {
    const ANY: bool = false;

    #[inline]
    fn join(first: u64, second: u64) -> u64 {
        first + second
    }

    #[inline]
    fn pour(&self, brought: u64, all: u64, outputs: &[u64], into: &mut Vec<u64>, scratch: &mut Scratch) {
        self.placing.place(brought, all, outputs, into, scratch);
    }
}
