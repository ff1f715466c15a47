//! Times traces over a whole store: every rule by every engine, beside the specification engine and beside what people write today, a hash map and
//! floats; small traces; many runs on one thread and on two.
//!
//! `cargo run --release --features cli --example bench_taint -- STORE`
//!
//! Without a store it makes a small world of its own, so that it runs anywhere. Times are medians of wall time, on one thread where nothing else is said.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::simulate::{World, WorldSpec};
use fundtrace::spec::{self, Job, Rule};
use fundtrace::trace::{self, Engine, Options, Seed, stop};
use fundtrace::{Chain, OutputIndex, TxIndex, View};
use memmap2::Mmap;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(store) => {
            // Nothing else may change the file meanwhile; see `store::map` of the command.
            #[allow(unsafe_code, reason = "mapping a file is what is measured")]
            let bytes = unsafe { Mmap::map(&File::open(store)?)? };
            let chain = Chain::from_bytes(bytes)?;
            pool(1).install(|| report(chain.view()));
        }
        None => {
            let chain = world(20_000)?;
            pool(1).install(|| report(chain.view()));
        }
    }
    Ok(())
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

fn report(view: View<'_>) {
    let txs = u32::try_from(view.counts().transactions).expect("transactions are numbered by 32 bits");
    println!("{txs} transactions");
    let wide = wide(view, txs);
    println!("\none source that reaches far: {} outputs", wide.len());
    rules(view, &wide);
    let labels: Vec<Seed> = labelled(&wide, 10);
    line(view, "haircut, ten labels", Engine::Sparse, &labels, Rule::Haircut);
    println!("\nas many coinbases as it takes to cross as many transactions, one source");
    for rule in [Rule::Fifo, Rule::Lifo, Rule::Tiho, Rule::Seniority, Rule::Juniority] {
        line(view, rule.as_str(), Engine::Auto, &many(view, txs, rule), rule);
    }

    let at = |share: u32| TxIndex::from_u32(share);
    let random: Vec<Seed> = (0..100)
        .filter_map(|n| view.tx(at(txs / 5 + n * (txs / 2000).max(1))).outputs().next())
        .map(|output| output.seed("random"))
        .collect();
    println!("\n100 outputs between 20 and 25 % of the chain, one source");
    for rule in [Rule::Poison, Rule::Haircut, Rule::Fifo] {
        engines(view, rule.as_str(), &random, rule);
    }
    engines(view, "poison, 64 sources", &labelled(&random[..64.min(random.len())], 64), Rule::Poison);
    let coinbases = view.txs().filter(|tx| tx.is_coinbase()).flat_map(|tx| tx.outputs());
    let everything: Vec<Seed> = coinbases.map(|output| output.seed("all")).collect();
    println!("\neverything is tainted");
    engines(view, "haircut", &everything, Rule::Haircut);
    small(view, txs);
}

/// So many transactions are crossed, or fewer in a smaller chain.
fn aim(txs: u32) -> u64 {
    u64::from(27_000.min(txs / 20))
}

/// The coinbase outputs from which poison crosses most nearly so many transactions.
fn wide(view: View<'_>, txs: u32) -> Vec<Seed> {
    let aim = aim(txs);
    let mut best: (u64, Vec<Seed>) = (u64::MAX, Vec::new());
    let coinbases: Vec<_> = view.txs().filter(|tx| tx.is_coinbase()).collect();
    for tx in coinbases.iter().rev().step_by((coinbases.len() / 200).max(1)) {
        let seeds: Vec<Seed> = tx.outputs().map(|output| output.seed("wide")).collect();
        let reach = trace::reach(view, &seeds, Rule::Poison, &stop::budget(aim * 2), &Options::default());
        if reach.transactions().abs_diff(aim) < best.0 {
            best = (reach.transactions().abs_diff(aim), seeds);
        }
    }
    best.1
}

/// Coinbase outputs, evenly taken, from which a rule crosses at least so many transactions.
fn many(view: View<'_>, txs: u32, rule: Rule) -> Vec<Seed> {
    let coinbases: Vec<_> = view.txs().filter(|tx| tx.is_coinbase()).flat_map(|tx| tx.outputs()).collect();
    let mut step = coinbases.len();
    loop {
        let seeds: Vec<Seed> = coinbases.iter().step_by(step).map(|output| output.seed("many")).collect();
        let reach = trace::reach(view, &seeds, rule, &stop::never(), &Options::default());
        if step == 1 || reach.transactions() >= aim(txs) {
            return seeds;
        }
        step = (step * 3 / 4).max(1);
    }
}

/// The same outputs under so many labels; one output is given its own parts of the chain further on.
fn labelled(seeds: &[Seed], labels: usize) -> Vec<Seed> {
    seeds.iter().enumerate().map(|(at, seed)| Seed::new(seed.output, format!("source {}", at % labels))).collect()
}

