//! A world: planned and mined, into records; and the scoring of one.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fundtrace::Chain;
use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::eval::{StudyOptions, TaintStudy};
use fundtrace::simulate::{Card, World, WorldSpec};
use fundtrace::truth::{Row, Truth};

const TXS: u64 = 20_000;

fn worlds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulate");
    group.sample_size(10).throughput(Throughput::Elements(TXS));
    group.bench_function("records", |b| {
        b.iter(|| World::new(WorldSpec::new(TXS), 1).map(|block| black_box(block.records().count())).sum::<usize>());
    });
    let mut world = World::new(WorldSpec::new(TXS), 1);
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    let mut rows = Vec::new();
    for block in &mut world {
        writer.block(block.height(), block.block().header, block.records()).expect("a sound block");
        rows.extend(block.rows());
    }
    rows.extend(world.thefts().cloned().map(Row::Theft));
    let mut store = Vec::new();
    writer.finish().and_then(|whole| whole.write_to(&mut store)).expect("a store");
    let chain = Chain::from_bytes(store).expect("the store that was written");
    let truth = Truth::from_rows(chain.view(), rows).expect("the world's own truth");
    group.bench_function("card", |b| b.iter(|| Card::of(chain.view())));
    group.bench_function("all rules, all thefts, decoys", |b| {
        b.iter(|| {
            let mut study = TaintStudy::new(StudyOptions::default());
            study.add(chain.view(), &truth);
            study.thefts()
        });
    });
    group.finish();
}

criterion_group!(benches, worlds);
criterion_main!(benches);
