//! petgraph's algorithms on views and traces, and that their order is ours.

use std::collections::{BTreeMap, BTreeSet};

use fundtrace::bitcoin::Amount;
use fundtrace::petgraph::Direction;
use fundtrace::petgraph::algo::dominators::simple_fast;
use fundtrace::petgraph::algo::{dijkstra, is_cyclic_directed, toposort};
use fundtrace::petgraph::dot::Dot;
use fundtrace::petgraph::visit::{
    Bfs, Dfs, EdgeRef, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighborsDirected, IntoNodeIdentifiers,
    IntoNodeReferences, NodeCount, NodeIndexable, NodeRef, Reversed, Walker,
};
use fundtrace::taint::{Fifo, Poison};
use fundtrace::trace::Trace;
use fundtrace::{Chain, TxIndex, View};
use proptest::prelude::*;

use crate::mini::{Mini, follow, height, name_of, txid};
use crate::random::case;

/// A diamond with unequal arms, whose meeting also spends a clean stub.
fn diamond() -> Chain {
    let text = "split: s:0=10 -> 6 4\nlong1: split:0 -> 6\nlong2: long1:0 -> 6\nmeet: long2:0 split:1 clean:7=1 -> 11";
    Mini::new(text).chain()
}

fn at(view: View<'_>, name: &str) -> TxIndex {
    view.tx_at(&txid(name)).unwrap().index()
}

fn name(view: View<'_>, tx: TxIndex) -> String {
    name_of(view.tx(tx).txid())
}

/// A topological order holds every node once and no edge goes backwards in it; nor does one in chain order.
fn check_order(nodes: &[TxIndex], order: &[TxIndex], edges: &[(TxIndex, TxIndex)]) -> Result<(), TestCaseError> {
    let place: BTreeMap<TxIndex, usize> = order.iter().enumerate().map(|(place, tx)| (*tx, place)).collect();
    prop_assert_eq!(order.len(), nodes.len());
    prop_assert_eq!(place.keys().copied().collect::<Vec<_>>(), nodes);
    for (from, to) in edges {
        prop_assert!(from < to, "an edge from {} to {}", from, to);
        prop_assert!(place[from] < place[to]);
    }
    Ok(())
}

fn check_view(view: View<'_>) -> Result<(), TestCaseError> {
    let nodes: Vec<TxIndex> = view.node_identifiers().collect();
    let edges: Vec<(TxIndex, TxIndex)> = view.edge_references().map(|edge| (edge.source(), edge.target())).collect();
    check_order(&nodes, &toposort(view, None).unwrap(), &edges)?;
    prop_assert_eq!(view.node_count(), nodes.len());
    prop_assert!(nodes.iter().all(|tx| view.to_index(*tx) < view.node_bound()));
    prop_assert!(nodes.iter().all(|tx| view.from_index(view.to_index(*tx)) == *tx));
    prop_assert_eq!(view.node_references().map(|node| node.id()).collect::<Vec<_>>(), &nodes[..]);
    // Out and in are the same edges; each is an input once.
    let ids: BTreeSet<_> = view.edge_references().map(|edge| edge.id()).collect();
    prop_assert_eq!(ids.len(), edges.len());
    let incoming: BTreeSet<_> = nodes
        .iter()
        .flat_map(|tx| view.edges_directed(*tx, Direction::Incoming).map(|edge| edge.id()).collect::<Vec<_>>())
        .collect();
    prop_assert_eq!(incoming, ids);
    for tx in nodes {
        let mut by_neighbors: Vec<_> = view.neighbors_directed(tx, Direction::Outgoing).collect();
        let mut by_edges: Vec<_> = view.edges(tx).map(|edge| edge.target()).collect();
        by_neighbors.sort();
        by_edges.sort();
        prop_assert_eq!(by_neighbors, by_edges);
    }
    Ok(())
}

