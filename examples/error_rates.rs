//! How often each rule is wrong, on three simulated worlds: the tables that README.md and COMPARE.md carry.
//!
//! `cargo run --release --features simulate --example error_rates`

use std::collections::BTreeSet;
use std::error::Error;

use fundtrace::Chain;
use fundtrace::View;
use fundtrace::bitcoin::Network;
use fundtrace::chain::{Tx, Writer};
use fundtrace::change::{self, Change, Context, Guess, Rule, Votes};
use fundtrace::cluster::{self, Clusters, Constraints, Evidence, Soft, spending};
use fundtrace::detect::{Confidence, coinjoin};
use fundtrace::eval::{self, ChangeStudy, Clustering, Ratio, StudyOptions, TaintStudy};
use fundtrace::id::{AddressIndex, TheftIndex};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::truth::{Row, Truth};

const TXS: u64 = 60_000;
const SEEDS: [u64; 3] = [1, 2, 3];

fn main() -> Result<(), Box<dyn Error>> {
    let options = StudyOptions::default();
    let mut study = TaintStudy::new(options);
    let mut change = ChangeStudy::default();
    let mut owners: Vec<(&str, Vec<Clustering>)> = Vec::new();
    for seed in SEEDS {
        let (chain, truth) = world(seed)?;
        let view = chain.view();
        let (mut stages, mut txs) = (Vec::new(), Vec::new());
        for (at, theft) in (0..).map(TheftIndex::from_u32).zip(truth.thefts()) {
            stages.push(theft.programme.split(',').count());
            let route = truth.route(view, at);
            txs.push(route.iter().map(|(output, _)| view.output(*output).tx().index()).collect::<BTreeSet<_>>().len());
        }
        println!(
            "world {seed}: {} transactions, {} thefts of {} stages and {} transactions or more",
            chain.summary().txs,
            truth.thefts().len(),
            stages.iter().min().unwrap_or(&0),
            txs.iter().min().unwrap_or(&0),
        );
        study.add(view, &truth);
        change.add(view, &truth);
        for (at, (rule, clusters)) in clusterings(view).into_iter().enumerate() {
            let items = (0..).map(AddressIndex::from_u32).take(clusters.addresses());
            let items =
                items.filter_map(|address| Some((clusters.of(address)?.to_u32(), truth.owner_of_address(address))));
            if at == owners.len() {
                owners.push((rule, Vec::new()));
            }
            owners[at].1.push(eval::cluster(items));
        }
    }
    println!("{} thefts in all; {options}", study.thefts());
    println!();
    print!("{study}");
    println!();
    print!("{change}");
    println!();
    table(&owners);
    Ok(())
}

/// How sure a detector must be of a CoinJoin before it is left out; what `fundtrace cluster` takes.
fn is_mix(tx: Tx<'_>) -> bool {
    coinjoin::is_mix(tx, Confidence::from_percent(60))
}

/// The voters of the table of change rules that do not look ahead: one of each idea.
const VOTERS: [Rule; 8] = [
    Rule::AddressReuse,
    Rule::TypeUnanimous,
    Rule::Fresh,
    Rule::OptimalChange,
    Rule::OptimalFee,
    Rule::Uih2,
    Rule::PowerOfTen,
    Rule::Ermilov,
];

fn clusterings(view: View<'_>) -> Vec<(&'static str, Clusters)> {
    let hard = spending::evidence(view, "", is_mix);
    let context = Context::default();
    let picked = |rule: &dyn Change| {
        let picks = change::picks(view, rule).into_iter().filter(|(tx, _)| !is_mix(view.tx(*tx)));
        let named = cluster::Rule::new(rule.name(), rule.version());
        Evidence::of_pairs(view, named, change::links(view, picks))
    };
    let fresh = hard.clone().and(picked(&change::Fresh)).clusters();
    let all = Rule::ALL.into_iter().filter_map(|rule| rule.change(&context));
    let union = all.fold(hard.clone(), |all, rule| all.and(picked(&*rule))).clusters();
    let voters = VOTERS.iter().filter_map(|rule| rule.change(&context));
    let votes = voters.fold(Votes::new(1), |votes, rule| votes.rule(rule, 1));
    let guesses: Vec<Guess> =
        change::votes(view, &votes).into_iter().filter(|guess| !is_mix(view.tx(guess.tx))).collect();
    let (soft, constraints) = constrained(view, &guesses);
    let rules = [cluster::Rule::new("votes", 1)];
    let free = cluster::build(&hard, &rules, &soft, &Constraints::default());
    let built = cluster::build(&hard, &rules, &soft, &constraints);
    vec![
        ("spending, CoinJoins kept", cluster::by_spending(view, |_| false)),
        ("spending", cluster::by_spending(view, is_mix)),
        ("spending, fresh", fresh),
        ("spending, every change rule that does not look ahead", union),
        ("spending, 8 votes", free.at(0)),
        ("spending, 8 votes, constrained", built.at(0)),
        ("spending, 8 votes, constrained, confidence 0.75", built.at(750_000)),
    ]
}

/// Votes as weighed merges, and what they say of the other outputs: those are not the payer's.
fn constrained(view: View<'_>, guesses: &[Guess]) -> (Vec<Soft>, Constraints) {
    let (mut soft, mut constraints) = (Vec::new(), Constraints::default());
    for guess in guesses {
        let Some((input, change)) = guess.addresses(view) else { continue };
        soft.push(Soft::new(input, change, guess.tx, 0, guess.confidence_ppm));
        let others = view.tx(guess.tx).outputs().filter_map(|output| output.address_index());
        for other in others.filter(|other| ![input, change].contains(other)) {
            constraints = constraints.apart(input, other);
        }
    }
    (soft, constraints)
}

fn table(owners: &[(&str, Vec<Clustering>)]) {
    println!("Clusters of addresses against owners; in simulation; not a known error rate on the real chain.\n");
    println!(
        "| rules | precision | recall | B-cubed precision | B-cubed recall | largest cluster | most owners in one |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (rules, worlds) in owners {
        let sum = |of: fn(&Clustering) -> Ratio| worlds.iter().map(of).sum::<Ratio>();
        let largest = worlds.iter().map(|world| world.largest.num).max().unwrap_or(0);
        println!(
            "| {rules} | {:.3} | {:.3} | {:.3} | {:.3} | {largest} | {} |",
            sum(Clustering::precision),
            sum(Clustering::recall),
            sum(Clustering::bcubed_precision),
            sum(Clustering::bcubed_recall),
            worlds.iter().map(|world| world.owners_max).max().unwrap_or(0),
        );
    }
}

/// A world in memory.
fn world(seed: u64) -> Result<(Chain, Truth), fundtrace::Error> {
    let mut world = World::new(WorldSpec::new(TXS), seed);
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    let mut rows = Vec::new();
    for block in &mut world {
        writer.block(block.height(), block.block().header, block.records())?;
        rows.extend(block.rows());
    }
    rows.extend(world.thefts().cloned().map(Row::Theft));
    let mut store = Vec::new();
    writer.finish()?.write_to(&mut store)?;
    let chain = Chain::from_bytes(store)?;
    let truth = Truth::from_rows(chain.view(), rows)?;
    Ok((chain, truth))
}
