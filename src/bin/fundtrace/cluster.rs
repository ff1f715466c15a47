//! `fundtrace cluster` and `fundtrace explain`: which addresses appear to have one owner, and why.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use fundtrace::bitcoin::address::NetworkUnchecked;
use fundtrace::bitcoin::{Address, Network};
use fundtrace::change;
use fundtrace::cluster::{self, Clusters, Derivation, Guard, Link, Proofs, same_key, spending};
use fundtrace::{AddressIndex, BlockHeight, Chain, Error, View, spec};
use serde_json::{Value, json};

use crate::ballot::Ballots;
use crate::input::{self, FormArgs, InputArgs};
use crate::joined;
use crate::members;
use crate::store::Bytes;

/// By what addresses are joined.
#[derive(ClapArgs, Debug)]
struct RuleArgs {
    /// The rules, separated by commas: spending (addresses that a transaction spends together), same_key (the legacy, witness and nested
    /// addresses of one key, and a witness program with its nested form), votes (change that eight rules agree on, merged as far as nothing speaks
    /// against it; add it to spending for more addresses at little loss), votes_in_hindsight (the same with 26 rules, some of which look at later
    /// transactions), and rules that name the change of a payment, which is joined with its first input whatever speaks against it: fresh,
    /// address_reuse and others; an unknown name lists them all.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = spending::NAME, value_parser = rule)]
    rules: Vec<Rule>,
    /// What spending and change rules do with CoinJoins: skip leaves them out (protocols with a mark of their own, and whatever else repeats amounts: three
    /// equal outputs or more, paid by three addresses or more, and a third of all outputs equal to another), keep takes them for any other.
    #[arg(long, value_name = "skip|keep", default_value = "skip")]
    coinjoin: Choice,
    /// What they do with transactions that spend a coin without need, as payjoins do, and many others.
    #[arg(long, value_name = "skip|keep", default_value = "keep")]
    payjoin: Choice,
    /// Look at the chain as of the end of the block at this height.
    #[arg(long, value_name = "HEIGHT")]
    as_of: Option<u32>,
}

/// In this order they are shown, and change rules in their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rule {
    Spending,
    SameKey,
    Votes,
    VotesInHindsight,
    Change(change::Rule),
}

impl Rule {
    /// Every rule but the change rule that names nothing.
    fn all() -> impl Iterator<Item = Self> {
        let change = change::Rule::ALL.into_iter().filter(|rule| *rule != change::Rule::Nothing);
        [Self::Spending, Self::SameKey, Self::Votes, Self::VotesInHindsight].into_iter().chain(change.map(Self::Change))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spending => spending::NAME,
            Self::SameKey => same_key::NAME,
            Self::Votes => "votes",
            Self::VotesInHindsight => "votes_in_hindsight",
            Self::Change(rule) => rule.as_str(),
        }
    }
}

pub(crate) fn rule(name: &str) -> Result<Rule, String> {
    Rule::all().find(|rule| rule.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Rule::all().map(Rule::name).collect();
        format!("unknown rule {name:?}; known are {}", known.join(", "))
    })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Choice {
    Skip,
    Keep,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Keep => "keep",
        }
    }

    /// The one place where is decided what of CoinJoins is left out.
    pub(crate) fn guard(self) -> Guard {
        match self {
            Self::Keep => Guard::none(),
            Self::Skip => Guard::default(),
        }
    }
}

/// The clusters of a view, and the rules that they were formed under, for `trace --owners`.
pub(crate) fn owners(view: View<'_>, rules: &[Rule], guard: Guard) -> Result<(Clusters, Vec<cluster::Rule>), Error> {
    let (clusters, rules, _) = joined::clusters(view, &each_once(rules), guard)?;
    Ok((clusters, rules))
}

/// The rules, each once and in one order.
fn each_once(rules: &[Rule]) -> Vec<Rule> {
    Rule::all().filter(|rule| rules.contains(rule)).collect()
}

/// What is left out of the evidence.
pub(crate) fn guard(coinjoin: Choice, payjoin: Choice) -> Guard {
    coinjoin.guard().unnecessary(payjoin == Choice::Skip)
}

impl RuleArgs {
    fn rules(&self) -> Vec<Rule> {
        each_once(&self.rules)
    }

