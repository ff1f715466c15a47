//! Clusters and the value between them, through petgraph's traits: nodes are clusters, edges are what one paid another.
//!
//! A transaction whose inputs are all of one cluster pays, from that cluster, each output's value to the cluster of the output's address. What a cluster pays itself (change) is no
//! edge. Where inputs are of several clusters (a CoinJoin that was left out, say) or of an unknown address it is not known who paid whom, and no rule is made up:
//! such transactions give no edges and are counted in [`Graph::unclear`].

use std::collections::HashSet;
use std::ops::{Bound, RangeBounds};

use bitcoin::Amount;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences, NodeCompactIndexable, NodeCount, NodeIndexable,
    NodeRef, Visitable,
};
use petgraph::{Directed, Direction};

use super::Clusters;
use crate::chain::{Tx, View};
use crate::id::{self, BlockHeight, ClusterIndex, TxIndex};

/// What one cluster paid another: an edge.
///
/// # Examples
///
/// See [`Graph`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Flow {
    /// Who paid.
    pub from: ClusterIndex,
    /// Who was paid.
    pub to: ClusterIndex,
    /// How much in all.
    pub value: Amount,
    /// In how many transactions.
    pub transactions: u64,
}

/// Clusters, and what each paid each other one between two heights.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::{self, Graph};
/// use fundtrace::petgraph::visit::IntoNeighbors;
///
/// let to = |key: u8, sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(Txid::from_byte_array([tx; 32]), 0)).prevout(to(key, 50));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![from(5, 1), from(6, 2)], vec![to(2, 30), to(3, 70)]))?;
/// let chain = builder.finish()?;
/// let clusters = cluster::by_spending(chain.view(), |_| false);
/// let graph = Graph::of(chain.view(), &clusters, ..);
/// let of = |key| clusters.of(chain.view().address_index(&to(key, 0).script_pubkey).unwrap()).unwrap();
/// assert_eq!((&graph).neighbors(of(1)).collect::<Vec<_>>(), [of(3)]);
/// assert_eq!(graph.flows()[0].value, Amount::from_sat(70));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    clusters: usize,
    /// By who paid, then who was paid.
    flows: Vec<Flow>,
    /// Positions in `flows` by who was paid, then who paid.
    into: Vec<u32>,
    unclear: u64,
}

impl Graph {
    /// Sums up what clusters paid each other in the transactions of a range of heights, on the caller's rayon pool. A transaction without a height counts where the range has
    /// no ends.
    ///
    /// # Complexity
    ///
    /// Linear in inputs and outputs, and sorting what is paid.
    pub fn of(view: View<'_>, clusters: &Clusters, heights: impl RangeBounds<BlockHeight> + Send + Sync) -> Self {
        let open = matches!((heights.start_bound(), heights.end_bound()), (Bound::Unbounded, Bound::Unbounded));
        let parts = view.scan(|tx| {
            let inside = tx.height().map_or(open, |height| heights.contains(&height));
            if inside && !tx.is_coinbase() { paid(tx, clusters) } else { Some(Vec::new()) }
        });
        let unclear = id::number(parts.iter().filter(|part| part.is_none()).count());
        let mut all: Vec<(ClusterIndex, ClusterIndex, TxIndex, Amount)> =
            parts.into_iter().flatten().flatten().collect();
        all.sort_unstable();
        let sum = |same: &[(ClusterIndex, ClusterIndex, TxIndex, Amount)]| {
            let (from, to, ..) = same[0];
            let transactions = id::number(same.chunk_by(|a, b| a.2 == b.2).count());
            Flow { from, to, value: same.iter().map(|(.., value)| *value).sum(), transactions }
        };
        let flows: Vec<Flow> = all.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(sum).collect();
        let mut into: Vec<u32> = (0..id::small(flows.len())).collect();
        into.sort_by_key(|at| flows[id::at(*at)].to);
        Self { clusters: clusters.len(), flows, into, unclear }
    }

    /// Returns what was paid, by who paid, then by who was paid.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Returns how many transactions of the range gave no edge, because their inputs are not all known to be of one cluster.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::cluster::{self, Graph};
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// let clusters = cluster::by_spending(chain.view(), |_| false);
    /// assert_eq!(Graph::of(chain.view(), &clusters, ..).unclear(), 0);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn unclear(&self) -> u64 {
        self.unclear
    }

    fn flows_from(&self, cluster: ClusterIndex) -> &[Flow] {
        let start = self.flows.partition_point(|flow| flow.from < cluster);
        let end = self.flows.partition_point(|flow| flow.from <= cluster);
        &self.flows[start..end]
    }

    fn flows_to(&self, cluster: ClusterIndex) -> impl Iterator<Item = &Flow> {
        let get = |at: &u32| &self.flows[id::at(*at)];
        let start = self.into.partition_point(|at| get(at).to < cluster);
        let end = self.into.partition_point(|at| get(at).to <= cluster);
        self.into[start..end].iter().map(get)
    }
}

