//! The store, on a chain that this bench makes: freezing and writing it, opening it, and the scans and look-ups that every
//! question comes down to, the sequential ones beside the same through cursors.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash};
use fundtrace::chain::{Chain, ChainBuilder, NewInput, NewTx};
use fundtrace::{BlockHeight, View};

const TXS: u32 = 50_000;

/// Each transaction spends the last one's first output and pays two addresses, one of them old.
fn chain() -> Chain {
    let txid = |number: u32| Txid::hash(&number.to_le_bytes());
    let pays = |key: u32, sat: u64| TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&key.to_le_bytes())),
    };
    let mut builder = ChainBuilder::new();
    for number in 0..TXS {
        let outputs = vec![pays(number, 5_000_000_000 - u64::from(number)), pays(number / 3, 0)];
        let outpoint = if number == 0 { OutPoint::null() } else { OutPoint::new(txid(number - 1), 0) };
        let tx = NewTx::claimed(txid(number), vec![NewInput::new(outpoint)], outputs);
        builder.insert(tx.height(BlockHeight::from_u32(number / 1000))).expect("no contradiction");
    }
    builder.finish().expect("a chain")
}

fn sum_by_cursor(view: View<'_>) -> u64 {
    view.txs()
        .flat_map(|tx| tx.inputs())
        .filter_map(|input| input.value())
        .map(|value| value.to_sat())
        .fold(0, u64::wrapping_add)
}

fn store(criterion: &mut Criterion) {
    let chain = chain();
    let view = chain.view();
    let txids: Vec<Txid> = view.txs().map(|tx| tx.txid()).collect();
    let mut group = criterion.benchmark_group("chain");
    group.sample_size(20).throughput(Throughput::Elements(u64::from(TXS)));
    group.bench_function("open", |b| b.iter(|| black_box(Chain::from_bytes(chain.as_bytes()).expect("a store"))));
    group.bench_function("verify", |b| b.iter(|| chain.verify().expect("sound")));
    group.bench_function("all outputs", |b| {
        b.iter(|| {
            view.output_values().filter_map(|(value, _)| value).map(|value| value.to_sat()).fold(0, u64::wrapping_add)
        });
    });
    group.bench_function("all inputs with prevout value", |b| {
        b.iter(|| {
            view.input_values().filter_map(|(value, _)| value).map(|value| value.to_sat()).fold(0, u64::wrapping_add)
        });
    });
    group.bench_function("all inputs with prevout value, by cursor", |b| b.iter(|| sum_by_cursor(view)));
    group.bench_function("look up every txid", |b| {
        b.iter(|| {
            txids.iter().filter_map(|txid| view.tx_at(txid)).map(|tx| u64::from(tx.index().to_u32())).sum::<u64>()
        });
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
