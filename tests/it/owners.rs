//! Clusters against known owners: emulated CoinJoins, a node's chain, simulated worlds with key imports, consolidations.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::{Address, Network, address::NetworkUnchecked};
use fundtrace::chain::{Tx, Writer};
use fundtrace::change::{self, Fresh};
use fundtrace::cluster::{self, Clusters, Evidence, Guard, Rule, spending};
use fundtrace::detect::{Confidence, coinjoin};
use fundtrace::eval::{self, Clustering};
use fundtrace::source::blk::Blocks;
use fundtrace::{AddressIndex, Chain, EntityIndex, View};

fn data(folder: &str) -> Option<PathBuf> {
    let all = std::env::var_os("FUNDTRACE_DATA");
    if all.is_none() {
        println!("skipped: FUNDTRACE_DATA is not set");
    }
    all.map(|all| PathBuf::from(all).join(folder))
}

fn of_blocks(folder: &Path) -> Chain {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    Blocks::open(&[folder.to_owned()], Network::Regtest).unwrap().write_to(&mut writer, |_| {}).unwrap();
    let mut store = Vec::new();
    writer.finish().unwrap().write_to(&mut store).unwrap();
    Chain::from_bytes(store).unwrap()
}

fn guard(percent: u32) -> impl Fn(Tx<'_>) -> bool + Send + Sync + Copy {
    move |tx| coinjoin::is_mix(tx, Confidence::from_percent(percent))
}

/// The guard that we recommend.
fn skips(tx: Tx<'_>) -> bool {
    Guard::default().skips(tx)
}

/// The owners of a view's addresses, numbered by name.
fn owners(view: View<'_>, listed: &BTreeMap<String, String>) -> HashMap<AddressIndex, EntityIndex> {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut owners = HashMap::new();
    for (address, owner) in listed {
        let address: Address<NetworkUnchecked> = address.parse().unwrap();
        let Some(at) = view.address_index(&address.assume_checked().script_pubkey()) else { continue };
        let next = u32::try_from(numbers.len()).unwrap();
        owners.insert(at, EntityIndex::from_u32(*numbers.entry(owner).or_insert(next)));
    }
    owners
}

fn score(clusters: &Clusters, owner: impl Fn(AddressIndex) -> Option<EntityIndex>) -> Clustering {
    let all = (0..u32::try_from(clusters.addresses()).unwrap()).map(AddressIndex::from_u32);
    eval::cluster(all.map(|address| (clusters.of(address).unwrap().to_u32(), owner(address))))
}

fn figures(name: &str, score: &Clustering) -> (String, String, u64) {
    let shown = (format!("{:.3}", score.precision()), format!("{:.3}", score.recall()), score.owners_max);
    println!("{name}: {shown:?} of {} addresses, {} owners", score.items, score.owners);
    shown
}

