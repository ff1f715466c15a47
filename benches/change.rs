//! What change rules cost: all that do not look ahead over every payment, on one thread and two, beside the sequential twin; flags; rules that look ahead.
//!
//! `FUNDTRACE_STORE=chain.store cargo bench --features simulate --bench change`; without the variable a small simulated world is measured.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::change::{self, Change, Context, Fingerprints, LockTime, Mask, Payment, Rule, SameFingerprint, Votes};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::{Chain, View};

fn world(txs: u64) -> Chain {
    let world = World::new(WorldSpec::new(txs), 1).known(&std::env::temp_dir());
    world.expect("a world keeps the rules").0
}

fn bench(c: &mut Criterion) {
    match std::env::var_os("FUNDTRACE_STORE") {
        Some(path) => run(c, Chain::from_bytes(std::fs::read(path).expect("a store")).expect("a store").view()),
        None => run(c, world(20_000).view()),
    }
}

fn run(c: &mut Criterion, view: View<'_>) {
    let rules: Vec<Box<dyn Change>> = Rule::ALL.iter().filter_map(|rule| rule.change(&Context::default())).collect();
    let all: Vec<&dyn Change> = rules.iter().map(|rule| &**rule).collect();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let mut group = c.benchmark_group("change");
    group.sample_size(10);
    group.throughput(Throughput::Elements(view.counts().transactions));
    for threads in [1, 2] {
        let pool = pool(threads);
        let name = format!("{} rules that do not look ahead, {threads} threads", all.len());
        group.bench_function(name, |b| b.iter(|| pool.install(|| change::picks_of_all(view, &all))));
    }
    // The obvious loop: a list for each rule.
    group.bench_function("the same, one rule after the other in a loop", |b| {
        b.iter(|| {
            let picks = |rule: &&dyn Change| {
                let payments = view.txs().filter_map(Payment::of);
                payments
                    .filter_map(|payment| Some((payment.index(), rule.candidates(&payment)?.only()?)))
                    .collect::<Vec<_>>()
            };
            all.iter().map(picks).collect::<Vec<_>>()
        });
    });
    group.bench_function("payments alone, in a loop", |b| b.iter(|| view.txs().filter_map(Payment::of).count()));
    let two = pool(2);
    let votes = all.iter().fold(Votes::new(2), |votes, rule| votes.rule(*rule, 1));
    group.bench_function("votes of all, 2 threads", |b| b.iter(|| two.install(|| change::votes(view, &votes))));
    group.bench_function("fingerprints, 2 threads", |b| b.iter(|| two.install(|| Fingerprints::of(view))));
    let flags = Fingerprints::of(view);
    let same = SameFingerprint::new(&flags, Mask::ALL[9]);
    group.bench_function("equal fingerprints, 2 threads", |b| {
        b.iter(|| two.install(|| change::picks_in_hindsight(view, &same)))
    });
    group.bench_function("lock time, 2 threads", |b| {
        b.iter(|| two.install(|| change::picks_in_hindsight(view, &LockTime)))
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
