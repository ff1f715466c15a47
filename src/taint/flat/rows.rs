//! FIFO and LIFO: a mark is a row of runs, as in `taint::runs`.

use super::store::{Handle, Store};
use super::{Flat, Input, Piece};
use crate::id::SourceIndex;

/// Satoshis that are alike; of no source when clean.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Run {
    len: u64,
    source: Option<SourceIndex>,
}

/// The two rules that keep the order of satoshis.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Dealt from the end of the row: LIFO.
    from_back: bool,
    store: Store<Run>,
    row: Vec<Run>,
    cut: Vec<Run>,
}

impl Rows {
    pub(crate) fn fifo() -> Self {
        Self { from_back: false, store: Store::new(), row: Vec::new(), cut: Vec::new() }
    }

    pub(crate) fn lifo() -> Self {
        Self { from_back: true, ..Self::fifo() }
    }
}

fn push(row: &mut Vec<Run>, run: Run) {
    match row.last_mut() {
        _ if run.len == 0 => {}
        Some(last) if last.source == run.source => last.len += run.len,
        _ => row.push(run),
    }
}

impl Flat for Rows {
    type Mark = Handle;

    fn seed(&mut self, value: u64, source: SourceIndex) -> Handle {
        if value == 0 { Handle::default() } else { self.store.put(&[Run { len: value, source: Some(source) }]) }
    }

    fn spread(&mut self, inputs: &[Input<Handle>], outputs: &[u64], into: &mut Vec<Handle>) {
        into.clear();
        self.row.clear();
        for input in inputs {
            if input.mark.is_empty() {
                push(&mut self.row, Run { len: input.value, source: None });
            } else {
                for run in self.store.get(input.mark) {
                    push(&mut self.row, *run);
                }
                self.store.free(input.mark);
            }
        }
        if self.from_back {
            self.row.reverse();
        }
        let mut runs = self.row.iter().copied();
        let mut current = runs.next().unwrap_or_default();
        for value in outputs {
            self.cut.clear();
            let mut wanted = *value;
            let mut tainted = false;
            while wanted > 0 && current.len > 0 {
                let len = current.len.min(wanted);
                tainted |= current.source.is_some();
                push(&mut self.cut, Run { len, ..current });
                current.len -= len;
                wanted -= len;
                if current.len == 0 {
                    current = runs.next().unwrap_or_default();
                }
            }
            into.push(if tainted { self.store.put(&self.cut) } else { Handle::default() });
        }
    }

    fn fee(&mut self, mark: Handle) -> Handle {
        if self.from_back {
            self.store.get_mut(mark).reverse();
        }
        mark
    }

    fn amount(&self, mark: Handle, _: u64) -> u64 {
        self.store.get(mark).iter().filter(|run| run.source.is_some()).map(|run| run.len).sum()
    }

    fn by_source(&self, mark: Handle, _: u64, each: &mut impl FnMut(SourceIndex, u64)) {
        let runs = self.store.get(mark);
        // Most rows are of one source.
        let mut sources = runs.iter().filter_map(|run| run.source);
        let Some(first) = sources.next() else { return };
        if sources.all(|source| source == first) {
            each(first, runs.iter().filter(|run| run.source.is_some()).map(|run| run.len).sum());
            return;
        }
        let mut pieces: Vec<(SourceIndex, u64)> = runs.iter().filter_map(|run| Some((run.source?, run.len))).collect();
        pieces.sort_unstable_by_key(|(source, _)| *source);
        for same in pieces.chunk_by(|a, b| a.0 == b.0) {
            each(same[0].0, same.iter().map(|(_, len)| *len).sum());
        }
    }

    fn save(&self, mark: Handle) -> Vec<Piece> {
        self.store.get(mark).iter().map(|run| (run.source, run.len)).collect()
    }

    fn load(&mut self, pieces: &[Piece]) -> Handle {
        let runs: Vec<Run> = pieces.iter().map(|(source, len)| Run { len: *len, source: *source }).collect();
        self.store.put(&runs)
    }

    fn free(&mut self, mark: Handle) {
        self.store.free(mark);
    }
}
