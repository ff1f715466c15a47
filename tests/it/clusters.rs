//! Clusters against walks over the evidence, derivations against brute force, and both against the reference answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fundtrace::bitcoin::Network;
use fundtrace::bitcoin::hashes::{Hash, sha256};
use fundtrace::chain::Writer;
use fundtrace::cluster::{
    self, Basis, Clusters, Evidence, Graph, Guard, History, Link, Proofs, Rule, same_key, spending,
};
use fundtrace::petgraph::Direction;
use fundtrace::petgraph::visit::{IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers};
use fundtrace::source::blk::Blocks;
use fundtrace::{AddressIndex, Chain, TxIndex, View};
use proptest::prelude::*;
use serde_json::Value;

use crate::mini::{In, Mini, Out, Row, script, txid};

/// Chains in which few people pay each other, so that addresses are used again: each transaction spends up to four coins and pays up to three of
/// `a` to `l`; one in six is a coinbase.
pub fn reused() -> impl Strategy<Value = Mini> {
    prop::collection::vec(any::<u64>(), 10..200).prop_map(|tape| {
        let mut tape = tape.into_iter();
        let mut below = move |end: usize| usize::try_from(tape.next().unwrap_or(0) % end as u64).unwrap();
        let mut coins: Vec<(In, usize)> = Vec::new();
        let mut rows = Vec::new();
        for number in 0..4 + below(16) {
            let name = format!("t{number:02}");
            let height = Some(crate::random::FIRST + u32::try_from(number).unwrap());
            let mut row = Row { name: name.clone(), height, position: None, inputs: Vec::new(), outputs: Vec::new() };
            if below(6) != 5 {
                for _ in 0..below(4) {
                    if !coins.is_empty() {
                        row.inputs.push(coins.swap_remove(below(coins.len())).0);
                    }
                }
                if row.inputs.is_empty() {
                    let who = format!("{}", char::from(b'a' + u8::try_from(below(12)).unwrap()));
                    row.inputs.push(In { of: format!("s{number:02}"), vout: 0, value: Some(9), script: Some(who) });
                }
            }
            for vout in 0..1 + below(3) {
                let who = format!("{}", char::from(b'a' + u8::try_from(below(12)).unwrap()));
                row.outputs.push(Out { script: Some(who), ..Out::of(0) });
                coins.push((
                    In { of: name.clone(), vout: u32::try_from(vout).unwrap(), value: None, script: None },
                    number,
                ));
            }
            rows.push(row);
        }
        Mini::of(rows).network(Network::Regtest)
    })
}

/// Who is joined by which transaction, as the definition says it.
fn naive_links(view: View<'_>, skip: impl Fn(TxIndex) -> bool) -> Vec<(TxIndex, BTreeSet<AddressIndex>)> {
    view.txs()
        .filter(|tx| !tx.is_coinbase() && !skip(tx.index()))
        .map(|tx| (tx.index(), tx.inputs().filter_map(|input| input.prevout()?.address_index()).collect()))
        .filter(|(_, addresses): &(_, BTreeSet<_>)| addresses.len() > 1)
        .collect()
}

/// Sets that grow until no link crosses two of them.
pub fn naive(addresses: usize, links: &[BTreeSet<AddressIndex>]) -> Vec<BTreeSet<AddressIndex>> {
    let mut sets: Vec<BTreeSet<AddressIndex>> =
        (0..u32::try_from(addresses).unwrap()).map(|at| [AddressIndex::from_u32(at)].into()).collect();
    for link in links {
        let (mut touched, rest): (Vec<_>, Vec<_>) = sets.into_iter().partition(|set| !set.is_disjoint(link));
        let joined = touched.iter_mut().fold(BTreeSet::new(), |mut all, set| {
            all.append(set);
            all
        });
        sets = rest;
        sets.push(joined);
    }
    sets.sort();
    sets
}

pub fn sets(clusters: &Clusters) -> Vec<BTreeSet<AddressIndex>> {
    let mut sets: Vec<BTreeSet<AddressIndex>> =
        clusters.iter().map(|(_, members)| members.iter().copied().collect()).collect();
    for (cluster, members) in clusters.iter() {
        assert!(members.iter().all(|address| clusters.of(*address) == Some(cluster)));
        assert!(members.is_sorted());
    }
    sets.sort();
    sets
}

fn joined(links: &[(TxIndex, BTreeSet<AddressIndex>)]) -> Vec<BTreeSet<AddressIndex>> {
    links.iter().map(|(_, addresses)| addresses.clone()).collect()
}

