//! The evidence for one output as a flow: from the output back to the seeds, and the widest paths through it.
//!
//! The flow is built once, walking back through the transactions from the last to the first. Every piece of taint that is needed at a
//! transaction's outputs is taken from its inputs, as the rule's [`Origin`] says, and what is needed of one input is one node however many
//! outputs ask for it. So the flow is no larger than the trace, and its amounts are whole satoshis that balance at every node. Then paths
//! are taken off it, the widest first, until enough are found or nothing is left.
//!
//! Invariant: an edge goes from an older node to a newer one (nearer the seeds), so one sweep from the newest node to the oldest
//! finds the widest path.

use std::collections::{BTreeMap, HashMap, HashSet};

use bitcoin::Amount;

use super::Trace;
use super::coinbase::Row;
use super::through::flow::Move;
use crate::chain::Tx;
use crate::id::{self, OutputIndex, SourceIndex, TxIndex};
use crate::taint::{Origin, Part, split};

/// Where a piece of taint was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Place {
    Output(OutputIndex),
    /// In this transaction's fee, on the way to the coinbase.
    Fee(TxIndex),
}

pub(super) struct Node {
    pub(super) at: Place,
    pub(super) part: Part,
    seed: bool,
    /// The nodes it came from, and how much; `None` where all of it has been taken by a path.
    from: Vec<(usize, Option<Amount>)>,
}

/// The flow that explains one output.
pub(super) struct Evidence {
    pub(super) nodes: Vec<Node>,
    /// The output's own pieces, not yet explained.
    roots: Vec<(usize, Option<Amount>)>,
    /// Whether steps had to be left out.
    pub(super) cut: bool,
    conserving: bool,
}

/// An input (or a coinbase's fee) with its taint.
struct Lot<'t> {
    at: Option<Place>,
    value: Amount,
    parts: &'t [Part],
}

/// A piece wanted at an output of a transaction: which node, at which output, which piece.
type Wanted = (usize, usize, Part);

/// A piece taken from an input: for which node, from which input, which piece it is there, how much of it is for this node.
type Taken = (usize, usize, Part, Amount);

impl Evidence {
    /// Builds the flow. After `steps_max` steps only the greatest piece is followed at each transaction, so that a path is found even
    /// so.
    pub(super) fn of(trace: &Trace<'_>, output: OutputIndex, steps_max: usize) -> Self {
        let mut walk = Walk {
            trace,
            seeds: trace.seeds.iter().map(|seed| seed.output).collect(),
            open: BTreeMap::new(),
            flow: Self { nodes: Vec::new(), roots: Vec::new(), cut: false, conserving: trace.policy.conserving },
        };
        for part in trace.touch(output).map_or(&[][..], |touch| &touch.parts) {
            let root = walk.push(Place::Output(output), *part);
            walk.flow.roots.push((root, Some(part.amount)));
        }
        let mut steps = 0;
        while let Some(((_, _, tx), nodes)) = walk.open.pop_last() {
            walk.flow.cut |= steps >= steps_max;
            steps += walk.step_back(trace.view.tx(tx), &nodes);
        }
        walk.flow
    }

    /// Takes off the widest path that is left: its amount, and its nodes from the output to the seed.
    pub(super) fn take_path(&mut self) -> Option<(Amount, Vec<usize>)> {
        let wide = self.widths();
        let width = |(node, left): &(usize, Option<Amount>)| Some((*left)?.min(wide[*node]?));
        let mut path = Vec::new();
        let mut edges = Vec::new();
        let mut from = &self.roots;
        let mut amount = None;
        // Of equals the first, so that the answer does not depend on chance.
        let widest = |from: &[(usize, Option<Amount>)]| {
            (0..from.len()).rev().filter(|at| width(&from[*at]).is_some()).max_by_key(|at| width(&from[*at]))
        };
        while let Some(best) = widest(from) {
            amount = amount.or(width(&from[best]));
            edges.push((path.last().copied(), best));
            let node = from[best].0;
            path.push(node);
            if self.nodes[node].seed {
                break;
            }
            from = &self.nodes[node].from;
        }
        let amount = amount?;
        self.take(&edges, amount);
        Some((amount, path))
    }

    /// For each node how much can come from a seed by the widest way; `None` where none is left.
    fn widths(&self) -> Vec<Option<Amount>> {
        let mut wide: Vec<Option<Amount>> = vec![None; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            let node = &self.nodes[at];
            wide[at] = if node.seed {
                Some(node.part.amount)
            } else {
                node.from.iter().filter_map(|(from, left)| Some((*left)?.min(wide[*from]?))).max()
            };
        }
        wide
    }

