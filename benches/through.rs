//! What a choice at mixes costs a trace: each way beside the same trace without, asking about each transaction on the way, and about all of them
//! before.
//!
//! `cargo bench --features simulate --bench through`; the world is made from a seed, so every run measures the same work.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::detect::{Confidence, coinjoin::Rules};
use fundtrace::id::TheftIndex;
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::spec::Rule;
use fundtrace::trace::{Mixes, Mode, Options, Seed, Through, stop};

const TXS: u64 = 20_000;

fn through(c: &mut Criterion) {
    let programmes =
        ["wait 5, split 3, whirlpool 2, shuffle 1, exchange", "wait 5, split 3, wasabi1, shuffle 1, exchange"];
    let programmes = programmes.map(|text| text.parse().expect("a programme")).into();
    let spec = WorldSpec::new(TXS).thefts(programmes);
    let (chain, truth) = World::new(spec, 8).known(&std::env::temp_dir()).expect("a world keeps the rules");
    let view = chain.view();
    let thefts = (0..).map(TheftIndex::from_u32).take(truth.thefts().len());
    let stolen = thefts.flat_map(|theft| truth.seeds(view, theft));
    let seeds: Vec<Seed> = stolen.map(|(output, _)| view.output(output).seed("theft")).collect();
    let sure = Confidence::from_percent(Mixes::PERCENT);
    let (lazy, known) = (Mixes::new(Rules::default(), sure), Mixes::of(view, Rules::default(), sure));

    let mut group = c.benchmark_group("through");
    group.sample_size(10);
    for rule in [Rule::Fifo, Rule::Haircut] {
        let plain = || rule.forward(view, &seeds, &stop::never(), &Options::default());
        group.throughput(Throughput::Elements(plain().transactions().max(1)));
        group.bench_function(format!("{rule}, no choice, per transaction visited"), |b| b.iter(plain));
        for mode in Mode::ALL {
            for (how, mixes) in [("asked on the way", &lazy), ("asked before", &known)] {
                let through = Through::new(mode, mixes.clone());
                let run = || rule.forward_through(view, &seeds, &stop::never(), &through, &Options::default());
                group.throughput(Throughput::Elements(run().transactions().max(1)));
                group.bench_function(format!("{rule}, {}, {how}, per transaction visited", mode.as_str()), |b| {
                    b.iter(run);
                });
            }
        }
    }
    group.bench_function("the mixes of all transactions", |b| b.iter(|| Mixes::of(view, Rules::default(), sure)));
    group.finish();
}

criterion_group!(benches, through);
criterion_main!(benches);