/// Every chain of inferences of the least length from one address to another, as the sequence of positions in the evidence; of those the ones with the fewest that
/// were judged in context; of those the first in order.
fn naive_shortest(evidence: &Evidence, from: AddressIndex, to: AddressIndex) -> Option<Vec<usize>> {
    let all: Vec<BTreeSet<AddressIndex>> =
        evidence.inferences().map(|inference| inference.addresses.iter().copied().collect()).collect();
    if from == to {
        return Some(Vec::new());
    }
    let judged: Vec<bool> = evidence.inferences().map(|inference| inference.rule.basis == Basis::Context).collect();
    let key = |way: &Vec<usize>| (way.iter().filter(|at| judged[**at]).count(), way.clone());
    let mut ways: Vec<(Vec<usize>, BTreeSet<AddressIndex>)> = vec![(Vec::new(), [from].into())];
    for _ in 0..all.len() {
        let mut next = Vec::new();
        for (way, ends) in &ways {
            for (at, addresses) in all.iter().enumerate() {
                if !way.contains(&at) && !ends.is_disjoint(addresses) {
                    next.push(([&way[..], &[at]].concat(), addresses.clone()));
                }
            }
        }
        let found = next.iter().filter(|(_, ends)| ends.contains(&to)).map(|(way, _)| way.clone()).min_by_key(key);
        if found.is_some() {
            return found;
        }
        // Of ways to the same inference the first is enough: what follows does not depend on how it was reached.
        let mut best: BTreeMap<usize, (Vec<usize>, BTreeSet<AddressIndex>)> = BTreeMap::new();
        for (way, ends) in next {
            let last = *way.last().unwrap();
            match best.get(&last) {
                Some((known, _)) if key(known) <= key(&way) => {}
                _ => drop(best.insert(last, (way, ends))),
            }
        }
        ways = best.into_values().collect();
    }
    None
}

/// Spending, and pairs of another rule that rest on the same transactions: inputs with the first output.
fn evidence(view: View<'_>) -> Evidence {
    let pairs = view.txs().filter(|tx| tx.index().to_u32() % 3 == 0).filter_map(|tx| {
        let from = tx.inputs().next()?.address_index()?;
        Some((tx.index(), from, tx.outputs().next()?.address_index()?))
    });
    spending::evidence(view, "", |_| false).and(Evidence::of_pairs(view, Rule::new("first_output", 1), pairs))
}

fn check_proofs(view: View<'_>) -> Result<usize, TestCaseError> {
    let proofs = Proofs::of(evidence(view));
    let mut steps = 0;
    for from in (0..view.addresses_seen()).step_by(2) {
        for to in 0..view.addresses_seen() {
            let [from, to] = [from, to].map(|at| AddressIndex::from_u32(u32::try_from(at).unwrap()));
            let found = proofs.explain(from, to);
            let Some(expected) = naive_shortest(proofs.evidence(), from, to) else {
                prop_assert!(found.is_none());
                continue;
            };
            let found = found.unwrap();
            prop_assert_eq!(found.steps.len(), expected.len());
            steps += expected.len();
            let mut at = from;
            for (step, expected) in found.steps.iter().zip(expected) {
                let inference = proofs.evidence().inferences().nth(expected).unwrap();
                prop_assert_eq!((step.tx, &step.rule), (inference.tx, inference.rule));
                prop_assert_eq!(step.from, at);
                prop_assert!(inference.addresses.contains(&step.from) && inference.addresses.contains(&step.to));
                // Taking the transaction away really separates the two where it is called the only link, and only there.
                let apart = !proofs.without(step.tx).is_same(from, to);
                prop_assert_eq!(step.is_only_link, apart);
                // One rule was judged in context, so nothing may be said for sure but what spending alone shows.
                let alone = cluster::by_spending(view, |tx| tx.index() == step.tx).is_same(from, to);
                let link = match (apart, alone) {
                    (true, _) => Link::OnlyMade,
                    (false, true) => Link::Several,
                    (false, false) => Link::SeveralMade,
                };
                prop_assert_eq!(step.link, link);
                at = step.to;
            }
            prop_assert_eq!(at, to);
        }
    }
    Ok(steps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clusters_are_the_components_of_the_evidence(mini in reused()) {
        let chain = mini.chain();
        for view in [chain.view(), chain.as_of(crate::mini::height(crate::random::FIRST + 6))] {
            for odd in [false, true] {
                let skip = |tx: TxIndex| odd && tx.to_u32() % 2 == 1;
                let links = naive_links(view, skip);
                let expected = naive(view.addresses_seen(), &joined(&links));
                let clusters = cluster::by_spending(view, |tx| skip(tx.index()));
                prop_assert_eq!(&sets(&clusters), &expected);
                let evidence = spending::evidence(view, "", |tx| skip(tx.index()));
                prop_assert_eq!(&evidence.clusters(), &clusters);
                let listed: Vec<_> = evidence.inferences().map(|i| (i.tx, i.addresses.iter().copied().collect())).collect();
                prop_assert_eq!(listed, links);
            }
        }
    }

    #[test]
    fn a_derivation_is_a_shortest_one_and_names_the_only_links(mini in reused()) {
        check_proofs(mini.chain().view())?;
    }

    #[test]
    fn more_evidence_only_joins(mini in reused()) {
        let chain = mini.chain();
        let (less, more) = (cluster::by_spending(chain.view(), |_| false), evidence(chain.view()).clusters());
        prop_assert!(less.iter().all(|(_, members)| members.iter().all(|address| more.is_same(*address, members[0]))));
    }
}

#[test]
fn random_chains_are_worth_explaining() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut steps, mut links, mut largest) = (0, 0, 0);
    for _ in 0..60 {
        let chain = reused().new_tree(&mut runner).unwrap().current().chain();
        steps += check_proofs(chain.view()).unwrap();
        let clusters = cluster::by_spending(chain.view(), |_| false);
        links += clusters.addresses() - clusters.len();
        largest = largest.max(clusters.size(clusters.largest(1)[0]));
    }
    assert!(steps > 1000 && links > 60 && largest > 4, "{steps} steps, {links} links, {largest} in the largest");
}

