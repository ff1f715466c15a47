//! `fundtrace trace`: follows stolen coins forward.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use fundtrace::bitcoin::OutPoint;
use fundtrace::spec::{self, Case, ResolvedSeed, Rule, SeedSpec};
use fundtrace::trace::{CoinbaseOrder, Fees, Seed, Trace};
use fundtrace::{BlockHeight, Error, OutputIndex, View, report};

use crate::input::{self, InputArgs};

/// Follow stolen coins from seeds to where they end, under one taint rule or several side by side.
///
/// A case file may hold all of this; what the command line gives as well takes the place of what the case file says.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// What is stolen: TXID:VOUT, TXID (all its outputs) or ADDRESS@FROM-TO (what it received at these heights), with =LABEL or without. Seeds
    /// of one label are one source.
    #[arg(long, value_name = "SEED[=LABEL]", value_parser = str::parse::<SeedSpec>, required_unless_present = "case")]
    seed: Vec<SeedSpec>,
    /// The taint rules, separated by commas, or `all` (which is the default): poison, haircut, fifo, lifo, seniority, juniority, tiho.
    #[arg(long, value_name = "NAME,...|all", value_parser = policies)]
    policy: Option<Policies>,
    /// A case file (TOML) with inputs, seeds, policies and limits.
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// Follow no further than so many hops from a seed.
    #[arg(long, value_name = "N")]
    max_hops: Option<u32>,
    /// Do not follow outputs with less taint than this, in satoshis.
    #[arg(long, value_name = "N")]
    min_sat: Option<u64>,
    /// Carry taint through no more than so many transactions.
    #[arg(long, value_name = "N")]
    max_transactions: Option<u64>,
    /// Look at the chain as of the end of the block at this height.
    #[arg(long, value_name = "HEIGHT")]
    as_of: Option<u32>,
    /// What becomes of the taint in fees: booked, or followed into the block's coinbase where the block is there.
    #[arg(long, value_enum)]
    fees: Option<FeesArg>,
    /// In which order subsidy and fees stand in a coinbase's row.
    #[arg(long, value_enum)]
    coinbase_order: Option<OrderArg>,
    /// The form of the result.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Show the evidence paths to this output; may be given more than once (table and json).
    #[arg(long, value_name = "TXID:VOUT")]
    explain: Vec<OutPoint>,
}

/// The rules of one `--policy`.
#[derive(Clone, Debug)]
struct Policies(Vec<Rule>);

fn policies(text: &str) -> Result<Policies, Error> {
    Rule::list(text.split(',')).map(Policies)
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum FeesArg {
    Drop,
    Coinbase,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum OrderArg {
    SubsidyFirst,
    FeesFirst,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Format {
    /// For people.
    Table,
    /// The whole result; a stable interface.
    Json,
    /// The traced graph for Graphviz.
    Dot,
    /// The traced graph for Gephi, yEd and the like.
    Graphml,
    /// The ends.
    Csv,
    /// The edges of the traced graph.
    CsvEdges,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let case = match &args.case {
        Some(path) => read_case(path).map_err(|error| error.within(path.display()))?,
        None => Case::default(),
    };
    let case = overridden(case, args);
    let network = args.input.network.map_or_else(|| case.network(), Ok)?;
    let rules = args.policy.as_ref().map_or_else(|| case.rules(), |policies| Ok(policies.0.clone()))?;
    let specs = if args.seed.is_empty() { case.seeds()? } else { args.seed.clone() };
    let tags = case.tags(network)?;
    let inputs = inputs(&case, args)?;
    let chain = input::read(&inputs, args.input.from.or(case.from), network)?;
    let view = case.height().map_or(chain.view(), |height: BlockHeight| chain.as_of(height));
    let given = spec::resolve(view, &specs)?;
    let explain = explained(view, &args.explain)?;
    let seeds: Vec<Seed> = given.iter().flat_map(ResolvedSeed::seeds).collect();
    let traces = spec::run(view, &seeds, &rules, &*case.stop(&tags), &case.options());
    write(&traces, &given, &explain, args.format)
}

fn write(traces: &[Trace<'_>], given: &[ResolvedSeed], explain: &[OutputIndex], format: Format) -> Result<(), Error> {
    let mut to = BufWriter::new(std::io::stdout().lock());
    match format {
        Format::Table => report::table::write(traces, given, explain, &mut to)?,
        Format::Json => report::json::write(traces, given, explain, &mut to)?,
        Format::Dot => report::dot::write(traces, given, &mut to)?,
        Format::Graphml => report::graphml::write(traces, given, &mut to)?,
        Format::Csv => report::csv::ends(traces, given, &mut to)?,
        Format::CsvEdges => report::csv::edges(traces, given, &mut to)?,
    }
    Ok(to.flush()?)
}

fn read_case(path: &Path) -> Result<Case, Error> {
    Case::from_toml(&std::fs::read_to_string(path)?)
}

/// The case with the command line's numbers and conventions in the place of its own.
fn overridden(mut case: Case, args: &Args) -> Case {
    case.max_hops = args.max_hops.or(case.max_hops);
    case.min_sat = args.min_sat.or(case.min_sat);
    case.max_transactions = args.max_transactions.or(case.max_transactions);
    case.as_of = args.as_of.or(case.as_of);
    if let Some(fees) = args.fees {
        case.fees = match fees {
            FeesArg::Drop => Fees::Drop,
            FeesArg::Coinbase => Fees::Coinbase,
        };
    }
    if let Some(order) = args.coinbase_order {
        case.coinbase_order = match order {
            OrderArg::SubsidyFirst => CoinbaseOrder::SubsidyFirst,
            OrderArg::FeesFirst => CoinbaseOrder::FeesFirst,
        };
    }
    case
}

/// The command line's inputs, or the case file's, which are relative to it.
fn inputs(case: &Case, args: &Args) -> Result<Vec<PathBuf>, Error> {
    if !args.input.input.is_empty() {
        return Ok(args.input.input.clone());
    }
    let folder = args.case.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let inputs: Vec<PathBuf> = case.input.iter().map(|input| folder.join(input)).collect();
    if inputs.is_empty() {
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no input: name a file, a directory or -");
        return Err(error.into());
    }
    Ok(inputs)
}

fn explained(view: View<'_>, outpoints: &[OutPoint]) -> Result<Vec<OutputIndex>, Error> {
    let find = |outpoint: &OutPoint| {
        view.output_at(*outpoint).map(|output| output.index()).ok_or_else(|| {
            let what = format!("--explain: output {outpoint} is not in the input");
            Error::from(std::io::Error::new(std::io::ErrorKind::NotFound, what))
        })
    };
    outpoints.iter().map(find).collect()
}
