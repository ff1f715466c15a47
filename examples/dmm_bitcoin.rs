//! DMM Bitcoin, May 2024: one transaction takes 4,503 BTC out of the exchange's wallet. Everything it spent is seeded, and the theft's own
//! output is where all rules agree.
//!
//! `cargo run --release --example dmm_bitcoin`

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use fundtrace::report::Report;
use fundtrace::spec::{self, Rule};
use fundtrace::trace::{Options, Seed, stop};
use fundtrace::{ChainBuilder, source};

const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cases/dmm-2024/transactions.jsonl");
const THEFT: &str = "975ec405ac9dc9fa5ab8009d94d6a1fe31dff8a8127ea90d023104e52754e4d7";

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = ChainBuilder::new();
    for tx in source::read(source::Form::Raw, BufReader::new(File::open(CASE)?)) {
        builder.insert(tx?)?;
    }
    let chain = builder.finish()?;
    let view = chain.view();
    let theft = view.tx_at(&THEFT.parse()?).ok_or("the theft is not in the case")?;

    // The victim's coins are what the theft spends, so they are the seeds.
    let stolen: Vec<_> = theft.inputs().filter_map(|input| input.prevout()).collect();
    let seeds: Vec<Seed> = stolen.iter().map(|output| output.seed("DMM Bitcoin")).collect();
    let total: fundtrace::bitcoin::Amount = stolen.iter().filter_map(|output| output.value()).sum();
    let proven = stolen.iter().filter(|output| output.tx().is_proven()).count();
    println!("DMM Bitcoin, {}", theft.txid());
    println!("seeded   {total} in {} outputs, {proven} of them proven by their own transaction's bytes", stolen.len());

    let traces = spec::run(view, &seeds, &Rule::ALL, &stop::never(), &Options::default());
    for end in Report::new(&traces)?.spreads() {
        let output = view.output(end.output);
        println!("\nends at  {}", output.outpoint());
        println!("         {}", output.address().ok_or("the theft's output has an address")?);
        println!("         least {}, most {} over {} rules", end.least(), end.most(), traces.len());
    }
    println!();
    for trace in &traces {
        let balance = trace.balance();
        println!(
            "{:<10} seeded {} = ends {} + fees {}: {}",
            trace.policy().name,
            balance.seeded,
            balance.ends,
            balance.fees,
            if balance.adds_up() { "adds up" } else { "does not add up" },
        );
    }
    println!("\nEvery coin that went in was stolen, so the rules have nothing to disagree about. To get further:");
    for missing in traces[0].missing() {
        println!("  {missing}");
    }
    Ok(())
}
