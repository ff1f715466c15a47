//! What peel chains cost: all lengths over a store, and each head walked by itself.
//!
//! `FUNDTRACE_STORE=FILE cargo bench --bench peel`. Without a store there is a chain of one long peel chain.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::change::Change;
use fundtrace::service::peel::{Known, Peels, Ratio, Terms};
use fundtrace::{BlockHeight, Chain, ChainBuilder};

const STEPS: u32 = 20_000;

fn one_chain() -> Chain {
    let txid = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&(number + 1).to_be_bytes());
        Txid::from_byte_array(bytes)
    };
    let out = |sat: u64, script: u32| {
        let script = ScriptBuf::from_bytes([&[0, 20][..], &script.to_be_bytes(), &[7; 16]].concat());
        TxOut { value: Amount::from_sat(sat), script_pubkey: script }
    };
    let left = |number: u32| 100_000_000 - 1_000 * u64::from(number);
    let mut builder = ChainBuilder::new();
    for number in 1..=STEPS {
        let input = NewInput::new(OutPoint::new(txid(number - 1), 1)).prevout(out(left(number - 1), number - 1));
        let outputs = vec![out(1_000, STEPS + number), out(left(number), number)];
        let record = NewTx::claimed(txid(number), vec![input], outputs).height(BlockHeight::from_u32(number));
        builder.insert(record).expect("the generator keeps the rules");
    }
    builder.finish().expect("the generator keeps the rules")
}

fn chain() -> Chain {
    std::env::var_os("FUNDTRACE_STORE").map_or_else(one_chain, |path| {
        let bytes = std::fs::read(path).expect("the store can be read");
        Chain::from_bytes(bytes).expect("it is a store")
    })
}

fn lengths(c: &mut Criterion) {
    let chain = chain();
    let txs = chain.view().txs().count();
    let mut group = c.benchmark_group(format!("peel chains of {txs} transactions"));
    group.throughput(Throughput::Elements(txs as u64)).sample_size(10);
    let (rule, terms) = (Ratio::default().in_hindsight(), Terms::default());
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be had");
        group.bench_function(format!("all lengths, {threads} threads"), |b| {
            b.iter(|| pool.install(|| black_box(Peels::of(chain.view(), &rule, &terms, Known::default()))));
        });
    }
    let peels = Peels::of(chain.view(), &rule, &terms, Known::default());
    group.bench_function("the twin: every transaction walked, links given", |b| {
        b.iter(|| {
            let walk = |tx| std::iter::successors(Some(tx), |tx| peels.next(*tx).ok()).count();
            // Quadratic on one long chain, so no more than so many are asked.
            chain.view().txs().take(1_000).map(|tx| walk(tx.index())).sum::<usize>()
        });
    });
    group.bench_function("chains with their peels", |b| b.iter(|| peels.chains().count()));
    group.finish();
}

criterion_group!(benches, lengths);
criterion_main!(benches);
