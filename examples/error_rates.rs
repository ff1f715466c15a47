//! How often each rule is wrong, on three simulated worlds: the tables that README.md and COMPARE.md carry.
//!
//! `cargo run --release --features simulate --example error_rates`

use std::collections::BTreeSet;
use std::error::Error;

use fundtrace::Chain;
use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::eval::{ChangeStudy, StudyOptions, TaintStudy};
use fundtrace::id::TheftIndex;
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::truth::{Row, Truth};

const TXS: u64 = 60_000;
const SEEDS: [u64; 3] = [1, 2, 3];

fn main() -> Result<(), Box<dyn Error>> {
    let options = StudyOptions::default();
    let mut study = TaintStudy::new(options);
    let mut change = ChangeStudy::default();
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
    }
    println!("{} thefts in all; {options}", study.thefts());
    println!();
    print!("{study}");
    println!();
    print!("{change}");
    Ok(())
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
