//! How much of each input's value is taken to flow into each output of a mix, and taint along it.
//!
//! A [`Flow`] is a matrix of whole satoshis: a row an input, a column an output, the last column the fee. Each row sums to its input, each
//! column to its output. It looks at values alone and never at taint. Taint then leaves an input in proportion to its row (the exact
//! division of [`Haircut`]), so an output holds at most the sum of its column, which is its value, and nothing is lost of any source.
//!
//! Within an output the rule of the run gets the pieces as lots of their own, one a source and the clean rest last, and pays the output
//! with them: an order among them would claim what nobody knows, and this one is stated.
//!
//! Poison keeps no amounts: it takes every output that an input may reach.

use std::collections::BTreeMap;

use bitcoin::Amount;

use crate::id::{self, SourceIndex};
use crate::taint::{Haircut, Lot, Shares, Taint, split};

/// A matrix of satoshis from inputs to outputs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::trace) struct Flow {
    columns: usize,
    cells: Vec<Amount>,
    /// Whether taint of an input may be in an output at all.
    may: Vec<bool>,
    /// Outputs that have one payer.
    pub(in crate::trace) settled: Vec<u32>,
}

impl Flow {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let cells = vec![Amount::ZERO; rows * columns];
        Self { columns, may: vec![false; cells.len()], cells, settled: Vec::new() }
    }

    pub(super) fn add(&mut self, row: usize, column: usize, amount: Amount) {
        self.cells[row * self.columns + column] += amount;
        self.may[row * self.columns + column] |= amount > Amount::ZERO;
    }

    pub(super) fn allow(&mut self, row: usize, column: usize) {
        self.may[row * self.columns + column] = true;
    }

    /// Lets some inputs pay an output alone, each in proportion to what it has left; returns what they pay.
    pub(super) fn settle(&mut self, left: &mut [Amount], payers: &[usize], column: usize, value: Amount) -> Amount {
        let have: Vec<Amount> = payers.iter().map(|row| left[*row]).collect();
        let paid = value.min(have.iter().copied().sum());
        for (row, part) in payers.iter().zip(split(paid, &have)) {
            left[*row] -= part;
            self.add(*row, column, part);
            self.allow(*row, column);
        }
        self.settled.push(id::small(column));
        paid
    }

    pub(super) fn row(&self, row: usize) -> &[Amount] {
        &self.cells[row * self.columns..][..self.columns]
    }

    fn may(&self, row: usize, column: usize) -> bool {
        self.may[row * self.columns + column]
    }
}

/// So much of a source went from an input to an output, or to the fee when `output` is their number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::trace) struct Move {
    pub(in crate::trace) output: u32,
    pub(in crate::trace) source: SourceIndex,
    pub(in crate::trace) input: u32,
    pub(in crate::trace) amount: Amount,
}

/// Carries the lots' taint along a flow: the marks of the outputs and of the fee, and what went where, sorted.
pub(in crate::trace) fn cross<T: Taint>(
    rule: &T,
    sources: usize,
    lots: &[Lot<T::Mark>],
    outputs: &[Amount],
    flow: &Flow,
) -> (Vec<T::Mark>, Vec<Move>) {
    let tainted: Vec<usize> = (0..lots.len()).filter(|at| lots[*at].mark != T::Mark::default()).collect();
    let mut moves = Vec::new();
    for at in &tainted {
        if T::CONSERVING {
            conserved(rule, sources, *at, &lots[*at], flow, &mut moves);
        } else {
            reached(rule, *at, &lots[*at], flow, &mut moves);
        }
    }
    moves.sort_unstable();
    let mut marks = Vec::with_capacity(outputs.len());
    for (column, value) in outputs.iter().enumerate() {
        let start = moves.partition_point(|part| id::at(part.output) < column);
        let end = moves.partition_point(|part| id::at(part.output) <= column);
        let arrived = &moves[start..end];
        let paid = if arrived.is_empty() {
            T::Mark::default()
        } else if T::CONSERVING {
            pay(rule, sources, by_source(rule, arrived), *value)
        } else {
            let from = tainted.iter().filter(|at| flow.may(**at, column));
            pay(rule, sources, from.map(|at| lots[*at].clone()).collect(), *value)
        };
        marks.push(paid);
    }
    (marks, moves)
}

/// One input's taint by its row.
fn conserved<T: Taint>(rule: &T, sources: usize, at: usize, lot: &Lot<T::Mark>, flow: &Flow, into: &mut Vec<Move>) {
    let mut pieces = Vec::new();
    rule.by_source(&lot.mark, &mut |source, amount| {
        pieces.push(Lot { value: amount, mark: Shares::of(source, amount) });
    });
    let mut shares = Vec::new();
    let whole = Lot { value: lot.value, mark: Shares::sum(&pieces) };
    Haircut.spread(sources, &[whole], flow.row(at), &mut shares);
    for (column, share) in shares.iter().enumerate() {
        let (output, input) = (id::small(column), id::small(at));
        into.extend(share.parts().map(|part| Move { output, source: part.source, input, amount: part.amount }));
    }
}

/// What one input reaches, whole.
fn reached<T: Taint>(rule: &T, at: usize, lot: &Lot<T::Mark>, flow: &Flow, into: &mut Vec<Move>) {
    for column in (0..flow.columns).filter(|column| flow.may(at, *column)) {
        let (output, input) = (id::small(column), id::small(at));
        rule.by_source(&lot.mark, &mut |source, amount| into.push(Move { output, source, input, amount }));
    }
}

fn by_source<T: Taint>(rule: &T, arrived: &[Move]) -> Vec<Lot<T::Mark>> {
    let mut sums = BTreeMap::new();
    for part in arrived {
        *sums.entry(part.source).or_insert(Amount::ZERO) += part.amount;
    }
    sums.into_iter().map(|(source, value)| Lot { value, mark: rule.seed(value, source) }).collect()
}

/// Pays one output with lots, clean ones last to fill it; what they are worth more is left over.
fn pay<T: Taint>(rule: &T, sources: usize, mut lots: Vec<Lot<T::Mark>>, value: Amount) -> T::Mark {
    let have: Amount = lots.iter().map(|lot| lot.value).sum();
    let short = value.checked_sub(have).unwrap_or(Amount::ZERO);
    lots.push(Lot { value: short, mark: T::Mark::default() });
    let mut marks = Vec::new();
    rule.spread(sources, &lots, &[value, have + short - value], &mut marks);
    marks.swap_remove(0)
}
