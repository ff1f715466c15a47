//! A lead as a sentence that somebody else can act on, with what it rests on and what would defeat it.
//!
//! "Under rule R, X BTC (other rules: from L to U) went to address A, N hops on through Y; A is an address of E (confidence, source and date)." Amounts
//! are facts under the rule named; who A is, is an inference, and comes from a tag, from a cluster that carried a tag there, or from a
//! [`Classification`](super::Classification) by a rule about services. Only leads of which somebody says who they are become sentences.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bitcoin::{Address, Amount, OutPoint, Txid};
use serde::Serialize;

use super::tagpack::is_given;
use super::{Classification, Report, elsewhere, visible};
use crate::chain::{Output, View};
use crate::id::{OutputIndex, TxIndex};
use crate::tag::{Date, Inferred, Tag, Tags};
use crate::taint::Origin;
use crate::trace::{Crossing, Exit, Grade, How, LeadOrder, Path, Rank, Reason, Suspect, Trace, Way};

/// How many leads become sentences.
const LEADS_MAX: usize = 20;

/// How many transactions of the way are named.
const WAY_MAX: usize = 3;

/// How far the way is searched for each lead.
const STEPS_MAX: usize = 10_000;

/// A lead in words.
///
/// # Examples
///
/// See [`Report::sentences`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Sentence {
    /// The rule under which the amount went there.
    pub policy: &'static str,
    /// The address; `None` where the output pays none.
    pub address: Option<String>,
    /// The output there that holds the most.
    pub outpoint: OutPoint,
    /// The amount under the rule.
    pub amount_sat: u64,
    /// The least that another conserving rule of the run puts there.
    pub least_sat: Option<u64>,
    /// The most that another conserving rule of the run puts there.
    pub most_sat: Option<u64>,
    /// Hops from the nearest seed.
    pub hops: u32,
    /// The tag at which the trace stopped, where it did.
    pub tag: Option<Tag>,
    /// What a rule about services says of the address, where it does.
    pub classification: Option<Classification>,
    /// What it is ranked by, and why it stands where it does.
    pub rank: Rank,
    /// The sentence.
    pub sentence: String,
    /// What it rests on, a sentence each.
    pub why: Vec<String>,
    /// What would defeat it, a sentence each.
    pub defeat: Vec<String>,
}

impl fmt::Display for Sentence {
    /// The sentence, then a line for each reason and each objection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Labels and sources are a stranger's words: a line break in one must not begin a line of ours.
        f.write_str(&visible(&self.sentence))?;
        write!(f, "\n  why it ranks here: {}", self.rank)?;
        for why in &self.why {
            write!(f, "\n  why: {}", visible(why))?;
        }
        for defeat in &self.defeat {
            write!(f, "\n  what would defeat it: {}", visible(defeat))?;
        }
        Ok(())
    }
}

/// The trace whose evidence says most: one that keeps the order of satoshis, or else one that conserves.
pub(super) fn telling<'t, 'c>(traces: &'t [Trace<'c>]) -> &'t Trace<'c> {
    let ordered = |trace: &&Trace<'_>| matches!(trace.policy().origin, Origin::RowFront | Origin::RowBack);
    let conserving = |trace: &&Trace<'_>| trace.policy().conserving;
    traces.iter().find(ordered).or_else(|| traces.iter().find(conserving)).unwrap_or(&traces[0])
}

/// A place and the tag that ended the trace there, where one did: what came on a day on which the tag did not hold is another lead.
type Key = (String, Option<Tag>);

/// What ends at a place: the output there that holds the most, the sum, the least hops.
struct Lead {
    address: Option<Address>,
    outpoint: OutPoint,
    amount: Amount,
    hops: u32,
    /// Every output there, with what it holds.
    outputs: Vec<(OutputIndex, Amount)>,
}

/// What each conserving rule puts at each place of which somebody says who is there.
struct Places<'t, 'c>(Vec<(&'t Trace<'c>, BTreeMap<Key, Lead>)>);

impl<'t, 'c> Places<'t, 'c> {
    fn of(report: &Report<'t, 'c>) -> Self {
        let conserving = report.traces.iter().filter(|trace| trace.policy().conserving);
        Self(conserving.map(|trace| (trace, leads(report, trace))).collect())
    }

