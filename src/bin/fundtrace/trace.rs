//! `fundtrace trace`: follows stolen coins forward.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args as ClapArgs, ValueEnum};
use fundtrace::bitcoin::address::NetworkUnchecked;
use fundtrace::bitcoin::{Address, Network, OutPoint};
use fundtrace::chain::{Output, Tx};
use fundtrace::cluster::Guard;
use fundtrace::detect::{Confidence, Verdict};
use fundtrace::report::{self, Classification, Report};
use fundtrace::service::deposit::{self, Deposits};
use fundtrace::service::peel::{self, Peels, Terms};
use fundtrace::spec::{self, Case, ResolvedSeed, Rule, SeedSpec, TagEntry};
use fundtrace::tag::{Tag, Tags};
use fundtrace::trace::stop::{self, Stop};
use fundtrace::trace::{
    self, BoundLimits, CoinbaseOrder, Fees, LeadOrder, Mode, Owners, PathLimits, Place, Seed, Through,
};
use fundtrace::{AddressIndex, BlockHeight, Error, OutputIndex, View};

use crate::input::{self, InputArgs};
use crate::mixes::{self, ListArgs};
use crate::peels::{self, PeelsBy};
use crate::progress::Counter;
use crate::tags::{self, Known, TagArgs};
use crate::{cluster, jobs, origins, store, watch};