#[test]
fn what_is_unknown_joins_nothing() {
    // The first input's prevout is unknown, the second's script has no address, the third is known: no two addresses.
    let mini = Mini::new("t1: s:0 r:0=5/return u:0=4/ann -> 3/bob");
    assert!(mini.freeze().is_err(), "an OP_RETURN cannot be spent");
    let mini = Mini::new("t1: s:0 u:0=4/ann -> 3/bob\nt2: coinbase -> 5/ann 5/carl");
    let clusters = cluster::by_spending(mini.chain().view(), |_| false);
    assert_eq!((clusters.addresses(), clusters.len()), (3, 3));
}

#[test]
fn by_spending_alone_the_only_link_is_one_in_the_chain_without_it() {
    let text = "t1 @1: a:0=5/ann b:0=5/bob -> 0\nt2 @2: c:0=5/bob d:0=5/carl -> 0\nt3 @3: e:0=5/ann f:0=5/bob -> 0";
    let lines: Vec<&str> = text.lines().collect();
    let chain = Mini::new(text).chain();
    let view = chain.view();
    let address = |view: View<'_>, who| view.address_index(&script(who)).unwrap();
    let links = Proofs::of(spending::evidence(view, "", |_| false));
    let derivation = links.explain(address(view, "ann"), address(view, "carl")).unwrap();
    assert_eq!(derivation.steps.iter().map(|step| step.link).collect::<Vec<_>>(), [Link::Several, Link::Only]);
    for (left_out, link) in [Link::Several, Link::Only].into_iter().enumerate() {
        let kept: Vec<&str> = (0..3).filter(|at| *at != left_out).map(|at| lines[at]).collect();
        let rest = Mini::new(&kept.join("\n")).chain();
        let carl = rest.view().address_index(&script("carl"));
        let joined = carl.is_some_and(|carl| {
            cluster::by_spending(rest.view(), |_| false).is_same(address(rest.view(), "ann"), carl)
        });
        assert_eq!(joined, link == Link::Several);
    }
}

#[test]
fn an_identity_rests_on_no_transaction() {
    use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, WPubkeyHash};
    let out = |script: ScriptBuf| TxOut { value: Amount::from_sat(50), script_pubkey: script };
    let witness = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([7; 20]));
    let legacy = ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([7; 20]));
    let spend = fundtrace::chain::NewInput::new(OutPoint::new(Txid::from_byte_array([1; 32]), 0));
    let spend = spend.prevout(out(witness.clone()));
    let mut builder = fundtrace::ChainBuilder::new();
    let tx = Txid::from_byte_array([9; 32]);
    builder.insert(fundtrace::chain::NewTx::claimed(tx, vec![spend], vec![out(legacy.clone())])).unwrap();
    let chain = builder.finish().unwrap();
    let [a, b] = [witness, legacy].map(|script| chain.view().address_index(&script).unwrap());
    let proofs = Proofs::of(same_key::evidence(chain.view()));
    let step = &proofs.explain(a, b).unwrap().steps[0];
    assert_eq!((step.link, step.is_only_link, step.rule.basis), (Link::Identity, false, Basis::Identity));
    assert!(proofs.without(step.tx).is_same(a, b) && !proofs.separates(step.tx, a, b));
}

