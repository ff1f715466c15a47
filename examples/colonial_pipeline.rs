//! The Colonial Pipeline ransom: from an output of May 2021 to the address where the FBI seized 63.7 BTC, under seven rules side by side.
//!
//! `cargo run --release --example colonial_pipeline`

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use fundtrace::report::Report;
use fundtrace::spec::{self, Rule};
use fundtrace::trace::{Options, PathLimits, Trace, stop};
use fundtrace::{BlockHeight, ChainBuilder, source};

const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cases/colonial-pipeline-2021/transactions.jsonl");
/// The ransom money as the case begins here. It is known through the transaction that spends it.
const SEED: &str = "9436dbf0435b15378f309c35754a110db880fa9bb66a062160a25533bb4a212a:0";
/// The output that was seized.
const SEIZED: &str = "943f2d576ed8d9f388ba75eb82fe35cce29479b84121827ac368a5a94f44cf7a:1";
/// The block of the seizure. Both outputs of that transaction are spent later, so the case is looked at as of here.
const SEIZURE: BlockHeight = BlockHeight::from_u32(686_683);

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = ChainBuilder::new();
    for tx in source::read(source::Form::Raw, BufReader::new(File::open(CASE)?)) {
        builder.insert(tx?)?;
    }
    let chain = builder.finish()?;
    let view = chain.as_of(SEIZURE);
    let seed = view.output_at(SEED.parse()?).ok_or("the seed is not in the case")?;
    let seized = view.output_at(SEIZED.parse()?).ok_or("the seized output is not in the case")?;

    println!("Colonial Pipeline, as of the block at height {SEIZURE}");
    println!("input    {}", chain.digest());
    println!("seed     {} ({} sat)", seed.outpoint(), sat(seed.value()));
    println!(
        "         The hop from the ransom payment to this output is not in the data: it is known only as a prevout."
    );
    println!("         That it is ransom money is the case's claim; everything below follows from it.");
    println!("seized   {} ({} sat)", seized.outpoint(), sat(seized.value()));
    println!("         at {}", seized.address().ok_or("the seized output has an address")?);

    let seeds = [seed.seed("ransom")];
    let traces = spec::run(view, &seeds, &Rule::ALL, &stop::never(), &Options::default());

    println!("\nHow much of the seized output is ransom money, by rule (sat)\n");
    for trace in &traces {
        let tainted = trace.touch(seized.index()).map(|touch| touch.amount);
        println!("  {:<10} {:>15}", trace.policy().name, sat(tainted));
    }
    let spread = Report::new(&traces)?.spreads().into_iter().find(|spread| spread.output == seized.index());
    let spread = spread.ok_or("no rule reaches the seized output")?;
    println!("  {:<10} {:>15}  to {}", "spread", sat(Some(spread.least())), sat(Some(spread.most())));
    println!("\n  No rule is truer than another. Poison is an upper bound and not an amount.");

    println!("\nBalance sheets (sat): the seed, and everything that became of it\n");
    println!(
        "  {:<10} {:>13} {:>15} {:>9} {:>7} {:>9} {:>9}",
        "", "seeded", "ends", "fees", "burned", "displaced", "truncated"
    );
    for trace in &traces {
        println!("  {}", balance(trace));
    }

    println!("\nThe way there under FIFO, step by step\n");
    let fifo = traces.iter().find(|trace| trace.policy().name == "fifo").ok_or("FIFO was run")?;
    for path in fifo.paths(seized.index(), PathLimits::default()).paths {
        println!("{}", path.explain(fifo));
    }
    Ok(())
}

fn balance(trace: &Trace<'_>) -> String {
    let balance = trace.balance();
    let verdict = match (trace.policy().conserving, balance.adds_up()) {
        (true, true) => "adds up",
        (true, false) => "DOES NOT ADD UP",
        (false, _) => "upper bound: need not add up",
    };
    let numbers = [balance.seeded, balance.ends, balance.fees, balance.burned, balance.displaced, balance.truncated];
    let [seeded, ends, fees, burned, displaced, truncated] = numbers.map(|amount| sat(Some(amount)));
    let name = trace.policy().name;
    format!("{name:<10} {seeded:>13} {ends:>15} {fees:>9} {burned:>7} {displaced:>9} {truncated:>9}  {verdict}")
}

/// Satoshis, grouped by thousands.
fn sat(amount: Option<fundtrace::bitcoin::Amount>) -> String {
    let digits = amount.map_or(0, |amount| amount.to_sat()).to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}
