//! The first 452 blocks of testnet3 against the reference answers of an independent exact implementation: every figure and, where the answers
//! are integers, the SHA-256 of the whole listing. The data lie outside the project: `FUNDTRACE_DATA` names their folder.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::hashes::{Hash, sha256};
use fundtrace::bitcoin::{Block, BlockHash, Network, OutPoint, consensus::deserialize};
use fundtrace::chain::NewTx;
use fundtrace::taint::{Fifo, Haircut, Lifo, Poison, Rule, Taint};
use fundtrace::trace::{self, CoinbaseOrder, Fees, Options, Reason, Seed, Trace, Via, stop};
use fundtrace::{BlockHeight, Chain, ChainBuilder};
use serde_json::Value;

const TIP: u32 = 451;

pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("FUNDTRACE_DATA");
    if folder.is_none() {
        println!("skipped: FUNDTRACE_DATA is not set");
    }
    folder.map(PathBuf::from)
}

/// The blocks of a file in Bitcoin Core's framing: four bytes of magic, the length, the block.
fn blocks(path: &Path) -> HashMap<BlockHash, Block> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    let mut rest = &bytes[..];
    let mut blocks = HashMap::new();
    while let [0x0b, 0x11, 0x09, 0x07, a, b, c, d, after @ ..] = rest {
        let (block, after) = after.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        let block: Block = deserialize(block).unwrap();
        blocks.insert(block.header.prev_blockhash, block);
        rest = after;
    }
    blocks
}

pub fn chain(folder: &Path) -> Chain {
    let mut blocks = blocks(&folder.join("btc_testnet3_0_4000/dev_blk_testnet3_0-451.dat.zst"));
    let mut builder =
        ChainBuilder::new().network(Network::Testnet).complete(BlockHeight::from_u32(0), BlockHeight::from_u32(TIP));
    let mut last = BlockHash::all_zeros();
    for height in 0..=TIP {
        let block = blocks.remove(&last).unwrap();
        for (position, tx) in block.txdata.iter().enumerate() {
            let record = NewTx::from_transaction(tx).height(BlockHeight::from_u32(height));
            builder.insert(record.position(u32::try_from(position).unwrap())).unwrap();
        }
        last = block.block_hash();
    }
    builder.finish().unwrap()
}

pub fn answers(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("reference/dev_btc_testnet3_0_451.json")).unwrap()).unwrap()
}

pub fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no {key}"))
}

fn listing(lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    sha256::Hash::hash(lines.join("\n").as_bytes()).to_string()
}

