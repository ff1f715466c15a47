//! The best ways into every transaction before the outputs asked for, and the next best when they are asked for.
//!
//! A node is a transaction, and last a node that all the outputs asked for lead into. Invariant: a node stands after every node that
//! feeds it; what a chain with a cycle would break is passed over, so that nothing here can hang.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use bitcoin::Amount;

use super::super::coinbase::Row;
use super::super::{Carry, Trace, Via};
use super::{Order, Route, RouteOptions, RouteStep, Share, Width};
use crate::id::{self, OutputIndex, SourceIndex, TxIndex};

/// Sorts ways, the best first.
type Rank = (u64, u64, u64, Reverse<Amount>);

/// A way not yet taken: its rank, the carrier that it comes by, and which of the ways to that carrier it is.
type Candidate = Reverse<(Rank, usize, usize)>;

/// A transaction whose carriers are being looked at, these carriers, each with where it comes from, and how many were looked at.
type Entered = (Option<TxIndex>, Vec<(TxIndex, Carrier)>, usize);

/// What a way has cost so far.
#[derive(Clone, Copy)]
struct Cost {
    hops: u32,
    width: Amount,
    /// How many steps of value 0 were spent. Counted apart, because a sum that is endless ranks no more.
    worthless: u32,
    /// The sum over the other steps.
    mixing: u64,
}

/// A way into a node.
struct Way {
    carrier: usize,
    /// Which of the ways into the node that the carrier comes from.
    nth: usize,
    cost: Cost,
}

/// An output or a fee that goes into a node.
struct Carrier {
    step: RouteStep,
    /// The node it comes from; `None` for a seed.
    from: Option<usize>,
    /// Which of the outputs asked for arrived first; 0 inside.
    arrival: u64,
}

#[derive(Default)]
struct Node {
    /// In chain order.
    carriers: Vec<Carrier>,
    /// The best ways, in order.
    found: Vec<Way>,
    /// For each carrier the best way that was not taken.
    open: BinaryHeap<Candidate>,
    /// True when there is no other way.
    done: bool,
}

/// Routes to a set of outputs, one after another.
pub(super) struct Search {
    order: Order,
    width: Width,
    seeds: HashMap<OutputIndex, SourceIndex>,
    nodes: Vec<Node>,
    /// Outputs that the payer paid to itself, where the trace is between owners: no hop.
    inside: HashSet<OutputIndex>,
    /// Whether the best route was handed out.
    started: bool,
}

impl Search {
    pub(super) fn new(trace: &Trace<'_>, to: &[OutputIndex], options: &RouteOptions) -> Self {
        let mut search = Self {
            order: options.order,
            width: options.width,
            seeds: trace.seeds.iter().map(|seed| (seed.output, seed.source)).collect(),
            nodes: Vec::new(),
            inside: trace.inside_transfers().iter().map(|transfer| transfer.output).collect(),
            started: false,
        };
        let mut ends = search.ends(trace, to);
        ends.retain(|(_, end)| search.width_of(&end.step) >= options.least);
        search.nodes = search.nodes_before(trace, ends, options.least);
        for at in 0..search.nodes.len() {
            search.start(at);
        }
        search
    }

    /// The next best route.
    pub(super) fn next_route(&mut self) -> Option<Route> {
        let last = self.nodes.len().checked_sub(1)?;
        if std::mem::replace(&mut self.started, true) {
            self.find_next(last);
        }
        let way = self.nodes[last].found.last().filter(|_| !self.nodes[last].done)?;
        let cost = way.cost;
        let mut steps = Vec::new();
        let (mut at, mut way) = (last, way);
        loop {
            let carrier = &self.nodes[at].carriers[way.carrier];
            steps.push(carrier.step);
            let Some(from) = carrier.from else { break };
            (at, way) = (from, &self.nodes[from].found[way.nth]);
        }
        steps.reverse();
        let source = steps.first().and_then(RouteStep::output).and_then(|seed| self.seeds.get(&seed)).copied()?;
        let mixing = if cost.worthless > 0 { Share::ENDLESS } else { cost.mixing };
        Some(Route { source, steps, hops: cost.hops, width: cost.width, mixing })
    }

