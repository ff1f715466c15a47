//! How well deposit addresses are found from one tag for each exchange, on three simulated worlds: the table that COMPARE.md carries.
//!
//! `cargo run --release --features simulate --example service_rates`

use std::error::Error;

use fundtrace::Chain;
use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::cluster;
use fundtrace::detect::{Confidence, coinjoin};
use fundtrace::eval::{self, DepositScore, DepositUse};
use fundtrace::service::deposit::{self, Deposits, Terms};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::truth::{EntityKind, Row, Truth};

const TXS: u64 = 60_000;
const SEEDS: [u64; 3] = [1, 2, 3];
/// How sure a deposit must be, in per cent.
const SURE: [u32; 5] = [0, 60, 80, 90, 95];

fn main() -> Result<(), Box<dyn Error>> {
    let mut with = [const { None::<DepositScore> }; SURE.len()];
    let mut without = [const { None::<DepositScore> }; SURE.len()];
    for seed in SEEDS {
        let (chain, truth) = world(seed)?;
        let view = chain.view();
        let tags = eval::one_tag_each(view, &truth, EntityKind::Exchange);
        let clusters = cluster::by_spending(view, |tx| coinjoin::is_mix(tx, Confidence::from_percent(60)));
        let clustered = deposit::find(view, &tags, Some(&clusters), &Terms::default());
        let bare = deposit::find(view, &tags, None, &Terms::default());
        println!(
            "world {seed}: {} exchanges, {} addresses, {} named in all, {} without clusters",
            tags.len(),
            view.addresses(),
            clustered.len(),
            bare.len()
        );
        let add = |scores: &mut [Option<DepositScore>], found: &Deposits| {
            for (score, sure) in scores.iter_mut().zip(SURE) {
                let one = eval::deposits(view, &truth, found, Confidence::from_percent(sure));
                score.get_or_insert_default().add(&one);
            }
        };
        add(&mut with, &clustered);
        add(&mut without, &bare);
    }
    println!();
    println!(
        "Deposit addresses from one tag for each exchange; in simulation; not a known error rate on the real chain.\n"
    );
    let uses = DepositUse::ALL.map(DepositUse::as_str).join(" | ");
    println!("| what the tag covers | at least so sure | precision | recall | {uses} | decoys named |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (what, scores) in [("its cluster by spending", with), ("the address alone", without)] {
        for (score, sure) in scores.into_iter().flatten().zip(SURE) {
            let uses = score.by_use.map(|of| format!("{of:.3}")).join(" | ");
            let (precision, recall, decoys) = (score.precision, score.recall, score.decoys);
            println!("| {what} | {sure} % | {precision:.4} | {recall:.3} | {uses} | {decoys:.4} |");
        }
    }
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
