//! A lead as a sentence that somebody else can act on, with what it rests on and what would defeat it.
//!
//! "Under rule R, X BTC (other rules: from L to U) went to address A, N hops on through Y; A is an address of E (confidence, source and date)." Amounts
//! are facts under the rule named; who A is, is an inference, and comes from a tag, from a cluster that carried a tag there, or from a
//! [`Classification`] by a rule about services. Only leads of which somebody says who they are become sentences.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bitcoin::{Amount, OutPoint, Txid};
use serde::Serialize;

use super::Report;
use crate::chain::View;
use crate::id::AddressIndex;
use crate::tag::{Confidence, Inferred, Tag, Tags};
use crate::taint::Origin;
use crate::trace::{Lead, Path, Reason, Trace};

/// How many leads become sentences.
const LEADS_MAX: usize = 20;

/// How many transactions of the way are named.
const WAY_MAX: usize = 3;

/// How far the way is searched for each lead.
const STEPS_MAX: usize = 10_000;

/// What a rule about services says of an address: a probable deposit address of an exchange, say, and why.
///
/// # Examples
///
/// ```
/// use fundtrace::report::Classification;
/// let class = Classification::new("probable deposit address", "Example Exchange", "deposit 1")
///     .confidence(85)
///     .source("its own list, 2022-11-16")
///     .because("every spend of it goes to the exchange's hot wallet")
///     .defeated_by("a payment processor that forwards for many");
/// assert_eq!(class.to_string(), "probable deposit address of Example Exchange (confidence 85 of 100 by rule deposit 1; tag: its own list, 2022-11-16)");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Classification {
    /// What it is: `probable deposit address`.
    pub kind: String,
    /// Whose.
    pub owner: String,
    /// What kind of service or actor that is: `exchange`; empty where nobody says.
    pub category: String,
    /// The rule that says so, with its version.
    pub rule: String,
    /// How sure the rule is, from 0 to 100; `None` where it does not say.
    pub confidence: Option<u8>,
    /// The tag on which it rests: its source and date; empty where it rests on none.
    pub source: String,
    /// What it rests on, a sentence each.
    pub why: Vec<String>,
    /// What would show that it is wrong, a sentence each.
    pub defeat: Vec<String>,
}

impl Classification {
    /// Says what an address is, whose, and by which rule.
    pub fn new(kind: impl Into<String>, owner: impl Into<String>, rule: impl Into<String>) -> Self {
        let (kind, owner, rule) = (kind.into(), owner.into(), rule.into());
        let (category, source) = (String::new(), String::new());
        Self { kind, owner, category, rule, confidence: None, source, why: Vec::new(), defeat: Vec::new() }
    }

    /// Says what kind of service or actor the owner is.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = category.into();
        self
    }

    /// Says how sure the rule is, from 0 to 100.
    #[must_use]
    pub fn confidence(mut self, percent: u8) -> Self {
        self.confidence = Some(percent.min(100));
        self
    }

    /// Names the tag on which it rests.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Adds what it rests on.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds what would show that it is wrong.
    #[must_use]
    pub fn defeated_by(mut self, defeat: impl Into<String>) -> Self {
        self.defeat.push(defeat.into());
        self
    }
}

