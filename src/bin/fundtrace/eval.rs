//! `fundtrace eval`: rules against the truth.

use std::fs::File;
use std::io::{BufReader, Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use fundtrace::Error;
use fundtrace::bitcoin::Network;
use fundtrace::eval::{StudyOptions, TaintRow, TaintStudy};
use fundtrace::truth::Truth;

use crate::input;

/// Score every rule against what is known to be true of a chain.
///
/// A world is a folder as `simulate` writes it: a chain (chain.store, blocks, or transactions.jsonl) with its truth.jsonl beside it. Of any other
/// chain with such a file name the chain with --chain and the file with --truth.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    /// Worlds; their thefts are scored together.
    #[arg(value_name = "WORLD", required_unless_present = "chain")]
    worlds: Vec<PathBuf>,
    /// A chain in any form that `trace` reads.
    #[arg(long, value_name = "INPUT", requires = "truth", conflicts_with = "worlds")]
    chain: Vec<PathBuf>,
    /// Its truth file, in the form that docs/truth.md describes.
    #[arg(long, value_name = "FILE", requires = "chain")]
    truth: Option<PathBuf>,
    /// The network of --chain, and of worlds of block files (regtest, which simulate makes, unless told).
    #[arg(long, value_name = "NAME", value_parser = fundtrace::spec::network)]
    network: Option<Network>,
    /// So many in a thousand of the services' deposit addresses are known to the analyst; their own addresses all are.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=1000))]
    known_deposits: u32,
    /// Cut a trace after so many transactions.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    budget: u64,
    /// Decides which addresses are known, which decoys are drawn, and the resampling of the intervals.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut options = StudyOptions::default();
    (options.deposits_permille, options.budget, options.seed) = (args.known_deposits, args.budget, args.seed);
    let mut study = TaintStudy::new(options);
    for world in &args.worlds {
        let chain = chain_of(world).map_err(|error| error.within(world.display()))?;
        let network = args.network.unwrap_or(Network::Regtest);
        add(&mut study, &[chain], &world.join("truth.jsonl"), Some(network))?;
    }
    if let Some(truth) = &args.truth {
        add(&mut study, &args.chain, truth, args.network)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &as_json(&study, &options)).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{} thefts; {options}", study.thefts())?;
        write!(out, "{study}")?;
    }
    Ok(())
}

/// The chain of a world's folder.
fn chain_of(world: &Path) -> Result<PathBuf, Error> {
    let known = ["chain.store", "blocks", "transactions.jsonl"].map(|name| world.join(name));
    known.into_iter().find(|path| path.exists()).ok_or_else(|| {
        let what = "no world: chain.store, blocks or transactions.jsonl is missing; make one with `fundtrace simulate`";
        IoError::new(ErrorKind::NotFound, what).into()
    })
}

fn add(study: &mut TaintStudy, chain: &[PathBuf], truth: &Path, network: Option<Network>) -> Result<(), Error> {
    // The truth first: where it is missing nobody should wait for the chain.
    let within = |error: Error| error.within(truth.display());
    let file = File::open(truth).map_err(|error| within(error.into()))?;
    let chain = input::load(chain, &input::FormArgs::default(), network)?;
    let truth = Truth::read(chain.view(), BufReader::new(file)).map_err(within)?;
    study.add(chain.view(), &truth);
    Ok(())
}

fn as_json(study: &TaintStudy, options: &StudyOptions) -> serde_json::Value {
    let cell = |cell: &fundtrace::eval::Cell| {
        let interval = cell.interval.map(|interval| [interval.low.to_f64(), interval.high.to_f64()]);
        serde_json::json!({"value": cell.value.to_f64(), "interval": interval, "thefts": cell.interval.map(|interval| interval.groups)})
    };
    let of = |cells: &[fundtrace::eval::Cell]| -> serde_json::Map<String, serde_json::Value> {
        TaintRow::MEASURES.iter().zip(cells).map(|(name, value)| ((*name).to_owned(), cell(value))).collect()
    };
    let rows: Vec<_> = study
        .rows()
        .iter()
        .map(|row| serde_json::json!({"rule": row.rule, "thefts": of(&row.thefts), "decoys": of(&row.decoys)}))
        .collect();
    serde_json::json!({
        "note": "in simulation; not a known error rate on the real chain",
        "thefts": study.thefts(),
        "options": options,
        "rows": rows,
    })
}
