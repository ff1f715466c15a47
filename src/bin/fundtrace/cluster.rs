//! `fundtrace cluster` and `fundtrace explain`: which addresses appear to have one owner, and why.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use fundtrace::bitcoin::address::NetworkUnchecked;
use fundtrace::bitcoin::{Address, Network};
use fundtrace::chain::Tx;
use fundtrace::change::{self, Context, Fingerprints};
use fundtrace::cluster::{self, Clusters, Constraints, Derivation, Evidence, Guard, Proofs, same_key, spending, voted};
use fundtrace::{AddressIndex, BlockHeight, Chain, Error, View, spec};
use serde_json::{Value, json};

use crate::input::{self, FormArgs, InputArgs};
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

    fn name(self) -> &'static str {
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
pub(crate) fn owners(
    view: View<'_>,
    rules: &[Rule],
    coinjoin: Choice,
) -> Result<(Clusters, Vec<cluster::Rule>), Error> {
    let args = RuleArgs { rules: rules.to_vec(), coinjoin, payjoin: Choice::Keep, as_of: None };
    match args.rules()[..] {
        [Rule::Spending] => {
            let named = cluster::Rule::new(spending::NAME, spending::VERSION).parameters(args.guard().to_string());
            Ok((args.clusters(view)?, vec![named]))
        }
        _ => {
            let evidence = args.evidence(view)?;
            Ok((evidence.clusters(), evidence.rules().to_vec()))
        }
    }
}

impl RuleArgs {
    /// The rules, each once and in one order.
    fn rules(&self) -> Vec<Rule> {
        Rule::all().filter(|rule| self.rules.contains(rule)).collect()
    }

    fn names(&self) -> Vec<&'static str> {
        self.rules().into_iter().map(Rule::name).collect()
    }

    fn guard(&self) -> Guard {
        self.coinjoin.guard().unnecessary(self.payjoin == Choice::Skip)
    }

    fn view<'c>(&self, chain: &'c Chain<Bytes>) -> View<'c> {
        self.as_of.map_or(chain.view(), |height| chain.as_of(BlockHeight::from_u32(height)))
    }

    fn clusters(&self, view: View<'_>) -> Result<Clusters, Error> {
        let guard = self.guard();
        match self.rules()[..] {
            [Rule::Spending] => Ok(cluster::by_spending(view, |tx| guard.skips(tx))),
            _ => Ok(self.evidence(view)?.clusters()),
        }
    }

    fn evidence(&self, view: View<'_>) -> Result<Evidence, Error> {
        let guard = self.guard();
        let (votes, facts): (Vec<Rule>, Vec<Rule>) =
            self.rules().into_iter().partition(|rule| matches!(rule, Rule::Votes | Rule::VotesInHindsight));
        let of = |rule: Rule| match rule {
            Rule::Change(rule) => by_change(view, rule, guard),
            Rule::SameKey => same_key::evidence(view),
            _ => spending::evidence(view, &guard.to_string(), |tx| guard.skips(tx)),
        };
        let facts = facts.into_iter().map(of).reduce(Evidence::and);
        // What is voted on comes last, for it is held against what the others joined.
        let all = votes.into_iter().fold(facts, |all, rule| {
            let named = by_votes(view, rule, guard, all.as_ref());
            Some(if let Some(all) = all { all.and(named) } else { named })
        });
        all.ok_or_else(|| invalid("no rule is given; say --rules spending"))
    }
}

/// What votes name, as far as nothing speaks against it.
fn by_votes(view: View<'_>, rule: Rule, guard: Guard, joined: Option<&Evidence>) -> Evidence {
    let (guesses, threshold) = if rule == Rule::Votes {
        (change::votes(view, &change::voters(3)), 3)
    } else {
        let fingerprints = Fingerprints::of(view);
        (change::votes_in_hindsight(view, &change::voters_in_hindsight(&fingerprints, 5)), 5)
    };
    let told = format!("threshold={threshold}, growth={}, {guard}", voted::GROWTH);
    let named = cluster::Rule::new(rule.name(), 1).parameters(told);
    let limits = Constraints::default().growth(voted::GROWTH, 1_000_000);
    let nothing = Evidence::of_pairs(view, named.clone(), []);
    cluster::by_votes(view, joined.unwrap_or(&nothing), guard, named, &guesses, limits).evidence(view, 0)
}

