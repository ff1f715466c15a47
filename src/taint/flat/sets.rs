//! Poison for any number of sources: a sorted list of them.

use super::store::{Handle, Store};
use super::{Flat, Input, Piece};
use crate::id::SourceIndex;

/// Poison with more sources than [`Lanes`](super::Lanes) has bits for.
#[derive(Debug)]
pub(crate) struct Sets {
    store: Store<SourceIndex>,
    all: Vec<SourceIndex>,
}

impl Sets {
    pub(crate) fn new() -> Self {
        Self { store: Store::new(), all: Vec::new() }
    }
}

impl Flat for Sets {
    type Mark = Handle;

    fn seed(&mut self, _: u64, source: SourceIndex) -> Handle {
        self.store.put(&[source])
    }

    fn spread(&mut self, inputs: &[Input<Handle>], outputs: &[u64], into: &mut Vec<Handle>) {
        self.all.clear();
        for input in inputs {
            self.all.extend_from_slice(self.store.get(input.mark));
            self.store.free(input.mark);
        }
        self.all.sort_unstable();
        self.all.dedup();
        into.clear();
        into.extend(outputs.iter().map(|_| self.store.put(&self.all)));
    }

    fn amount(&self, mark: Handle, value: u64) -> u64 {
        if mark.is_empty() { 0 } else { value }
    }

    fn by_source(&self, mark: Handle, value: u64, each: &mut impl FnMut(SourceIndex, u64)) {
        self.store.get(mark).iter().for_each(|source| each(*source, value));
    }

    fn save(&self, mark: Handle) -> Vec<Piece> {
        self.store.get(mark).iter().map(|source| (Some(*source), 0)).collect()
    }

    fn load(&mut self, pieces: &[Piece]) -> Handle {
        let sources: Vec<SourceIndex> = pieces.iter().filter_map(|(source, _)| *source).collect();
        self.store.put(&sources)
    }

    fn free(&mut self, mark: Handle) {
        self.store.free(mark);
    }
}
