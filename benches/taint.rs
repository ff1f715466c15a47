//! What a trace costs: each rule over a random chain, all rules side by side beside their sequential twin, the parallel scan beside its own, a
//! small case, and freezing.
//!
//! `cargo bench --bench taint`; the chain is made from a seed, so every run measures the same work.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::spec::{self, Job, Rule};
use fundtrace::trace::{self, Engine, Options, Seed, stop};
use fundtrace::{BlockHeight, Chain, ChainBuilder};

const TXS: u32 = 20_000;

/// SplitMix64: small, seeded, and good enough to pick coins with.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end.max(1) as u64) as usize
    }
}

fn txid(number: u32) -> Txid {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Txid::from_byte_array(bytes)
}

/// Transactions of one to three inputs and two outputs that spend recent coins.
fn records() -> Vec<NewTx> {
    let mut random = Random(1);
    let mut coins: Vec<(OutPoint, TxOut)> = Vec::new();
    let out = |sat: usize, script: u32| {
        let script = ScriptBuf::from_bytes(script.to_be_bytes().to_vec());
        TxOut { value: Amount::from_sat(sat as u64), script_pubkey: script }
    };
    (0..TXS)
        .map(|number| {
            let mut inputs = Vec::new();
            let mut value = 0;
            for _ in 0..=random.below(3) {
                let recent = coins.len().saturating_sub(1 + random.below(500));
                if let Some((outpoint, prevout)) = (!coins.is_empty()).then(|| coins.swap_remove(recent)) {
                    value += prevout.value.to_sat() as usize;
                    inputs.push(NewInput::new(outpoint).prevout(prevout));
                }
            }
            if inputs.is_empty() || number < 500 {
                value += 100_000_000;
                let outpoint = OutPoint::new(txid(TXS + number), 0);
                inputs.push(NewInput::new(outpoint).prevout(out(100_000_000, number)));
            }
            let fee = value.min(200);
            let first = random.below(value - fee + 1);
            let outputs = vec![out(first, number), out(value - fee - first, number)];
            coins.extend(
                outputs
                    .iter()
                    .enumerate()
                    .map(|(vout, output)| (OutPoint::new(txid(number), vout as u32), output.clone())),
            );
            NewTx::claimed(txid(number), inputs, outputs).height(BlockHeight::from_u32(number / 100))
        })
        .collect()
}

fn freeze(records: Vec<NewTx>) -> Chain {
    let mut builder = ChainBuilder::new();
    for tx in records {
        builder.insert(tx).expect("the generator keeps the rules");
    }
    builder.finish().expect("the generator keeps the rules")
}

fn taint(c: &mut Criterion) {
    let chain = freeze(records());
    let view = chain.view();
    let seeds = |count: u32| -> Vec<Seed> {
        let output = |number: u32| view.output_at(OutPoint::new(txid(number), 0)).expect("an output");
        (0..count).map(|number| output(number).seed(format!("source {number}"))).collect()
    };
    let one = seeds(1);
    let ten = seeds(10);
    let forward = |rule: Rule, seeds: &[Seed]| rule.forward(view, seeds, &stop::never(), &Options::default());

    let mut group = c.benchmark_group("forward");
    group.sample_size(10);
    for rule in Rule::ALL {
        group.throughput(Throughput::Elements(forward(rule, &one).transactions().max(1)));
        group
            .bench_function(format!("{rule}, one source, per transaction visited"), |b| b.iter(|| forward(rule, &one)));
        group.throughput(Throughput::Elements(forward(rule, &ten).transactions().max(1)));
        group.bench_function(format!("{rule}, ten sources, per transaction visited"), |b| {
            b.iter(|| forward(rule, &ten))
        });
    }
    group.finish();

    // The fast engines, beside their twin above.
    let mut group = c.benchmark_group("reach");
    for rule in Rule::ALL {
        for engine in [Engine::Sparse, Engine::Dense] {
            for (name, seeds) in [("one source", &one), ("ten sources", &ten)] {
                let reach = || trace::reach_with(engine, view, seeds, rule, &stop::never(), &Options::default());
                group.throughput(Throughput::Elements(reach().transactions().max(1)));
                group.bench_function(format!("{rule}, {engine:?}, {name}, per transaction visited"), |b| b.iter(reach));
            }
        }
    }
    group.finish();

    let mut group = c.benchmark_group("all rules");
    group.sample_size(10);
    group.bench_function("side by side", |b| {
        b.iter(|| spec::run(view, &one, &Rule::ALL, &stop::never(), &Options::default()));
    });
    group.bench_function("one after the other", |b| b.iter(|| Rule::ALL.map(|rule| forward(rule, &one))));
    group.finish();

    // Late coins have few descendants: the size of most real traces.
    let late = [view.output_at(OutPoint::new(txid(TXS - 40), 0)).expect("an output").seed("late")];
    c.bench_function("small trace under FIFO", |b| b.iter(|| forward(Rule::Fifo, &late)));
    c.bench_function("small trace under FIFO, reach", |b| {
        b.iter(|| trace::reach(view, &late, Rule::Fifo, &stop::never(), &Options::default()))
    });
    let jobs: Vec<Job<'_, '_>> = (0..1000).map(|_| Job::new(view, &late, Rule::Fifo)).collect();
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        c.bench_function(&format!("a thousand small traces, {threads} threads"), |b| {
            b.iter(|| pool.install(|| spec::reach(&jobs)))
        });
    }

    let mut group = c.benchmark_group("scan");
    group.bench_function("View::scan", |b| b.iter(|| view.scan(|tx| tx.fee()).len()));
    group.bench_function("View::txs", |b| b.iter(|| view.txs().map(|tx| tx.fee()).collect::<Vec<_>>().len()));
    group.finish();

    let mut group = c.benchmark_group("chain");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(TXS)));
    group.bench_function("insert and freeze", |b| b.iter_batched(records, freeze, BatchSize::LargeInput));
    group.finish();
}

criterion_group!(benches, taint);
criterion_main!(benches);
