//! Rules that keep amounts, with several sources: a mark is a list of amounts by source, and every division is the exact draw.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::place::{Scratch, rate, share};
use super::store::{Handle, Store};
use super::{Flat, Input, Placing};
use crate::id::SourceIndex;

type Piece = (SourceIndex, u64);

/// Up to so many steps times sources, the next to move is looked for; above, a heap finds it.
const LOOK_MAX: u64 = 2048;

/// Amounts of many sources, placed by a rule.
#[derive(Debug)]
pub(crate) struct Labelled {
    placing: Placing,
    store: Store<Piece>,
    scratch: Scratch,
    /// What the inputs bring, by source; then, for the draw, what each source is owed.
    brought: Vec<Piece>,
    tainted: Vec<u64>,
    draw: Draw,
}

impl Labelled {
    pub(crate) fn new(placing: Placing) -> Self {
        Self {
            placing,
            store: Store::new(),
            scratch: Scratch::default(),
            brought: Vec::new(),
            tainted: Vec::new(),
            draw: Draw::default(),
        }
    }

    /// Sums what the inputs bring by source, and takes their marks back.
    fn gather(&mut self, inputs: &[Input<Handle>]) {
        self.brought.clear();
        let mut lists = 0;
        for input in inputs.iter().filter(|input| !input.mark.is_empty()) {
            lists += 1;
            self.brought.extend_from_slice(self.store.get(input.mark));
            self.store.free(input.mark);
        }
        if lists < 2 {
            return;
        }
        self.brought.sort_unstable_by_key(|(source, _)| *source);
        self.brought.dedup_by(|next, first| {
            let same = next.0 == first.0;
            first.1 += if same { next.1 } else { 0 };
            same
        });
    }
}

impl Flat for Labelled {
    type Mark = Handle;

    fn seed(&mut self, value: u64, source: SourceIndex) -> Handle {
        if value == 0 { Handle::default() } else { self.store.put(&[(source, value)]) }
    }

    fn spread(&mut self, inputs: &[Input<Handle>], outputs: &[u64], into: &mut Vec<Handle>) {
        into.clear();
        self.gather(inputs);
        let total: u64 = self.brought.iter().map(|(_, amount)| *amount).sum();
        let all: u64 = inputs.iter().map(|input| input.value).sum();
        let Self { store, draw, brought, .. } = self;
        if self.placing != Placing::Haircut {
            self.placing.place(total, all, outputs, &mut self.tainted, &mut self.scratch);
            if let [(source, _)] = brought[..] {
                let list = |amount: &u64| if *amount > 0 { store.put(&[(source, *amount)]) } else { Handle::default() };
                into.extend(self.tainted.iter().map(list));
                return;
            }
            draw.start(brought.iter().map(|(_, amount)| *amount));
            into.extend(self.tainted.iter().map(|amount| store.put(draw.label(*amount, brought))));
            return;
        }
        // Clean is a source too, and the lowest one, so that ties go to it first.
        brought.insert(0, (SourceIndex::default(), all - total));
        draw.start(brought.iter().map(|(_, amount)| *amount));
        for value in outputs {
            draw.next(*value);
            draw.listed(&brought[1..], 1);
            into.push(store.put(&draw.list));
        }
    }

    fn amount(&self, mark: Handle, _: u64) -> u64 {
        self.store.get(mark).iter().map(|(_, amount)| *amount).sum()
    }

    fn by_source(&self, mark: Handle, _: u64, each: &mut impl FnMut(SourceIndex, u64)) {
        self.store.get(mark).iter().for_each(|(source, amount)| each(*source, *amount));
    }

    fn save(&self, mark: Handle) -> Vec<super::Piece> {
        self.store.get(mark).iter().map(|(source, amount)| (Some(*source), *amount)).collect()
    }

    fn load(&mut self, pieces: &[super::Piece]) -> Handle {
        let list: Vec<Piece> = pieces.iter().filter_map(|(source, amount)| Some(((*source)?, *amount))).collect();
        self.store.put(&list)
    }

