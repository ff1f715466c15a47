//! The count itself: blocks one after the other, equal coins taken together.
//!
//! 1. `cnt(I, O)` is the number of ways for the inputs I and outputs O that are left: the sum, over every block that holds the first input
//!    left, of `cnt` for what the block leaves. Each partition is counted once, because its blocks come in the order of their first inputs.
//! 2. Coins of one value are interchangeable, so a state is how many of each value are left, and a block that takes a of n coins counts
//!    C(n, a) times. Eight by eight equal coins are 81 states instead of 65,536.
//! 3. With `f(I, O)` the number of ways to get to a state, a block (A, B) taken there occurs in `f(I, O) * C(..) * cnt(rest)` ways. Added up for
//!    every pair of an input value in A and an output value in B and divided by the numbers of such coins, this is the matrix: by
//!    symmetry, equal coins have equal cells.
//! 4. Outputs that fit a block are a range of the sub-multisets by sum.
//!
//! Invariant: `cnt` of every state that is reached is known before `f` is spread from it.

use std::collections::HashMap;

use super::packed::{Class, Packing, Part};
use crate::id;

/// A block's inputs less its outputs lie between `-more` and `less`.
#[derive(Clone, Copy)]
pub(super) struct Slack {
    pub(super) more: i128,
    pub(super) less: i128,
}

/// The number of ways, and the matrix by classes: rows are outputs.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) ways: u128,
    pub(super) cells: Vec<u128>,
}

/// What is left: inputs and outputs, packed.
type State = (u64, u64);

/// Counts; `None` when the steps are used up or the numbers outgrow 128 bits.
pub(super) fn count(inputs: &[Class], outputs: &[Class], slack: Slack, steps_max: u64) -> Option<Counted> {
    let mut counter = Counter::new(inputs, outputs, slack, steps_max);
    let whole = (counter.ins.whole(inputs), counter.outs.whole(outputs));
    let ways = counter.ways(whole)?;
    let cells = counter.cells(whole)?;
    Some(Counted { ways, cells })
}

struct Counter<'a> {
    inputs: &'a [Class],
    outputs: &'a [Class],
    ins: Packing,
    outs: Packing,
    in_parts: Vec<Part>,
    out_parts: Vec<Part>,
    slack: Slack,
    binomials: Vec<Vec<u128>>,
    known: HashMap<State, u128>,
    steps: u64,
}

/// A block that can be taken at a state.
struct Block {
    inputs: u64,
    outputs: u64,
    /// In how many ways its coins can be picked.
    picks: u128,
}

impl<'a> Counter<'a> {
    fn new(inputs: &'a [Class], outputs: &'a [Class], slack: Slack, steps: u64) -> Self {
        let (ins, outs) = (Packing::of(inputs), Packing::of(outputs));
        let most = inputs.iter().chain(outputs).map(|class| id::at(class.count)).max().unwrap_or(0);
        Self {
            inputs,
            outputs,
            in_parts: ins.parts(inputs),
            out_parts: outs.parts(outputs),
            ins,
            outs,
            slack,
            binomials: pascal(most),
            known: HashMap::new(),
            steps,
        }
    }

    /// `cnt` of a state. The depth of the recursion is the number of inputs, 32 at most.
    fn ways(&mut self, state: State) -> Option<u128> {
        if state.0 == 0 {
            return Some(u128::from(state.1 == 0));
        }
        if let Some(ways) = self.known.get(&state) {
            return Some(*ways);
        }
        let mut total: u128 = 0;
        for block in self.blocks(state)? {
            let rest = self.ways((state.0 - block.inputs, state.1 - block.outputs))?;
            total = total.checked_add(block.picks.checked_mul(rest)?)?;
        }
        self.known.insert(state, total);
        Some(total)
    }