    fn names(&self) -> Vec<&'static str> {
        self.rules().into_iter().map(Rule::name).collect()
    }

    fn guard(&self) -> Guard {
        guard(self.coinjoin, self.payjoin)
    }

    fn view<'c>(&self, chain: &'c Chain<Bytes>) -> View<'c> {
        let Some(height) = self.as_of.map(BlockHeight::from_u32) else { return chain.view() };
        if let Some(tip) = chain.view().tip().filter(|tip| *tip < height) {
            eprintln!("fundtrace: the input ends at height {tip}, below the {height} of --as-of");
        }
        chain.as_of(height)
    }
}

fn invalid(what: impl Into<String>) -> Error {
    IoError::new(ErrorKind::InvalidInput, what.into()).into()
}

/// Group addresses that appear to have one owner.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Write every address with its cluster to this file, as CSV or Parquet by its ending. A cluster is named by its first address in chain order.
    #[arg(long, value_name = "FILE.csv|FILE.parquet", value_parser = members_file)]
    members: Option<PathBuf>,
}

fn members_file(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "parquet") => Ok(path),
        _ => Err("the format is told by the ending, and members are written as .csv or .parquet".into()),
    }
}

/// How many of the largest clusters are shown.
const LARGEST: usize = 10;

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let chain = input::load(&args.input.input, &args.input.forms, args.input.network)?;
    let view = args.rules.view(&chain);
    let (clusters, rules, left_out) = joined::clusters(view, &args.rules.rules(), args.rules.guard())?;
    if let Some(path) = &args.members {
        members::write(view, &clusters, path)?;
    }
    let largest: Vec<usize> = clusters.largest(LARGEST).into_iter().map(|cluster| clusters.size(cluster)).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let shown = json!({
            "fundtrace": env!("CARGO_PKG_VERSION"),
            "input": joined::input_json(view),
            "addresses": clusters.addresses(),
            "clusters": clusters.len(),
            "largest": largest,
            "rules": args.rules.names(),
            "coinjoin": args.rules.coinjoin.name(),
            "payjoin": args.rules.payjoin.name(),
            "as_of": args.rules.as_of,
            "rules_used": rules,
            "left_out": left_out.json(view),
        });
        serde_json::to_writer(&mut out, &shown).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        let sizes: Vec<String> = largest.iter().map(usize::to_string).collect();
        writeln!(out, "{:10} {}", "addresses", clusters.addresses())?;
        writeln!(out, "{:10} {}", "clusters", clusters.len())?;
        writeln!(out, "{:10} {}", "largest", sizes.join(" "))?;
        writeln!(out, "{:10} {} ({})", "rules", args.rules.names().join(", "), args.rules.guard())?;
        for line in left_out.lines() {
            writeln!(out, "{:10} {line}", "left out")?;
        }
        joined::input_lines(view, &mut out)?;
    }
    Ok(out.flush()?)
}

/// Say why two addresses are in one cluster: the shortest chain of transactions that join them, and what becomes of the two without each.
#[derive(ClapArgs, Debug)]
pub(crate) struct ExplainArgs {
    /// A store, or any source that `trace` reads.
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// The two addresses.
    #[arg(value_name = "ADDRESS", num_args = 2)]
    addresses: Vec<Address<NetworkUnchecked>>,
    /// The network; a store knows its own.
    #[arg(long, value_name = "NAME", value_parser = spec::network)]
    network: Option<Network>,
    #[command(flatten)]
    rules: RuleArgs,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    forms: FormArgs,
}

