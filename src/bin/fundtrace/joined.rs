//! Addresses joined by the rules that the command line names, and what was left out on the way.

use std::io::{Error as IoError, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use fundtrace::chain::Tx;
use fundtrace::change::{self, Context, Fingerprints};
use fundtrace::cluster::build::{Alarm, Veto, VetoReason};
use fundtrace::cluster::{self, Built, Clusters, Constraints, Evidence, Guard, same_key, spending, voted};
use fundtrace::{AddressIndex, Error, TxIndex, View, spec};
use serde_json::{Value, json};

use crate::cluster::Rule;

/// Votes for less votes against.
pub(crate) const THRESHOLD: u32 = 3;
/// The same of the vote that looks ahead.
pub(crate) const THRESHOLD_IN_HINDSIGHT: u32 = 5;
/// A cluster with more of all addresses than this is one to look at.
const SHARE_PPM: u32 = 100_000;

/// What was not joined, and why.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// Transactions that spend from several addresses and that the guard left out; nothing where common spending was not asked for.
    spends: Option<u64>,
    /// Payments whose change a rule named and that the guard left out, once for each rule.
    payments: Option<u64>,
    votes: Vec<(Rule, Built)>,
}

/// The clusters, and the rules that they were formed under.
pub(crate) fn clusters(
    view: View<'_>,
    rules: &[Rule],
    guard: Guard,
) -> Result<(Clusters, Vec<cluster::Rule>, LeftOut), Error> {
    if let [Rule::Spending] = rules {
        let skipped = AtomicU64::new(0);
        let clusters = cluster::by_spending(view, |tx| counted(&skipped, guard.skips(tx)));
        let left_out = LeftOut { spends: Some(skipped.into_inner()), ..LeftOut::default() };
        return Ok((clusters, vec![spending::rule(&guard.to_string())], left_out));
    }
    let (evidence, left_out) = evidence(view, rules, guard)?;
    Ok((evidence.clusters(), evidence.rules().to_vec(), left_out))
}

/// The evidence of all rules.
pub(crate) fn evidence(view: View<'_>, rules: &[Rule], guard: Guard) -> Result<(Evidence, LeftOut), Error> {
    let mut left_out = LeftOut::default();
    let (votes, others): (Vec<Rule>, Vec<Rule>) =
        rules.iter().partition(|rule| matches!(rule, Rule::Votes | Rule::VotesInHindsight));
    let mut all: Option<Evidence> = None;
    for rule in others {
        let said = match rule {
            Rule::Change(rule) => by_change(view, rule, guard, &mut left_out),
            Rule::SameKey => same_key::evidence(view),
            _ => by_spending(view, guard, &mut left_out),
        };
        all = Some(and(all, said));
    }
    // What is voted on comes last, for it is held against what the others joined.
    for rule in votes {
        let built = by_votes(view, rule, guard, all.as_ref(), &mut left_out);
        all = Some(and(all, built.evidence(view, 0)));
        left_out.votes.push((rule, built));
    }
    let evidence =
        all.ok_or_else(|| IoError::new(ErrorKind::InvalidInput, "no rule is given; say --rules spending"))?;
    Ok((evidence, left_out))
}

fn and(all: Option<Evidence>, more: Evidence) -> Evidence {
    if let Some(all) = all { all.and(more) } else { more }
}

/// Hands an answer on and counts it where it is yes. What is asked once of each transaction gives one sum on any number of threads.
fn counted(count: &AtomicU64, skips: bool) -> bool {
    count.fetch_add(u64::from(skips), Ordering::Relaxed);
    skips
}

fn by_spending(view: View<'_>, guard: Guard, left_out: &mut LeftOut) -> Evidence {
    let skipped = AtomicU64::new(0);
    let evidence = spending::evidence(view, &guard.to_string(), |tx| counted(&skipped, guard.skips(tx)));
    left_out.spends = Some(skipped.into_inner());
    evidence
}

/// What votes name, as far as nothing speaks against it.
fn by_votes(view: View<'_>, rule: Rule, guard: Guard, joined: Option<&Evidence>, left_out: &mut LeftOut) -> Built {
    let (mut guesses, threshold) = if rule == Rule::Votes {
        (change::votes(view, &change::voters(THRESHOLD)), THRESHOLD)
    } else {
        let fingerprints = Fingerprints::of(view);
        let votes = change::voters_in_hindsight(&fingerprints, THRESHOLD_IN_HINDSIGHT);
        (change::votes_in_hindsight(view, &votes), THRESHOLD_IN_HINDSIGHT)
    };
    guesses.retain(|guess| left_out.takes(view, guard, guess.tx));
    let told = format!("threshold={threshold}, growth={}, {guard}", voted::GROWTH);
    let named = cluster::Rule::new(rule.name(), 1).parameters(told);
    let limits = Constraints::default().growth(voted::GROWTH, 1_000_000);
    let nothing = Evidence::of_pairs(view, named.clone(), []);
    // What the guard leaves out is left out already.
    cluster::by_votes(view, joined.unwrap_or(&nothing), Guard::none(), named, &guesses, limits)
}