    /// The blocks with the first input that is left, which is one of its class.
    fn blocks(&mut self, (inputs, outputs): State) -> Option<Vec<Block>> {
        let first = (0..self.inputs.len()).find(|class| self.ins.count(inputs, *class) > 0)?;
        let one = self.ins.one(first);
        let mut blocks = Vec::new();
        for paid in &self.in_parts {
            if self.ins.count(paid.word, first) == 0 || !self.ins.is_part(paid.word, inputs) {
                continue;
            }
            let picks = self.picks(&self.ins, self.inputs.len(), inputs - one, paid.word - one)?;
            let sum = i128::try_from(paid.sum).ok()?;
            let (least, most) = (sum - self.slack.less, sum + self.slack.more);
            let from = self.out_parts.partition_point(|got| got.sum.cast_signed() < least);
            let to = self.out_parts.partition_point(|got| got.sum.cast_signed() <= most);
            self.steps = self.steps.checked_sub(1 + id::number(to - from))?;
            for got in &self.out_parts[from..to] {
                if self.outs.is_part(got.word, outputs) {
                    let picks = picks.checked_mul(self.picks(&self.outs, self.outputs.len(), outputs, got.word)?)?;
                    blocks.push(Block { inputs: paid.word, outputs: got.word, picks });
                }
            }
        }
        Some(blocks)
    }

    /// In how many ways a part can be picked from coins of some classes.
    fn picks(&self, packing: &Packing, classes: usize, from: u64, part: u64) -> Option<u128> {
        (0..classes).try_fold(1, |picks: u128, class| {
            let (n, k) = (id::at(packing.count(from, class)), id::at(packing.count(part, class)));
            picks.checked_mul(self.binomials[n][k])
        })
    }

    /// Spreads the ways to get to each state forward, those with the most inputs left first.
    fn cells(&mut self, whole: State) -> Option<Vec<u128>> {
        let left = |inputs: u64| (0..self.inputs.len()).map(|class| self.ins.count(inputs, class)).sum::<u32>();
        let mut states: Vec<(u32, State)> =
            self.known.iter().filter(|(_, ways)| **ways > 0).map(|(state, _)| (left(state.0), *state)).collect();
        states.sort_unstable_by(|a, b| b.cmp(a));
        let mut reached: HashMap<State, u128> = HashMap::from([(whole, 1)]);
        let mut cells = vec![0_u128; self.inputs.len() * self.outputs.len()];
        for (_, state) in states {
            let Some(to_here) = reached.remove(&state) else { continue };
            for block in self.blocks(state)? {
                let rest = (state.0 - block.inputs, state.1 - block.outputs);
                let from_here = if rest.0 == 0 { u128::from(rest.1 == 0) } else { self.known[&rest] };
                if from_here == 0 {
                    continue;
                }
                let to_there = to_here.checked_mul(block.picks)?;
                self.add_block(&mut cells, &block, to_there.checked_mul(from_here)?)?;
                if rest.0 != 0 {
                    let reached = reached.entry(rest).or_default();
                    *reached = reached.checked_add(to_there)?;
                }
            }
        }
        let counts = self.outputs.iter().flat_map(|output| self.inputs.iter().map(|input| (output.count, input.count)));
        Some(cells.into_iter().zip(counts).map(|(cell, (o, i))| cell / (u128::from(o) * u128::from(i))).collect())
    }

    fn add_block(&self, cells: &mut [u128], block: &Block, ways: u128) -> Option<()> {
        for output in 0..self.outputs.len() {
            let got = u128::from(self.outs.count(block.outputs, output));
            if got == 0 {
                continue;
            }
            for input in 0..self.inputs.len() {
                let pairs = got * u128::from(self.ins.count(block.inputs, input));
                let cell = &mut cells[output * self.inputs.len() + input];
                *cell = cell.checked_add(ways.checked_mul(pairs)?)?;
            }
        }
        Some(())
    }
}

/// Binomials up to n = 32 fit easily.
fn pascal(most: usize) -> Vec<Vec<u128>> {
    let mut rows: Vec<Vec<u128>> = vec![vec![1]];
    for n in 1..=most {
        let above = &rows[n - 1];
        let row = (0..=n).map(|k| above.get(k).unwrap_or(&0) + if k > 0 { above[k - 1] } else { 0 }).collect();
        rows.push(row);
    }
    rows
}