/// Follow stolen coins from seeds to where they end, under one taint rule or several side by side.
///
/// A case file may hold all of this but owners; what the command line gives as well takes the place of what the case file says. Only tags
/// add up.
#[derive(ClapArgs, Debug)]
#[command(group = ArgGroup::new("what").args(["seed", "seeds", "case", "jobs"]).required(true).multiple(true))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// What is stolen: TXID:VOUT, TXID (all its outputs), ADDRESS@FROM-TO (what it received at these heights), or with --owners cluster:ADDRESS or
    /// cluster:ADDRESS@FROM-TO (what its cluster received from others), with =LABEL or without. Seeds of one label are one source.
    #[arg(long, value_name = "SEED[=LABEL]", value_parser = str::parse::<SeedSpec>)]
    seed: Vec<SeedSpec>,
    /// A file of seeds, one a line, each as for --seed; empty lines and those that begin with # are skipped.
    #[arg(long, value_name = "FILE")]
    seeds: Option<PathBuf>,
    /// The taint rules, separated by commas, or `all` (which is the default): poison, haircut, fifo, lifo, seniority, juniority, tiho.
    #[arg(long, value_name = "NAME,...|all", value_parser = policies)]
    pub(crate) policy: Option<Policies>,
    /// A case file (TOML) with inputs, seeds, policies and limits.
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// Stop at this address, whatever --stop-at says, and say that LABEL stands behind it; may be given more than once, and beside the case
    /// file's tags. Its tag has the concept `command_line`.
    #[arg(long, value_name = "ADDRESS=LABEL", value_parser = tag)]
    pub(crate) tag: Vec<TagEntry>,
    #[command(flatten)]
    pub(crate) tags: TagArgs,
    /// Write what the run infers of the addresses where it ends into this file, as a TagPack that GraphSense and --tags read.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jobs", "resume"])]
    pub(crate) write_tags: Option<PathBuf>,
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
    /// What happens at a mix: stop there, flag what lies behind, spread over its outputs, or weigh by its matrix of links. Mixes are not looked
    /// for when not given.
    #[arg(long, value_name = "stop|flag|spread|links", value_parser = str::parse::<Mode>)]
    through: Option<Mode>,
    /// How sure a rule must be before a transaction is called a mix (60 when not given).
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    mix_confidence: Option<u32>,
    #[command(flatten)]
    pub(crate) lists: ListArgs,
    /// The form of the result.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
    /// Show the evidence paths to this output; may be given more than once (table and json).
    #[arg(long, value_name = "TXID:VOUT")]
    pub(crate) explain: Vec<OutPoint>,
    /// Show for each tagged service, and for each output of --explain, the least and the most that any rule can assign to it (table and json). Limits
    /// (--max-hops, --min-sat, --max-transactions) do not apply to this part.
    #[arg(long)]
    pub(crate) bounds: bool,
    /// Show the best routes to this output, on what taint touches: fewest hops, widest, least mixed, earliest; may be given more than once
    /// (table and json).
    #[arg(long, value_name = "TXID:VOUT")]
    pub(crate) paths_to: Vec<OutPoint>,
    /// Show each peel chain on the way as one step with its peels (table and json). RULE says which output goes on: `ratio` (at least 0.8 of what is
    /// paid out), or a change rule; of several, all must agree.
    #[arg(long, value_name = "RULE,...", num_args = 0..=1, default_missing_value = "ratio", value_parser = peels::by)]
    pub(crate) peels: Option<PeelsBy>,
    /// In which order leads to services stand: `rank` (who can act there, then a thousandth of the loot or more, mixes before it, how well it is
    /// known who is there, value) or `value` alone (table and json).
    #[arg(long, value_name = "rank|value", default_value = "rank", value_parser = str::parse::<LeadOrder>)]
    leads_by: LeadOrder,
    /// Show how much of each source reached which category of tagged service, directly (1 hop) or within 2-3, 4-10 or more hops, and what became of the
    /// rest (table and json; backward: from which category it came).
    #[arg(long, conflicts_with_all = ["resume", "jobs"])]
    pub(crate) exposure: bool,
    /// Go on from where this file says, write down there where the run has come to, and show what is new since. Begins anew where the file
    /// is not there yet. One rule, one store.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["explain", "bounds", "paths_to", "peels", "jobs"])]
    pub(crate) resume: Option<PathBuf>,
    /// Run every case file (*.toml) of a folder and show one summary; where INPUT is given it takes the place of the cases' own.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seed", "seeds", "case", "explain", "bounds", "paths_to", "peels", "max_paths"])]
    jobs: Option<PathBuf>,
    /// Forward: where the coins of the seeds went. Backward: where they came from (table and json; one rule after the other, each with its own balance).
    #[arg(long, value_enum, default_value = "forward")]
    pub(crate) direction: Direction,
    /// Show who appears to own each output: its cluster under these rules, as for `cluster --rules` (spending, same_key, change rules), named by the
    /// cluster's first address. An owner is an inference, and the report names the rules.
    #[arg(long, value_name = "RULE,...", value_delimiter = ',', value_parser = cluster::rule, conflicts_with_all = ["resume", "jobs"])]
    pub(crate) owners: Vec<cluster::Rule>,
    /// With --owners: whether CoinJoins and what else repeats amounts join addresses (keep) or not (skip), as for `cluster`.
    #[arg(long, value_name = "skip|keep", default_value = "skip", requires = "owners")]
    pub(crate) coinjoin: cluster::Choice,
    /// With --owners: whether transactions that spend a coin without need, as payjoins do, join addresses (keep) or not (skip), as for `cluster`.
    #[arg(long, value_name = "skip|keep", default_value = "keep", requires = "owners")]
    pub(crate) payjoin: cluster::Choice,
    /// With --owners: count moves between owners only. A transfer whose inputs all are of the output's cluster is no hop, neither for --max-hops nor in
    /// what is shown; amounts stay what they are.
    #[arg(long, requires = "owners")]
    pub(crate) entities: bool,
    /// With --owners: let a tag that says it stands for a cluster hold for every address of its cluster, so that a trace stops there too. Such a
    /// tag says that it is inferred, under which rules and from which address.
    #[arg(long, requires = "owners")]
    spread_tags: bool,
    /// Stop at probable deposit addresses of the tagged services too (of the categories of --stop-at, where it is given), where the rule deposit/2 is
    /// at least so sure, in per cent; leads there say why. Addresses that are spent together count as one service's, CoinJoins left out.
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "80", value_parser = clap::value_parser!(u32).range(0..=100))]
    #[arg(conflicts_with_all = ["resume", "jobs"])]
    deposits: Option<u32>,
    /// How many evidence paths to show to an output, under each rule.
    #[arg(long, value_name = "N", default_value_t = PathLimits::default().paths_max)]
    max_paths: usize,
}

/// The rules of one `--policy`.
#[derive(Clone, Debug)]
pub(crate) struct Policies(pub(crate) Vec<Rule>);

fn policies(text: &str) -> Result<Policies, Error> {
    Rule::list(text.split(',')).map(Policies)
}

/// The kind of what `--tag` names: whoever names an address there means to stop at it, whatever other kinds `--stop-at` asks for.
const COMMAND_LINE: &str = "command_line";

