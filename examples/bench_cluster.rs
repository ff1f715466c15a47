//! Times clusters over a whole store: spending with the frozen partition, with proofs, the obvious sequential way, one key's forms, one derivation.
//!
//! `cargo run --release --features cli --example bench_cluster -- STORE`
//!
//! Without a store it makes a small world of its own, so that it runs anywhere. Times are medians of wall time, on one thread and on two.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::cluster::{self, Clusters, Guard, Proofs, same_key, spending};
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::{Chain, View};
use memmap2::Mmap;
use rayon::ThreadPoolBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(store) => {
            // Nothing else may change the file meanwhile; see `store::map` of the command.
            #[allow(unsafe_code, reason = "mapping a file is what is measured")]
            let bytes = unsafe { Mmap::map(&File::open(store)?)? };
            report(Chain::from_bytes(bytes)?.view())
        }
        None => report(world(20_000)?.view()),
    }
}

fn world(txs: u64) -> Result<Chain, Box<dyn Error>> {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    for block in World::new(WorldSpec::new(txs), 1) {
        writer.block(block.height(), block.block().header, block.records())?;
    }
    let mut store = Vec::new();
    writer.finish()?.write_to(&mut store)?;
    Ok(Chain::from_bytes(store)?)
}

fn report(view: View<'_>) -> Result<(), Box<dyn Error>> {
    println!("{} transactions, {} addresses", view.counts().transactions, view.addresses());
    let (time, roots) = median(|| by_hand(view));
    line("through cursors, without a lock or a thread", time, &format!("{roots} clusters"));
    let start = Instant::now();
    let found = same_key::evidence(view).inferences().len();
    line("the forms of one key, once", (start.elapsed(), None), &format!("{found} pairs"));
    let mut first: Option<Clusters> = None;
    for threads in [1, 2, 8] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        println!("{threads} threads");
        pool.install(|| {
            let (time, clusters) = median(|| cluster::by_spending(view, |_| false));
            let largest = clusters.largest(1)[0];
            line("spending, frozen", time, &format!("{} clusters, largest {}", clusters.len(), clusters.size(largest)));
            assert_eq!(first.get_or_insert_with(|| clusters.clone()), &clusters, "the same on any number of threads");
            let guard = Guard::default();
            let (time, guarded) = median(|| cluster::by_spending(view, |tx| guard.skips(tx)));
            line("spending under the guard, frozen", time, &format!("{} clusters", guarded.len()));
            let (time, evidence) = median(|| spending::evidence(view, "", |_| false));
            line("its evidence alone", time, &format!("{} inferences", evidence.inferences().len()));
            let (time, proofs) = median(|| Proofs::of(spending::evidence(view, "", |_| false)));
            line("spending with proofs", time, "");
            assert_eq!(proofs.clusters(), &clusters);
            let (time, kept) = median(|| Proofs::of(spending::evidence(view, "", |tx| guard.skips(tx))));
            line("spending with proofs under the guard", time, "");
            assert_eq!(kept.clusters(), &guarded);
            let members = clusters.members(largest);
            let (from, to) = (members[0], members[members.len() - 1]);
            let (time, derivation) = median(|| proofs.explain(from, to));
            line(
                "a derivation across the largest cluster",
                time,
                &format!("{} steps", derivation.map_or(0, |d| d.steps.len())),
            );
        });
    }
    Ok(())
}

/// What one writes first: a parent for each address, cursors, no freezing.
fn by_hand(view: View<'_>) -> usize {
    let mut parent: Vec<u32> =
        (0..u32::try_from(view.addresses()).expect("addresses are numbered by 32 bits")).collect();
    fn find(parent: &mut [u32], mut at: u32) -> u32 {
        while parent[at as usize] != at {
            parent[at as usize] = parent[parent[at as usize] as usize];
            at = parent[at as usize];
        }
        at
    }
    for tx in view.txs() {
        let mut first = None;
        for address in tx.inputs().filter_map(|input| input.address_index()) {
            let root = find(&mut parent, address.to_u32());
            let other = *first.get_or_insert(root);
            let other = find(&mut parent, other);
            parent[root.max(other) as usize] = root.min(other);
        }
    }
    parent.iter().zip(0..).filter(|(parent, at)| *parent == at).count()
}

fn line(what: &str, (wall, cpu): Cost, found: &str) {
    let cpu = cpu.map_or_else(String::new, |cpu| format!("{:>8.1} ms of CPU", ms(cpu)));
    println!("  {what:44} {:>8.1} ms{cpu}  {found}", ms(wall));
}

/// Wall time, and where it can be had the time of all threads: on a machine with other work to do the wall says little.
type Cost = (Duration, Option<Duration>);

const RUNS: u32 = 9;

/// The median wall time of nine runs with their mean CPU time, and what the last one gave.
fn median<T>(mut run: impl FnMut() -> T) -> (Cost, T) {
    let mut times = Vec::new();
    let mut last = None;
    let before = cpu();
    for _ in 0..RUNS {
        let start = Instant::now();
        last = Some(black_box(run()));
        times.push(start.elapsed());
    }
    let used = cpu().zip(before).map(|(after, before)| (after - before) / RUNS);
    times.sort();
    ((times[times.len() / 2], used), last.expect("it ran"))
}

/// What Linux says this process has used; ticks are hundredths of a second.
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