    /// What the other rules put at a place.
    fn beside(&self, told: &Trace<'_>, key: &Key) -> impl Iterator<Item = (&'t Trace<'c>, Amount)> {
        let others = self.0.iter().filter(move |(trace, _)| trace.policy().name != told.policy().name);
        others.map(move |(trace, at)| (*trace, at.get(key).map_or(Amount::ZERO, |lead| lead.amount)))
    }
}

/// The ends at places of which somebody says who is there, summed up by place and tag.
fn leads(report: &Report<'_, '_>, trace: &Trace<'_>) -> BTreeMap<Key, Lead> {
    let view = trace.view();
    let mut found: BTreeMap<Key, (Lead, Amount)> = BTreeMap::new();
    for end in trace.ends() {
        let output = view.output(end.output);
        let tag = match &end.reason {
            Reason::Tagged(tag) => Some(Tag::clone(tag)),
            _ => None,
        };
        let class = || report.classified?.get(&output.address_index()?);
        if tag.is_none() && class().is_none() {
            continue;
        }
        let lead = || Lead {
            address: output.address(),
            outpoint: output.outpoint(),
            amount: Amount::ZERO,
            hops: end.hops,
            outputs: Vec::new(),
        };
        let place = output.address().map_or_else(|| output.outpoint().to_string(), |address| address.to_string());
        let (lead, most) = found.entry((place, tag)).or_insert_with(|| (lead(), Amount::ZERO));
        lead.amount += end.amount;
        lead.outputs.push((end.output, end.amount));
        lead.hops = lead.hops.min(end.hops);
        if end.amount > *most {
            (lead.outpoint, *most) = (output.outpoint(), end.amount);
        }
    }
    found.into_iter().map(|(key, (lead, _))| (key, lead)).collect()
}

/// A lead of which somebody says who is there, under one rule.
struct Known<'t, 'c> {
    trace: &'t Trace<'c>,
    lead: Lead,
    key: Key,
    class: Option<Classification>,
    /// The mixes on the way.
    mixes: Vec<&'t Crossing>,
    /// What may be a mix on the way and was passed as none.
    suspects: Vec<&'t Suspect>,
}

impl Known<'_, '_> {
    fn tag(&self) -> Option<&Tag> {
        self.key.1.as_ref()
    }
}