/// Of which network the address is shows only once the network is known.
fn tag(text: &str) -> Result<TagEntry, String> {
    let (address, label) = text.split_once('=').ok_or("the label is missing; write ADDRESS=LABEL")?;
    if label.is_empty() {
        return Err("the label is empty; write ADDRESS=LABEL".into());
    }
    address.parse::<Address<NetworkUnchecked>>().map_err(|_| format!("{address:?} is not an address"))?;
    Ok(TagEntry::new(address, label).source("command line").concept(COMMAND_LINE))
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Forward,
    Backward,
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
pub(crate) enum Format {
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
    if let Some(folder) = &args.jobs {
        return jobs::run(folder, args);
    }
    if args.direction == Direction::Backward {
        origins::check(args)?;
    }
    shown(args)?;
    let case = match &args.case {
        Some(path) => read_case(path).map_err(|error| error.within(path.display()))?,
        None => Case::default(),
    };
    let case = overridden(case, args);
    let through = through(&case, args)?;
    let in_case = |error: Error| match &args.case {
        Some(path) => error.within(path.display()),
        None => error,
    };
    let rules = args.policy.as_ref().map_or_else(|| case.rules().map_err(in_case), |named| Ok(named.0.clone()))?;
    let listed = args.seeds.as_deref().map_or(Ok(Vec::new()), read_seeds)?;
    let by_case = args.seed.is_empty() && listed.is_empty();
    let specs = if by_case { case.seeds().map_err(in_case)? } else { [args.seed.clone(), listed].concat() };
    let named = if case.network.is_some() { Some(case.network().map_err(in_case)?) } else { None };
    let mut forms = args.input.forms;
    forms.from = forms.from.or(case.from);
    if forms.complete.is_none() {
        forms.complete = case.complete().map_err(in_case)?;
    }
    let inputs = inputs(&case, &args.input.input, args.case.as_deref());
    let named = args.input.network.or(named);
    // A store knows its network; anything else has the one that was named, and a bad tag is better told before reading.
    if !matches!(inputs.as_deref(), Ok([path]) if store::is_here(path)) {
        case.tags(named.unwrap_or(Network::Bitcoin)).map_err(in_case)?;
    }
    let chain = input::load(&inputs?, &forms, named)?;
    let network = chain.network();
    let known = known_tags(args, &case, args.case.as_deref(), network)?;
    let view = case.height().map_or(chain.view(), |height: BlockHeight| chain.as_of(height));
    if let Some(through) = &through {
        mixes::tell_missing(view, through.mixes.rules());
    }
    let guard = cluster::guard(args.coinjoin, args.payjoin);
    let (clusters, named) = match args.owners[..] {
        [] => (None, Vec::new()),
        _ => cluster::owners(view, &args.owners, guard).map(|(clusters, named)| (Some(clusters), named))?,
    };
    let over = |clusters| tags::over_clusters(view, clusters, &known.tags, &named);
    let spread = clusters.as_ref().filter(|_| args.spread_tags).map(over);
    let tags = spread.as_ref().unwrap_or(&known.tags);
    tags::tell_categories(tags, &case.stop_at);
    let given = match &clusters {
        Some(clusters) => spec::resolve_with(view, &specs, clusters),
        None => spec::resolve(view, &specs),
    };
    let given = given.map_err(|error| if by_case { in_case(error) } else { error })?;
    let explain = find_outputs("--explain", view, &args.explain)?;
    let routes_to = find_outputs("--paths-to", view, &args.paths_to)?;
    let seeds: Vec<Seed> = given.iter().flat_map(ResolvedSeed::seeds).collect();
    let deposits =
        args.deposits.map(|percent| (deposits(view, tags, &case.stop_at), Confidence::from_percent(percent)));
    let (mut stop, options) = (case.stop(tags), case.options());
    if let Some((found, sure)) = &deposits {
        stop = Box::new(stop.or(stop::classified(view, found, *sure)));
    }
    if through.is_none() && case.mix_confidence.is_some() {
        return Err(invalid("--mix-confidence (mix_confidence in a case file) goes with --through"));
    }
    if (through.is_some() || deposits.is_some()) && args.direction == Direction::Backward {
        return Err(invalid("--through and --deposits go forward only"));
    }
    if through.is_some() && args.entities {
        return Err(invalid(
            "--through and --entities do not go together: a mix is crossed along outputs, not between owners",
        ));
    }
    if args.resume.is_some() {
        stop = stopped_at_mixes(stop, through.as_ref(), "--resume")?;
    }
    if args.direction == Direction::Backward {
        let exposure = args.exposure.then_some(tags);
        return origins::run(view, &given, &rules, &*stop, &options, args.format, exposure);
    }
    if let Some(file) = &args.resume {
        return watch::run(file, view, &seeds, &rules, &*stop, &options, args.format);
    }
    let counter = Counter::new();
    let stop = counter.over(&*stop);
    let mut bounds = Vec::new();
    if args.bounds {
        // A limit cuts each rule elsewhere, so the bounds are of runs that end where a place ends them: at tags, deposits, mixes.
        let mut ends: Box<dyn Stop + '_> = Box::new(stop::tagged(tags).only(&case.stop_at));
        if let Some((found, sure)) = &deposits {
            ends = Box::new(ends.or(stop::classified(view, found, *sure)));
        }
        if let Some(through) = through.as_ref().filter(|through| through.mode == Mode::Stop) {
            ends = Box::new(ends.or(through.mixes.stop()));
        }
        let poison = Rule::Poison.forward(view, &seeds, &counter.over(&*ends), &options);
        let one = |output: &OutputIndex| Place::new(view.output(*output).outpoint().to_string(), [*output]);
        let places: Vec<Place> = poison.services().into_iter().chain(explain.iter().map(one)).collect();
        if places.is_empty() {
            return Err(invalid("--bounds: no tagged service was reached, and no output is named with --explain"));
        }
        bounds = trace::bounds(&poison, &places, BoundLimits::default())?;
    }
    let skips = |tx: Tx<'_>| guard.skips(tx);
    let owners = clusters.as_ref().map(|clusters| Owners::new(clusters, named).guard(&skips));
    let traces = match (&owners, &through) {
        (_, Some(through)) => spec::run_through(view, &seeds, &rules, &stop, through, &options),
        (Some(owners), None) if args.entities => spec::run_between(view, &seeds, &rules, &stop, &options, owners),
        _ => spec::run(view, &seeds, &rules, &stop, &options),
    };
    drop(counter);
    let limits = PathLimits::default().paths(args.max_paths);
    let mut report = Report::new(&traces)?
        .seeds(&given)
        .explain(&explain)
        .paths(limits)
        .tags(tags, &known.listings)
        .order(args.leads_by);
    if let Some(owners) = &owners {
        report = report.owners(owners)?;
    }
    let classified = deposits.as_ref().map(|(found, sure)| classified(view, found, *sure)).unwrap_or_default();
    report = report.classified(&classified);
    if let Some(path) = &args.write_tags {
        if args
            .tags
            .tags
            .iter()
            .any(|file| file.canonicalize().ok().is_some_and(|file| path.canonicalize().ok() == Some(file)))
        {
            return Err(invalid(
                "--write-tags names a file that --tags reads; findings are not written over what they rest on",
            ));
        }
        tags::write(path, &report)?;
    }
    let mut report = report.bounds(&bounds).routes_to(&routes_to);
    if args.exposure {
        report = report.exposure();
    }
    let Some(by) = &args.peels else { return write(&report, args.format) };
    // What ends a chain is what ends a trace: a tag that holds that day, and of the categories asked for.
    let ends = |tag: &Tag| case.stop_at.is_empty() || case.stop_at.iter().any(|category| tag.is_of(category));
    let tagged = |output: Output<'_>| tags.holding(output).any(ends);
    // Whose a chain is, a service's tag says, whether the run stops there or not; a suspect's does not.
    let services = |output: Output<'_>| tags.holding(output).any(Tag::names_service);
    let known = peel::Known::default().tagged(&tagged).services(&services);
    let peels = Peels::of(view, &by.rule()?, &Terms::default(), known);
    write(&report.peels(&peels), args.format)
}

/// Probable deposit addresses of what the tags name, if it is of these categories.
fn deposits(view: View<'_>, tags: &Tags, categories: &[String]) -> Deposits {
    let mut services = Tags::default();
    let wanted = |tag: &&Tag| categories.is_empty() || categories.iter().any(|category| tag.is_of(category));
    for (script, own) in tags.iter() {
        own.iter().filter(wanted).for_each(|tag| services.insert(script.to_owned(), tag.clone()));
    }
    let guard = Guard::default();
    let clusters = fundtrace::cluster::by_spending(view, |tx| guard.skips(tx));
    deposit::find(view, &services, Some(&clusters), &deposit::Terms::default())
}

/// What the rule says of addresses, in words.
fn classified(view: View<'_>, found: &Deposits, sure: Confidence) -> BTreeMap<AddressIndex, Classification> {
    let sure = found.iter().filter(|deposit| deposit.verdict == Verdict::Yes && deposit.confidence >= sure);
    sure.map(|deposit| (deposit.address, Classification::of_deposit(view, found, deposit))).collect()
}

/// The tags of the command line, which are trusted most, of the case, and of the files that either names.
pub(crate) fn known_tags(args: &Args, case: &Case, file: Option<&Path>, network: Network) -> Result<Known, Error> {
    let mut own = Case::default();
    own.tag.clone_from(&args.tag);
    let own = own.tags(network)?;
    let mut known = tags::of_case(case, file, &args.tags.tags, network)?;
    known.tags = own.before(known.tags);
    Ok(known)
}

/// What happens at mixes, and which they are.
pub(crate) fn through(case: &Case, args: &Args) -> Result<Option<Through>, Error> {
    let through = case.through(args.lists.rules()?);
    if through.is_none() && !args.lists.is_empty() {
        return Err(invalid("--allow and --veto go with --through: without it no mix is looked for"));
    }
    Ok(through)
}

/// The stop with that at mixes, for runs that know no other way through one.
pub(crate) fn stopped_at_mixes<'s>(
    stop: Box<dyn Stop + 's>,
    through: Option<&'s Through>,
    what: &str,
) -> Result<Box<dyn Stop + 's>, Error> {
    match through {
        None => Ok(stop),
        Some(through) if through.mode == Mode::Stop => Ok(Box::new(stop.or(through.mixes.stop()))),
        Some(_) => Err(invalid(&format!("{what} goes with --through stop alone"))),
    }
}