#[test]
fn of_equal_derivations_the_one_with_the_least_judgement_is_told() {
    // A guess joins Ann and Bob in t1, and t2 spends from both.
    let chain = Mini::new("t1 @1: a:0=9/ann -> 5/bob 4/dan\nt2 @2: b:0=5/ann c:0=5/bob -> 0").chain();
    let view = chain.view();
    let [ann, bob] = ["ann", "bob"].map(|who| view.address_index(&script(who)).unwrap());
    let guess = Evidence::of_pairs(view, Rule::new("guess", 1), [(view.txs().next().unwrap().index(), ann, bob)]);
    let proofs = Proofs::of(guess.and(spending::evidence(view, "", |_| false)));
    let steps = proofs.explain(ann, bob).unwrap().steps;
    assert_eq!((steps.len(), steps[0].rule.name.as_str()), (1, "spending"));
}

#[test]
#[should_panic(expected = "evidence of another view")]
fn a_history_takes_no_evidence_of_another_view() {
    // The second block shows no new address, so the two views differ by their ends alone.
    let chain = Mini::new("t1 @1: a:0=9/ann -> 5/bob\nt2 @2: b:0=5/ann c:0=5/bob -> 1/ann").chain();
    let early = chain.as_of(crate::mini::height(1));
    assert_eq!(early.addresses_seen(), chain.view().addresses_seen());
    let _ = History::default().append(chain.view(), &spending::evidence(early, "", |_| false));
}

#[test]
fn the_earliest_of_equal_derivations_is_told() {
    // Ann and Carl are joined through Bob (t1, t2) and through Dan (t3, t4); then directly, which is shorter though later.
    let text = "t1 @1: a:0=5/ann b:0=5/bob -> 0\nt2 @2: c:0=5/bob d:0=5/carl -> 0\nt3 @3: e:0=5/ann f:0=5/dan -> 0\nt4 @4: g:0=5/dan h:0=5/carl -> 0";
    let steps = |text: &str| -> Vec<(String, bool)> {
        let chain = Mini::new(text).chain();
        let view = chain.view();
        let address = |who| view.address_index(&script(who)).unwrap();
        let proofs = Proofs::of(spending::evidence(view, "", |_| false));
        let derivation = proofs.explain(address("ann"), address("carl")).unwrap();
        let name = |tx| crate::mini::name_of(view.tx(tx).txid());
        derivation.steps.iter().map(|step| (name(step.tx), step.is_only_link)).collect()
    };
    assert_eq!(steps(text), [("t1".into(), false), ("t2".into(), false)]);
    let direct = format!("{text}\nt5 @5: i:0=5/carl j:0=5/ann -> 0");
    assert_eq!(steps(&direct), [("t5".into(), false)]);
    let first_two: Vec<&str> = text.lines().take(2).collect();
    assert_eq!(steps(&first_two.join("\n")), [("t1".into(), true), ("t2".into(), true)]);
    assert!(Mini::new(text).chain().view().tx_at(&txid("t4")).is_some());
}

fn data(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FUNDTRACE_DATA");
    if folder.is_none() {
        println!("skipped: FUNDTRACE_DATA is not set");
    }
    folder.map(|folder| PathBuf::from(folder).join(file))
}

/// A chain of block files that are packed.
pub fn packed(file: &str, network: Network) -> Option<Chain> {
    use std::io::Read;
    let path = data(file)?;
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(std::fs::File::open(path).unwrap())
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("blk00000.dat"), bytes).unwrap();
    let mut writer = Writer::new(network, folder.path());
    Blocks::open(&[folder.path().to_owned()], network).unwrap().write_to(&mut writer, |_| {}).unwrap();
    let mut store = Vec::new();
    writer.finish().unwrap().write_to(&mut store).unwrap();
    Some(Chain::from_bytes(store).unwrap())
}

fn testnet() -> Option<(Chain, Value)> {
    let chain = packed("btc_testnet3_0_4000/dev_blk_testnet3_0-451.dat.zst", Network::Testnet)?;
    let answers = std::fs::read(data("reference/dev_btc_testnet3_0_451.json")?).unwrap();
    Some((chain, serde_json::from_slice(&answers).unwrap()))
}

fn sizes(clusters: &Clusters, count: usize) -> Vec<usize> {
    clusters.largest(count).iter().map(|cluster| clusters.size(*cluster)).collect()
}

fn check_answer(view: View<'_>, clusters: &Clusters, expected: &Value) {
    let count = |key: &str| usize::try_from(expected[key].as_u64().unwrap()).unwrap();
    assert_eq!(clusters.addresses(), count("entities"));
    assert_eq!(clusters.len(), count("clusters_incl_singletons"));
    let multi: Vec<&[AddressIndex]> = clusters.iter().map(|(_, members)| members).filter(|all| all.len() > 1).collect();
    assert_eq!(multi.len(), count("clusters_of_2_or_more"));
    assert_eq!(multi.iter().map(|members| members.len()).sum::<usize>(), count("entities_in_those"));
    assert_eq!(serde_json::json!(sizes(clusters, 10)), expected["largest"]);
    // Clusters of two or more: the addresses sorted and joined by commas, then the clusters sorted.
    let line = |members: &&[AddressIndex]| {
        let mut names: Vec<String> = members.iter().map(|address| view.address(*address).to_string()).collect();
        names.sort();
        names.join(",")
    };
    let mut lines: Vec<String> = multi.iter().map(line).collect();
    lines.sort();
    let hash = sha256::Hash::hash(lines.join("\n").as_bytes()).to_string();
    assert_eq!(hash, expected["sha256_of_canonical_multi_partition"]);
}