pub(super) fn sentences(report: &Report<'_, '_>) -> Vec<Sentence> {
    let traces = report.traces;
    // Most runs have neither, and need not gather every end.
    let is_tagged = |trace: &Trace<'_>| trace.ends().iter().any(|end| matches!(end.reason, Reason::Tagged(_)));
    if report.classified.is_none() && !traces.iter().any(is_tagged) {
        return Vec::new();
    }
    let places = Places::of(report);
    // A place that the telling rule does not reach is told under the first one that does.
    let told = telling(traces);
    let others = places.0.iter().map(|(trace, _)| *trace).filter(|trace| trace.policy().name != told.policy().name);
    let mut seen = BTreeSet::new();
    let mut found: Vec<(&Trace<'_>, Key, Lead, Rank)> = Vec::new();
    for trace in std::iter::once(told).chain(others) {
        let seeded = trace.balance().seeded;
        let of_trace = leads(report, trace).into_iter().filter(|(key, _)| seen.insert(key.clone()));
        found.extend(of_trace.filter_map(|(key, lead)| {
            let rank = rank(report, trace, seeded, &key, &lead)?;
            Some((trace, key, lead, rank))
        }));
    }
    match report.order {
        LeadOrder::Value => found.sort_by_key(|(_, _, lead, _)| (Reverse(lead.amount), lead.hops, lead.outpoint)),
        LeadOrder::Rank => found.sort_by_key(|(.., rank)| *rank),
    }
    found.truncate(LEADS_MAX);
    found.into_iter().map(|(trace, key, lead, rank)| sentence(report, &places, trace, key, lead, rank)).collect()
}

/// What a lead is ranked by: a rule about services says more of the address than a tag.
fn rank(report: &Report<'_, '_>, trace: &Trace<'_>, seeded: Amount, key: &Key, lead: &Lead) -> Option<Rank> {
    let output = trace.view().output_at(lead.outpoint)?;
    let class = output.address_index().and_then(|index| report.classified?.get(&index));
    let (exit, grade) = match (class, &key.1) {
        (Some(class), _) => (Exit::Service, Grade::of_class(class.confidence, class.tag_confidence)),
        (None, Some(tag)) => (Exit::of_tag(tag), Grade::of_tag(tag)),
        (None, None) => return None,
    };
    Some(Rank::of(trace, seeded, output.index(), &lead.outputs, (exit, grade), lead.hops))
}

fn sentence(
    report: &Report<'_, '_>,
    places: &Places<'_, '_>,
    trace: &Trace<'_>,
    key: Key,
    lead: Lead,
    rank: Rank,
) -> Sentence {
    let index = trace.view().output_at(lead.outpoint).and_then(|output| output.address_index());
    let class = report.classified.zip(index).and_then(|(classified, index)| classified.get(&index)).cloned();
    let (way, mixes) = way(report, trace, &lead);
    let suspects = suspects(trace, &lead);
    let known = Known { trace, lead, key, class, mixes, suspects };
    let Known { lead, key, class, .. } = &known;
    let (place, tag) = (&key.0, &key.1);
    let amounts = || places.beside(trace, key).map(|(_, amount)| amount);
    let (least, most) = (amounts().min(), amounts().max());
    let spread = match least.zip(most) {
        Some((least, most)) if least == most => format!(" (other rules: {})", btc(least)),
        Some((least, most)) => format!(" (other rules: from {} to {})", btc(least), btc(most)),
        None => String::new(),
    };
    let bound = if trace.policy().conserving { "" } else { "at most " };
    let what = match (class, tag) {
        (Some(class), _) => format!("{place} is classed as a {class}"),
        (None, Some(tag)) if tag.inferred.is_some() => format!("{place} is classed as an address of {tag}"),
        (None, Some(tag)) => format!("{place} is tagged {tag}"),
        (None, None) => format!("nobody says who {place} is"),
    };
    let hops = if lead.hops == 1 { "hop" } else { "hops" };
    let (policy, amount) = (trace.policy().name, btc(lead.amount));
    let kind = if lead.address.is_some() { "address" } else { "output" };
    let text = format!(
        "rule {policy} attributes {bound}{amount}{spread} to {kind} {place}{}, {} {hops} on{way}; {what}",
        parts(trace, lead),
        lead.hops
    );
    Sentence {
        policy,
        address: lead.address.as_ref().map(ToString::to_string),
        outpoint: lead.outpoint,
        amount_sat: lead.amount.to_sat(),
        least_sat: least.map(Amount::to_sat),
        most_sat: most.map(Amount::to_sat),
        hops: lead.hops,
        rank,
        why: why(report, places, &known),
        defeat: defeat(report, places, &known),
        tag: tag.clone(),
        classification: class.clone(),
        sentence: text,
    }
}

/// How what is at a place lies to mixes, where not all of it lies alike, and at how many outputs it is.
fn parts(trace: &Trace<'_>, lead: &Lead) -> String {
    let mut sums: BTreeMap<Option<Way>, Amount> = BTreeMap::new();
    for (output, amount) in &lead.outputs {
        *sums.entry(trace.behind(*output).map(|behind| behind.way)).or_default() += *amount;
    }
    let outputs = match lead.outputs.len() {
        1 => return String::new(),
        outputs => format!(" ({outputs} outputs there"),
    };
    if sums.len() < 2 {
        return outputs + ")";
    }
    let told = sums.iter().map(|(way, amount)| {
        format!(
            "{}{}",
            btc(*amount),
            way.map_or(" that no mix lies before", |way| way.phrase().trim_start_matches(','))
        )
    });
    format!("{outputs}: {})", told.collect::<Vec<_>>().join("; "))
}

fn btc(amount: Amount) -> String {
    amount.to_string()
}

/// The transactions of the widest way, who it leads past, and the mixes on it or before the end.
fn way<'t>(report: &Report<'_, '_>, trace: &'t Trace<'_>, lead: &Lead) -> (String, Vec<&'t Crossing>) {
    let view = trace.view();
    let Some(output) = view.output_at(lead.outpoint) else { return (String::new(), Vec::new()) };
    let found = trace.paths(output.index(), report.limits.paths(1).steps(STEPS_MAX));
    let steps = found.paths.first().map_or(&[][..], |path| &path.steps);
    let mut on_way: BTreeSet<TxIndex> = steps.iter().map(|step| view.output(step.output).tx().index()).collect();
    let behind = lead.outputs.iter().filter_map(|(output, _)| trace.behind(*output));
    on_way.extend(behind.flat_map(|behind| behind.outputs.iter()).map(|(at, _)| view.output(*at).tx().index()));
    let mixes: Vec<&Crossing> = trace.mixes().iter().filter(|mix| on_way.contains(&mix.tx)).collect();
    let mut txids: Vec<Txid> = steps.iter().skip(1).map(|step| view.output(step.output).tx().txid()).collect();
    txids.dedup();
    let text = match txids.as_slice() {
        [] => return (String::new(), mixes),
        few if few.len() <= WAY_MAX => few.iter().map(Txid::to_string).collect::<Vec<_>>().join(", "),
        [first, .., last] => format!("{first}, {} more and {last}", txids.len() - 2),
        [one] => one.to_string(),
    };
    let past = |tags: &Tags| -> Vec<String> {
        let between = &steps[1..steps.len().max(2) - 1];
        let labels = between.iter().filter_map(|step| tags.holding(view.output(step.output)).next());
        let mut labels: Vec<String> = labels.map(|tag| tag.label.clone()).collect();
        labels.dedup();
        labels
    };
    let past = report.tags.map(past).unwrap_or_default();
    let past = if past.is_empty() { String::new() } else { format!(" past {}", past.join(", ")) };
    let crossed = match mixes.as_slice() {
        [] => String::new(),
        [one] => format!(", behind what is taken for a mix, {}", told_mix(view, one)),
        [one, ..] => format!(", behind {} that are taken for mixes, first {}", mixes.len(), told_mix(view, one)),
    };
    // The least hops may be those of another coin that ends there.
    let moves = found.paths.first().map_or(0, Path::moves);
    let nearest = usize::try_from(lead.hops).is_ok_and(|hops| hops == moves);
    let way = if nearest { String::new() } else { format!(" at the nearest, by the widest way {moves},") };
    (format!("{way} through {text}{crossed}{past}"), mixes)
}