/// What a transaction pays from its one cluster to others; `None` where its inputs are not known to be of one.
fn paid(tx: Tx<'_>, clusters: &Clusters) -> Option<Vec<(ClusterIndex, ClusterIndex, TxIndex, Amount)>> {
    let mut from = tx.inputs().map(|input| input.address_index().and_then(|address| clusters.of(address)));
    let payer = from.next()??;
    if from.any(|other| other != Some(payer)) {
        return None;
    }
    let paid = tx.outputs().filter_map(|output| {
        let to = clusters.of(output.address_index()?)?;
        (to != payer).then_some((payer, to, tx.index(), output.value()?))
    });
    Some(paid.collect())
}

impl EdgeRef for &Flow {
    type NodeId = ClusterIndex;
    type EdgeId = (ClusterIndex, ClusterIndex);
    type Weight = Amount;

    fn source(&self) -> ClusterIndex {
        self.from
    }
    fn target(&self) -> ClusterIndex {
        self.to
    }
    fn weight(&self) -> &Amount {
        &self.value
    }
    fn id(&self) -> (ClusterIndex, ClusterIndex) {
        (self.from, self.to)
    }
}

/// A node and its weight, which is its index too.
///
/// # Examples
///
/// See [`Graph`].
#[derive(Clone, Copy, Debug)]
pub struct Node(ClusterIndex);

impl NodeRef for Node {
    type NodeId = ClusterIndex;
    type Weight = ClusterIndex;

    fn id(&self) -> ClusterIndex {
        self.0
    }
    fn weight(&self) -> &ClusterIndex {
        &self.0
    }
}

impl GraphBase for Graph {
    type NodeId = ClusterIndex;
    type EdgeId = (ClusterIndex, ClusterIndex);
}

impl GraphProp for Graph {
    type EdgeType = Directed;
}

impl Data for Graph {
    type NodeWeight = ClusterIndex;
    type EdgeWeight = Amount;
}

impl NodeCount for Graph {
    fn node_count(&self) -> usize {
        self.clusters
    }
}

impl NodeIndexable for Graph {
    fn node_bound(&self) -> usize {
        self.clusters
    }
    fn to_index(&self, cluster: ClusterIndex) -> usize {
        cluster.at()
    }
    fn from_index(&self, at: usize) -> ClusterIndex {
        ClusterIndex::of(at)
    }
}

impl NodeCompactIndexable for Graph {}

impl Visitable for Graph {
    type Map = HashSet<ClusterIndex>;

    fn visit_map(&self) -> Self::Map {
        HashSet::new()
    }
    fn reset_map(&self, map: &mut Self::Map) {
        map.clear();
    }
}

impl IntoNodeIdentifiers for &Graph {
    type NodeIdentifiers = std::iter::Map<std::ops::Range<usize>, fn(usize) -> ClusterIndex>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.clusters).map(ClusterIndex::of)
    }
}

impl IntoNodeReferences for &Graph {
    type NodeRef = Node;
    type NodeReferences = std::iter::Map<Self::NodeIdentifiers, fn(ClusterIndex) -> Node>;

    fn node_references(self) -> Self::NodeReferences {
        self.node_identifiers().map(Node)
    }
}

impl<'g> IntoEdgeReferences for &'g Graph {
    type EdgeRef = &'g Flow;
    type EdgeReferences = std::slice::Iter<'g, Flow>;

    fn edge_references(self) -> Self::EdgeReferences {
        self.flows.iter()
    }
}

impl<'g> IntoEdges for &'g Graph {
    type Edges = std::slice::Iter<'g, Flow>;

    fn edges(self, cluster: ClusterIndex) -> Self::Edges {
        self.flows_from(cluster).iter()
    }
}

impl<'g> IntoEdgesDirected for &'g Graph {
    type EdgesDirected = Box<dyn Iterator<Item = &'g Flow> + 'g>;

    fn edges_directed(self, cluster: ClusterIndex, direction: Direction) -> Self::EdgesDirected {
        match direction {
            Direction::Outgoing => Box::new(self.flows_from(cluster).iter()),
            Direction::Incoming => Box::new(self.flows_to(cluster)),
        }
    }
}

impl<'g> IntoNeighbors for &'g Graph {
    type Neighbors = Box<dyn Iterator<Item = ClusterIndex> + 'g>;

    fn neighbors(self, cluster: ClusterIndex) -> Self::Neighbors {
        self.neighbors_directed(cluster, Direction::Outgoing)
    }
}

impl<'g> IntoNeighborsDirected for &'g Graph {
    type NeighborsDirected = Box<dyn Iterator<Item = ClusterIndex> + 'g>;

    fn neighbors_directed(self, cluster: ClusterIndex, direction: Direction) -> Self::NeighborsDirected {
        let end = move |flow: &Flow| if direction == Direction::Outgoing { flow.to } else { flow.from };
        Box::new(self.edges_directed(cluster, direction).map(end))
    }
}