/// Fresh change, as the reference defines it: at least two outputs, all with different entities, none an input's, exactly one never seen before.
fn fresh_change(view: View<'_>) -> Evidence {
    let pairs = view.txs().filter(|tx| !tx.is_coinbase()).filter_map(|tx| {
        let from: Vec<AddressIndex> = tx.inputs().filter_map(|input| input.address_index()).collect();
        let to: Vec<(AddressIndex, bool)> =
            tx.outputs().filter_map(|output| Some((output.address_index()?, output.is_first_of_address()?))).collect();
        let different: BTreeSet<AddressIndex> = to.iter().map(|(address, _)| *address).collect();
        let apart =
            to.len() >= 2 && different.len() == to.len() && from.iter().all(|address| !different.contains(address));
        let fresh: Vec<AddressIndex> = to.iter().filter(|(_, fresh)| *fresh).map(|(address, _)| *address).collect();
        match fresh[..] {
            [change] if apart => Some((tx.index(), from[0], change)),
            _ => None,
        }
    });
    Evidence::of_pairs(view, Rule::new("fresh_change", 1), pairs.collect::<Vec<_>>())
}

#[test]
fn testnet3_clusters_are_the_references() {
    let Some((chain, answers)) = testnet() else { return };
    let view = chain.view();
    let clusters = cluster::by_spending(view, |_| false);
    assert_eq!((clusters.len(), clusters.addresses()), (728, 993));
    check_answer(view, &clusters, &answers["cospend"]);
    let change = fresh_change(view);
    assert_eq!(change.inferences().len() as u64, answers["fresh_change"]["count"].as_u64().unwrap());
    let both = spending::evidence(view, "", |_| false).and(change).clusters();
    assert_eq!(both.len(), 483);
    check_answer(view, &both, &answers["cospend_plus_fresh_change"]);
}

#[test]
fn mainnet_clusters_are_the_references() {
    let Some(chain) = packed("btc_mainnet_0_4312/blk00000_0-4312.dat.zst", Network::Bitcoin) else { return };
    let clusters = cluster::by_spending(chain.view(), |_| false);
    assert_eq!((clusters.len(), clusters.addresses()), (4_171, 4_357));
    assert_eq!(sizes(&clusters, 3), [44, 20, 20]);
}

