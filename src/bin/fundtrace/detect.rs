//! `fundtrace detect`: what kinds of transactions a chain holds, and of addresses.

use std::io::{BufWriter, Error as IoError, Write};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use fundtrace::chain::Output;
use fundtrace::detect::{self, Finding, Kind, Options};
use fundtrace::service::peel::{Known, Peels, Terms};
use fundtrace::service::{chips, custodial_mixer};
use fundtrace::tag::Tag;
use fundtrace::{BlockHeight, Error, View};
use serde::Serialize;

use crate::input::{self, InputArgs};
use crate::mixes::{self, ListArgs};
use crate::peels::{self, PeelsBy};
use crate::services;

const KINDS: &str = "Kinds, of transactions: coinjoin, premix, swap, payjoin, batch, consolidation, fan_out, dormant, dust, structuring, peel, custodial_mixer.\n\
                     Kinds, of addresses: pool, processor; with --tags also deposit, hot_wallet, cold_wallet.\n\
                     A finding is what a rule infers, with its confidence in parts of a million, and no fact of the chain: of a transaction from its form, of an \
                     address from what was done with it and whose the tags say other addresses are. Who is the owner of an address is nowhere on the chain.";

/// Recognise mixes, swaps to other chains, batches and other shapes, deposit addresses and wallets of services; one finding a line.
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
    /// Files of tags, as for `trace --tags`: the deposit addresses and wallets of the services that they name are looked for. The first file is trusted
    /// most; name INPUT before this option.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    tags: Vec<PathBuf>,
    #[command(flatten)]
    lists: ListArgs,
    /// The first mixes of Whirlpool's pools, which need no parents, a txid a line.
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
    #[serde(flatten)]
    whose: Whose,
    #[serde(flatten)]
    finding: &'a Finding,
    /// What would show that it is wrong.
    defeat: &'static str,
}

/// Of what it is.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Whose {
    Txid(String),
    Address(String),
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    services::check(&args.only, &args.tags)?;
    let mut options = Options::default();
    if !args.only.is_empty() {
        options.kinds = args.only.iter().copied().collect();
    }
    options.coinjoin = args.lists.rules()?;
    options.anchors = mixes::txids(args.anchors.as_deref())?;
    let chain = input::load(&args.input.input, &args.input.forms, args.input.network)?;
    let tags = services::known(&args.tags, chain.network())?;
    let view = args.as_of.map_or(chain.view(), |height| chain.as_of(BlockHeight::from_u32(height)));
    mixes::tell_missing(view, &options.coinjoin);
    let mut found = detect::scan(view, &options);
    if options.kinds.contains(&Kind::Peel) {
        let tagged = |output: Output<'_>| tags.holding(output).next().is_some();
        let services = |output: Output<'_>| tags.holding(output).any(Tag::names_service);
        let known = Known::default().tagged(&tagged).services(&services);
        found.extend(Peels::of(view, &args.peels_by.rule()?, &Terms::default(), known).findings());
    }
    if options.kinds.contains(&Kind::CustodialMixer) {
        found.extend(chips::scan(view));
        found.extend(custodial_mixer::scan(view));
    }
    // Stable: what a detector says first stands first.
    found.sort_by_key(|(index, finding)| (*index, finding.kind));
    let of_addresses = services::find(view, &tags, &options.kinds);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (index, finding) in &found {
        line(Whose::Txid(view.tx(*index).txid().to_string()), finding, args.json, &mut out)?;
    }
    for (index, finding) in &of_addresses {
        line(Whose::Address(view.address(*index).to_string()), finding, args.json, &mut out)?;
    }
    summary(view, found.len() + of_addresses.len(), args.json, &mut out)?;
    Ok(out.flush()?)
}

/// A JSON object, or `txid kind verdict 95.0000 % rule name=value ...`
fn line(whose: Whose, finding: &Finding, json: bool, out: &mut impl Write) -> Result<(), Error> {
    if json {
        serde_json::to_writer(&mut *out, &Line { whose, finding, defeat: finding.kind.defeat() })
            .map_err(IoError::from)?;
        return Ok(writeln!(out)?);
    }
    let (Whose::Txid(whose) | Whose::Address(whose)) = whose;
    let (ppm, verdict) = (finding.confidence.to_ppm(), finding.verdict.as_str());
    write!(out, "{whose} {} {verdict} {}.{:04} % {}", finding.kind, ppm / 10_000, ppm % 10_000, finding.rule)?;
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