/// Refuses to look for what the format cannot show.
fn shown(args: &Args) -> Result<(), Error> {
    let shows = matches!(args.format, Format::Table | Format::Json);
    match (args.bounds, !args.paths_to.is_empty()) {
        (true, _) if !shows => Err(invalid("--bounds goes with the formats table and json")),
        _ if args.exposure && !shows => Err(invalid("--exposure goes with the formats table and json")),
        _ if args.peels.is_some() && !shows => Err(invalid("--peels goes with the formats table and json")),
        (_, true) if !shows => Err(invalid("--paths-to goes with the formats table and json")),
        _ => Ok(()),
    }
}

fn invalid(what: &str) -> Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, what).into()
}

fn write(report: &Report<'_, '_>, format: Format) -> Result<(), Error> {
    let mut to = BufWriter::new(std::io::stdout().lock());
    match format {
        Format::Table => report::table::write(report, &mut to)?,
        Format::Json => report::json::write(report, &mut to)?,
        Format::Dot => report::dot::write(report, &mut to)?,
        Format::Graphml => report::graphml::write(report, &mut to)?,
        Format::Csv => report::csv::ends(report, &mut to)?,
        Format::CsvEdges => report::csv::edges(report, &mut to)?,
    }
    Ok(to.flush()?)
}