    /// Takes an amount off the edges of a path. Under poison nothing is used up, so only the narrowest edge goes: the next path differs.
    fn take(&mut self, edges: &[(Option<usize>, usize)], amount: Amount) {
        if self.conserving {
            for (node, edge) in edges {
                let left = self.left(*node, *edge);
                *left = left.and_then(|left| left.checked_sub(amount)).filter(|left| *left > Amount::ZERO);
            }
            return;
        }
        // The output's own piece is the narrowest only when there is no other edge.
        let inner = if edges.len() > 1 { &edges[1..] } else { edges };
        let narrowest = inner.iter().min_by_key(|(node, edge)| *self.left(*node, *edge));
        if let Some((node, edge)) = narrowest.copied() {
            *self.left(node, edge) = None;
        }
    }

    fn left(&mut self, node: Option<usize>, edge: usize) -> &mut Option<Amount> {
        match node {
            Some(node) => &mut self.nodes[node].from[edge].1,
            None => &mut self.roots[edge].1,
        }
    }
}

struct Walk<'t, 'c> {
    trace: &'t Trace<'c>,
    seeds: HashSet<OutputIndex>,
    /// Nodes whose origin is still to be found, by the place of their transaction.
    open: BTreeMap<(u32, bool, TxIndex), Vec<usize>>,
    flow: Evidence,
}