    /// The outputs asked for that taint reached, each with the transaction that made it.
    fn ends(&self, trace: &Trace<'_>, to: &[OutputIndex]) -> Vec<(TxIndex, Carrier)> {
        let mut to = to.to_vec();
        to.sort_unstable();
        to.dedup();
        let mut ends = Vec::new();
        let mut places = Vec::new();
        for touch in to.into_iter().filter_map(|output| trace.touch(output)) {
            let output = trace.view.output(touch.output);
            let tx = output.tx();
            places.push((trace.view.columns().height_in_force(tx.index()), tx.is_coinbase(), tx.index()));
            let (via, value) = (Via::Output(touch.output), output.value().unwrap_or(Amount::ZERO));
            let step = RouteStep { via, into: None, value, tainted: touch.amount, share: None };
            ends.push((tx.index(), Carrier { step, from: None, arrival: 0 }));
        }
        let mut arrivals = places.clone();
        arrivals.sort_unstable();
        for ((_, end), place) in ends.iter_mut().zip(places) {
            end.arrival = id::number(arrivals.partition_point(|other| *other < place));
        }
        ends
    }

    /// The nodes from which the ends can be reached, each after all that feed it; last the one that the ends lead into.
    fn nodes_before(&self, trace: &Trace<'_>, ends: Vec<(TxIndex, Carrier)>, least: Amount) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut places: HashMap<TxIndex, Option<usize>> = HashMap::new();
        // A stack of our own: chains are long.
        let mut stack: Vec<Entered> = vec![(None, ends, 0)];
        while let Some((tx, carriers, looked)) = stack.last_mut() {
            if let Some((from, carrier)) = carriers.get(*looked) {
                *looked += 1;
                let from = *from;
                if !self.is_seed(carrier) && !places.contains_key(&from) {
                    places.insert(from, None);
                    stack.push((Some(from), self.carriers_into(trace, from, least), 0));
                }
                continue;
            }
            if let Some(tx) = *tx {
                places.insert(tx, Some(nodes.len()));
            }
            let mut node = Node::default();
            for (from, mut carrier) in std::mem::take(carriers) {
                carrier.from = places.get(&from).copied().flatten().filter(|_| !self.is_seed(&carrier));
                if carrier.from.is_some() || self.is_seed(&carrier) {
                    node.carriers.push(carrier);
                }
            }
            nodes.push(node);
            stack.pop();
        }
        nodes
    }

    fn is_seed(&self, carrier: &Carrier) -> bool {
        carrier.step.output().is_some_and(|output| self.seeds.contains_key(&output))
    }

    /// What was carried into a transaction, in chain order, where it is wide enough.
    fn carriers_into(&self, trace: &Trace<'_>, tx: TxIndex, least: Amount) -> Vec<(TxIndex, Carrier)> {
        let view = trace.view;
        let cursor = view.tx(tx);
        let whole = if cursor.is_coinbase() {
            let row = cursor.height().and_then(|height| Row::of(view, height));
            row.map(|row| row.lots(trace.options.coinbase_order).iter().map(|(_, value)| *value).sum())
        } else {
            cursor.input_value()
        };
        let carrier = |carry: &Carry| {
            let value = match carry.via {
                Via::Output(output) => view.output(output).value(),
                Via::Fee(payer) => view.tx(payer).fee(),
            };
            let value = value.unwrap_or(Amount::ZERO);
            let share = Some(Share::new(value, whole.unwrap_or(Amount::ZERO)));
            let step = RouteStep { via: carry.via, into: Some(tx), value, tainted: carry.amount, share };
            (carry.from, Carrier { step, from: None, arrival: 0 })
        };
        let carriers = trace.carries_to(tx).map(carrier);
        carriers.filter(|(_, carrier)| self.width_of(&carrier.step) >= least).collect()
    }