pub(crate) fn read_case(path: &Path) -> Result<Case, Error> {
    Case::from_toml(&std::fs::read_to_string(path)?)
}

/// The case with the command line's numbers and conventions in the place of its own.
pub(crate) fn overridden(mut case: Case, args: &Args) -> Case {
    case.max_hops = args.max_hops.or(case.max_hops);
    case.min_sat = args.min_sat.or(case.min_sat);
    case.max_transactions = args.max_transactions.or(case.max_transactions);
    case.as_of = args.as_of.or(case.as_of);
    if !args.tags.stop_at.is_empty() {
        case.stop_at.clone_from(&args.tags.stop_at);
    }
    if !case.stop_at.is_empty() && !args.tag.is_empty() {
        case.stop_at.push(COMMAND_LINE.into());
    }
    case.through = args.through.or(case.through);
    case.mix_confidence = args.mix_confidence.or(case.mix_confidence);
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
pub(crate) fn inputs(case: &Case, given: &[PathBuf], file: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let named = |input: &String| if input == "-" { PathBuf::from(input) } else { folder.join(input) };
    let inputs: Vec<PathBuf> = case.input.iter().map(named).collect();
    if inputs.is_empty() {
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no input: name a file, a directory or -");
        return Err(error.into());
    }
    Ok(inputs)
}

/// The seeds of a file, one a line.
fn read_seeds(path: &Path) -> Result<Vec<SeedSpec>, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::from(error).within(path.display()))?;
    let mut seeds = Vec::new();
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for (line, seed) in (1..).zip(text.lines().map(str::trim)) {
        if !seed.is_empty() && !seed.starts_with('#') {
            let read = seed.parse::<SeedSpec>();
            seeds.push(read.map_err(|error| error.within(format!("{}, line {line}", path.display())))?);
        }
    }
    if seeds.is_empty() {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, "the file names no seed");
        return Err(Error::from(error).within(path.display()));
    }
    Ok(seeds)
}

fn find_outputs(option: &str, view: View<'_>, outpoints: &[OutPoint]) -> Result<Vec<OutputIndex>, Error> {
    let find = |outpoint: &OutPoint| {
        view.output_at(*outpoint).map(|output| output.index()).ok_or_else(|| {
            let what = format!("{option}: output {outpoint} is not in the input");
            Error::from(std::io::Error::new(std::io::ErrorKind::NotFound, what))
        })
    };
    outpoints.iter().map(find).collect()
}
