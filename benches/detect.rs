//! What detecting costs: all detectors over a chain, and counting the ways through a mix.
//!
//! `cargo bench --bench detect`. The chain is the store that `FUNDTRACE_STORE` names, or one of random payments where it names none.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::detect::links::{self, IntraFees, Limits, Ways};
use fundtrace::detect::{self, Kind, Options};
use fundtrace::{BlockHeight, Chain, ChainBuilder};

const TXS: u32 = 20_000;

/// One or two inputs and two outputs, values from a counter.
fn random() -> Chain {
    let txid = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Txid::from_byte_array(bytes)
    };
    let out = |sat: u64, script: u32| {
        let script = ScriptBuf::from_bytes([&[0, 20][..], &script.to_be_bytes(), &[7; 16]].concat());
        TxOut { value: Amount::from_sat(sat), script_pubkey: script }
    };
    let mut builder = ChainBuilder::new();
    for number in 0..TXS {
        let word = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let sat = 100_000 + (word >> 40);
        let inputs = (0..=u32::from(word & 1 == 1))
            .map(|n| NewInput::new(OutPoint::new(txid(TXS + number), n)).prevout(out(2 * sat, 3 * number + n)))
            .collect();
        let outputs = vec![out(sat / 3, number), out(sat, number + 1)];
        let record = NewTx::claimed(txid(number), inputs, outputs).height(BlockHeight::from_u32(number / 100));
        builder.insert(record).expect("the generator keeps the rules");
    }
    builder.finish().expect("the generator keeps the rules")
}

fn chain() -> Chain {
    std::env::var_os("FUNDTRACE_STORE").map_or_else(random, |path| {
        let bytes = std::fs::read(path).expect("the store can be read");
        Chain::from_bytes(bytes).expect("it is a store")
    })
}

fn scan(c: &mut Criterion) {
    let chain = chain();
    let txs = chain.view().txs().count();
    let mut group = c.benchmark_group(format!("detectors over {txs} transactions"));
    group.throughput(Throughput::Elements(txs as u64)).sample_size(10);
    let all = Options::default();
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be had");
        group.bench_function(format!("all, {threads} threads"), |b| {
            b.iter(|| pool.install(|| black_box(detect::scan(chain.view(), &all))));
        });
    }
    for kind in Kind::ALL {
        let mut options = Options::default();
        options.kinds = [kind].into();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("threads can be had");
        group.bench_function(format!("{kind}, 1 thread"), |b| {
            b.iter(|| pool.install(|| black_box(detect::scan(chain.view(), &options))));
        });
    }
    group.finish();
}

fn ways(c: &mut Criterion) {
    let mut group = c.benchmark_group("ways through a mix");
    group.sample_size(10);
    group.bench_function("eight by eight equal values", |b| {
        b.iter(|| {
            let found = links::count(&[5; 8], &[5; 8], IntraFees::default(), Limits::default());
            assert_eq!(found.ways, Ways::Exact(9_934_563));
            found
        });
    });
    let inputs: Vec<u64> = (0..12).map(|n| 10_000_000 + n * n * 7_919).collect();
    let mut outputs = vec![5_000_000; 8];
    outputs.extend(inputs.iter().take(8).map(|sat| sat - 5_000_000 - 100));
    group.bench_function("twelve different inputs, eight equal outputs and change", |b| {
        b.iter(|| links::count(&inputs, &outputs, IntraFees::default(), Limits::default()));
    });
    group.finish();
}

criterion_group!(benches, scan, ways);
criterion_main!(benches);