/// The chain without stubs: what spends one is a coinbase instead.
fn whole(mini: &Mini) -> Mini {
    let mut mini = mini.clone();
    for row in &mut mini.rows {
        row.inputs.retain(|input| input.value.is_none());
    }
    mini
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_in_steps_is_a_fresh_run_at_each_height(mini in reused(), steps in prop::collection::vec(1_u32..6, 1..6), back in 0_u32..20) {
        let chain = mini.chain();
        let first = crate::random::FIRST;
        let tip = chain.view().tip().unwrap().to_u32();
        let (mut history, mut at) = (History::default(), first);
        let mut log = Vec::new();
        for step in steps.iter().copied().chain([100]) {
            at = (at + step).min(tip);
            let view = chain.as_of(crate::mini::height(at));
            log.extend_from_slice(history.append(view, &evidence(view)).unwrap());
            prop_assert_eq!(history.clusters(), evidence(view).clusters());
        }
        prop_assert_eq!(history.log(), &log[..]);
        prop_assert_eq!(log.len(), history.clusters().addresses() - history.clusters().len());
        let fresh = |at| evidence(chain.as_of(crate::mini::height(at))).clusters();
        for at in first..=tip {
            prop_assert_eq!(history.as_of(crate::mini::height(at)), fresh(at));
        }
        let back = first + back;
        history.roll_back(crate::mini::height(back));
        prop_assert_eq!(history.clusters(), fresh(back.min(tip)));
        history.append(chain.view(), &evidence(chain.view())).unwrap();
        prop_assert_eq!(history.log(), &log[..], "rolled back and on again");
    }

    #[test]
    fn another_branch_is_refused_until_rolled_back(mini in reused(), fork in 2_usize..6) {
        let (ours, mut theirs) = (whole(&mini), whole(&mini));
        theirs.rows.truncate(fork);
        let fork_height = crate::random::FIRST + u32::try_from(fork).unwrap();
        theirs.rows.push(format!("u @{fork_height}: coinbase -> 0/a").parse::<Row>().unwrap());
        prop_assume!(ours.rows.len() > fork);
        let (ours, theirs) = (ours.chain(), theirs.chain());
        let mut history = History::default();
        prop_assert!(history.append(ours.view(), &evidence(ours.view())).is_some());
        prop_assert!(history.append(theirs.view(), &evidence(theirs.view())).is_none());
        history.roll_back(crate::mini::height(fork_height - 1));
        prop_assert!(history.append(theirs.view(), &evidence(theirs.view())).is_some());
        prop_assert_eq!(history.clusters(), evidence(theirs.view()).clusters());
    }

    #[test]
    fn statistics_and_flows_are_sums_over_transactions(mini in reused(), from in 0_u32..10, to in 0_u32..10) {
        let mut mini = mini;
        // Coins of value: each output is worth its number, inputs are claimed by nobody.
        for row in &mut mini.rows {
            row.inputs.iter_mut().filter(|input| input.value.is_some()).for_each(|input| input.value = Some(90));
            if row.inputs.first().is_some_and(|input| input.value.is_some()) {
                row.outputs.iter_mut().zip(1..).for_each(|(output, value)| output.value = value * 10);
            }
        }
        let chain = mini.chain();
        let view = chain.view();
        let clusters = cluster::by_spending(view, |tx| tx.index().to_u32() % 4 == 0);
        let mut received = vec![0; clusters.len()];
        let mut balance = vec![0; clusters.len()];
        let cluster_of = |output: &fundtrace::chain::Output<'_>| clusters.of(output.address_index()?);
        for output in view.stubs().chain(view.txs()).flat_map(|tx| tx.outputs()) {
            let at = usize::try_from(cluster_of(&output).unwrap().to_u32()).unwrap();
            received[at] += output.value().unwrap().to_sat();
            balance[at] += if output.spender().is_none() { output.value().unwrap().to_sat() } else { 0 };
        }
        for (cluster, members) in clusters.iter() {
            let sums = clusters.statistics(view, cluster);
            let at = usize::try_from(cluster.to_u32()).unwrap();
            prop_assert_eq!((sums.received.to_sat(), sums.balance.to_sat()), (received[at], balance[at]));
            let touches = view.txs().filter(|tx| {
                let spends = tx.inputs().filter_map(|input| input.address_index());
                spends.chain(tx.outputs().filter_map(|output| output.address_index())).any(|a| members.contains(&a))
            });
            let touches: Vec<TxIndex> = touches.map(|tx| tx.index()).collect();
            prop_assert_eq!(sums.transactions, touches.len() as u64);
            prop_assert_eq!((sums.first, sums.last), (touches.first().copied(), touches.last().copied()));
        }
        let heights = crate::mini::height(crate::random::FIRST + from)..crate::mini::height(crate::random::FIRST + to);
        let graph = Graph::of(view, &clusters, heights.clone());
        let mut expected: BTreeMap<_, (u64, BTreeSet<TxIndex>)> = BTreeMap::new();
        let mut unclear = 0;
        for tx in view.txs().filter(|tx| !tx.is_coinbase() && heights.contains(&tx.height().unwrap())) {
            let payers: BTreeSet<_> = tx.inputs().map(|input| clusters.of(input.address_index().unwrap())).collect();
            unclear += u64::from(payers.len() > 1);
            let payer = payers.first().unwrap().unwrap();
            for output in tx.outputs().filter(|output| payers.len() == 1 && cluster_of(output) != Some(payer)) {
                let flow = expected.entry((payer, cluster_of(&output).unwrap())).or_default();
                flow.0 += output.value().unwrap().to_sat();
                flow.1.insert(tx.index());
            }
        }
        let flows: Vec<_> = graph.flows().iter().map(|f| ((f.from, f.to), f.value.to_sat(), f.transactions)).collect();
        let expected: Vec<_> = expected.into_iter().map(|(ends, (sat, txs))| (ends, sat, txs.len() as u64)).collect();
        prop_assert_eq!((flows, graph.unclear()), (expected, unclear));
        for cluster in (&graph).node_identifiers() {
            let mut into: Vec<_> = graph.flows().iter().filter(|flow| flow.to == cluster).map(|flow| flow.from).collect();
            into.sort();
            prop_assert_eq!((&graph).neighbors_directed(cluster, Direction::Incoming).collect::<Vec<_>>(), into);
            let out: Vec<_> = graph.flows().iter().filter(|flow| flow.from == cluster).map(|flow| flow.to).collect();
            prop_assert_eq!((&graph).neighbors(cluster).collect::<Vec<_>>(), out);
        }
    }
}