#[test]
fn emulated_coinjoins_ruin_spending_without_a_guard() {
    let Some(folder) = data("coinjoin_emulated_regtest/ww2_2024-04-05_15-19") else { return };
    let listed = std::fs::read(folder.join("wallet_addresses.json")).unwrap();
    let wallets: BTreeMap<String, Vec<String>> = serde_json::from_slice(&listed).unwrap();
    let listed = wallets.iter().flat_map(|(wallet, all)| all.iter().map(|address| (address.clone(), wallet.clone())));
    let blocks = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("blk_regtest.dat"), blocks.path().join("blk00000.dat")).unwrap();
    let chain = of_blocks(blocks.path());
    let view = chain.view();
    let owners = owners(view, &listed.collect());
    let of = |clusters: &Clusters| score(clusters, |address| owners.get(&address).copied());
    let listed = std::fs::read_to_string(folder.join("coinjoin_txids.txt")).unwrap();
    let listed = |tx: Tx<'_>| listed.lines().any(|line| line == tx.txid().to_string());
    for tx in view.txs().filter(|tx| listed(*tx)) {
        let found = coinjoin::classify(tx).map(|finding| (finding.rule, finding.verdict, finding.confidence));
        println!("{} inputs, {} outputs: {found:?}", tx.inputs().len(), tx.outputs().len());
    }
    let (found, wrong): (Vec<_>, Vec<_>) = view.txs().filter(|tx| guard(60)(*tx)).partition(|tx| listed(*tx));
    assert_eq!((view.txs().filter(|tx| listed(*tx)).count(), found.len(), wrong.len()), (6, 4, 0));
    let keep = figures("coinjoins kept", &of(&cluster::by_spending(view, |_| false)));
    assert_eq!(keep, ("0.108".into(), "0.049".into(), 10));
    // Two rounds of 13 and 18 inputs stay that the rule does not know, and all pairs are theirs: recall is lost, and what is left is no better.
    let skip = figures("skipped by the rule", &of(&cluster::by_spending(view, guard(60))));
    assert_eq!(skip, ("0.074".into(), "0.004".into(), 10));
    // Repeated amounts give all six away and nothing else.
    let (found, wrong): (Vec<_>, Vec<_>) = view.txs().filter(|tx| skips(*tx)).partition(|tx| listed(*tx));
    assert_eq!((found.len(), wrong.len()), (6, 0));
    let (kept, guarded) = (of(&cluster::by_spending(view, |_| false)), of(&cluster::by_spending(view, skips)));
    let bcubed = |of: &Clustering| (of.bcubed_precision().to_string(), of.bcubed_recall().to_string());
    assert_eq!(bcubed(&kept), ("0.5210".into(), "0.0951".into()));
    // An address alone is all its cluster and a part of its owner: that is the recall that is left.
    assert_eq!(bcubed(&guarded), ("1.0000".into(), "0.0385".into()));
    // Nobody spends two addresses but in a round, so the guard does as well as the list: no pair is left, right or wrong.
    assert_eq!(figures("skipped by the guard", &guarded), ("n/a".into(), "0.000".into(), 1));
    let all = figures("skipped by the list", &of(&cluster::by_spending(view, listed)));
    assert_eq!(all, ("n/a".into(), "0.000".into(), 1));
}

#[test]
fn a_nodes_chain_against_its_owners() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btc_regtest_core31");
    let listed: BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(folder.join("owners.json")).unwrap()).unwrap();
    let chain = of_blocks(&folder);
    let view = chain.view();
    let owners = owners(view, &listed);
    let of = |clusters: &Clusters| score(clusters, |address| owners.get(&address).copied());
    let fresh = change::links(view, change::picks(view, &Fresh));
    let fresh = spending::evidence(view, "", skips).and(Evidence::of_pairs(view, Rule::new("fresh", 1), fresh));
    assert_eq!(
        figures("core31 keep", &of(&cluster::by_spending(view, |_| false))),
        ("0.967".into(), "0.039".into(), 7)
    );
    assert_eq!(
        figures("core31 skip from 60", &of(&cluster::by_spending(view, guard(60)))),
        ("0.975".into(), "0.039".into(), 7)
    );
    assert_eq!(
        figures("core31 skip from 25", &of(&cluster::by_spending(view, guard(25)))),
        ("0.998".into(), "0.039".into(), 2)
    );
    // Left over are a CoinJoin of two and a payjoin.
    assert_eq!(figures("core31 guard", &of(&cluster::by_spending(view, skips))), ("0.998".into(), "0.039".into(), 2));
    assert_eq!(figures("core31 fresh", &of(&fresh.clusters())), ("0.998".into(), "0.041".into(), 2));
}

#[cfg(feature = "simulate")]
mod simulated {
    use fundtrace::change::{Context, Votes};
    use fundtrace::cluster::build::VetoReason;
    use fundtrace::cluster::{Constraints, Proofs, Soft, voted};
    use fundtrace::simulate::{Programme, WorldSpec};
    use fundtrace::truth::Kind;

    use super::*;

    /// Spending, the votes of every change rule that does not look ahead, and what they say of the outputs that they do not name: those are not the payer's.
    fn evidence(view: View<'_>) -> (Evidence, Vec<Soft>, Constraints) {
        let context = Context::default();
        let rules = change::Rule::ALL.into_iter().filter_map(|rule| rule.change(&context));
        let votes = rules.fold(Votes::new(1), |votes, rule| votes.rule(rule, 1));
        let guesses = change::votes(view, &votes).into_iter().filter(|guess| !skips(view.tx(guess.tx)));
        let guesses: Vec<change::Guess> = guesses.collect();
        let constraints = voted::apart(view, &guesses, Constraints::default());
        (spending::evidence(view, "", skips), voted::soft(view, &guesses, 0), constraints)
    }

