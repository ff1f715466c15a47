//! The main job as an embedding tool writes it: a data source of its own, and a loop that fetches what a trace lacks until nothing is missing.
//!
//! The library does no network input or output. Here a stand-in source answers from a file, with Esplora's two questions: a transaction by
//! txid, and who spends an output.
//!
//! `cargo run --release --example embed`

use std::collections::BTreeMap;
use std::error::Error;

use fundtrace::bitcoin::{Amount, OutPoint, Txid};
use fundtrace::chain::NewTx;
use fundtrace::spec::SeedSpec;
use fundtrace::tag::{Tag, Tags};
use fundtrace::taint::Fifo;
use fundtrace::trace::stop::{self, Stop};
use fundtrace::trace::{self, Missing, Options};
use fundtrace::{ChainBuilder, source, spec};

const CASE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cases/colonial-pipeline-2021/transactions.jsonl"));
const FIRST: &str = "daf38c7b38eb0a587cf843f47000d5c294affb4f56017370ad48c5147f5e69d9";
const SEED: &str = "9436dbf0435b15378f309c35754a110db880fa9bb66a062160a25533bb4a212a:0=ransom";
const SEIZED: &str = "bc1qpx7vyv5tp7dm0g475ev527krg764t73dh77gls";

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::new()?;
    let mut tags = Tags::default();
    let seized = SEIZED.parse::<fundtrace::bitcoin::Address<_>>()?.assume_checked();
    tags.insert(seized.script_pubkey(), Tag::new("FBI", "seizure", "the case's README"));
    let stop = stop::tagged(&tags).or(stop::hops(20)).or(stop::below(Amount::from_sat(50_000)));
    let seed: SeedSpec = SEED.parse()?;

    // Begin with the transaction that spends the seed. What else is needed, the trace itself says.
    let mut builder = ChainBuilder::new();
    builder.insert(server.tx(&FIRST.parse()?).ok_or("the server lacks the first transaction")?)?;
    let mut asked = 0;
    loop {
        let chain = builder.finish()?;
        let view = chain.view();
        let seeds: Vec<_> =
            spec::resolve(view, std::slice::from_ref(&seed))?.iter().flat_map(|seed| seed.seeds()).collect();
        let trace = trace::forward(view, &seeds, &Fifo, &stop, &Options::default());

        let mut fetched = 0;
        for missing in trace.missing() {
            asked += 1;
            let tx = match missing {
                Missing::Tx(txid) => server.tx(&txid),
                Missing::SpenderOf(outpoint) => server.spender(&outpoint),
                _ => None,
            };
            if let Some(tx) = tx.filter(|tx| !builder.contains(&tx.txid())) {
                builder.insert(tx)?;
                fetched += 1;
            }
        }
        println!("{} transactions, {} ends, {fetched} more fetched", builder.len(), trace.ends().len());
        if fetched == 0 {
            println!("\nasked the server {asked} times; where the money is now, as far as it knows:\n");
            for lead in trace.leads().by_amount().take(10) {
                println!("  {lead}");
            }
            assert!(trace.balance().adds_up());
            return Ok(());
        }
    }
}

/// Stands in for one's own Esplora, node or database.
struct Server {
    txs: BTreeMap<Txid, NewTx>,
    spenders: BTreeMap<OutPoint, Txid>,
}

impl Server {
    fn new() -> Result<Self, fundtrace::Error> {
        let mut server = Self { txs: BTreeMap::new(), spenders: BTreeMap::new() };
        for tx in source::read(source::Form::Raw, CASE.as_bytes()) {
            let tx = tx?;
            server.spenders.extend(tx.inputs().iter().map(|input| (input.outpoint, tx.txid())));
            server.txs.insert(tx.txid(), tx);
        }
        Ok(server)
    }

    fn tx(&self, txid: &Txid) -> Option<NewTx> {
        self.txs.get(txid).cloned()
    }

    fn spender(&self, outpoint: &OutPoint) -> Option<NewTx> {
        self.tx(self.spenders.get(outpoint)?)
    }
}