    fn free(&mut self, mark: Handle) {
        self.store.free(mark);
    }
}

/// The exact draw of `taint::shares` with one division a source and transaction. Letters as there.
#[derive(Debug, Default)]
struct Draw {
    owed: Vec<u64>,
    rates: Vec<u64>,
    drawn: Vec<u64>,
    x: Vec<u64>,
    /// `q - x` in units of `1 / v_all`.
    rest: Vec<i128>,
    v_all: u64,
    p: u64,
    list: Vec<Piece>,
}

impl Draw {
    fn start(&mut self, owed: impl Iterator<Item = u64>) {
        self.owed.clear();
        self.owed.extend(owed);
        self.v_all = self.owed.iter().sum();
        self.p = 0;
        let v_all = self.v_all;
        self.rates.clear();
        self.rates.extend(self.owed.iter().map(|owed| if *owed < v_all { rate(*owed, v_all) } else { 0 }));
        self.drawn.clear();
        self.drawn.resize(self.owed.len(), 0);
        self.x.clear();
        self.x.resize(self.owed.len(), 0);
        self.rest.clear();
        self.rest.resize(self.owed.len(), 0);
    }

    /// Draws the next output's share of each source into `x`.
    fn next(&mut self, value: u64) {
        self.p += value;
        let mut given = 0;
        for s in 0..self.owed.len() {
            let owed = self.owed[s];
            // What should be drawn by now, rounded down, and by how much that is too little.
            let (due, over) =
                if owed == self.v_all { (self.p, 0) } else { share(self.p, self.rates[s], owed, self.v_all) };
            let x = due.saturating_sub(self.drawn[s]).min(owed - self.drawn[s]);
            self.x[s] = x;
            let behind = i128::from(due) - i128::from(self.drawn[s]) - i128::from(x);
            self.rest[s] = i128::from(over) + behind * i128::from(self.v_all);
            given += x;
        }
        self.settle(value, given);
        for s in 0..self.owed.len() {
            self.drawn[s] += self.x[s];
        }
    }

    /// Moves single satoshis until the shares sum to the output's value.
    fn settle(&mut self, value: u64, given: u64) {
        let (up, missing) = (given < value, given.abs_diff(value));
        if missing == 0 {
            return;
        }
        let step = i128::from(self.v_all);
        let may = |draw: &Self, s: usize| if up { draw.x[s] < draw.owed[s] - draw.drawn[s] } else { draw.x[s] > 0 };
        let key = |draw: &Self, s: usize| (if up { draw.rest[s] } else { -draw.rest[s] }, Reverse(s));
        let shift = |draw: &mut Self, s: usize| {
            if up {
                draw.x[s] += 1;
                draw.rest[s] -= step;
            } else {
                draw.x[s] -= 1;
                draw.rest[s] += step;
            }
        };
        let all = 0..self.owed.len();
        if missing.saturating_mul(crate::id::number(self.owed.len())) <= LOOK_MAX {
            for _ in 0..missing {
                let next = all.clone().filter(|s| may(self, *s)).max_by_key(|s| key(self, *s));
                shift(self, next.expect("the sources owe as much as the outputs are worth"));
            }
            return;
        }
        let mut heap: BinaryHeap<_> = all.filter(|s| may(self, *s)).map(|s| key(self, s)).collect();
        for _ in 0..missing {
            let (_, Reverse(s)) = heap.pop().expect("the sources owe as much as the outputs are worth");
            shift(self, s);
            if may(self, s) {
                heap.push(key(self, s));
            }
        }
    }

    /// What was drawn last, by source; the first `skip` sources are left out.
    fn listed(&mut self, sources: &[Piece], skip: usize) {
        self.list.clear();
        let pieces = sources.iter().zip(&self.x[skip..]).map(|((source, _), amount)| (*source, *amount));
        self.list.extend(pieces.filter(|(_, amount)| *amount > 0));
    }

    fn label(&mut self, amount: u64, sources: &[Piece]) -> &[Piece] {
        self.next(amount);
        self.listed(sources, 0);
        &self.list
    }
}
