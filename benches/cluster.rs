//! What clusters cost: spending with the frozen partition beside its sequential twin through cursors, evidence, proofs.
//!
//! `cargo bench --all-features --bench cluster`; the world is made from a seed, so every run measures the same work.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use fundtrace::cluster::{self, Proofs, spending};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::{Chain, View};

const TXS: u64 = 20_000;

fn world() -> Chain {
    let world = World::new(WorldSpec::new(TXS), 1).known(&std::env::temp_dir());
    world.expect("a world keeps the rules").0
}

fn find(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// A parent for each address, cursors, one thread; the members of each cluster at the end.
fn twin(view: View<'_>) -> usize {
    let mut parent: Vec<usize> = (0..view.addresses()).collect();
    for tx in view.txs() {
        let mut first = None;
        for address in tx.inputs().filter_map(|input| input.address_index()) {
            let address = address.to_u32() as usize;
            let (a, b) = (find(&mut parent, address), find(&mut parent, *first.get_or_insert(address)));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut members = vec![Vec::new(); parent.len()];
    for at in 0..parent.len() {
        let root = find(&mut parent, at);
        members[root].push(at);
    }
    members.iter().filter(|members| !members.is_empty()).count()
}

fn clusters(criterion: &mut Criterion) {
    let chain = world();
    let view = chain.view();
    assert_eq!(twin(view), cluster::by_spending(view, |_| false).len());
    let mut group = criterion.benchmark_group("clusters");
    group.throughput(Throughput::Elements(TXS));
    group.bench_function("sequential twin", |bench| bench.iter(|| twin(view)));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        group.bench_function(format!("spending, {threads} threads"), |bench| {
            bench.iter(|| pool.install(|| cluster::by_spending(view, |_| false)));
        });
        group.bench_function(format!("with proofs, {threads} threads"), |bench| {
            bench.iter(|| pool.install(|| Proofs::of(spending::evidence(view, "", |_| false))));
        });
    }
    group.finish();
}

criterion_group!(benches, clusters);
criterion_main!(benches);