/// What a change rule names, but in transactions that are left out.
///
/// Rules that ask for clusters get those by spending under the same guard, and say so.
fn by_change(view: View<'_>, rule: change::Rule, guard: Guard, left_out: &mut LeftOut) -> Evidence {
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
    let (version, parameters, mut picks) = if let Some(rule) = rule.change(&context) {
        (rule.version(), rule.parameters(), change::picks(view, &*rule))
    } else {
        let rule = rule.hindsight(&context).expect("the context has all that rules ask for");
        (rule.version(), rule.parameters(), change::picks_in_hindsight(view, &*rule))
    };
    picks.retain(|(tx, _)| left_out.takes(view, guard, *tx));
    let told = parameters.into_iter().map(|(name, value)| format!("{name}={value}"));
    let rests = clusters.is_some().then(|| format!("clusters={}", spending::rule(&guard.to_string())));
    let told: Vec<String> = told.chain(rests).chain([guard.to_string()]).collect();
    let named = cluster::Rule::new(rule.as_str(), version).parameters(told.join(", "));
    Evidence::of_pairs(view, named, change::links(view, picks))
}

impl LeftOut {
    /// Whether the guard lets a payment be; counts it where not.
    fn takes(&mut self, view: View<'_>, guard: Guard, tx: TxIndex) -> bool {
        let skips = guard.skips(view.tx(tx));
        *self.payments.get_or_insert(0) += u64::from(skips);
        !skips
    }

