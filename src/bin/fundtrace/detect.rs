//! `fundtrace detect`: what kinds of transactions a chain holds.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, BufWriter, Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use fundtrace::bitcoin::Txid;
use fundtrace::detect::{self, Finding, Kind, Options};
use fundtrace::service::peel::{Known, Peels, Terms};
use fundtrace::service::{chips, custodial_mixer};
use fundtrace::{BlockHeight, Error, View};
use serde::Serialize;

use crate::input::{self, InputArgs};
use crate::peels::{self, PeelsBy};

const KINDS: &str = "Kinds: coinjoin, premix, swap, payjoin, batch, consolidation, fan_out, dormant, dust, structuring, peel, custodial_mixer.\n\
                     A finding is what a rule infers from a transaction's form, with its confidence in parts of a million, and no fact of the chain.";

/// Recognise mixes, swaps to other chains, batches and other shapes; one finding a line.
#[derive(ClapArgs, Debug)]
#[command(after_help = KINDS)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Only these kinds of finding, with commas.
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = str::parse::<Kind>)]
    only: Vec<Kind>,
    /// Look at the chain as of the end of the block at this height.
    #[arg(long, value_name = "HEIGHT")]
    as_of: Option<u32>,
    /// Transactions that are known to be CoinJoins, a txid a line.
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// Transactions that are known to be none.
    #[arg(long, value_name = "FILE")]
    veto: Option<PathBuf>,
    /// The first mixes of Whirlpool's pools, which need no parents.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Which rules say what goes on in a peel chain: `ratio` (at least 0.8 of what is paid out), or change rules; of several, all must agree.
    #[arg(long, value_name = "RULE,...", default_value = "ratio", value_parser = peels::by)]
    peels_by: PeelsBy,
    /// One JSON object a line instead of words.
    #[arg(long)]
    json: bool,
}

/// A finding as it is printed.
#[derive(Serialize)]
struct Line<'a> {
    txid: Txid,
    #[serde(flatten)]
    finding: &'a Finding,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut options = Options::default();
    if !args.only.is_empty() {
        options.kinds = args.only.iter().copied().collect();
    }
    options.coinjoin.allow = txids(args.allow.as_deref())?;
    options.coinjoin.veto = txids(args.veto.as_deref())?;
    options.anchors = txids(args.anchors.as_deref())?;
    let chain = input::load(&args.input.input, &args.input.forms, args.input.network)?;
    let view = args.as_of.map_or(chain.view(), |height| chain.as_of(BlockHeight::from_u32(height)));
    let mut found = detect::scan(view, &options);
    if options.kinds.contains(&Kind::Peel) {
        let peels = Peels::of(view, &args.peels_by.rule()?, &Terms::default(), Known::default());
        found.extend(peels.findings());
    }
    if options.kinds.contains(&Kind::CustodialMixer) {
        found.extend(chips::scan(view));
        found.extend(custodial_mixer::scan(view));
    }
    // Stable: what a detector says first stands first.
    found.sort_by_key(|(index, finding)| (*index, finding.kind));
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (index, finding) in &found {
        let txid = view.tx(*index).txid();
        if args.json {
            serde_json::to_writer(&mut out, &Line { txid, finding }).map_err(IoError::from)?;
            writeln!(out)?;
        } else {
            line(txid, finding, &mut out)?;
        }
    }
    summary(view, found.len(), args.json, &mut out)?;
    Ok(out.flush()?)
}

/// `txid kind protocol rule verdict 95.0000 % name=value ...`
fn line(txid: Txid, finding: &Finding, out: &mut impl Write) -> Result<(), Error> {
    let (ppm, verdict) = (finding.confidence.to_ppm(), finding.verdict.as_str());
    write!(out, "{txid} {} {verdict} {}.{:04} % {}", finding.kind, ppm / 10_000, ppm % 10_000, finding.rule)?;
    for (name, feature) in finding.features.iter() {
        write!(out, " {name}={}", serde_json::to_string(feature).map_err(IoError::from)?)?;
    }
    Ok(writeln!(out)?)
}

/// For people: nothing found is an answer too.
fn summary(view: View<'_>, found: usize, json: bool, out: &mut impl Write) -> Result<(), Error> {
    if !json {
        writeln!(out, "{found} findings in {} transactions", view.txs().count())?;
    }
    Ok(())
}

fn txids(path: Option<&Path>) -> Result<BTreeSet<Txid>, Error> {
    let Some(path) = path else { return Ok(BTreeSet::new()) };
    let read = || -> Result<BTreeSet<Txid>, Error> {
        let mut txids = BTreeSet::new();
        for line in BufReader::new(std::fs::File::open(path)?).lines() {
            let line = line?;
            let text = line.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let bad = |_| IoError::new(ErrorKind::InvalidData, format!("{text:?} is no txid; write one a line"));
            txids.insert(text.parse().map_err(bad)?);
        }
        Ok(txids)
    };
    read().map_err(|error| error.within(path.display()))
}
