//! petgraph's traits over a view, without a copy: nodes are transactions, edges are spends.
//!
//! An edge goes from the transaction that made an output to the one that spends it, so petgraph's algorithms walk the way the money
//! went, and its topological order is consistent with chain order. Stubs are nodes. An edge's weight is the output's value, where known.
//!
//! Not offered: `NodeCompactIndexable`. In a view as of a height a transaction without a height is left out and its number with it.
//!
//! # Examples
//!
//! ```
//! use fundtrace::petgraph::algo::toposort;
//! let chain = fundtrace::ChainBuilder::new().finish()?;
//! assert!(toposort(chain.view(), None).unwrap().is_empty());
//! # Ok::<(), fundtrace::Error>(())
//! ```

use bitcoin::Amount;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, GraphProp, GraphRef, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences, NodeCount, NodeIndexable, VisitMap, Visitable,
};
use petgraph::{Directed, Direction};

use crate::chain::{Input, View};
use crate::id::{InputIndex, TxIndex};

/// An edge of the transaction graph: an input, seen from the output it spends.
///
/// # Examples
///
/// See [`graph`](self).
#[derive(Clone, Copy, Debug)]
pub struct Spend {
    id: InputIndex,
    from: TxIndex,
    to: TxIndex,
    value: Option<Amount>,
}

impl Spend {
    fn of(input: Input<'_>) -> Option<Self> {
        let prevout = input.prevout()?;
        Some(Self { id: input.index(), from: prevout.tx().index(), to: input.tx().index(), value: input.value() })
    }
}

impl EdgeRef for Spend {
    type NodeId = TxIndex;
    type EdgeId = InputIndex;
    type Weight = Option<Amount>;

    fn source(&self) -> TxIndex {
        self.from
    }
    fn target(&self) -> TxIndex {
        self.to
    }
    fn weight(&self) -> &Option<Amount> {
        &self.value
    }
    fn id(&self) -> InputIndex {
        self.id
    }
}

/// A set of visited transactions, a bit each.
///
/// # Examples
///
/// ```
/// use fundtrace::{TxIndex, graph::Visited};
/// use fundtrace::petgraph::visit::VisitMap;
/// let mut visited = Visited::default();
/// assert!(visited.visit(TxIndex::from_u32(100)));
/// assert!(!visited.visit(TxIndex::from_u32(100)));
/// ```
#[derive(Clone, Default, Debug)]
pub struct Visited {
    words: Vec<u64>,
}

impl VisitMap<TxIndex> for Visited {
    fn visit(&mut self, tx: TxIndex) -> bool {
        let (word, bit) = (tx.at() / 64, 1 << (tx.at() % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        new
    }

    fn is_visited(&self, tx: &TxIndex) -> bool {
        self.words.get(tx.at() / 64).is_some_and(|word| word & (1 << (tx.at() % 64)) != 0)
    }

    fn unvisit(&mut self, tx: TxIndex) -> bool {
        let was = self.is_visited(&tx);
        if was {
            self.words[tx.at() / 64] &= !(1 << (tx.at() % 64));
        }
        was
    }
}

impl GraphBase for View<'_> {
    type NodeId = TxIndex;
    type EdgeId = InputIndex;
}

impl GraphRef for View<'_> {}

impl GraphProp for View<'_> {
    type EdgeType = Directed;
}

impl Data for View<'_> {
    type NodeWeight = TxIndex;
    type EdgeWeight = Option<Amount>;
}

impl NodeCount for View<'_> {
    fn node_count(&self) -> usize {
        self.stubs().len() + self.txs().count()
    }
}

impl NodeIndexable for View<'_> {
    fn node_bound(&self) -> usize {
        self.end().at()
    }
    fn to_index(&self, tx: TxIndex) -> usize {
        tx.at()
    }
    fn from_index(&self, at: usize) -> TxIndex {
        TxIndex::of(at)
    }
}

impl Visitable for View<'_> {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited { words: vec![0; self.end().at().div_ceil(64)] }
    }
    fn reset_map(&self, map: &mut Visited) {
        *map = self.visit_map();
    }
}

impl<'c> IntoNodeIdentifiers for View<'c> {
    type NodeIdentifiers = Box<dyn Iterator<Item = TxIndex> + 'c>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        Box::new(self.stubs().chain(self.txs()).map(|tx| tx.index()))
    }
}

/// A node and its weight, which is its index too.
///
/// # Examples
///
/// See [`graph`](self).
#[derive(Clone, Copy, Debug)]
pub struct Node(TxIndex);

impl petgraph::visit::NodeRef for Node {
    type NodeId = TxIndex;
    type Weight = TxIndex;

    fn id(&self) -> TxIndex {
        self.0
    }
    fn weight(&self) -> &TxIndex {
        &self.0
    }
}

impl Node {
    pub(crate) fn of(tx: TxIndex) -> Self {
        Self(tx)
    }
}

impl<'c> IntoNodeReferences for View<'c> {
    type NodeRef = Node;
    type NodeReferences = Box<dyn Iterator<Item = Node> + 'c>;

    fn node_references(self) -> Self::NodeReferences {
        Box::new(self.node_identifiers().map(Node))
    }
}

impl<'c> IntoEdgeReferences for View<'c> {
    type EdgeRef = Spend;
    type EdgeReferences = Box<dyn Iterator<Item = Spend> + 'c>;

    fn edge_references(self) -> Self::EdgeReferences {
        Box::new(self.node_identifiers().flat_map(move |tx| self.edges(tx)))
    }
}

impl<'c> IntoEdges for View<'c> {
    type Edges = Box<dyn Iterator<Item = Spend> + 'c>;

    fn edges(self, tx: TxIndex) -> Self::Edges {
        self.edges_directed(tx, Direction::Outgoing)
    }
}

impl<'c> IntoEdgesDirected for View<'c> {
    type EdgesDirected = Box<dyn Iterator<Item = Spend> + 'c>;

    fn edges_directed(self, tx: TxIndex, direction: Direction) -> Self::EdgesDirected {
        match direction {
            Direction::Incoming => {
                Box::new(self.tx(tx).inputs().filter_map(Spend::of).filter(move |spend| self.sees(spend.from)))
            }
            Direction::Outgoing => Box::new(self.tx(tx).outputs().filter_map(move |output| {
                let spender = output.spender()?;
                let spends =
                    |input: &Input<'_>| input.prevout().is_some_and(|prevout| prevout.index() == output.index());
                Spend::of(spender.inputs().find(spends)?)
            })),
        }
    }
}

impl<'c> IntoNeighbors for View<'c> {
    type Neighbors = Box<dyn Iterator<Item = TxIndex> + 'c>;

    fn neighbors(self, tx: TxIndex) -> Self::Neighbors {
        self.neighbors_directed(tx, Direction::Outgoing)
    }
}

impl<'c> IntoNeighborsDirected for View<'c> {
    type NeighborsDirected = Box<dyn Iterator<Item = TxIndex> + 'c>;

    fn neighbors_directed(self, tx: TxIndex, direction: Direction) -> Self::NeighborsDirected {
        match direction {
            // Only the spending transaction is asked for, so its inputs need not be searched.
            Direction::Outgoing => Box::new(self.tx(tx).outputs().filter_map(|output| Some(output.spender()?.index()))),
            Direction::Incoming => Box::new(self.edges_directed(tx, direction).map(|spend| spend.from)),
        }
    }
}
