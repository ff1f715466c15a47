//! A world: planned and mined, into records; and the scoring of one.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fundtrace::eval::{StudyOptions, TaintStudy};
use fundtrace::simulate::{Card, World, WorldSpec};

const TXS: u64 = 20_000;

fn worlds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulate");
    group.sample_size(10).throughput(Throughput::Elements(TXS));
    group.bench_function("records", |b| {
        b.iter(|| World::new(WorldSpec::new(TXS), 1).map(|block| black_box(block.records().count())).sum::<usize>());
    });
    let (chain, truth) = World::new(WorldSpec::new(TXS), 1).known(&std::env::temp_dir()).expect("a sound world");
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
