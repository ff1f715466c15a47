//! The dense engine where nothing stops and fees are not followed: columns streamed past flat cells, a window at a time.
//!
//! Most runs over a whole chain ask nobody whether to stop. Then a transaction needs no more than the sum of its inputs' marks and values, an output no
//! more than a cell, and the pass is bound by reading memory: a half to a sixth of what [`dense`](super::dense) costs, which is its twin and takes over
//! where a run is of another kind, has a way that is too long for a cell, or where cells for all outputs would not fit into memory.
//!
//! A window of transactions is crossed in two steps. Those that spend nothing of the window itself go side by side: they take cells that were filled
//! before, each its own, and fill their own outputs. The others follow in order. So the result is that of one thread, whatever the threads do.

mod booked;
mod cells;

use std::ops::Range;

use super::super::Stop;
use super::found::{Reach, UNKNOWN_SPENDER, UNSPENT};
use super::run::{Held, Run};
use crate::chain::Hot;
use crate::id::{self, OutputIndex, SourceIndex, TxIndex};
use crate::par;
use crate::taint::flat::{Flat, Word};
use booked::Booked;
use cells::{Cells, Marked, Nearest, Room};

/// Outputs of a chain for which cells are made at most: under three gigabytes of them, if taint gets everywhere.
const OUTPUTS_MAX: usize = 1 << 28;

/// Transactions in a window, and in the part of one that a thread takes. A wider window has more that must wait: of a generated chain 4 % at 4,000
/// transactions, 15 % at 16,000, 35 % at 64,000; a narrower one is over before a thread has started.
const WINDOW: u32 = 4096;
const PART: u32 = 512;

/// Whether a run is of the kind that is streamed. One between owners is not: a cell counts every output as a hop.
pub(super) fn fits<F: Flat, S: Stop + ?Sized>(run: &Run<'_, '_, F, S>) -> bool {
    let small = run.hot.outputs_len() <= OUTPUTS_MAX;
    small && run.hot.is_gapless() && run.drops_fees() && !run.cuts() && run.owners.is_none() && run.ended.is_empty()
}

/// Goes on from the transaction `from` to the view's end. What is held there becomes ends of `found`, or with `keep` the run's rest. False, with
/// nothing changed, where the run is not of this kind.
pub(super) fn pass<'c, F: Word, S: Stop + ?Sized>(
    run: &mut Run<'_, 'c, F, S>,
    from: TxIndex,
    placed: &[(TxIndex, Held<u64>)],
    found: &mut Reach<'c>,
    keep: bool,
) -> bool {
    let range = from..run.view.end();
    if !fits(run) || !run.hot.sees_all(range.clone()) {
        return false;
    }
    let one = F::ANY && run.ledger.sources() == 1;
    let mut cells = Cells::new(run.hot.outputs_len(), one);
    if !placed.iter().map(|(_, held)| held).chain(&run.rest).all(|held| cells.put(held).is_some()) {
        return false;
    }
    let Run { hot, seeds, flat, .. } = &*run;
    let flow = if one {
        flow(hot, range, seeds, &Nearest { near: &cells.near })
    } else {
        flow(hot, range, seeds, &Marked { rule: flat, cells: &cells })
    };
    let Some(flow) = flow else { return false };
    run.rest.clear();
    run.transactions += flow.transactions;
    run.book_all(flow.fees.into_rows::<F>(), |ledger| &mut ledger.fees);
    run.book_all(flow.displaced.into_rows::<F>(), |ledger| &mut ledger.displaced);
    found.ends.reserve_exact(if keep { 0 } else { cells.len() });
    cells.for_each(|held| {
        if run.burns(&held) {
        } else if keep {
            run.rest.push(Held { tx: run.view.output(held.output).tx().index(), ..held });
        } else {
            let unspent = run.hot.is_unspent_output(held.output);
            found.push(run, held, if unspent { UNSPENT } else { UNKNOWN_SPENDER });
        }
    });
    true
}

/// The cells under one rule. An output beyond the last, which a coinbase's input names, is clean.
trait Column: Sync {
    /// What the inputs of a transaction bring.
    type Taken: Copy + Default;

    /// Looks at a cell, so that it is near when it is taken.
    fn look(&self, output: usize) -> u64;

    /// Takes the cell of an input's prevout, and leaves it clean.
    fn take(&self, output: usize, taken: &mut Self::Taken);

    fn is_clean(taken: Self::Taken) -> bool;

    /// Fills the cells of the outputs from `first` on; returns the fee's mark and value, or `None` where a way has become too long.
    fn pour(
        &self,
        taken: Self::Taken,
        brought: u64,
        first: usize,
        values: &[[u8; 8]],
        room: &mut Room,
    ) -> Option<(u64, u64)>;

    /// Swaps one cell for another: its mark, and how near it is.
    fn swap(&self, output: usize, cell: (u64, u16)) -> (u64, u16);

    /// Under which mark to book a value, and how much of it.
    fn worth(mark: u64, value: u64) -> (u64, u64);
}

/// What left in passing.
struct Flow {
    transactions: u64,
    fees: Booked,
    displaced: Booked,
}

impl Flow {
    fn new() -> Self {
        Self { transactions: 0, fees: Booked::new(), displaced: Booked::new() }
    }
}