pub(crate) fn explain(args: &ExplainArgs) -> Result<(), Error> {
    let [from, to] = &args.addresses[..] else { return Err(invalid("name two addresses")) };
    let chain = input::load(std::slice::from_ref(&args.input), &args.forms, args.network)?;
    let view = args.rules.view(&chain);
    let pair = [find(view, from)?, find(view, to)?];
    let (evidence, left_out) = joined::evidence(view, &args.rules.rules(), args.rules.guard())?;
    let proofs = Proofs::of(evidence);
    let derivation = proofs.explain(pair[0], pair[1]);
    let apart = match derivation {
        None => Some(left_out.between(view, proofs.clusters(), args.rules.guard(), pair)),
        Some(_) => None,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let [a, b] = pair.map(|address| view.address(address));
    if args.json {
        let shown = json!({
            "fundtrace": env!("CARGO_PKG_VERSION"),
            "input": joined::input_json(view),
            "as_of": args.rules.as_of,
            "from": a.to_string(),
            "to": b.to_string(),
            "same_cluster": derivation.is_some(),
            "addresses_of_cluster": size(proofs.clusters(), pair[0]),
            "rules": proofs.evidence().rules(),
            "steps": derivation.map(|derivation| steps(view, &derivation)),
            "apart": apart.map(|apart| apart.json(view)),
        });
        serde_json::to_writer(&mut out, &shown).map_err(IoError::from)?;
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    let [ours, theirs] = pair.map(|at| size(proofs.clusters(), at));
    match derivation {
        Some(derivation) if derivation.steps.is_empty() => writeln!(out, "{a} is named twice")?,
        Some(derivation) => {
            let count = derivation.steps.len();
            let steps = if count == 1 { "step" } else { "steps" };
            write!(out, "{a} and {b} appear to be in one cluster of {ours} addresses (an inference), ")?;
            writeln!(out, "joined in {count} {steps}:")?;
            lines(view, &derivation, &mut out)?;
            writeln!(out, "`fundtrace tx` shows what a transaction spends and pays.")?;
        }
        None => {
            let (rules, guard) = (args.rules.names().join(", "), args.rules.guard());
            writeln!(out, "{a} and {b} are not joined by {rules} ({guard}).")?;
            writeln!(out, "They are in clusters of {ours} and {theirs} addresses.")?;
            for line in apart.iter().flat_map(|apart| apart.lines(view)) {
                writeln!(out, "{line}")?;
            }
        }
    }
    joined::input_lines(view, &mut out)?;
    Ok(out.flush()?)
}

/// An address that the view shows.
fn find(view: View<'_>, address: &Address<NetworkUnchecked>) -> Result<AddressIndex, Error> {
    let name = address.clone().assume_checked();
    let address = address
        .clone()
        .require_network(view.network())
        .map_err(|_| invalid(format!("{name} is an address of another network than {}", view.network())))?;
    let known = view.address_index(&address.script_pubkey());
    let seen = known.filter(|at| !view.outputs_of(*at).is_empty());
    let what = match (view.height(), known) {
        (Some(height), Some(_)) => format!("address {name} is not seen by height {height}"),
        _ => format!("address {name} is not in the input"),
    };
    seen.ok_or_else(|| IoError::new(ErrorKind::NotFound, what).into())
}

fn steps(view: View<'_>, derivation: &Derivation) -> Vec<Value> {
    let ballots = Ballots::of(view, derivation);
    let each = derivation.steps.iter().map(|step| {
        let tx = view.tx(step.tx);
        json!({
            "txid": tx.txid().to_string(),
            "height": tx.height(),
            "rule": step.rule.name,
            "version": step.rule.version,
            "parameters": step.rule.parameters,
            "from": view.address(step.from).to_string(),
            "to": view.address(step.to).to_string(),
            "only_link": match step.link {
                Link::Only => Some(true),
                Link::Several => Some(false),
                _ => None,
            },
            "link": step.link.as_str(),
            "ballot": ballots.count(view, step).map(|ballot| ballot.json(view)),
        })
    });
    each.collect()
}

/// How many addresses the cluster of an address has.
fn size(clusters: &Clusters, address: AddressIndex) -> usize {
    clusters.of(address).map_or(1, |cluster| clusters.size(cluster))
}

fn lines(view: View<'_>, derivation: &Derivation, out: &mut impl Write) -> std::io::Result<()> {
    let ballots = Ballots::of(view, derivation);
    for (number, step) in (1..).zip(&derivation.steps) {
        let tx = view.tx(step.tx);
        let height = tx.height().map_or_else(|| "unknown height".into(), |height| format!("height {height}"));
        let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
        writeln!(out, "{number}. transaction {} ({height}, inputs {inputs}, outputs {outputs})", tx.txid())?;
        writeln!(out, "   joins   {}", view.address(step.from))?;
        writeln!(out, "   and     {}", view.address(step.to))?;
        writeln!(out, "   by rule {}", step.rule)?;
        for line in ballots.count(view, step).iter().flat_map(|ballot| ballot.lines(view)) {
            writeln!(out, "   {line}")?;
        }
        writeln!(out, "   {}", sentence(step.link))?;
    }
    Ok(())
}

/// What becomes of the two addresses asked about without a transaction.
fn sentence(link: Link) -> &'static str {
    match link {
        Link::Only => "the only link: without it the two addresses asked about are not in one cluster",
        Link::Several => {
            "not the only link: other evidence joins the two addresses asked about as well, with or without this transaction"
        }
        Link::SeveralMade => {
            "other inferences join the two addresses asked about as well, but rules judged them in the light of others; without this \
             transaction they might say otherwise"
        }
        Link::Identity => {
            "rests on no transaction: the addresses themselves show it; the transaction is the one by which both are known"
        }
        _ => {
            "the only inference among those made: without this transaction the rules might say otherwise, of these two addresses too"
        }
    }
}
