//! `fundtrace info` and `fundtrace verify`: what a chain holds, and whether a store is whole.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use fundtrace::chain::Summary;
use fundtrace::{Error, spec};

use crate::input::{self, InputArgs};
use crate::store;

/// Say what a store or a source holds: blocks, transactions, addresses, money.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let chain = input::load(&args.input.input, &args.input.forms, args.input.network)?;
    let summary = chain.summary();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        serde_json::to_writer(&mut out, &summary).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{:16} {}", "network", spec::network_name(chain.network()))?;
        lines(&summary, &mut out)?;
        writeln!(out, "{:16} {}", "digest", chain.digest())?;
    }
    Ok(out.flush()?)
}

fn lines(summary: &Summary, out: &mut impl Write) -> std::io::Result<()> {
    let mut line = |name: &str, value: &dyn std::fmt::Display| writeln!(out, "{name:16} {value}");
    line("blocks", &summary.blocks)?;
    line("transactions", &summary.txs)?;
    line("inputs", &summary.inputs)?;
    line("outputs", &summary.outputs)?;
    line("addresses", &summary.addresses)?;
    line("unspent outputs", &summary.unspent_outputs)?;
    line("unspent sat", &summary.unspent_sat)?;
    line("fees sat", &summary.fees_sat)?;
    if let Some(height) = summary.tip_height {
        line("tip height", &height)?;
    }
    if let Some(hash) = summary.tip_hash {
        line("tip hash", &hash)?;
    }
    if let Some(stale) = summary.stale_blocks {
        line("stale blocks", &stale)?;
    }
    for (script_type, count) in summary.outputs_by_type.iter() {
        line(&format!("  {script_type}"), &count)?;
    }
    Ok(())
}

/// Check a store: every column's hash, then everything that reading relies on.
#[derive(ClapArgs, Debug)]
pub(crate) struct VerifyArgs {
    /// The store.
    #[arg(value_name = "STORE")]
    store: PathBuf,
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<(), Error> {
    let chain = store::open(&args.store)?;
    chain.verify().map_err(|error| error.within(args.store.display()))?;
    let summary = chain.summary();
    let mut out = std::io::stdout().lock();
    writeln!(out, "sound: {} transactions, store hash {}", summary.txs, chain.store_hash())?;
    Ok(())
}
