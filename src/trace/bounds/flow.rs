//! The greatest flow through a small network, in whole satoshis.
//!
//! Source: Dinic, "Algorithm for Solution of a Problem of Maximum Flow in Networks with Power Estimation" (1970): levels by breadth-first search, then paths
//! along falling levels until none is left, again and again.

/// A network with the source 0 and the sink 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    /// Of every arc where it leads and what it can still take; the arc `n ^ 1` is its reverse.
    arcs: Vec<(u32, u64)>,
    /// The arcs from each node: where they begin in `order`.
    first: Vec<u32>,
    order: Vec<u32>,
    ends: Vec<(u32, u32)>,
    nodes: u32,
}

pub(super) const SOURCE: u32 = 0;
pub(super) const SINK: u32 = 1;

use crate::id;

impl Network {
    pub(super) fn new(nodes: u32) -> Self {
        Self { nodes, ..Self::default() }
    }

    /// Adds an arc; nothing can flow through one of no capacity, so it is left out.
    pub(super) fn arc(&mut self, from: u32, to: u32, capacity: u64) {
        if capacity > 0 {
            self.ends.push((from, to));
            self.arcs.extend([(to, capacity), (from, 0)]);
        }
    }

    /// Sorts the arcs by where they come from; before any question.
    pub(super) fn freeze(&mut self) {
        let mut first = vec![0_u32; id::at(self.nodes) + 1];
        for (from, to) in &self.ends {
            first[id::at(*from) + 1] += 1;
            first[id::at(*to) + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut next = first.clone();
        self.order = vec![0; self.arcs.len()];
        for (at, (from, to)) in self.ends.iter().enumerate() {
            for (arc, node) in [(2 * at, *from), (2 * at + 1, *to)] {
                let place = &mut next[id::at(node)];
                self.order[id::at(*place)] = id::small(arc);
                *place += 1;
            }
        }
        self.first = first;
    }

    /// The greatest flow, or `None` where it takes more than `work` looks at arcs; what was looked at is taken off `work`.
    pub(super) fn greatest(mut self, work: &mut u64) -> Option<u64> {
        let mut flow = 0;
        let mut level = vec![u32::MAX; id::at(self.nodes)];
        let mut queue = Vec::new();
        let mut next = vec![0_u32; id::at(self.nodes)];
        loop {
            self.levels(&mut level, &mut queue, work)?;
            if level[id::at(SOURCE)] == u32::MAX {
                return Some(flow);
            }
            next.copy_from_slice(&self.first[..id::at(self.nodes)]);
            flow += self.push_all(&level, &mut next, work)?;
        }
    }

    fn arcs_of(&self, node: u32) -> std::ops::Range<usize> {
        id::at(self.first[id::at(node)])..id::at(self.first[id::at(node) + 1])
    }

    /// How many arcs every node is from the sink, along arcs that can take more.
    fn levels(&self, level: &mut [u32], queue: &mut Vec<u32>, work: &mut u64) -> Option<()> {
        level.fill(u32::MAX);
        level[id::at(SINK)] = 0;
        queue.clear();
        queue.push(SINK);
        let mut at = 0;
        while let Some(node) = queue.get(at).copied() {
            at += 1;
            if node == SOURCE {
                break;
            }
            let arcs = self.arcs_of(node);
            *work = work.checked_sub(id::number(arcs.len()) + 1)?;
            for arc in &self.order[arcs] {
                // Walked against the flow: the arc that leads here is the reverse.
                let from = self.arcs[id::at(*arc)].0;
                if self.arcs[id::at(*arc ^ 1)].1 > 0 && level[id::at(from)] == u32::MAX {
                    level[id::at(from)] = level[id::at(node)] + 1;
                    queue.push(from);
                }
            }
        }
        Some(())
    }

    /// Sends all it can along falling levels.
    fn push_all(&mut self, level: &[u32], next: &mut [u32], work: &mut u64) -> Option<u64> {
        let mut sent = 0;
        // The arcs of the path so far.
        let mut path: Vec<u32> = Vec::new();
        let mut node = SOURCE;
        loop {
            *work = work.checked_sub(1)?;
            if node == SINK {
                let least = path.iter().map(|arc| self.arcs[id::at(*arc)].1).min().unwrap_or(0);
                let mut cut = 0;
                for (at, arc) in path.iter().enumerate().rev() {
                    self.arcs[id::at(*arc)].1 -= least;
                    self.arcs[id::at(*arc ^ 1)].1 += least;
                    if self.arcs[id::at(*arc)].1 == 0 {
                        cut = at;
                    }
                }
                *work = work.checked_sub(id::number(path.len()))?;
                sent += least;
                // Go on from where the first arc is full.
                node = self.arcs[id::at(path[cut] ^ 1)].0;
                path.truncate(cut);
                continue;
            }
            let end = self.first[id::at(node) + 1];
            let place = &mut next[id::at(node)];
            let mut found = None;
            while *place < end {
                let arc = self.order[id::at(*place)];
                let (to, capacity) = self.arcs[id::at(arc)];
                if capacity > 0 && level[id::at(to)] != u32::MAX && level[id::at(to)] + 1 == level[id::at(node)] {
                    found = Some((arc, to));
                    break;
                }
                *place += 1;
                *work = work.checked_sub(1)?;
            }
            match (found, path.pop()) {
                (Some((arc, to)), last) => {
                    path.extend(last);
                    path.push(arc);
                    node = to;
                }
                (None, Some(arc)) => {
                    node = self.arcs[id::at(arc ^ 1)].0;
                    next[id::at(node)] += 1;
                }
                (None, None) => return Some(sent),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use petgraph::graph::DiGraph;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_agrees_with_petgraphs(arcs in prop::collection::vec((0_u32..9, 0_u32..9, 0_u64..30), 0..40)) {
            let mut network = Network::new(9);
            let mut graph = DiGraph::<(), u64>::new();
            let nodes: Vec<_> = (0..9).map(|_| graph.add_node(())).collect();
            for (from, to, capacity) in arcs.into_iter().filter(|(from, to, _)| from != to) {
                network.arc(from, to, capacity);
                graph.add_edge(nodes[id::at(from)], nodes[id::at(to)], capacity);
            }
            network.freeze();
            let (plain, _) = petgraph::algo::ford_fulkerson(&graph, nodes[0], nodes[1]);
            let mut work = 1_000_000;
            prop_assert_eq!(network.clone().greatest(&mut work), Some(plain));
            prop_assert_eq!(network.greatest(&mut 0), None);
        }
    }
}
