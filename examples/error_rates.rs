//! How often each rule is wrong, on three simulated worlds: the tables that COMPARE.md carries, then the shorter ones of README.md.
//!
//! `cargo run --release --features simulate --example error_rates -- [SEED ...]`
//!
//! With other seeds it says whether what was chosen on these worlds holds in others.

use std::collections::BTreeSet;
use std::error::Error;

use fundtrace::eval::{Attribution, ChangeStudy, ClusterStudy, StudyOptions, TaintStudy};
use fundtrace::id::TheftIndex;
use fundtrace::simulate::{World, WorldSpec};

const TXS: u64 = 60_000;
const SEEDS: [u64; 3] = [1, 2, 3];

/// What README.md shows of the table of change rules: the naive one, the idea that most use, kinds of scripts, lock times, and votes.
const CHANGE_IN_SHORT: [&str; 8] = [
    "fresh",
    "type_unanimous",
    "last_output",
    "lock_time",
    "8 votes, threshold 1",
    "8 votes, threshold 3",
    "26 votes, threshold 3",
    "26 votes, threshold 5",
];

/// And of the table of clusters.
const CLUSTERS_IN_SHORT: [&str; 4] = ["spending, nothing left out", "spending", "spending, fresh", "spending, 8 votes"];

const CLUSTERS: &str = "Clusters of addresses against owners; in simulation; not a known error rate on the real chain.";

fn main() -> Result<(), Box<dyn Error>> {
    let options = StudyOptions::default();
    let mut study = TaintStudy::new(options);
    let mut change = ChangeStudy::default();
    let mut clusters = ClusterStudy::default();
    let seeds: Vec<u64> = std::env::args().skip(1).map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    for seed in if seeds.is_empty() { SEEDS.to_vec() } else { seeds } {
        let (chain, truth) = World::new(WorldSpec::new(TXS), seed).known(&std::env::temp_dir())?;
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
        // The tags that the taint study's analyst has.
        let tags = Attribution::new(view, &truth, options.deposits_permille, options.seed);
        let label = |address| tags.tag(address).map(|tag| tag.label.as_str());
        clusters.add(view, |address| truth.owner_of_address(address), label);
    }
    println!("{} thefts in all; {options}", study.thefts());
    println!();
    print!("{study}");
    println!();
    print!("{change}");
    println!();
    println!("{CLUSTERS}");
    println!();
    print!("{clusters}");
    println!("<!-- in short -->");
    print!("{study}");
    println!();
    print!("{}", change.table(|row| CHANGE_IN_SHORT.contains(&row.rule.as_str())));
    println!();
    println!("{CLUSTERS}");
    println!();
    let in_short = |rules: &str| CLUSTERS_IN_SHORT.contains(&rules) || rules.starts_with("recommended");
    print!("{}", clusters.table(|row| in_short(&row.rules)));
    Ok(())
}