/// A mix, the rule that says so, how sure it is, and what the analyst chose to do there.
fn told_mix(view: View<'_>, mix: &Crossing) -> String {
    let Crossing { tx, finding, how, .. } = mix;
    format!("{} ({}; crossed by the analyst's choice: {})", view.tx(*tx).txid(), finding.graded(), how.as_str())
}

/// What may be a mix before an output.
fn suspects<'t>(trace: &'t Trace<'_>, lead: &Lead) -> Vec<&'t Suspect> {
    let view = trace.view();
    let behind = lead.outputs.iter().filter_map(|(output, _)| trace.behind(*output));
    let mut passed: Vec<TxIndex> = behind.flat_map(|behind| behind.mixes(view, Way::Suspected)).collect();
    passed.sort_unstable();
    trace.suspects().iter().filter(|suspect| passed.binary_search(&suspect.tx).is_ok()).collect()
}

fn why(report: &Report<'_, '_>, places: &Places<'_, '_>, known: &Known<'_, '_>) -> Vec<String> {
    let Known { trace, lead, key, class, mixes, .. } = known;
    let mut why: Vec<String> = class.as_ref().map_or(Vec::new(), |class| class.why.clone());
    why.extend(known.tag().map(|tag| {
        let source = tag.sayer();
        let pack = [("in ", &tag.pack), ("by ", &tag.creator), ("under ", &tag.license)];
        let pack = pack.iter().filter(|(_, text)| !text.is_empty() && **text != tag.source);
        let pack: Vec<String> = pack.map(|(word, text)| format!("{word}{text}")).collect();
        let pack = if pack.is_empty() { String::new() } else { format!(" ({})", pack.join(", ")) };
        let given = trace.view().output_at(lead.outpoint).is_some_and(|output| is_given(report, output.index(), tag));
        match &tag.inferred {
            Some(inferred) if given => {
                format!("{source} says so{pack}: an earlier inference ({inferred}), and no statement on this address")
            }
            Some(inferred) if inferred.cluster.is_empty() => format!("{source} says so{pack}: {inferred}"),
            Some(Inferred { from, rule, cluster }) => format!(
                "{source} says so of {from}{pack}; {rule} puts that address and this one into one cluster, that of {cluster}"
            ),
            None => format!("{source} says so of this very address{pack}"),
        }
    }));
    // Where one flow takes the place of all rules, that they agree says nothing.
    let ruled = mixes.iter().all(|mix| matches!(mix.how, How::Stopped | How::Flagged));
    if ruled && places.0.len() > 1 && places.beside(trace, key).all(|(_, amount)| amount > Amount::ZERO) {
        why.push("every conserving rule that was run puts some of it there".into());
    }
    why.extend(trace.view().output_at(lead.outpoint).and_then(|output| elsewhere::swap(output.tx())));
    why
}

