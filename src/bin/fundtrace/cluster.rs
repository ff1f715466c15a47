//! `fundtrace cluster` and `fundtrace explain`: which addresses appear to have one owner, and why.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use fundtrace::bitcoin::address::NetworkUnchecked;
use fundtrace::bitcoin::{Address, Network};
use fundtrace::chain::Tx;
use fundtrace::change::{self, Context, Fingerprints};
use fundtrace::cluster::{self, Clusters, Derivation, Evidence, Proofs, same_key, spending};
use fundtrace::detect::{Confidence, coinjoin};
use fundtrace::{AddressIndex, BlockHeight, Chain, Error, View, spec};
use serde_json::{Value, json};

use crate::input::{self, FormArgs, InputArgs};
use crate::members;
use crate::store::Bytes;

/// By what addresses are joined.
#[derive(ClapArgs, Debug)]
struct RuleArgs {
    /// The rules, separated by commas: spending (addresses that a transaction spends together), same_key (the legacy, witness and nested
    /// addresses of one key, and a witness program with its nested form), and rules that name the change of a payment, which is joined with its
    /// first input: fresh, address_reuse and others; an unknown name lists them all.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = spending::NAME, value_parser = rule)]
    rules: Vec<Rule>,
    /// What spending and change rules do with CoinJoins of a protocol with a mark of its own: skip leaves them out, keep takes them for any other.
    #[arg(long, value_name = "skip|keep", default_value = "skip")]
    coinjoin: Coinjoin,
    /// Look at the chain as of the end of the block at this height.
    #[arg(long, value_name = "HEIGHT")]
    as_of: Option<u32>,
}

/// In this order they are shown, and change rules in their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rule {
    Spending,
    SameKey,
    Change(change::Rule),
}

impl Rule {
    /// Every rule but the change rule that names nothing.
    fn all() -> impl Iterator<Item = Self> {
        let change = change::Rule::ALL.into_iter().filter(|rule| *rule != change::Rule::Nothing);
        [Self::Spending, Self::SameKey].into_iter().chain(change.map(Self::Change))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Spending => spending::NAME,
            Self::SameKey => same_key::NAME,
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
pub(crate) enum Coinjoin {
    Skip,
    Keep,
}

impl Coinjoin {
    fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Keep => "keep",
        }
    }

    /// How sure a detector must be before a transaction is left out: the protocols with a mark of their own are, equal outputs alone are not.
    const PERCENT: u32 = 60;

    /// The one place where the guard is decided.
    pub(crate) fn guard(self) -> fn(Tx<'_>) -> bool {
        match self {
            Self::Keep => |_| false,
            Self::Skip => |tx| coinjoin::is_mix(tx, Confidence::from_percent(Self::PERCENT)),
        }
    }

    /// What evidence says of the guard.
    fn told(self) -> String {
        match self {
            Self::Keep => "coinjoin=keep".into(),
            Self::Skip => format!("coinjoin=skip, from {} %", Self::PERCENT),
        }
    }
}

/// The clusters of a view, and the rules that they were formed under, for `trace --owners`.
pub(crate) fn owners(
    view: View<'_>,
    rules: &[Rule],
    coinjoin: Coinjoin,
) -> Result<(Clusters, Vec<cluster::Rule>), Error> {
    let args = RuleArgs { rules: rules.to_vec(), coinjoin, as_of: None };
    match args.rules()[..] {
        [Rule::Spending] => {
            let named = cluster::Rule::new(spending::NAME, spending::VERSION).parameters(coinjoin.told());
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

    fn view<'c>(&self, chain: &'c Chain<Bytes>) -> View<'c> {
        self.as_of.map_or(chain.view(), |height| chain.as_of(BlockHeight::from_u32(height)))
    }

    fn clusters(&self, view: View<'_>) -> Result<Clusters, Error> {
        match self.rules()[..] {
            [Rule::Spending] => Ok(cluster::by_spending(view, self.coinjoin.guard())),
            _ => Ok(self.evidence(view)?.clusters()),
        }
    }

    fn evidence(&self, view: View<'_>) -> Result<Evidence, Error> {
        let (told, guard) = (self.coinjoin.told(), self.coinjoin.guard());
        let of = |rule: Rule| match rule {
            Rule::Spending => spending::evidence(view, &told, guard),
            Rule::SameKey => same_key::evidence(view),
            Rule::Change(rule) => by_change(view, rule, self.coinjoin),
        };
        let all = self.rules().into_iter().map(of).reduce(Evidence::and);
        all.ok_or_else(|| invalid("no rule is given; say --rules spending"))
    }
}

/// What a change rule names, but in CoinJoins that are left out.
///
/// Rules that ask for clusters get those by spending under the same guard.
fn by_change(view: View<'_>, rule: change::Rule, coinjoin: Coinjoin) -> Evidence {
    let guard = coinjoin.guard();
    let fingerprints = matches!(rule, change::Rule::SameFingerprint).then(|| Fingerprints::of(view));
    let clusters =
        matches!(rule, change::Rule::ClusterMember | change::Rule::TwoHops).then(|| cluster::by_spending(view, guard));
    // The view shows every address that a rule can ask about.
    let cluster =
        |address| clusters.as_ref().and_then(|clusters| clusters.of(address)).map_or(u32::MAX, |of| of.to_u32());
    let is_mix = |tx| guard(view.tx(tx));
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
    let told: Vec<String> = told.chain([coinjoin.told()]).collect();
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
            "as_of": args.rules.as_of,
        });
        serde_json::to_writer(&mut out, &shown).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        let sizes: Vec<String> = largest.iter().map(usize::to_string).collect();
        writeln!(out, "{:10} {}", "addresses", clusters.addresses())?;
        writeln!(out, "{:10} {}", "clusters", clusters.len())?;
        writeln!(out, "{:10} {}", "largest", sizes.join(" "))?;
        writeln!(out, "{:10} {} ({})", "rules", args.rules.names().join(", "), args.rules.coinjoin.told())?;
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
        let size = proofs.clusters().of(find(view, from)?).map(|cluster| proofs.clusters().size(cluster));
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
        match derivation {
            Some(derivation) => lines(view, &derivation, &mut out)?,
            None => writeln!(out, "{a} and {b} are not joined by {}", args.rules.names().join(", "))?,
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

fn lines(view: View<'_>, derivation: &Derivation, out: &mut impl Write) -> std::io::Result<()> {
    if derivation.steps.is_empty() {
        writeln!(out, "the two are one address")?;
    }
    for step in &derivation.steps {
        let tx = view.tx(step.tx);
        let height = tx.height().map_or_else(|| "unknown height".into(), |height| format!("height {height}"));
        writeln!(out, "transaction {} ({height})", tx.txid())?;
        writeln!(out, "  joins   {}", view.address(step.from))?;
        writeln!(out, "  and     {}", view.address(step.to))?;
        writeln!(out, "  by rule {}", step.rule)?;
        let link =
            if step.is_only_link { "without it the two fall apart" } else { "other transactions join the two as well" };
        writeln!(out, "  {link}")?;
    }
    Ok(())
}
