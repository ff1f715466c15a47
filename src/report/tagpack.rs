//! Findings as a TagPack, for GraphSense and for the next run.
//!
//! The fields are GraphSense's; those that it does not have (`license`, `since`, `until`, `retracted`) are written only where a tag has
//! them. That a tag is inferred, and a confidence that is a number, stand in its context with what else that says, for a TagPack has no other place:
//! `{"fundtrace":{"inferred":{"from":..,"rule":..,"cluster":..},"confidence":75,"context":".."}}`. What is written reads back equal with
//! [`tag::read`](crate::tag::read), but for the pack's name where no title is given.

use std::collections::BTreeMap;
use std::io::Write;

use bitcoin::Address;

use super::{Classification, Report};
use crate::error::Error;
use crate::id::{AddressIndex, OutputIndex};
use crate::tag::{Inferred, Level, Tag};
use crate::trace::Reason;

/// The head of a TagPack: what it is called and who made it.
///
/// # Examples
///
/// See [`write()`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Head {
    /// What it is called.
    pub title: String,
    /// Who made it.
    pub creator: String,
    /// What it holds; left out where it is empty.
    pub description: String,
}

impl Head {
    /// Names a TagPack and who made it.
    pub fn new(title: impl Into<String>, creator: impl Into<String>) -> Self {
        Self { title: title.into(), creator: creator.into(), description: String::new() }
    }

    /// Says what it holds.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// Writes tags on Bitcoin addresses, in the order given.
///
/// A confidence that is none of GraphSense's levels is written as `heuristic`, the level for methods that nobody measured, and its number goes
/// into the context.
///
/// # Errors
///
/// When writing fails ([`Error::is_io`]).
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Address, Network, PubkeyHash, hashes::Hash};
/// use fundtrace::report::tagpack::{self, Head};
/// use fundtrace::tag::{Level, Tag};
/// let address = Address::p2pkh(PubkeyHash::hash(b"a key"), Network::Bitcoin);
/// let tag = Tag::new("Example Exchange", "exchange", "fundtrace, rule deposit 1")
///     .confidence(Level::Heuristic)
///     .context("a probable deposit address: \"7 sweeps\"\n\u{7f}");
/// let mut text = Vec::new();
/// tagpack::write(&Head::new("Findings", "an analyst"), [(&address, &tag)], &mut text)?;
/// # #[cfg(feature = "tagpack")] {
/// let pack = fundtrace::tag::read("findings.yaml", &text[..], None, Network::Bitcoin)?;
/// let (script, read) = pack.tags().next().unwrap();
/// assert_eq!(script, address.script_pubkey().as_script());
/// assert_eq!(*read, tag.pack("Findings").creator("an analyst"));
/// # }
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn write<'f>(
    head: &Head,
    findings: impl IntoIterator<Item = (&'f Address, &'f Tag)>,
    mut to: impl Write,
) -> Result<(), Error> {
    writeln!(to, "title: {}", quoted(&head.title))?;
    writeln!(to, "creator: {}", quoted(&head.creator))?;
    if !head.description.is_empty() {
        writeln!(to, "description: {}", quoted(&head.description))?;
    }
    let mut findings = findings.into_iter().peekable();
    writeln!(to, "tags:{}", if findings.peek().is_none() { " []" } else { "" })?;
    for (address, tag) in findings {
        writeln!(to, "- address: {}", quoted(&address.to_string()))?;
        writeln!(to, "  currency: BTC\n  network: BTC")?;
        writeln!(to, "  is_cluster_definer: {}", tag.is_cluster_definer)?;
        for (name, text) in fields(tag) {
            writeln!(to, "  {name}: {}", quoted(&text))?;
        }
        if !tag.concepts.is_empty() {
            let concepts: Vec<String> = tag.concepts.iter().map(|concept| quoted(concept)).collect();
            writeln!(to, "  concepts: [{}]", concepts.join(", "))?;
        }
    }
    Ok(())
}

/// Returns what a run infers of the addresses where it ends, in chain order: what rules about services [say](super::Classification), and what
/// clusters carried there. What a source says of an address itself is no finding, nor what a file says that an earlier run inferred.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::{self, Report}, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// assert!(report::tagpack::findings(&Report::new(&traces)?).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn findings(report: &Report<'_, '_>) -> Vec<(Address, Tag)> {
    let mut found: BTreeMap<AddressIndex, Tag> = BTreeMap::new();
    for trace in report.traces {
        for end in trace.ends() {
            let Some(address) = trace.view().output(end.output).address_index() else { continue };
            let class = report.classified.and_then(|classified| classified.get(&address));
            let tag = match &end.reason {
                _ if class.is_some() => class.map(Classification::to_tag),
                // What a file gave, of an earlier run's, is no finding of this one.
                Reason::Tagged(tag) if is_given(report, end.output, tag) => None,
                Reason::Tagged(tag) => tag.inferred.as_ref().map(|inferred| ours(tag, inferred)),
                _ => None,
            };
            if let Some(tag) = tag {
                found.entry(address).or_insert(tag);
            }
        }
    }
    let view = report.traces[0].view();
    found.into_iter().map(|(address, tag)| (view.address(address), tag)).collect()
}

/// Whether a tag was given for the very address that an output pays, and is not what a cluster adds.
pub(super) fn is_given(report: &Report<'_, '_>, output: OutputIndex, tag: &Tag) -> bool {
    report.tags.is_some_and(|tags| tags.of(report.traces[0].view().output(output)).contains(tag))
}

/// What a cluster carried, as our own statement: the source said it of another address, and how sure it was holds there alone.
fn ours(tag: &Tag, Inferred { from, rule, .. }: &Inferred) -> Tag {
    let said = tag.sayer();
    let source = format!("fundtrace {}, {rule}, from {from} (of which {said} says so)", env!("CARGO_PKG_VERSION"));
    Tag { source, confidence: Some(Level::Heuristic.into()), is_cluster_definer: false, ..tag.clone() }
}

/// The fields of text that a tag has; label and source always, as a TagPack must have them.
fn fields(tag: &Tag) -> Vec<(&'static str, String)> {
    let level = tag.confidence.map(|confidence| confidence.level().unwrap_or(Level::Heuristic).as_str().to_owned());
    let day = |date: Option<crate::tag::Date>| date.map_or(String::new(), |date| date.to_string());
    let mut fields = vec![("label", tag.label.clone()), ("source", tag.source.clone())];
    let others = [
        ("category", tag.category.clone()),
        ("abuse", tag.abuse.clone()),
        ("actor", tag.actor.clone()),
        ("confidence", level.unwrap_or_default()),
        ("context", crate::tag::wrapped(tag)),
        ("lastmod", day(tag.lastmod)),
        ("license", tag.license.clone()),
        ("since", day(tag.since)),
        ("until", day(tag.until)),
        ("retracted", day(tag.retracted)),
    ];
    fields.extend(others.into_iter().filter(|(_, text)| !text.is_empty()));
    fields
}

/// A string in double quotes, in which YAML reads escapes; whatever is no letter, digit or ASCII sign is one.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ if c.is_alphanumeric() => quoted.push(c),
            _ => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}
