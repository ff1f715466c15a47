//! Times a whole chain from block files to answers: the queries that the field's benchmarks share, each as a process meets them.
//!
//! `cargo run --release --features cli --example bench_chain -- BLOCKS_FOLDER NETWORK [STORE]`
//!
//! Without arguments it writes a small chain of its own, so that it runs anywhere.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fundtrace::bitcoin::{Network, Txid};
use fundtrace::chain::Writer;
use fundtrace::source::blk::Blocks;
use fundtrace::{Chain, TxIndex, View, spec};
use memmap2::Mmap;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (blocks, network, store) = match &arguments[..] {
        [blocks, network] => {
            (PathBuf::from(blocks), spec::network(network)?, std::env::temp_dir().join("bench_chain.store"))
        }
        [blocks, network, store] => (PathBuf::from(blocks), spec::network(network)?, PathBuf::from(store)),
        _ => {
            let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btc_regtest_core31");
            (here, Network::Regtest, std::env::temp_dir().join("bench_chain.store"))
        }
    };
    let started = Instant::now();
    let found = Blocks::open(&[&blocks], network)?;
    let mut writer = Writer::new(network, store.parent().unwrap_or(Path::new(".")));
    found.write_to(&mut writer, |_| ())?;
    writer.finish()?.save(&store)?;
    report("index", started.elapsed(), found.size());

    let file = File::open(&store)?;
    println!("{:36} {:>12} bytes, {:.3} of the blocks", "store", file.metadata()?.len(), {
        file.metadata()?.len() as f64 / found.size() as f64
    });
    let started = Instant::now();
    let chain = Chain::from_bytes(map(&file)?)?;
    let view = chain.view();
    report("open", started.elapsed(), 1);
    let summary = chain.summary();
    println!("{:36} {} transactions, {} inputs, {} outputs", "", summary.txs, summary.inputs, summary.outputs);

    // The first pass meets cold pages; the median is of warm ones.
    time("all outputs: value and address", summary.outputs, || {
        view.output_values()
            .map(|(value, address)| value.map_or(0, |v| v.to_sat()) ^ u64::from(address.is_some()))
            .fold(0, u64::wrapping_add)
    });
    time("all inputs: prevout value and address", summary.inputs, || {
        view.input_values()
            .map(|(value, address)| value.map_or(0, |v| v.to_sat()) ^ u64::from(address.is_some()))
            .fold(0, u64::wrapping_add)
    });
    time("all fees, block by block", summary.txs, || {
        view.txs().filter_map(|tx| tx.fee()).map(|fee| fee.to_sat()).sum()
    });
    let picked = picked(view, 100_000);
    let txids: Vec<Txid> = picked.iter().map(|tx| view.tx(*tx).txid()).collect();
    time("look up by txid, random", txids.len() as u64, || {
        txids.iter().filter_map(|txid| view.tx_at(txid)).map(|tx| u64::from(tx.index().to_u32())).sum()
    });
    time("transactions in random order: value", picked.len() as u64, || {
        picked
            .iter()
            .filter_map(|tx| view.tx(*tx).output_value())
            .map(|value| value.to_sat())
            .fold(0, u64::wrapping_add)
    });
    let started = Instant::now();
    chain.verify()?;
    report("verify", started.elapsed(), summary.txs);
    std::fs::remove_file(&store)?;
    Ok(())
}

fn report(name: &str, took: Duration, items: u64) {
    println!(
        "{name:36} {:>10.3} ms  {:>8.2} ns each",
        took.as_secs_f64() * 1e3,
        took.as_secs_f64() * 1e9 / items.max(1) as f64
    );
}

fn time(name: &str, items: u64, mut query: impl FnMut() -> u64) {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let started = Instant::now();
            std::hint::black_box(query());
            started.elapsed()
        })
        .collect();
    report(&format!("{name}, first"), times[0], items);
    times.sort_unstable();
    report(&format!("{name}, median"), times[times.len() / 2], items);
}

/// Transactions all over the chain, the same ones each time.
fn picked(view: View<'_>, count: usize) -> Vec<TxIndex> {
    let all: Vec<TxIndex> = view.txs().map(|tx| tx.index()).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(|_| all[usize::try_from(next() % all.len() as u64).unwrap_or(0)]).collect()
}

#[expect(unsafe_code, reason = "nobody changes the store while this runs")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the bytes are only read, and checked.
    unsafe { Mmap::map(file) }
}