    fn width_of(&self, step: &RouteStep) -> Amount {
        match self.width {
            Width::Value => step.value,
            Width::Tainted => step.tainted,
        }
    }

    /// The cost of the nth way to a carrier and by it, if there is such a way yet.
    fn cost(&self, carrier: &Carrier, nth: usize) -> Option<Cost> {
        let before = match carrier.from {
            Some(from) => self.nodes[from].found.get(nth)?.cost,
            None if nth > 0 => return None,
            None => Cost { hops: 0, width: Amount::MAX, worthless: 0, mixing: 0 },
        };
        let step = &carrier.step;
        // From a seed none, and a fee's hop is counted where it arrives.
        let moved = step.output().is_some_and(|output| !self.inside.contains(&output));
        let hop = u32::from(carrier.from.is_some() && moved);
        let mixing = step.share.map_or(0, Share::mixing);
        let (worthless, mixing) = if mixing == Share::ENDLESS { (1, 0) } else { (0, mixing) };
        Some(Cost {
            hops: before.hops.saturating_add(hop),
            width: before.width.min(self.width_of(step)),
            worthless: before.worthless.saturating_add(worthless),
            mixing: before.mixing.saturating_add(mixing),
        })
    }

    fn rank(&self, carrier: &Carrier, cost: Cost) -> Rank {
        let hops = u64::from(cost.hops);
        match self.order {
            Order::FewestHops => (0, 0, hops, Reverse(cost.width)),
            Order::Widest => (0, 0, 0, Reverse(cost.width)),
            Order::LeastMixing => (u64::from(cost.worthless), cost.mixing, hops, Reverse(cost.width)),
            Order::Earliest => (carrier.arrival, 0, hops, Reverse(cost.width)),
        }
    }

    /// Finds the best way into a node.
    fn start(&mut self, at: usize) {
        let carriers = self.nodes[at].carriers.iter().enumerate();
        let first = |(place, carrier): (usize, &Carrier)| {
            let cost = self.cost(carrier, 0)?;
            Some(Reverse((self.rank(carrier, cost), place, 0)))
        };
        self.nodes[at].open = carriers.filter_map(first).collect();
        self.take(at);
    }

    /// Finds the next best way into a node: first, from there back to the seed, the next ways that it may need.
    fn find_next(&mut self, at: usize) {
        let mut stack = vec![at];
        while let Some(way) = stack.last().and_then(|at| self.nodes[*at].found.last().map(|way| (*at, way))) {
            let (at, way) = way;
            let Some(from) = self.nodes[at].carriers[way.carrier].from else { break };
            let before = &self.nodes[from];
            if before.done || before.found.len() > way.nth + 1 {
                break;
            }
            stack.push(from);
        }
        while let Some(at) = stack.pop() {
            if self.nodes[at].done {
                continue;
            }
            if let Some(last) = self.nodes[at].found.last() {
                let (place, nth) = (last.carrier, last.nth + 1);
                let carrier = &self.nodes[at].carriers[place];
                if let Some(cost) = self.cost(carrier, nth) {
                    let rank = self.rank(carrier, cost);
                    self.nodes[at].open.push(Reverse((rank, place, nth)));
                }
            }
            self.take(at);
        }
    }

    /// Takes the best of the open ways.
    fn take(&mut self, at: usize) {
        let best = self.nodes[at].open.pop();
        let way = best.and_then(|Reverse((_, carrier, nth))| {
            let cost = self.cost(&self.nodes[at].carriers[carrier], nth)?;
            Some(Way { carrier, nth, cost })
        });
        match way {
            Some(way) => self.nodes[at].found.push(way),
            None => self.nodes[at].done = true,
        }
    }
}