    /// With the evidence of its merges a build is explained like any other, and the recommended limits hold.
    #[test]
    fn votes_are_merged_within_limits_and_explained() {
        let (chain, _) = crate::worlds::known(WorldSpec::new(6_000), 6);
        let view = chain.view();
        let hard = spending::evidence(view, "", skips);
        let guesses = change::votes(view, &change::voters(1));
        let build = |limits| cluster::by_votes(view, &hard, Guard::default(), Rule::new("votes", 1), &guesses, limits);
        let built = build(Constraints::default().growth(voted::GROWTH, 1_000_000));
        assert!(!built.tree().is_empty());
        assert!(built.tree().iter().all(|merge| merge.sizes.0.min(merge.sizes.1) <= voted::GROWTH));
        let limits = |veto: &&cluster::build::Veto| matches!(veto.reason, VetoReason::Growth(..));
        assert!(built.vetoes().iter().filter(limits).count() > 0);
        assert!(build(Constraints::default()).tree().len() > built.tree().len());
        for confidence in [0, 700_000, 1_000_000] {
            let all = hard.clone().and(built.evidence(view, confidence));
            assert!(all.clusters() == built.at(confidence), "at {confidence}");
        }
        let proofs = Proofs::of(hard.clone().and(built.evidence(view, 0)));
        let merge = built.tree()[0];
        let derivation = proofs.explain(merge.into, merge.from).unwrap();
        assert!(derivation.steps.iter().any(|step| step.rule.name == "votes"));
        // What the guard leaves out is not voted on either.
        let on_unnecessary = |built: &cluster::Built| {
            built.tree().iter().filter(|merge| cluster::has_unnecessary_input(view.tx(merge.soft.tx))).count()
        };
        let guard = Guard::default().unnecessary(true);
        let limits = Constraints::default();
        let strict = cluster::by_votes(view, &hard, guard, Rule::new("votes", 1), &guesses, limits);
        assert!(on_unnecessary(&built) > 0 && on_unnecessary(&strict) == 0);
    }

    #[test]
    fn a_constrained_build_does_not_collapse_where_the_naive_union_does() {
        // Seeds of small worlds in which a key is imported by another owner than the one who made it.
        for seed in [1, 11, 15] {
            let (chain, truth) = crate::worlds::known(WorldSpec::new(12_000), seed);
            let view = chain.view();
            let import = view.txs().find(|tx| truth.kind(tx.index()) == Some(Kind::Import)).expect("a key is imported");
            let (hard, soft, constraints) = evidence(view);
            let rules = [Rule::new("votes", 1)];
            let naive = cluster::build(&hard, &rules, &soft, &Constraints::default()).at(0);
            let built = cluster::build(&hard, &rules, &soft, &constraints);
            let clusters = built.at(0);
            let of = |clusters: &Clusters| score(clusters, |address| truth.owner_of_address(address));
            let (free, held) = (of(&naive), of(&clusters));
            figures("naive union", &free);
            figures("constrained", &held);
            println!(
                "world {seed}: largest {} and {}, most owners {} and {}",
                free.largest, held.largest, free.owners_max, held.owners_max
            );
            // What is spent together is hard evidence: the import joins two owners in both, and neither build can know.
            let inputs: Vec<AddressIndex> = import.inputs().filter_map(|input| input.address_index()).collect();
            assert!(inputs.iter().any(|input| truth.owner_of_address(*input) != truth.owner_of_address(inputs[0])));
            assert!(inputs.iter().all(|input| built.base().is_same(*input, inputs[0])));
            assert!(held.largest.num * 2 < free.largest.num && held.owners_max * 2 < free.owners_max);
            // Each veto names a pair that some payment told apart, one in either cluster.
            let mut right = 0;
            for veto in built.vetoes() {
                let VetoReason::Apart(payer, payee) = veto.reason else { panic!("no other constraint is set") };
                assert!(!clusters.is_same(payer, payee));
                right += usize::from(truth.owner_of_address(veto.soft.a) != truth.owner_of_address(veto.soft.b));
            }
            println!("{right} of {} vetoes kept two owners apart", built.vetoes().len());
            assert!(right * 2 > built.vetoes().len());
        }
    }

