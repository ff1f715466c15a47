//! petgraph's traits over a trace, without a copy: nodes are the transactions that taint touched, edges are what was carried.
//!
//! Nodes are the transactions of seeds and those that taint was carried through or into. An edge goes from the transaction that
//! made a tainted output (or paid a tainted fee) to the one that took it in; its weight is the tainted amount.

use bitcoin::Amount;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences, NodeCount, NodeIndexable, Visitable,
};
use petgraph::{Directed, Direction};

use super::Trace;
use crate::graph::{Node, Visited};
use crate::id::{self, OutputIndex, TxIndex};

/// How taint went from one transaction to the next.
///
/// # Examples
///
/// ```
/// use fundtrace::{OutputIndex, trace::Via};
/// assert!(matches!(Via::Output(OutputIndex::from_u64(3)), Via::Output(_)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Via {
    /// By an output that the other transaction spends.
    Output(OutputIndex),
    /// By this transaction's fee, into the coinbase of its block.
    Fee(TxIndex),
}

/// Taint carried from one transaction into another: an edge of the traced graph.
///
/// # Examples
///
/// See [`Trace::carries`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Carry {
    /// The transaction it came from.
    pub from: TxIndex,
    /// The transaction it went into.
    pub to: TxIndex,
    /// How.
    pub via: Via,
    /// How much, over all sources.
    pub amount: Amount,
}

/// Sorts by origin and returns the permutation that sorts by destination.
pub(super) fn sort_carries(carries: &mut [Carry]) -> Vec<u32> {
    carries.sort_by_key(|carry| (carry.from, carry.to, carry.via));
    let mut by_destination: Vec<u32> = (0..id::small(carries.len())).collect();
    by_destination.sort_by_key(|at| {
        let carry = &carries[id::at(*at)];
        (carry.to, carry.from, carry.via)
    });
    by_destination
}

impl Trace<'_> {
    /// Returns what was carried, by origin, destination and way.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, taint::Fifo, trace::{self, Options, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let trace = trace::forward(chain.view(), &[], &Fifo, &stop::never(), &Options::default());
    /// assert!(trace.carries().is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn carries(&self) -> &[Carry] {
        &self.carries
    }

    /// Returns the transactions of the traced graph, in chain order.
    pub fn nodes(&self) -> &[TxIndex] {
        &self.nodes
    }

    pub(super) fn find_nodes(&self) -> Vec<TxIndex> {
        let seeds = self.seeds.iter().map(|seed| self.view.output(seed.output).tx().index());
        let carried = self.carries.iter().flat_map(|carry| [carry.from, carry.to]);
        let mut nodes: Vec<TxIndex> = seeds.chain(carried).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn carries_from(&self, tx: TxIndex) -> &[Carry] {
        let start = self.carries.partition_point(|carry| carry.from < tx);
        let end = self.carries.partition_point(|carry| carry.from <= tx);
        &self.carries[start..end]
    }

    /// What was carried into a transaction.
    pub(super) fn carries_to(&self, tx: TxIndex) -> impl Iterator<Item = &Carry> {
        let get = |at: &u32| &self.carries[id::at(*at)];
        let start = self.carries_in.partition_point(|at| get(at).to < tx);
        let end = self.carries_in.partition_point(|at| get(at).to <= tx);
        self.carries_in[start..end].iter().map(get)
    }
}

impl EdgeRef for &Carry {
    type NodeId = TxIndex;
    type EdgeId = Via;
    type Weight = Amount;

    fn source(&self) -> TxIndex {
        self.from
    }
    fn target(&self) -> TxIndex {
        self.to
    }
    fn weight(&self) -> &Amount {
        &self.amount
    }
    fn id(&self) -> Via {
        self.via
    }
}

impl GraphBase for Trace<'_> {
    type NodeId = TxIndex;
    type EdgeId = Via;
}

impl GraphProp for Trace<'_> {
    type EdgeType = Directed;
}

impl Data for Trace<'_> {
    type NodeWeight = TxIndex;
    type EdgeWeight = Amount;
}

impl NodeCount for Trace<'_> {
    fn node_count(&self) -> usize {
        self.nodes().len()
    }
}

impl NodeIndexable for Trace<'_> {
    fn node_bound(&self) -> usize {
        self.nodes().last().map_or(0, |tx| tx.at() + 1)
    }
    fn to_index(&self, tx: TxIndex) -> usize {
        tx.at()
    }
    fn from_index(&self, at: usize) -> TxIndex {
        TxIndex::of(at)
    }
}

impl Visitable for Trace<'_> {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited::default()
    }
    fn reset_map(&self, map: &mut Visited) {
        *map = Visited::default();
    }
}

impl<'t> IntoNodeIdentifiers for &'t Trace<'_> {
    type NodeIdentifiers = std::iter::Copied<std::slice::Iter<'t, TxIndex>>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        self.nodes.iter().copied()
    }
}

impl IntoNodeReferences for &Trace<'_> {
    type NodeRef = Node;
    type NodeReferences = std::iter::Map<Self::NodeIdentifiers, fn(TxIndex) -> Node>;

    fn node_references(self) -> Self::NodeReferences {
        self.node_identifiers().map(Node::of)
    }
}

impl<'t> IntoEdgeReferences for &'t Trace<'_> {
    type EdgeRef = &'t Carry;
    type EdgeReferences = std::slice::Iter<'t, Carry>;

    fn edge_references(self) -> Self::EdgeReferences {
        self.carries.iter()
    }
}

impl<'t> IntoEdges for &'t Trace<'_> {
    type Edges = std::slice::Iter<'t, Carry>;

    fn edges(self, tx: TxIndex) -> Self::Edges {
        self.carries_from(tx).iter()
    }
}

impl<'t> IntoEdgesDirected for &'t Trace<'_> {
    type EdgesDirected = Box<dyn Iterator<Item = &'t Carry> + 't>;

    fn edges_directed(self, tx: TxIndex, direction: Direction) -> Self::EdgesDirected {
        match direction {
            Direction::Outgoing => Box::new(self.carries_from(tx).iter()),
            Direction::Incoming => Box::new(self.carries_to(tx)),
        }
    }
}

impl<'t> IntoNeighbors for &'t Trace<'_> {
    type Neighbors = Box<dyn Iterator<Item = TxIndex> + 't>;

    fn neighbors(self, tx: TxIndex) -> Self::Neighbors {
        self.neighbors_directed(tx, Direction::Outgoing)
    }
}

impl<'t> IntoNeighborsDirected for &'t Trace<'_> {
    type NeighborsDirected = Box<dyn Iterator<Item = TxIndex> + 't>;

    fn neighbors_directed(self, tx: TxIndex, direction: Direction) -> Self::NeighborsDirected {
        let end = move |carry: &Carry| if direction == Direction::Outgoing { carry.to } else { carry.from };
        Box::new(self.edges_directed(tx, direction).map(end))
    }
}