/// What a change rule names, but in CoinJoins that are left out.
///
/// Rules that ask for clusters get those by spending under the same guard.
fn by_change(view: View<'_>, rule: change::Rule, guard: Guard) -> Evidence {
    let skips = |tx: Tx<'_>| guard.skips(tx);
    let fingerprints = matches!(rule, change::Rule::SameFingerprint).then(|| Fingerprints::of(view));
    let clusters =
        matches!(rule, change::Rule::ClusterMember | change::Rule::TwoHops).then(|| cluster::by_spending(view, skips));
    // The view shows every address that a rule can ask about.
    let cluster =
        |address| clusters.as_ref().and_then(|clusters| clusters.of(address)).map_or(u32::MAX, |of| of.to_u32());
    let is_mix = |tx| skips(view.tx(tx));
    let mut context = Context::default().cluster(&cluster).coinjoin(&is_mix);
    if let Some(fingerprints) = &fingerprints {
        context = context.fingerprints(fingerprints);
    }
    let (version, parameters, picks) = if let Some(rule) = rule.change(&context) {
        (rule.version(), rule.parameters(), change::picks(view, &*rule))
    } else {
        let rule = rule.hindsight(&context).expect("the context has all that rules ask for");
        (rule.version(), rule.parameters(), change::picks_in_hindsight(view, &*rule))
    };
    let told = parameters.into_iter().map(|(name, value)| format!("{name}={value}"));
    let told: Vec<String> = told.chain([guard.to_string()]).collect();
    let named = cluster::Rule::new(rule.as_str(), version).parameters(told.join(", "));
    let picks = picks.into_iter().filter(|(tx, _)| !is_mix(*tx));
    Evidence::of_pairs(view, named, change::links(view, picks))
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
    let clusters = args.rules.clusters(view)?;
    if let Some(path) = &args.members {
        members::write(view, &clusters, path)?;
    }
    let largest: Vec<usize> = clusters.largest(LARGEST).into_iter().map(|cluster| clusters.size(cluster)).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let shown = json!({
            "addresses": clusters.addresses(),
            "clusters": clusters.len(),
            "largest": largest,
            "rules": args.rules.names(),
            "coinjoin": args.rules.coinjoin.name(),
            "payjoin": args.rules.payjoin.name(),
            "as_of": args.rules.as_of,
        });
        serde_json::to_writer(&mut out, &shown).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        let sizes: Vec<String> = largest.iter().map(usize::to_string).collect();
        writeln!(out, "{:10} {}", "addresses", clusters.addresses())?;
        writeln!(out, "{:10} {}", "clusters", clusters.len())?;
        writeln!(out, "{:10} {}", "largest", sizes.join(" "))?;
        writeln!(out, "{:10} {} ({})", "rules", args.rules.names().join(", "), args.rules.guard())?;
    }
    Ok(out.flush()?)
}

/// Say why two addresses are in one cluster: the shortest chain of transactions that join them, and which of those are the only link.
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
    let (a, b) = (find(view, from)?, find(view, to)?);
    let proofs = Proofs::of(args.rules.evidence(view)?);
    let derivation = proofs.explain(a, b);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let [a, b] = [a, b].map(|address| view.address(address));
    if args.json {
        let size = size(proofs.clusters(), find(view, from)?);
        let shown = json!({
            "from": a.to_string(),
            "to": b.to_string(),
            "same_cluster": derivation.is_some(),
            "addresses_of_cluster": size,
            "rules": proofs.evidence().rules(),
            "steps": derivation.map(|derivation| steps(view, &derivation)),
        });
        serde_json::to_writer(&mut out, &shown).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        let [ours, theirs] = [from, to].map(|name| find(view, name).map(|at| size(proofs.clusters(), at)));
        match derivation {
            Some(derivation) if derivation.steps.is_empty() => writeln!(out, "{a} is named twice")?,
            Some(derivation) => {
                let count = derivation.steps.len();
                let steps = if count == 1 { "step" } else { "steps" };
                writeln!(out, "{a} and {b} are in one cluster of {} addresses, joined in {count} {steps}:", ours?)?;
                lines(view, &derivation, &mut out)?;
                writeln!(out, "`fundtrace tx` shows what a transaction spends and pays.")?;
            }
            None => {
                let (rules, guard) = (args.rules.names().join(", "), args.rules.guard());
                writeln!(out, "{a} and {b} are not joined by {rules} ({guard}).")?;
                writeln!(out, "They are in clusters of {} and {} addresses.", ours?, theirs?)?;
            }
        }
    }
    Ok(out.flush()?)
}

/// An address that the view shows.
fn find(view: View<'_>, address: &Address<NetworkUnchecked>) -> Result<AddressIndex, Error> {
    let name = address.clone().assume_checked();
    let address = address
        .clone()
        .require_network(view.network())
        .map_err(|_| invalid(format!("{name} is an address of another network than {}", view.network())))?;
    let found = view.address_index(&address.script_pubkey()).filter(|at| !view.outputs_of(*at).is_empty());
    found.ok_or_else(|| IoError::new(ErrorKind::NotFound, format!("address {name} is not in the input")).into())
}

fn steps(view: View<'_>, derivation: &Derivation) -> Vec<Value> {
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
            "only_link": step.is_only_link,
        })
    });
    each.collect()
}

/// How many addresses the cluster of an address has.
fn size(clusters: &Clusters, address: AddressIndex) -> usize {
    clusters.of(address).map_or(1, |cluster| clusters.size(cluster))
}

fn lines(view: View<'_>, derivation: &Derivation, out: &mut impl Write) -> std::io::Result<()> {
    for (number, step) in (1..).zip(&derivation.steps) {
        let tx = view.tx(step.tx);
        let height = tx.height().map_or_else(|| "unknown height".into(), |height| format!("height {height}"));
        let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
        writeln!(out, "{number}. transaction {} ({height}, inputs {inputs}, outputs {outputs})", tx.txid())?;
        writeln!(out, "   joins   {}", view.address(step.from))?;
        writeln!(out, "   and     {}", view.address(step.to))?;
        writeln!(out, "   by rule {}", step.rule)?;
        let link = if step.is_only_link {
            "the only link: without it the two addresses asked about are not in one cluster"
        } else {
            "not the only link: other transactions join the two addresses asked about as well"
        };
        writeln!(out, "   {link}")?;
    }
    Ok(())
}