#[test]
fn one_keys_forms_and_a_wrapped_program_are_joined_when_asked() {
    use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, WPubkeyHash, hashes::hash160};
    use fundtrace::chain::{NewInput, NewTx};
    let hash = hash160::Hash::hash(b"a key");
    let witness = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_raw_hash(hash));
    let program = ScriptBuf::from_bytes(vec![0x51]).to_p2wsh();
    let scripts = [
        ScriptBuf::new_p2pkh(&PubkeyHash::from_raw_hash(hash)),
        ScriptBuf::new_p2sh(&witness.script_hash()),
        witness,
        ScriptBuf::new_p2sh(&program.script_hash()),
        program,
        script("somebody else"),
    ];
    let mut builder = fundtrace::ChainBuilder::new();
    for (at, script_pubkey) in (0_u32..).zip(&scripts) {
        let out = TxOut { value: Amount::from_sat(1), script_pubkey: script_pubkey.clone() };
        let tx = NewTx::claimed(txid(&format!("k{at}")), vec![NewInput::new(OutPoint::new(txid("s"), at))], vec![out]);
        builder.insert(tx.height(crate::mini::height(at))).unwrap();
    }
    let chain = builder.finish().unwrap();
    let groups = |view: View<'_>| -> Vec<usize> {
        let clusters = cluster::same_key::evidence(view).clusters();
        let of = |script: &ScriptBuf| usize::try_from(clusters.of(view.address_index(script)?)?.to_u32()).ok();
        scripts.iter().filter_map(of).collect()
    };
    assert_eq!(groups(chain.view()), [0, 0, 0, 1, 1, 2]);
    // The pair rests on the transaction that shows the later of the two, so an earlier view does not know it.
    assert_eq!(groups(chain.as_of(crate::mini::height(3))), [0, 0, 0, 1]);
    let evidence = cluster::same_key::evidence(chain.view());
    assert_eq!(
        evidence.inferences().len(),
        4,
        "legacy and nested, both with the witness form, and with each other; the program"
    );
    let as_of = History::default()
        .append(chain.view(), &evidence)
        .unwrap()
        .iter()
        .map(|m| m.height.to_u32())
        .collect::<Vec<_>>();
    assert_eq!(as_of, [1, 2, 4]);
    assert_eq!(cluster::by_spending(chain.view(), |_| false).len(), 6);
}

#[test]
fn the_guard_takes_an_unknown_payer_for_another() {
    let mix = |inputs: &str| {
        let outputs = "900000 900000 900000 900000 900000 90000 90007 90014 90021 90028";
        let chain = Mini::new(&format!("t @100: {inputs} -> {outputs}")).chain();
        chain.view().txs().any(cluster::has_repeated_outputs)
    };
    assert!(mix("A:0=1000000/a B:0=1100000/b C:0=1000000/c D:0=1000000/d E:0=1000000/e"));
    assert!(mix("A:0=1000000/a B:0=1100000/b C:0 D:0 E:0"));
    assert!(mix("A:0=1000000/a B:0=1100000/a C:0 D:0"));
    assert!(!mix("A:0=1000000/a B:0=2200000/a C:0=1000000/a D:0=1000000/b E:0=1000000/b"));
    assert!(!mix("A:0=1000000/a B:0=1100000/a C:0"));
}

#[test]
fn an_output_that_nobody_can_spend_hides_no_input() {
    let unnecessary = |outputs: &str| {
        let chain = Mini::new(&format!("t @100: A:0=100000/a B:0=5000/b -> {outputs}")).chain();
        chain.view().txs().any(cluster::has_unnecessary_input)
    };
    assert!(unnecessary("60000 44000"));
    assert!(unnecessary("60000 44000 0/return"));
    assert!(!unnecessary("104000 0/return"), "one output that can be spent is a consolidation");
}

#[test]
fn a_history_tells_whether_a_run_now_would_agree() {
    use fundtrace::change::{self, Spent};
    let chain = Mini::new(
        "t @100: A:0=900/a -> 500/b 399/c
         u @101: t:1 -> 398/d
         w @102: B:0=50/a D:0=60/d -> 100/e",
    )
    .chain();
    let spent = |view: View<'_>| {
        let picks = change::picks_in_hindsight(view, &Spent);
        Evidence::of_pairs(view, Rule::new("spent", 1), change::links(view, picks))
    };
    let past = |view: View<'_>| spending::evidence(view, "", |_| false);
    let grown = |of: &dyn Fn(View<'_>) -> Evidence| {
        let mut history = History::default();
        for view in (100..=102).map(|height| chain.as_of(crate::mini::height(height))) {
            history.append(view, &of(view)).unwrap();
        }
        history
    };
    let view = chain.view();
    assert!(grown(&past).agrees(view, &past(view)) && grown(&past).log().len() == 1);
    assert!(!grown(&spent).agrees(view, &spent(view)));
    // What the evidence no longer says counts as well, and so does another chain.
    assert!(!grown(&past).agrees(view, &spent(view)));
    let nothing = Evidence::of_pairs(view, Rule::new("none", 1), []);
    assert!(!grown(&past).agrees(view, &nothing));
    let other = Mini::new("t @100: A:0=900/a -> 500/b 399/c").chain();
    assert!(!grown(&past).agrees(other.view(), &past(other.view())));
    assert!(History::default().agrees(view, &nothing));
    // Up to the last block of the history, later ones say nothing against it.
    let mut early = History::default();
    early.append(chain.as_of(crate::mini::height(100)), &past(chain.as_of(crate::mini::height(100)))).unwrap();
    assert!(early.agrees(view, &past(view)));
}