/// A transaction with its inputs and outputs.
struct Place {
    inputs: Range<usize>,
    outputs: Range<usize>,
}

/// Streams the columns past the cells; `None` where a way is too long.
///
/// Morally: for each transaction take the marks of its inputs; if there are any, spread them over its outputs.
fn flow<C: Column>(
    hot: &Hot<'_>,
    range: Range<TxIndex>,
    seeds: &[(OutputIndex, SourceIndex)],
    cells: &C,
) -> Option<Flow> {
    let alone = par::threads() == 1;
    let mut flow = Flow::new();
    let mut room = Room::default();
    let mut start = range.start.to_u32();
    while start < range.end.to_u32() {
        let end = start.saturating_add(WINDOW).min(range.end.to_u32());
        let first = if alone { usize::MAX } else { hot.outputs(TxIndex::from_u32(start)).start };
        let parts: Vec<Range<TxIndex>> = (start..end)
            .step_by(id::at(PART))
            .map(|part| TxIndex::from_u32(part)..TxIndex::from_u32(part.saturating_add(PART).min(end)))
            .collect();
        for done in par::map(&parts, |part| cross(hot, part.clone(), first, seeds, cells, alone)) {
            let (part, later) = done?;
            flow.transactions += part.transactions;
            flow.fees.add_all(part.fees);
            flow.displaced.add_all(part.displaced);
            for place in later {
                visit(hot, &place, seeds_among(seeds, &place.outputs), cells, &mut flow, &mut room)?;
            }
        }
        start = end;
    }
    Some(flow)
}

/// Crosses the transactions of a part of a window that spend nothing from output `first` on and hold no seed; hands back the others.
fn cross<C: Column>(
    hot: &Hot<'_>,
    part: Range<TxIndex>,
    first: usize,
    seeds: &[(OutputIndex, SourceIndex)],
    cells: &C,
    alone: bool,
) -> Option<(Flow, Vec<Place>)> {
    let (mut flow, mut later, mut room) = (Flow::new(), Vec::new(), Room::default());
    let (mut input, mut output) = (hot.inputs(part.start).start, hot.outputs(part.start).start);
    let (inputs, outputs) = hot.ends_of(part);
    let all = input..inputs.last().map_or(input, |last| id::at_five(*last));
    let held = output..outputs.last().map_or(output, |last| id::at_five(*last));
    let seeded = !seeds_among(seeds, &held).is_empty();
    // Cells wait for memory together here, and not one after the other below.
    let ahead = hot.prevouts(all).iter().fold(0, |seen, prevout| seen ^ cells.look(id::at_five(*prevout)));
    std::hint::black_box(ahead);
    for (inputs_end, outputs_end) in inputs.iter().zip(outputs) {
        let place = Place { inputs: input..id::at_five(*inputs_end), outputs: output..id::at_five(*outputs_end) };
        (input, output) = (place.inputs.end, place.outputs.end);
        let prevouts = hot.prevouts(place.inputs.clone()).iter();
        let waits = prevouts.fold(false, |waits, prevout| waits | (id::at_five(*prevout) >= first));
        let own = if seeded { seeds_among(seeds, &place.outputs) } else { &[] };
        if waits || (!alone && !own.is_empty()) {
            later.push(place);
        } else {
            visit(hot, &place, own, cells, &mut flow, &mut room)?;
        }
    }
    Some((flow, later))
}

fn seeds_among<'s>(
    seeds: &'s [(OutputIndex, SourceIndex)],
    outputs: &Range<usize>,
) -> &'s [(OutputIndex, SourceIndex)] {
    let from = seeds.partition_point(|(seed, _)| seed.at() < outputs.start);
    let to = seeds.partition_point(|(seed, _)| seed.at() < outputs.end);
    &seeds[from..to]
}

/// Carries what a transaction takes on to its outputs.
#[inline(always)]
fn visit<C: Column>(
    hot: &Hot<'_>,
    place: &Place,
    seeds: &[(OutputIndex, SourceIndex)],
    cells: &C,
    flow: &mut Flow,
    room: &mut Room,
) -> Option<()> {
    let mut taken = C::Taken::default();
    let mut brought = 0_u64;
    for (prevout, value) in hot.prevouts(place.inputs.clone()).iter().zip(hot.input_values(place.inputs.clone())) {
        // A coinbase's value is not known; nothing is taken there.
        brought = brought.wrapping_add(u64::from_le_bytes(*value));
        cells.take(id::at_five(*prevout), &mut taken);
    }
    if C::is_clean(taken) {
        return Some(());
    }
    flow.transactions += 1;
    let seeded: Vec<_> = seeds.iter().map(|(seed, _)| (seed.at(), cells.swap(seed.at(), (0, 0)))).collect();
    let (mark, fee) = cells.pour(taken, brought, place.outputs.start, hot.values(place.outputs.clone()), room)?;
    flow.fees.add(C::worth(mark, fee));
    // What arrives at a seed gives way to it.
    for (seed, cell) in seeded {
        let (mark, _) = cells.swap(seed, cell);
        flow.displaced.add(C::worth(mark, hot.value(seed)));
    }
    Some(())
}