impl Classification {
    /// Returns the tag that says the same, to be written into a [TagPack](super::tagpack): its source is the rule, its context the rest.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::report::Classification;
    /// let class = Classification::new("probable deposit address", "Example Exchange", "deposit 1").category("exchange").confidence(85);
    /// let tag = class.to_tag();
    /// assert_eq!((tag.label.as_str(), tag.category.as_str()), ("Example Exchange", "exchange"));
    /// assert!(tag.source.ends_with(", rule deposit 1") && tag.context.contains("probable deposit address"));
    /// ```
    pub fn to_tag(&self) -> Tag {
        let Self { kind, rule, confidence, source, why, defeat, .. } = self;
        let context = serde_json::json!({
            "kind": kind, "confidence": confidence, "tag": source, "why": why, "defeat": defeat,
        });
        let by = format!("fundtrace {}, rule {rule}", env!("CARGO_PKG_VERSION"));
        let tag = Tag::new(&self.owner, &self.category, by).context(context.to_string());
        match confidence.and_then(Confidence::of_percent) {
            Some(confidence) => tag.confidence(confidence),
            None => tag,
        }
    }
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} (", self.kind, self.owner)?;
        if let Some(percent) = self.confidence {
            write!(f, "confidence {percent} of 100 ")?;
        }
        write!(f, "by rule {}", self.rule)?;
        if !self.source.is_empty() {
            write!(f, "; tag: {}", self.source)?;
        }
        f.write_str(")")
    }
}

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
        f.write_str(&self.sentence)?;
        for why in &self.why {
            write!(f, "\n  why: {why}")?;
        }
        for defeat in &self.defeat {
            write!(f, "\n  what would defeat it: {defeat}")?;
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

/// What each conserving rule puts at each place, by the place's name.
struct Places<'t, 'c>(Vec<(&'t Trace<'c>, BTreeMap<String, Amount>)>);

impl<'t, 'c> Places<'t, 'c> {
    fn of(traces: &'t [Trace<'c>]) -> Self {
        let places = |trace: &'t Trace<'c>| trace.leads().into_iter().map(|lead| (name(&lead), lead.amount)).collect();
        let conserving = traces.iter().filter(|trace| trace.policy().conserving);
        Self(conserving.map(|trace| (trace, places(trace))).collect())
    }

    /// What the other rules put at a place.
    fn beside(&self, told: &Trace<'_>, place: &str) -> impl Iterator<Item = (&'t Trace<'c>, Amount)> {
        let others = self.0.iter().filter(move |(trace, _)| trace.policy().name != told.policy().name);
        others.map(move |(trace, at)| (*trace, at.get(place).copied().unwrap_or(Amount::ZERO)))
    }
}

/// A lead of which somebody says who is there, under one rule.
struct Known<'t, 'c> {
    trace: &'t Trace<'c>,
    lead: Lead,
    place: String,
    tag: Option<Tag>,
    class: Option<Classification>,
}

fn name(lead: &Lead) -> String {
    lead.address.as_ref().map_or_else(|| lead.outpoint.to_string(), |address| address.to_string())
}

pub(super) fn sentences(report: &Report<'_, '_>) -> Vec<Sentence> {
    let traces = report.traces;
    // Most runs have neither, and need not gather every end.
    let is_tagged = |trace: &Trace<'_>| trace.ends().iter().any(|end| matches!(end.reason, Reason::Tagged(_)));
    if report.classified.is_none() && !traces.iter().any(is_tagged) {
        return Vec::new();
    }
    let places = Places::of(traces);
    // A place that the telling rule does not reach is told under the first one that does.
    let told = telling(traces);
    let others = places.0.iter().map(|(trace, _)| *trace).filter(|trace| trace.policy().name != told.policy().name);
    let mut seen = BTreeSet::new();
    let mut found: Vec<Known<'_, '_>> = Vec::new();
    for trace in std::iter::once(told).chain(others) {
        let known = trace.leads().into_iter().filter_map(|lead| known(report, trace, lead));
        found.extend(known.filter(|known| seen.insert(known.place.clone())));
    }
    found.sort_by_key(|known| (Reverse(known.lead.amount), known.lead.hops, known.lead.outpoint));
    found.truncate(LEADS_MAX);
    found.into_iter().map(|known| sentence(report, &places, known)).collect()
}

fn known<'t, 'c>(report: &Report<'_, '_>, trace: &'t Trace<'c>, lead: Lead) -> Option<Known<'t, 'c>> {
    let class = report.classified.and_then(|classified| classified.get(&index(trace.view(), &lead)?)).cloned();
    let tag = match &lead.reason {
        Reason::Tagged(tag) => Some(Tag::clone(tag)),
        _ => None,
    };
    let place = name(&lead);
    (tag.is_some() || class.is_some()).then_some(Known { trace, lead, place, tag, class })
}

fn index(view: View<'_>, lead: &Lead) -> Option<AddressIndex> {
    view.output_at(lead.outpoint)?.address_index()
}