    pub(crate) fn json(&self, view: View<'_>) -> Value {
        let votes = self.votes.iter().map(|(rule, built)| {
            let [apart, labels, growth] = vetoes(built);
            let alarms = alarms(built);
            let alarms = alarms.iter().map(
                |alarm| json!({ "cluster": view.address(alarm.cluster).to_string(), "addresses": alarm.addresses }),
            );
            json!({
                "rule": rule.name(),
                "growth_limit": voted::GROWTH,
                "merges": built.tree().len(),
                "agreeing": built.agreeing().len(),
                "vetoes": { "apart": apart, "labels": labels, "growth": growth },
                "contradictions": built.contradictions().len(),
                "alarm_share_ppm": SHARE_PPM,
                "alarms": alarms.collect::<Vec<_>>(),
            })
        });
        json!({
            "spends_skipped": self.spends,
            "payments_skipped": self.payments,
            "votes": votes.collect::<Vec<_>>(),
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(spends) = self.spends {
            lines.push(format!("{spends} transactions that spend from several addresses"));
        }
        if let Some(payments) = self.payments {
            lines.push(format!("{payments} payments whose change a rule named"));
        }
        for (rule, built) in &self.votes {
            let [apart, labels, growth] = vetoes(built);
            let (contradictions, alarms) = (built.contradictions().len(), alarms(built).len());
            lines.push(format!(
                "of {}: {growth} merges of two clusters of more than {} addresses each, {} that another vote or label \
                 speaks against; {contradictions} contradictions in other evidence, {alarms} clusters of more than {} % of all addresses",
                rule.name(),
                voted::GROWTH,
                apart + labels,
                SHARE_PPM / 10_000,
            ));
        }
        lines
    }

    /// What was left out that would join two addresses.
    pub(crate) fn between(
        &self,
        view: View<'_>,
        clusters: &Clusters,
        guard: Guard,
        [a, b]: [AddressIndex; 2],
    ) -> Apart {
        let spends = |tx: Tx<'_>, who| tx.inputs().any(|input| input.address_index() == Some(who));
        let mut txs: Vec<TxIndex> = Vec::new();
        if self.spends.is_some() {
            let paid = view.outputs_of(a);
            let spenders = paid.iter().filter_map(|output| view.output(output).spender());
            txs.extend(spenders.filter(|tx| spends(*tx, b)).map(|tx| tx.index()));
        }
        txs.sort_unstable();
        txs.dedup();
        let skipped = txs.into_iter().map(|tx| (tx, guard.reasons(view.tx(tx)))).filter(|(_, why)| !why.is_empty());
        let is = |x, y| clusters.is_same(x, a) && clusters.is_same(y, b);
        let vetoes = self.votes.iter().flat_map(|(rule, built)| built.vetoes().iter().map(|veto| (*rule, veto)));
        let vetoes = vetoes.filter(|(_, veto)| is(veto.soft.a, veto.soft.b) || is(veto.soft.b, veto.soft.a));
        Apart { skipped: skipped.collect(), vetoes: vetoes.map(|(rule, veto)| (rule, veto.clone())).collect() }
    }
}

/// The clusters to look at. One address alone is none, however few there are.
fn alarms(built: &Built) -> Vec<Alarm> {
    built.alarms(0, SHARE_PPM, 0).into_iter().filter(|alarm| alarm.addresses > 1).collect()
}

/// How many merges were forbidden for each reason: two that stay apart, labels, growth.
fn vetoes(built: &Built) -> [usize; 3] {
    let mut counts = [0; 3];
    for veto in built.vetoes() {
        match veto.reason {
            VetoReason::Apart(..) => counts[0] += 1,
            VetoReason::Labels(_) => counts[1] += 1,
            _ => counts[2] += 1,
        }
    }
    counts
}

/// What would join two addresses and was left out.
pub(crate) struct Apart {
    /// Transactions that spend from both, and what of the guard left them out.
    skipped: Vec<(TxIndex, Vec<String>)>,
    vetoes: Vec<(Rule, Veto)>,
}

impl Apart {
    pub(crate) fn json(&self, view: View<'_>) -> Value {
        let skipped = self
            .skipped
            .iter()
            .map(|(tx, guards)| json!({ "txid": view.tx(*tx).txid().to_string(), "guards": guards }));
        let vetoes = self.vetoes.iter().map(|(rule, veto)| {
            json!({
                "txid": view.tx(veto.soft.tx).txid().to_string(),
                "rule": rule.name(),
                "confidence_ppm": veto.soft.confidence_ppm,
                "reason": reason(view, &veto.reason),
            })
        });
        json!({ "skipped": skipped.collect::<Vec<_>>(), "vetoes": vetoes.collect::<Vec<_>>() })
    }

    pub(crate) fn lines(&self, view: View<'_>) -> Vec<String> {
        let skipped = self.skipped.iter().map(|(tx, guards)| {
            format!("Transaction {} spends from both and was left out: {}.", view.tx(*tx).txid(), guards.join(", "))
        });
        let vetoes = self.vetoes.iter().map(|(rule, veto)| {
            let (tx, why) = (view.tx(veto.soft.tx).txid(), reason(view, &veto.reason));
            format!("By {} transaction {tx} joins their clusters; that merge was not made: {why}.", rule.name())
        });
        skipped.chain(vetoes).collect()
    }
}

fn reason(view: View<'_>, reason: &VetoReason) -> String {
    match reason {
        VetoReason::Apart(a, b) => {
            let [a, b] = [*a, *b].map(|address| view.address(address));
            format!("another vote keeps {a} and {b} apart")
        }
        VetoReason::Labels(labels) => format!("it would have the labels {}", labels.join(", ")),
        VetoReason::Growth(ours, theirs) => format!("both clusters are large, of {ours} and {theirs} addresses"),
        _ => "a constraint forbids it".into(),
    }
}

/// What was read, for whoever wants to run it again.
pub(crate) fn input_json(view: View<'_>) -> Value {
    json!({
        "network": spec::network_name(view.network()),
        "sha256": view.digest().to_string(),
        "tip_height": view.unbounded().tip(),
        "complete": view.complete().map(|(from, to)| [from, to]),
        "height_unknown_left_out": view.left_out().count(),
    })
}

/// The same in two lines.
pub(crate) fn input_lines(view: View<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let network = spec::network_name(view.network());
    writeln!(out, "{:10} {network}, digest {}, fundtrace {}", "input", view.digest(), env!("CARGO_PKG_VERSION"))?;
    let tip = view.unbounded().tip().map_or_else(|| "unknown".into(), |tip| tip.to_string());
    let as_of = view.height().map_or_else(|| "its end".into(), |height| format!("height {height}"));
    let whole = match view.complete() {
        Some((from, to)) => format!("complete from {from} to {to}"),
        None => "not known to be complete".into(),
    };
    let unknown = view.left_out().count();
    writeln!(out, "{:10} {as_of}; tip {tip}, {whole}, {unknown} transactions of unknown height left out", "as of")
}