fn check_trace(trace: &Trace<'_>) -> Result<(), TestCaseError> {
    let nodes: Vec<TxIndex> = trace.node_identifiers().collect();
    let edges: Vec<(TxIndex, TxIndex)> = trace.edge_references().map(|edge| (edge.source(), edge.target())).collect();
    prop_assert_eq!(edges.len(), trace.carries().len());
    // A fee goes to a coinbase, which stands before its payers: only spends are in chain order.
    let spends: Vec<(TxIndex, TxIndex)> = trace
        .carries()
        .iter()
        .filter(|carry| matches!(carry.via, fundtrace::trace::Via::Output(_)))
        .map(|carry| (carry.from, carry.to))
        .collect();
    prop_assert_eq!(spends.len(), edges.len());
    check_order(&nodes, &toposort(trace, None).unwrap(), &spends)?;
    for tx in nodes {
        let out: Vec<_> = trace.neighbors_directed(tx, Direction::Outgoing).collect();
        prop_assert_eq!(out, edges.iter().filter(|edge| edge.0 == tx).map(|edge| edge.1).collect::<Vec<_>>());
        let mut into: Vec<_> = trace.neighbors_directed(tx, Direction::Incoming).collect();
        into.sort();
        prop_assert_eq!(into, edges.iter().filter(|edge| edge.1 == tx).map(|edge| edge.0).collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_is_consistent_with_chain_order(case in case(false)) {
        let chain = case.chain();
        check_view(chain.view())?;
        check_view(chain.as_of(height(case.tip - 1)))?;
        let seeds: Vec<&str> = case.seeds.iter().map(String::as_str).collect();
        check_trace(&follow(chain.view(), &seeds, &Fifo))?;
        check_trace(&follow(chain.view(), &seeds, &Poison))?;
    }
}

#[test]
fn dijkstra_counts_the_shorter_arm_and_weighs_by_value() {
    let chain = diamond();
    let view = chain.view();
    let steps = dijkstra(view, at(view, "s"), None, |_| 1);
    assert_eq!(steps[&at(view, "meet")], 2);
    assert_eq!(steps.get(&at(view, "clean")), None);
    let value = dijkstra(view, at(view, "split"), None, |edge| edge.weight().map_or(0, Amount::to_sat));
    assert_eq!(value[&at(view, "meet")], 4);

    let trace = follow(view, &["s:0"], &Fifo);
    let steps = dijkstra(&trace, at(view, "s"), Some(at(view, "meet")), |_| 1);
    assert_eq!(steps[&at(view, "meet")], 2);
    let tainted = dijkstra(&trace, at(view, "split"), None, |edge| edge.weight().to_sat());
    assert_eq!(tainted[&at(view, "meet")], 4);
}

#[test]
fn the_split_dominates_the_meeting() {
    let chain = diamond();
    let view = chain.view();
    let trace = follow(view, &["s:0"], &Fifo);
    for found in [simple_fast(view, at(view, "s")), simple_fast(&trace, at(view, "s"))] {
        assert_eq!(found.immediate_dominator(at(view, "meet")), Some(at(view, "split")));
        assert_eq!(found.immediate_dominator(at(view, "long2")), Some(at(view, "long1")));
        assert_eq!(found.immediate_dominator(at(view, "clean")), None);
    }
}

#[test]
fn walks_go_the_way_of_the_money_and_back() {
    let chain = diamond();
    let view = chain.view();
    let reached: BTreeSet<String> = Dfs::new(view, at(view, "long1")).iter(view).map(|tx| name(view, tx)).collect();
    assert_eq!(reached, ["long1", "long2", "meet"].map(String::from).into());
    let back = Reversed(view);
    let reached: BTreeSet<String> = Bfs::new(back, at(view, "long2")).iter(back).map(|tx| name(view, tx)).collect();
    assert_eq!(reached, ["long1", "long2", "s", "split"].map(String::from).into());
    assert!(!is_cyclic_directed(view));
    let trace = follow(view, &["split:1"], &Fifo);
    let reached: Vec<String> = Bfs::new(&trace, at(view, "split")).iter(&trace).map(|tx| name(view, tx)).collect();
    assert_eq!(reached, ["split", "meet"]);
    assert!(!is_cyclic_directed(&trace));
}

#[test]
fn dot_draws_both() {
    let chain = diamond();
    let view = chain.view();
    let text = format!("{:?}", Dot::new(view));
    assert!(text.starts_with("digraph"));
    assert_eq!(text.matches("->").count(), 6);
    assert!(text.contains(&format!("{} -> {}", at(view, "split"), at(view, "meet"))), "{text}");
    let trace = follow(view, &["s:0"], &Fifo);
    let text = format!("{:?}", Dot::new(&trace));
    assert_eq!(text.matches("->").count(), 5);
    let edge = format!("{} -> {} [ label = \"4 SAT\" ]", at(view, "split"), at(view, "meet"));
    assert!(text.contains(&edge), "the tainted amount stands at the edge: {text}");
}

#[test]
fn a_traced_fee_is_an_edge_to_the_coinbase() {
    use fundtrace::trace::{self, Fees, Options, Via, stop};
    let mini = Mini::new("cb @4050: coinbase -> 40\np @4050.1: s:0=9 -> 6");
    let chain = mini.network(fundtrace::bitcoin::Network::Regtest).complete(4050, 4050).chain();
    let view = chain.view();
    let options = Options::default().fees(Fees::Coinbase);
    let trace = trace::forward(view, &[crate::mini::seed(view, "s:0")], &Fifo, &stop::never(), &options);
    let edges: Vec<_> = trace.edge_references().map(|edge| (edge.from, edge.to, edge.amount.to_sat())).collect();
    assert_eq!(edges, [(at(view, "s"), at(view, "p"), 9), (at(view, "p"), at(view, "cb"), 3)]);
    assert_eq!(trace.carries()[1].via, Via::Fee(at(view, "p")));
    assert_eq!(toposort(&trace, None).unwrap().last(), Some(&at(view, "cb")));
}