/// What is said of the place and does not hold: on the payment's day, or because it was taken back; and what was taken back of the address that a
/// cluster's tag comes from.
fn lapsed(tags: &Tags, output: Output<'_>, tag: Option<&Tag>) -> Vec<String> {
    let taken_back = |of: &str, tag: &Tag| {
        let day = tag.retracted?;
        Some(format!("{} took back on {day} what it said of {of}: {}", tag.sayer(), tag.label))
    };
    let day = output.tx().time().map_or("on that day".to_owned(), |time| format!("on {}", Date::of_unix(time)));
    let said = |tag: &Tag| {
        let other_days = || {
            format!(
                "{} says {} of this address, which {}: not {day}, so it is not used",
                tag.sayer(),
                tag.label,
                tag.days()
            )
        };
        taken_back("this address", tag).unwrap_or_else(other_days)
    };
    let mut lapsed: Vec<String> = tags.lapsed(output).map(said).collect();
    if let Some(Inferred { from, .. }) = tag.and_then(|tag| tag.inferred.as_ref()) {
        lapsed.extend(tags.of_address(from).iter().filter_map(|tag| taken_back(from, tag)));
    }
    lapsed
}

fn defeat(report: &Report<'_, '_>, places: &Places<'_, '_>, known: &Known<'_, '_>) -> Vec<String> {
    let Known { trace, lead, key, class, mixes, suspects } = known;
    let tag = known.tag();
    let mut defeat: Vec<String> = class.as_ref().map_or(Vec::new(), |class| class.defeat.clone());
    if let Some(tag) = tag {
        defeat.push(match &tag.inferred {
            Some(Inferred { rule, cluster, .. }) if cluster.is_empty() => format!("{rule} being wrong of this address"),
            Some(Inferred { from, .. }) => format!(
                "a transaction that joins this address and {from} without one owner behind it, such as a mix or a payjoin; look at those that do"
            ),
            None => "the tag being wrong, or older than a change of hands; the owner's own records decide".into(),
        });
        if tag.since.is_none() {
            defeat.push("the tag does not say since when it holds".into());
        }
        let day = trace.view().output_at(lead.outpoint).and_then(|output| output.tx().time());
        if day.is_none() && (tag.since.is_some() || tag.until.is_some() || tag.retracted.is_some()) {
            defeat.push("the tag holds on some days alone, and the day of the payment is not known".into());
        }
        if tag.confidence.is_none() {
            defeat.push("nobody said how far the source of the tag is to be trusted".into());
        }
    }
    if let (Some(tags), Some(output)) = (report.tags, trace.view().output_at(lead.outpoint)) {
        let against = |other: &&Tag| tag.is_some_and(|tag| tag.contradicts(other));
        defeat.extend(tags.holding(output).filter(against).map(|other| format!("another source says {other}")));
        defeat.extend(lapsed(tags, output, tag));
    }
    let none = places.beside(trace, key).filter(|(_, amount)| *amount == Amount::ZERO);
    defeat.extend(mixes.iter().map(|mix| {
        let changes = if mix.changes.is_empty() { "" } else { ", and which outputs are whose change, by mix_change/1" };
        format!(
            "the mix: that {} is one is an inference{changes}; behind it nobody knows whose coin is whose",
            told_mix(trace.view(), mix)
        )
    }));
    defeat.extend(suspects.iter().map(|suspect| {
        let Suspect { tx, finding, .. } = suspect;
        format!(
            "the run passed {} as no mix, and it may be one ({}); then nobody knows behind it whose coin is whose",
            trace.view().tx(*tx).txid(),
            finding.graded()
        )
    }));
    let none: Vec<&str> = none.map(|(trace, _)| trace.policy().name).collect();
    if !none.is_empty() {
        defeat.push(format!("the convention: nothing ends there under {}", none.join(", ")));
    }
    defeat
}