fn rules(view: View<'_>, seeds: &[Seed]) {
    for rule in Rule::ALL {
        line(view, rule.as_str(), Engine::Sparse, seeds, rule);
        let (time, _) = median(3, || rule.forward(view, seeds, &stop::never(), &Options::default()).transactions());
        println!("  {:34} {:>10.2} ms", "the specification engine", ms(time));
    }
    let (time, (txs, held)) = median(3, || floats(view, seeds));
    println!("  {:34} {:>10.2} ms  {txs} transactions, {held:.0} sat", "haircut, hash map and floats", ms(time));
}

/// Every engine on one thread, and the dense one on two.
fn engines(view: View<'_>, what: &str, seeds: &[Seed], rule: Rule) {
    for engine in [Engine::Sparse, Engine::Dense, Engine::Auto] {
        line(view, &format!("{what}, {engine:?}"), engine, seeds, rule);
    }
    let run = || trace::reach_with(Engine::Dense, view, seeds, rule, &stop::never(), &Options::default()).ends().len();
    let pool = pool(2);
    let (time, _) = median(9, || pool.install(run));
    println!("  {:34} {:>10.2} ms", format!("{what}, Dense, two threads"), ms(time));
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn line(view: View<'_>, what: &str, engine: Engine, seeds: &[Seed], rule: Rule) {
    let (time, (txs, ends)) = median(9, || {
        let reach = trace::reach_with(engine, view, seeds, rule, &stop::never(), &Options::default());
        (reach.transactions(), reach.ends().len())
    });
    let all = view.counts().transactions;
    println!(
        "  {what:34} {:>10.2} ms  {txs} transactions, {ends} ends; {:.0} ns each, {:.1} ns a transaction of the chain",
        ms(time),
        time.as_nanos() as f64 / txs.max(1) as f64,
        time.as_nanos() as f64 / all as f64,
    );
}

/// Haircut as one would write it in an afternoon.
fn floats(view: View<'_>, seeds: &[Seed]) -> (u64, f64) {
    let mut held: HashMap<OutputIndex, f64> = HashMap::new();
    let mut queue: BTreeMap<TxIndex, ()> = BTreeMap::new();
    for seed in seeds {
        let output = view.output(seed.output);
        held.insert(seed.output, output.value().map_or(0.0, |value| value.to_sat() as f64));
        queue.extend(output.spender().map(|tx| (tx.index(), ())));
    }
    let mut visited = 0;
    while let Some((tx, ())) = queue.pop_first() {
        let tx = view.tx(tx);
        let tainted: f64 = tx.inputs().filter_map(|input| held.remove(&input.prevout()?.index())).sum();
        let Some(all) = tx.input_value().map(|value| value.to_sat() as f64) else { continue };
        visited += 1;
        for output in tx.outputs() {
            let share = output.value().map_or(0.0, |value| value.to_sat() as f64) * tainted / all;
            // Without a limit floats never end.
            if share >= 1.0 {
                held.insert(output.index(), share);
                queue.extend(output.spender().map(|tx| (tx.index(), ())));
            }
        }
    }
    (visited, held.values().sum())
}

/// Traces that touch fewer than a hundred outputs, as most of the real ones do.
fn small(view: View<'_>, txs: u32) {
    let mut cases: Vec<Seed> = Vec::new();
    for at in (txs / 2..txs).step_by((txs / 20_000).max(1) as usize) {
        let Some(output) = view.tx(TxIndex::from_u32(at)).outputs().next() else { continue };
        let seed = output.seed("small");
        let reach =
            trace::reach(view, std::slice::from_ref(&seed), Rule::Poison, &stop::budget(60), &Options::default());
        if (2..50).contains(&reach.transactions()) && reach.ends().len() < 100 {
            cases.push(seed);
        }
    }
    println!("\n{} small traces (poison crosses 2 to 49 transactions)", cases.len());
    for rule in Rule::ALL {
        let run = |seed: &Seed| {
            let seeds = std::slice::from_ref(seed);
            trace::reach(view, seeds, rule, &stop::never(), &Options::default()).transactions()
        };
        let (time, _) = median(5, || cases.iter().map(run).sum::<u64>());
        println!("  {rule:34} {:>10.2} us each", time.as_secs_f64() * 1e6 / cases.len().max(1) as f64);
    }
    let job = |seed| Job::new(view, std::slice::from_ref(seed), Rule::Fifo);
    let jobs: Vec<Job<'_, '_>> = cases.iter().cycle().take(10_000).map(job).collect();
    for threads in [1, 2] {
        let run = || spec::reach(&jobs).len();
        let pool = pool(threads);
        let (time, runs) = median(9, || pool.install(run));
        println!("  {runs} cases, {threads} threads {:>24.2} ms", ms(time));
    }
}

fn median<T>(runs: usize, mut f: impl FnMut() -> T) -> (Duration, T) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..runs {
        let started = Instant::now();
        last = Some(black_box(f()));
        times.push(started.elapsed());
    }
    times.sort_unstable();
    (times[runs / 2], last.expect("at least one run"))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