/// Traces each rule, with one source and with three, fees dropped and fees to the miner.
fn each_run<T: Taint>(rule: &T, check: impl Fn(&Trace<'_>, &Value, &str)) {
    let Some(folder) = folder() else { return };
    let (chain, answers) = (chain(&folder), answers(&folder));
    for (name, run) in answers["taint"].as_object().unwrap() {
        let seeds: Vec<Seed> = run["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| source.as_str().unwrap().parse::<OutPoint>().unwrap())
            .map(|source| chain.view().output_at(source).unwrap().seed(source.to_string()))
            .collect();
        for (key, fees) in [("fees_dropped", Fees::Drop), ("fees_to_miner", Fees::Coinbase)] {
            let options = Options::default().fees(fees);
            let trace = trace::forward(chain.view(), &seeds, rule, &stop::never(), &options);
            assert_eq!(trace.balance().seeded.to_sat(), number(run, "source_value_sat"));
            assert!(trace.ends().iter().all(|end| end.reason == Reason::Unspent));
            let fast: Rule = rule.name().parse().unwrap();
            let fast = trace::reach(chain.view(), &seeds, fast, &stop::never(), &options);
            crate::reach::same(&fast, &trace).unwrap();
            let expected = &run[key][rule.name()];
            assert_eq!(trace.touched().len() as u64, number(expected, "tainted_outputs"), "{name} {key}");
            check(&trace, expected, &format!("{name} {key} {}", rule.name()));
        }
    }
}

#[test]
fn testnet3_counts_are_the_references() {
    let Some(folder) = folder() else { return };
    let (chain, answers) = (chain(&folder), answers(&folder));
    let basic = &answers["basic"];
    let view = chain.view();
    assert_eq!(view.txs().count() as u64, number(basic, "txs"));
    let fees: u64 = view.txs().filter_map(|tx| tx.fee()).map(|fee| fee.to_sat()).sum();
    assert_eq!(fees, number(basic, "total_fees_sat"));
    let outputs: u64 = view.txs().map(|tx| tx.outputs().len() as u64).sum();
    assert_eq!(outputs, number(basic, "outputs"));
    let unspent = view.txs().flat_map(|tx| tx.outputs()).filter(|output| output.spender().is_none());
    let (count, value) = unspent.fold((0, 0), |(n, sum), output| (n + 1, sum + output.value().unwrap().to_sat()));
    assert_eq!((count, value), (number(basic, "unspent_outputs"), number(basic, "unspent_value_sat")));
    let addresses = view.txs().flat_map(|tx| tx.outputs()).filter_map(|output| output.address_index());
    let addresses: std::collections::BTreeSet<_> = addresses.collect();
    assert_eq!(addresses.len() as u64, number(basic, "entities"));
}

#[test]
fn poison_on_testnet3_is_the_references() {
    each_run(&Poison, |trace, expected, run| {
        assert_eq!(trace.ends().len() as u64, number(expected, "unspent_tainted_outputs"), "{run}");
        assert_eq!(trace.balance().ends.to_sat(), number(expected, "unspent_tainted_value_sat"), "{run}");
        let outpoints = trace.ends().iter().map(|end| trace.view().output(end.output).outpoint().to_string());
        assert_eq!(listing(outpoints), expected["sha256_unspent"], "{run}");
    });
}

fn check_rows(trace: &Trace<'_>, expected: &Value, run: &str) {
    let balance = trace.balance();
    assert_eq!(balance.ends.to_sat(), number(expected, "unspent_taint_sat"), "{run}");
    assert_eq!(balance.fees.to_sat(), number(expected, "lost_to_fees"), "{run}");
    let rows = trace
        .ends()
        .iter()
        .map(|end| format!("{} {}", trace.view().output(end.output).outpoint(), end.amount.to_sat()));
    assert_eq!(listing(rows), expected["sha256_unspent"], "{run}");
}

#[test]
fn fifo_on_testnet3_is_the_references() {
    each_run(&Fifo, check_rows);
}

#[test]
fn lifo_on_testnet3_is_the_references() {
    each_run(&Lifo, check_rows);
}

/// The reference has exact fractions. Ours are whole satoshis: each share is within a satoshi or so of its transaction's own
/// fraction, and an end within one for every transaction on the way.
#[test]
fn haircut_on_testnet3_is_within_rounding_of_the_references() {
    let Some(folder) = folder() else { return };
    let (chain, answers) = (chain(&folder), answers(&folder));
    for (name, run) in answers["taint"].as_object().unwrap() {
        let sources = run["sources"].as_array().unwrap();
        let seed = |source: &Value| {
            let source: OutPoint = source.as_str().unwrap().parse().unwrap();
            chain.view().output_at(source).unwrap().seed(source.to_string())
        };
        let seeds: Vec<Seed> = sources.iter().map(seed).collect();
        for (key, fees) in [("fees_dropped", Fees::Drop), ("fees_to_miner", Fees::Coinbase)] {
            let options = Options::default().fees(fees);
            let trace = trace::forward(chain.view(), &seeds, &Haircut, &stop::never(), &options);
            assert!(trace.balance().adds_up());
            check_shares(&trace);
            let expected = &run[key]["haircut"];
            let steps = i128::from(number(run, "descendant_txs"));
            for row in expected["top"].as_array().unwrap() {
                let output: OutPoint = row[0].as_str().unwrap().parse().unwrap();
                let (above, below) = fraction(row[1].as_str().unwrap());
                let output = trace.view().output_at(output).unwrap();
                let ours = i128::from(trace.touch(output.index()).map_or(0, |touch| touch.amount.to_sat()));
                assert!((ours * below - above).abs() <= steps * below, "{name} {key} {output:?}: {ours}");
            }
        }
    }
}

fn fraction(text: &str) -> (i128, i128) {
    let (above, below) = text.split_once('/').unwrap_or((text, "1"));
    (above.parse().unwrap(), below.parse().unwrap())
}

/// Every output's share of what its transaction took in is within two satoshis of the real one.
fn check_shares(trace: &Trace<'_>) {
    let mut taken: HashMap<_, i128> = HashMap::new();
    for carry in trace.carries().iter().filter(|carry| matches!(carry.via, Via::Output(_))) {
        *taken.entry(carry.to).or_default() += i128::from(carry.amount.to_sat());
    }
    for (tx, taken) in taken {
        let tx = trace.view().tx(tx);
        let all = i128::from(tx.input_value().unwrap().to_sat());
        for output in tx.outputs() {
            let value = i128::from(output.value().unwrap().to_sat());
            let held = trace.touch(output.index()).map_or(0, |touch| i128::from(touch.amount.to_sat()));
            assert!((held * all - value * taken).abs() < 2 * all, "{output:?} holds {held}");
        }
    }
}

/// Where everything is stolen everything stays stolen: fees, coinbases and rewards that nobody claimed show at once if they are wrong.
#[test]
fn all_of_testnet3_is_tainted_when_every_coinbase_is() {
    let Some(folder) = folder() else { return };
    let chain = chain(&folder);
    let conserving = Rule::ALL.into_iter().filter(|rule| *rule != Rule::Poison);
    for rule in conserving {
        let to_miner = Options::default().fees(Fees::Coinbase);
        for options in [Options::default(), to_miner, to_miner.coinbase_order(CoinbaseOrder::FeesFirst)] {
            for height in (0..=TIP).filter(|height| height % 10 == 1 || *height == TIP) {
                let view = chain.as_of(BlockHeight::from_u32(height));
                let seeds = crate::reach::coinbases(view);
                let reach = trace::reach(view, &seeds, rule, &stop::never(), &options);
                let balance = crate::reach::check_full(&reach);
                if height == TIP {
                    assert_eq!(balance.seeded.to_sat(), 2_260_023_550_000);
                    assert_eq!((balance.displaced + balance.fees).to_sat(), 23_550_000);
                    assert_eq!((balance.ends + balance.burned).to_sat(), 2_260_000_000_000);
                    assert_eq!(balance.fees.to_sat() == 0, options.fees == Fees::Coinbase);
                }
            }
        }
    }
}