fn sentence(report: &Report<'_, '_>, places: &Places<'_, '_>, known: Known<'_, '_>) -> Sentence {
    let Known { trace, lead, place, tag, class } = &known;
    let amounts = || places.beside(trace, place).map(|(_, amount)| amount);
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
    let (policy, amount, way) = (trace.policy().name, btc(lead.amount), way(report, trace, lead));
    let kind = if lead.address.is_some() { "address" } else { "output" };
    let text = format!(
        "rule {policy} attributes {bound}{amount}{spread} to {kind} {place}, {} {hops} on{way}; {what}",
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
        why: why(places, &known),
        defeat: defeat(report, places, &known),
        tag: tag.clone(),
        classification: class.clone(),
        sentence: text,
    }
}

fn btc(amount: Amount) -> String {
    amount.to_string()
}

/// The transactions of the widest way, and who it leads past.
fn way(report: &Report<'_, '_>, trace: &Trace<'_>, lead: &Lead) -> String {
    let view = trace.view();
    let Some(output) = view.output_at(lead.outpoint) else { return String::new() };
    let found = trace.paths(output.index(), report.limits.paths(1).steps(STEPS_MAX));
    let Some(Path { steps, .. }) = found.paths.first() else { return String::new() };
    let mut txids: Vec<Txid> = steps.iter().skip(1).map(|step| view.output(step.output).tx().txid()).collect();
    txids.dedup();
    let text = match txids.as_slice() {
        [] => return String::new(),
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
    format!(" through {text}{past}")
}

fn why(places: &Places<'_, '_>, Known { trace, place, tag, class, .. }: &Known<'_, '_>) -> Vec<String> {
    let mut why: Vec<String> = class.as_ref().map_or(Vec::new(), |class| class.why.clone());
    why.extend(tag.as_ref().map(|tag| {
        let source = if tag.source.is_empty() { "a source without a name" } else { &tag.source };
        let pack = [("in ", &tag.pack), ("by ", &tag.creator), ("under ", &tag.license)];
        let pack = pack.iter().filter(|(_, text)| !text.is_empty() && **text != tag.source);
        let pack: Vec<String> = pack.map(|(word, text)| format!("{word}{text}")).collect();
        let pack = if pack.is_empty() { String::new() } else { format!(" ({})", pack.join(", ")) };
        match &tag.inferred {
            Some(Inferred { from, rule, cluster }) => format!(
                "{source} says so of {from}{pack}; {rule} puts that address and this one into one cluster, that of {cluster}"
            ),
            None => format!("{source} says so of this very address{pack}"),
        }
    }));
    if places.0.len() > 1 && places.beside(trace, place).all(|(_, amount)| amount > Amount::ZERO) {
        why.push("every conserving rule that was run puts some of it there".into());
    }
    why
}

fn defeat(
    report: &Report<'_, '_>,
    places: &Places<'_, '_>,
    Known { trace, lead, place, tag, class }: &Known<'_, '_>,
) -> Vec<String> {
    let mut defeat: Vec<String> = class.as_ref().map_or(Vec::new(), |class| class.defeat.clone());
    if let Some(tag) = tag {
        defeat.push(match &tag.inferred {
            Some(Inferred { from, .. }) => format!(
                "a transaction that joins this address and {from} without one owner behind it, such as a mix or a payjoin; look at those that do"
            ),
            None => "the tag being wrong, or older than a change of hands; the owner's own records decide".into(),
        });
        if tag.confidence.is_none() {
            defeat.push("nobody said how far the source of the tag is to be trusted".into());
        }
    }
    if let (Some(tags), Some(output)) = (report.tags, trace.view().output_at(lead.outpoint)) {
        let against = |other: &&Tag| tag.as_ref().is_some_and(|tag| tag.contradicts(other));
        defeat.extend(tags.holding(output).filter(against).map(|other| format!("another source says {other}")));
    }
    let none = places.beside(trace, place).filter(|(_, amount)| *amount == Amount::ZERO);
    let none: Vec<&str> = none.map(|(trace, _)| trace.policy().name).collect();
    if !none.is_empty() {
        defeat.push(format!("the convention: nothing ends there under {}", none.join(", ")));
    }
    defeat
}
