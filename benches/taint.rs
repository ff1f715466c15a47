//! What a trace costs: each rule over a random chain, all rules side by side beside their sequential twin, the parallel scan beside its own, a
//! small case, and freezing.
//!
//! `cargo bench --bench taint`; the chain is made from a seed, so every run measures the same work.

mod random;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::bitcoin::OutPoint;
use fundtrace::spec::{self, Job, Rule};
use fundtrace::trace::{self, Engine, Options, Seed, stop};

use random::{TXS, freeze, records, txid};

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

    // A long run by windows, side by side and one after the other.
    let mut group = c.benchmark_group("streamed");
    group.throughput(Throughput::Elements(u64::from(TXS)));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        for (name, rule, seeds) in [
            ("poison", Rule::Poison, &one),
            ("poison, ten sources", Rule::Poison, &ten),
            ("haircut", Rule::Haircut, &one),
        ] {
            let reach = || {
                trace::reach_with(Engine::Dense, view, seeds, rule, &stop::never(), &Options::default()).transactions()
            };
            group.bench_function(format!("{name}, {threads} threads, per transaction of the chain"), |b| {
                b.iter(|| pool.install(reach))
            });
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