    /// Two thousand pieces of loot, swept together a hundred at a time: every sweep is the only link of what it swept, and says so.
    #[test]
    fn a_hoard_is_explained_by_the_sweeps_that_joined_it() {
        let (chain, truth) = crate::worlds::known(WorldSpec::new(6_000).thefts(vec![Programme::hoard()]), 1);
        let view = chain.view();
        let thief = EntityIndex::from_u32(truth.thefts()[0].thief);
        let owned = |address| truth.owner_of_address(address) == Some(thief);
        let addresses = |tx: Tx<'_>| tx.inputs().filter_map(|input| input.address_index()).collect::<Vec<_>>();
        let sweeps = view.txs().filter(|tx| tx.inputs().len() > 15 && addresses(*tx).into_iter().all(owned));
        let sweeps: Vec<Tx<'_>> = sweeps.collect();
        assert_eq!(sweeps.iter().map(|tx| tx.inputs().len()).max(), Some(100));
        let swept: usize = sweeps.iter().map(|tx| tx.inputs().len()).sum();
        assert!(sweeps.len() >= 20 && swept >= 1_900, "{} sweeps of {swept} coins", sweeps.len());
        let proofs = Proofs::of(spending::evidence(view, "", skips));
        for tx in &sweeps {
            let pieces = addresses(*tx);
            let without = proofs.without(tx.index());
            let made_anew = proofs.evidence().without(tx.index()).clusters();
            for to in pieces.iter().skip(1).step_by(9).filter(|to| **to != pieces[0]) {
                let derivation = proofs.explain(pieces[0], *to).unwrap();
                assert_eq!(derivation.steps.len(), 1);
                let step = &derivation.steps[0];
                assert_eq!((step.tx, step.rule.name.as_str()), (tx.index(), "spending"));
                assert_eq!(step.is_only_link, !without.is_same(pieces[0], *to));
                assert_eq!(step.is_only_link, !made_anew.is_same(pieces[0], *to));
            }
        }
        // Two sweeps that share no address are not joined by common spending: their outputs are, which the last sweep spends together.
        let (first, second) = (addresses(sweeps[0])[0], addresses(sweeps[1])[0]);
        assert!(!proofs.clusters().is_same(first, second));
        let paid = |tx: Tx<'_>| tx.outputs().find_map(|output| output.address_index()).unwrap();
        let derivation = proofs.explain(paid(sweeps[0]), paid(sweeps[1])).unwrap();
        assert!(derivation.steps[0].is_only_link);
        assert!(!proofs.without(derivation.steps[0].tx).is_same(paid(sweeps[0]), paid(sweeps[1])));
    }

    #[test]
    fn a_consolidation_is_explained_by_transactions_whose_removal_separates() {
        let (chain, truth) = crate::worlds::known(WorldSpec::new(12_000), 5);
        let view = chain.view();
        let evidence = spending::evidence(view, "", skips);
        let many = view.txs().filter(|tx| matches!(truth.kind(tx.index()), Some(Kind::Consolidation | Kind::Sweep)));
        let most = many.max_by_key(|tx| tx.inputs().len()).unwrap();
        assert!(most.inputs().len() > 20, "{} inputs", most.inputs().len());
        let inputs: Vec<AddressIndex> = most.inputs().filter_map(|input| input.address_index()).collect();
        let proofs = Proofs::of(evidence);
        // The consolidation, and the largest clusters, where transactions overlap.
        let (mut links, mut others, mut longest) = (0, 0, 0);
        let largest = proofs.clusters().largest(30).into_iter().map(|cluster| proofs.clusters().members(cluster));
        let pairs = std::iter::once(&inputs[..]).chain(largest);
        let pairs = pairs.flat_map(|all| all.iter().skip(1).step_by(all.len().div_ceil(5)).map(|to| (all[0], *to)));
        for (from, to) in pairs {
            let derivation = proofs.explain(from, to).unwrap();
            longest = longest.max(derivation.steps.len());
            for step in &derivation.steps {
                let spends = |who| view.tx(step.tx).inputs().any(|input| input.address_index() == Some(who));
                assert!(spends(step.from) && spends(step.to));
                // Made anew without the transaction.
                let without = proofs.evidence().without(step.tx).clusters();
                assert_eq!(!without.is_same(from, to), step.is_only_link);
                if step.is_only_link { links += 1 } else { others += 1 }
            }
        }
        println!("{} inputs: {links} only links, {others} others, {longest} steps", inputs.len());
        assert!(links > 20 && others > 0 && longest > 1);
    }
}