impl<'t> Walk<'t, '_> {
    fn push(&mut self, at: Place, part: Part) -> usize {
        let node = self.flow.nodes.len();
        let view = self.trace.view;
        let (seed, tx) = match at {
            Place::Output(output) => (self.seeds.contains(&output), view.output(output).tx()),
            Place::Fee(tx) => (false, view.tx(tx)),
        };
        if !seed {
            // A coinbase takes the fees of its block, so its outputs come after all of the block's.
            let order = (view.columns().height_in_force(tx.index()), tx.is_coinbase(), tx.index());
            self.open.entry(order).or_default().push(node);
        }
        self.flow.nodes.push(Node { at, part, seed, from: Vec::new() });
        node
    }

    /// Finds where the pieces wanted at a transaction's outputs came from. Returns how many steps that took.
    fn step_back(&mut self, tx: Tx<'_>, nodes: &[usize]) -> usize {
        let (lots, outputs) = if tx.is_coinbase() { self.coinbase_lots(tx) } else { self.lots(tx) };
        let mut wanted: Vec<Wanted> = nodes.iter().map(|node| self.wanted(*node, &outputs)).collect();
        if self.flow.cut {
            // The first of the greatest.
            wanted.sort_by_key(|(node, _, part)| (std::cmp::Reverse(part.amount), *node));
            wanted.truncate(1);
        }
        let crossed = self.trace.passage.at(tx.index()).filter(|crossing| !crossing.moves.is_empty());
        let mut taken = match self.trace.policy.origin {
            _ if crossed.is_some() => {
                let moves = crossed.map_or(&[][..], |crossing| &crossing.moves);
                self.moved(tx, &lots, &outputs, moves, &wanted)
            }
            Origin::RowFront => wanted.iter().flat_map(|wanted| from_row(&lots, &outputs, false, *wanted)).collect(),
            Origin::RowBack => wanted.iter().flat_map(|wanted| from_row(&lots, &outputs, true, *wanted)).collect(),
            Origin::Shares => from_shares(&lots, &wanted),
            Origin::Whole => from_whole(&lots, &wanted),
        };
        if self.flow.cut {
            taken.sort_by_key(|(_, lot, _, amount)| (std::cmp::Reverse(*amount), *lot));
            taken.truncate(1);
        }
        let in_rows = matches!(self.trace.policy.origin, Origin::RowFront | Origin::RowBack);
        let mut known: HashMap<(usize, SourceIndex), usize> = HashMap::new();
        for (node, lot, part, amount) in &taken {
            let Some(at) = lots[*lot].at else { continue };
            let from = match known.get(&(*lot, part.source)) {
                // In a row every piece has a place of its own; otherwise an input's taint of one source is one node.
                Some(from) if !in_rows => *from,
                _ => self.push(at, *part),
            };
            known.insert((*lot, part.source), from);
            self.flow.nodes[*node].from.push((from, Some(*amount)));
        }
        taken.len()
    }

    /// As the taint was taken through a mix: every satoshi of a source in an output is one of an input, both in order.
    fn moved(&self, tx: Tx<'_>, lots: &[Lot<'_>], outputs: &[Amount], moves: &[Move], wanted: &[Wanted]) -> Vec<Taken> {
        let mut taken = Vec::new();
        let whole = self.trace.policy.origin == Origin::Whole;
        for (node, output, part) in wanted {
            // Where in the source's satoshis of this output the piece begins.
            let mut skip = part.offset - self.first_of(tx, outputs, *output, part.source).min(part.offset);
            let mut want = part.amount;
            let key = |moved: &Move| (id::at(moved.output), moved.source);
            let start = moves.partition_point(|moved| key(moved) < (*output, part.source));
            let end = moves.partition_point(|moved| key(moved) <= (*output, part.source));
            for moved in &moves[start..end] {
                let lot = id::at(moved.input);
                if whole {
                    let piece = Part { source: moved.source, offset: Amount::ZERO, amount: moved.amount };
                    taken.push((*node, lot, piece, moved.amount));
                    continue;
                }
                let dropped = skip.min(moved.amount);
                skip -= dropped;
                let amount = want.min(moved.amount - dropped);
                want -= amount;
                if amount > Amount::ZERO {
                    // The input's satoshis of the source go to the outputs in order.
                    let gone = |other: &&Move| {
                        (other.input, other.source) == (moved.input, moved.source) && other.output < moved.output
                    };
                    let before: Amount = moves.iter().filter(gone).map(|other| other.amount).sum();
                    let pieces = pieces(lots[lot].parts, part.source, before + dropped, amount);
                    taken.extend(pieces.into_iter().map(|piece| (*node, lot, piece, piece.amount)));
                }
            }
        }
        if self.trace.policy.origin == Origin::Shares {
            // One node an input and source, however many outputs ask.
            let mut given: BTreeMap<(usize, SourceIndex), Amount> = BTreeMap::new();
            for (_, lot, part, amount) in &taken {
                *given.entry((*lot, part.source)).or_insert(Amount::ZERO) += *amount;
            }
            for (_, lot, part, _) in &mut taken {
                *part = Part { offset: Amount::ZERO, amount: given[&(*lot, part.source)], ..*part };
            }
        }
        taken
    }

    /// Where a source's satoshis begin in an output of a mix, or in its fee as it was dealt; they lie together there.
    fn first_of(&self, tx: Tx<'_>, outputs: &[Amount], output: usize, source: SourceIndex) -> Amount {
        let trace = self.trace;
        let dealt = tx.outputs().nth(output).map(|output| output.index());
        let parts = match dealt {
            Some(output) => trace.touch(output).map_or(&[][..], |touch| &touch.parts),
            None => {
                let fee = trace.fees.binary_search_by_key(&tx.index(), |fee| fee.tx);
                fee.map_or(&[][..], |at| &trace.fees[at].parts)
            }
        };
        let back = dealt.is_none() && trace.policy.origin == Origin::RowBack;
        let offset = |part: &Part| if back { outputs[output] - part.offset - part.amount } else { part.offset };
        parts.iter().filter(|part| part.source == source).map(offset).min().unwrap_or(Amount::ZERO)
    }

    fn wanted(&self, node: usize, outputs: &[Amount]) -> Wanted {
        let Node { at, mut part, .. } = self.flow.nodes[node];
        let output = match at {
            Place::Output(output) => id::at(self.trace.view.output(output).vout()),
            Place::Fee(_) => outputs.len() - 1,
        };
        if let (Place::Fee(_), Origin::RowBack) = (at, self.trace.policy.origin) {
            // A fee is kept in input order, not in the order dealt.
            part.offset = outputs[output] - part.offset - part.amount;
        }
        (node, output, part)
    }

    /// A transaction's inputs, and its outputs with the fee.
    fn lots(&self, tx: Tx<'_>) -> (Vec<Lot<'t>>, Vec<Amount>) {
        let trace = self.trace;
        let lots = tx.inputs().map(|input| {
            let prevout = input.prevout().map(|prevout| prevout.index());
            let touch = prevout.and_then(|prevout| trace.touch(prevout)).filter(|touch| touch.carried);
            let parts = touch.map_or(&[][..], |touch| &touch.parts);
            Lot { at: prevout.map(Place::Output), value: input.value().unwrap_or(Amount::ZERO), parts }
        });
        let values = tx.outputs().map(|output| output.value().unwrap_or(Amount::ZERO));
        (lots.collect(), values.chain(tx.fee()).collect())
    }

    /// A coinbase's subsidy and fees, and its outputs with what was not claimed.
    fn coinbase_lots(&self, coinbase: Tx<'_>) -> (Vec<Lot<'t>>, Vec<Amount>) {
        let trace = self.trace;
        let row = coinbase.height().and_then(|height| Row::of(trace.view, height));
        let row = row.expect("taint reaches a coinbase only where its block is there");
        let lots = row.lots(trace.options.coinbase_order).into_iter().map(|(payer, value)| {
            let at = payer.and_then(|payer| trace.fees.binary_search_by_key(&payer, |fee| fee.tx).ok());
            let fee = at.map(|at| &trace.fees[at]).filter(|fee| fee.coinbase.is_some());
            Lot { at: payer.map(Place::Fee), value, parts: fee.map_or(&[][..], |fee| &fee.parts) }
        });
        (lots.collect(), row.outputs())
    }
}

