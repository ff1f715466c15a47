//! Instructions that the inner loops of tracing execute: a guard that a noisy machine cannot move.
//!
//! Needs valgrind and `cargo install gungraun-runner@=0.20.0`; then `cargo bench --bench instructions`. A run fails where a loop
//! executes more than its limit, which stands a tenth above what was counted when it was set.

#![allow(missing_docs, reason = "the macros make items without documentation")]

mod random;

use std::hint::black_box;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

use fundtrace::Chain;
use fundtrace::bitcoin::OutPoint;
use fundtrace::spec::Rule;
use fundtrace::trace::{self, Engine, Options, Seed, stop};

fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]));
    config
}

struct Case {
    chain: Chain,
    seeds: Vec<Seed>,
    rule: Rule,
    engine: Engine,
}

/// The random chain, and as many of its outputs to start from.
fn sources(count: u32, rule: Rule, engine: Engine) -> Case {
    let chain = random::freeze(random::records());
    let view = chain.view();
    let output = |number: u32| view.output_at(OutPoint::new(random::txid(number), 0)).expect("an output");
    let seeds = (0..count).map(|number| output(number).seed(format!("source {number}"))).collect();
    Case { chain, seeds, rule, engine }
}

/// On the thread that is counted, whatever the machine has.
fn on_this_thread<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().expect("one thread");
    pool.install(f)
}

#[library_benchmark(setup = sources)]
#[bench::poison(args = (1, Rule::Poison, Engine::Sparse), config = limit(52_000_000))]
#[bench::haircut(args = (1, Rule::Haircut, Engine::Sparse), config = limit(57_000_000))]
#[bench::fifo(args = (1, Rule::Fifo, Engine::Sparse), config = limit(23_000_000))]
#[bench::ten_haircuts(args = (10, Rule::Haircut, Engine::Sparse), config = limit(403_000_000))]
#[bench::fifo_dense(args = (1, Rule::Fifo, Engine::Dense), config = limit(24_500_000))]
#[bench::poison_streamed(args = (1, Rule::Poison, Engine::Dense), config = limit(18_200_000))]
#[bench::poisons_streamed(args = (10, Rule::Poison, Engine::Dense), config = limit(22_800_000))]
#[bench::haircut_streamed(args = (1, Rule::Haircut, Engine::Dense), config = limit(28_800_000))]
fn follow(case: Case) -> (Case, u64) {
    let Case { chain, seeds, rule, engine } = &case;
    let reach =
        on_this_thread(|| trace::reach_with(*engine, chain.view(), seeds, *rule, &stop::never(), &Options::default()));
    let visited = black_box(reach.transactions());
    (case, visited)
}

library_benchmark_group!(name = reach, benchmarks = [follow]);
main!(library_benchmark_groups = reach);