#[test]
fn any_number_of_threads_gives_the_same_clusters() {
    let Some((chain, _)) = testnet() else { return };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let evidence = spending::evidence(chain.view(), "", |_| false);
            (cluster::by_spending(chain.view(), |_| false), evidence.clusters(), evidence)
        })
    };
    let one = run(1);
    assert!([2, 8].into_iter().all(|threads| run(threads) == one));
}

/// Explains members of the largest clusters to each other, and checks every step on the chain itself.
fn check_on_chain(view: View<'_>) -> (usize, usize) {
    let proofs = Proofs::of(spending::evidence(view, "", |_| false));
    let clusters = proofs.clusters();
    let (mut steps, mut links) = (0, 0);
    let mut without: BTreeMap<TxIndex, Clusters> = BTreeMap::new();
    for cluster in clusters.largest(5) {
        let members = clusters.members(cluster);
        for to in members.iter().step_by(members.len().div_ceil(12)) {
            let derivation = proofs.explain(members[0], *to).unwrap();
            for step in derivation.steps {
                let spends: Vec<_> = view.tx(step.tx).inputs().filter_map(|input| input.address_index()).collect();
                assert!(spends.contains(&step.from) && spends.contains(&step.to));
                let rest = without.entry(step.tx).or_insert_with(|| proofs.without(step.tx));
                assert_eq!(step.is_only_link, !rest.is_same(members[0], *to));
                steps += 1;
                links += usize::from(step.is_only_link);
            }
        }
    }
    (steps, links)
}

/// The cluster of 44 on the main chain: every member is explained to the first, and what is called the only link is one.
#[test]
fn derivations_hold_on_mainnet() {
    let Some(chain) = packed("btc_mainnet_0_4312/blk00000_0-4312.dat.zst", Network::Bitcoin) else { return };
    let view = chain.view();
    let proofs = Proofs::of(spending::evidence(view, &Guard::default().to_string(), |tx| Guard::default().skips(tx)));
    let clusters = proofs.clusters();
    let members = clusters.members(clusters.largest(1)[0]);
    assert_eq!(members.len(), 44);
    let (mut links, mut others) = (0, 0);
    for (from, to) in members.iter().flat_map(|from| members.iter().map(move |to| (*from, *to))).step_by(7) {
        for step in proofs.explain(from, to).unwrap().steps {
            let spends: Vec<_> = view.tx(step.tx).inputs().filter_map(|input| input.address_index()).collect();
            assert!(spends.contains(&step.from) && spends.contains(&step.to));
            // Made anew without the transaction.
            let rest = proofs.evidence().without(step.tx).clusters();
            assert_eq!(step.is_only_link, !rest.is_same(from, to));
            if step.is_only_link { links += 1 } else { others += 1 }
        }
    }
    println!("{links} only links, {others} others");
    assert!(links > 0);
    let (steps, links) = check_on_chain(view);
    assert!(steps >= links && links > 10, "{steps} steps, {links} only links");
}

#[test]
fn derivations_hold_on_testnet3() {
    let Some((chain, _)) = testnet() else { return };
    let (steps, links) = check_on_chain(chain.view());
    assert!(steps > links && links > 10, "{steps} steps, {links} only links");
}

#[cfg(feature = "simulate")]
#[test]
fn derivations_hold_in_a_world() {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    for block in fundtrace::simulate::World::new(fundtrace::simulate::WorldSpec::new(3_000), 1) {
        writer.block(block.height(), block.block().header, block.records()).unwrap();
    }
    let mut store = Vec::new();
    writer.finish().unwrap().write_to(&mut store).unwrap();
    let (steps, links) = check_on_chain(Chain::from_bytes(store).unwrap().view());
    // Simulated users hardly use an address twice, so most merges hang by one transaction.
    assert!(steps > 30 && links > 10, "{steps} steps, {links} only links");
}