/// The inputs' satoshis at the place in the row from which this piece was dealt: from the front, or from the back.
fn from_row(lots: &[Lot<'_>], outputs: &[Amount], back: bool, (node, output, part): Wanted) -> Vec<Taken> {
    let dealt = outputs[..output].iter().copied().sum::<Amount>() + part.offset;
    let row: Amount = lots.iter().map(|lot| lot.value).sum();
    let start = if back { row - dealt - part.amount } else { dealt };
    let end = start + part.amount;
    let mut before = Amount::ZERO;
    let mut taken = Vec::new();
    for (at, lot) in lots.iter().enumerate() {
        let after = before + lot.value;
        let (from, to) = (start.max(before), end.min(after));
        if from < to {
            let piece = Part { source: part.source, offset: from - before, amount: to - from };
            taken.push((node, at, piece, piece.amount));
        }
        before = after;
    }
    taken
}

/// What all outputs want of one source together is divided among the inputs in proportion to what each holds of it, and handed to the
/// outputs in order. No input gives more than it holds, because the outputs want no more than the inputs hold.
fn from_shares(lots: &[Lot<'_>], wanted: &[Wanted]) -> Vec<Taken> {
    let mut by_source: BTreeMap<SourceIndex, Vec<Wanted>> = BTreeMap::new();
    for wanted in wanted {
        by_source.entry(wanted.2.source).or_default().push(*wanted);
    }
    let mut taken = Vec::new();
    for (source, wanted) in by_source {
        let held = |lot: &Lot<'_>| lot.parts.iter().filter(|part| part.source == source).map(|part| part.amount).sum();
        let held: Vec<Amount> = lots.iter().map(held).collect();
        let given = split(wanted.iter().map(|(_, _, part)| part.amount).sum(), &held);
        let mut left = given.clone();
        let mut lot = 0;
        for (node, _, part) in wanted {
            let mut want = part.amount;
            while want > Amount::ZERO && lot < left.len() {
                let amount = want.min(left[lot]);
                if amount > Amount::ZERO {
                    taken.push((node, lot, Part { source, offset: Amount::ZERO, amount: given[lot] }, amount));
                }
                want -= amount;
                left[lot] -= amount;
                if left[lot] == Amount::ZERO {
                    lot += 1;
                }
            }
        }
    }
    taken
}

/// The parts of a source, from its satoshi `from` on, `amount` of them.
fn pieces(parts: &[Part], source: SourceIndex, from: Amount, amount: Amount) -> Vec<Part> {
    let (mut skip, mut want) = (from, amount);
    let mut pieces = Vec::new();
    for part in parts.iter().filter(|part| part.source == source) {
        let dropped = skip.min(part.amount);
        skip -= dropped;
        let taken = want.min(part.amount - dropped);
        want -= taken;
        if taken > Amount::ZERO {
            pieces.push(Part { source, offset: part.offset + dropped, amount: taken });
        }
    }
    pieces
}

/// Every input that the source reached, whole.
fn from_whole(lots: &[Lot<'_>], wanted: &[Wanted]) -> Vec<Taken> {
    let mut taken = Vec::new();
    for (node, _, part) in wanted {
        for (at, lot) in lots.iter().enumerate() {
            if let Some(held) = lot.parts.iter().find(|held| held.source == part.source) {
                taken.push((*node, at, *held, held.amount));
            }
        }
    }
    taken
}
