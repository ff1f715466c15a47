//! What went into a run, and under which conventions.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash, sha256};
use serde::Serialize;

use super::Report;
use crate::chain::Counts;
use crate::cluster::Rule;
use crate::id::BlockHeight;
use crate::service::peel::{self, Peels};
use crate::spec::{self, ResolvedSeed};
use crate::tag::Listing;
use crate::trace::{MixesGiven, Options, Policy};

/// What went into a run: enough to repeat it, and to tell whether two runs had the same facts.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::Report, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &[Rule::Fifo], &stop::never(), &Options::default());
/// let manifest = Report::new(&traces)?.manifest();
/// let json = serde_json::to_value(&manifest).unwrap();
/// assert_eq!(json["conventions"]["fees"], "drop");
/// assert_eq!(json["input"]["sha256"].as_str().unwrap().len(), 64);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this crate.
    pub fundtrace: &'static str,
    /// The version of the reports' form: it rises when a field changes its meaning or goes.
    pub format: u32,
    /// The network's name.
    pub network: &'static str,
    /// The facts.
    pub input: Facts,
    /// What of them was seen.
    pub view: Seen,
    /// The rules, with what is needed to repeat them.
    pub policies: Vec<Policy>,
    /// The conventions that the literature disagrees on.
    pub conventions: Conventions,
    /// Who was taken to own what, where owners are shown or moves counted between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owners: Option<OwnersGiven>,
    /// Under which rule and terms peel chains were inferred, where they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peels: Option<PeelsGiven>,
    /// What was called a mix, by which rules, and what was done there; `None` where mixes were not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixes: Option<MixesGiven>,
    /// When following stopped.
    pub stop: String,
    /// What was called stolen, as it was given and what it stands for.
    pub seeds: Vec<Given>,
    /// The files of tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Listing>,
    /// Seeds that could not be used: outputs that the view does not show, or whose value nobody told.
    pub unseeded: Vec<String>,
}

/// The facts that went in. The counts say how well they are known: a txid is proven by its transaction's bytes, a
/// prevout by the proven transaction it names, a height or a time by nothing.
///
/// # Examples
///
/// See [`Manifest`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// [`Chain::digest`](crate::Chain::digest) of the facts.
    pub sha256: String,
    /// How many of each kind.
    #[serde(flatten)]
    pub counts: Counts,
    /// The heights declared complete, if any.
    pub complete: Option<(BlockHeight, BlockHeight)>,
}

/// Which part of the facts was seen.
///
/// # Examples
///
/// See [`Manifest`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Seen {
    /// The height as of which the chain was seen; `None` for all of it.
    pub as_of: Option<BlockHeight>,
    /// The greatest known height.
    pub tip: Option<BlockHeight>,
    /// Transactions left out because their height is unknown.
    pub left_out: Vec<String>,
}

/// The conventions of the run.
///
/// # Examples
///
/// See [`Manifest`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Conventions {
    /// Fees, coinbase order and overlap.
    #[serde(flatten)]
    pub options: Options,
    /// Where the fee stands among the outputs: last, in every rule.
    pub fee_position: &'static str,
    /// In which order a block's transactions stand, and so its fees in the coinbase's row.
    pub block_order: &'static str,
    /// Where poison is among the rules: that its amounts are an upper bound and its balance does not add up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poison: Option<&'static str>,
}

/// Under which rules owners were inferred. They are no facts of the chain.
///
/// # Examples
///
/// See [`Report::owners`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OwnersGiven {
    /// The rules, with versions and what they were told, the guard among it.
    pub rules: Vec<Rule>,
    /// Whether transfers inside one cluster were not counted as moves.
    pub entities: bool,
    /// What an owner in this report is.
    pub meaning: &'static str,
}

/// Under which rule and terms peel chains were inferred. They are no facts of the chain.
///
/// # Examples
///
/// See [`Report::peels`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PeelsGiven {
    /// The rule and its version.
    pub rule: &'static str,
    /// The change rule that says what goes on, with its version and parameters.
    pub change: String,
    /// Every threshold of the rule by name; `None` where it is not asked.
    pub terms: BTreeMap<&'static str, Option<u64>>,
    /// What a peel chain in this report is.
    pub meaning: &'static str,
}

impl PeelsGiven {
    fn of(peels: &Peels<'_>) -> Self {
        let (rule, terms) = (peel::RULE, peels.terms().parameters().into_iter().collect());
        Self { rule, change: peels.rule().to_owned(), terms, meaning: super::peels::MEANING }
    }

    /// The terms as a rule's parameters are written.
    #[cfg(feature = "table")]
    pub(super) fn terms_told(&self) -> String {
        let one = |(name, value): (&&str, &Option<u64>)| {
            value.map_or(format!("{name}=none"), |value| format!("{name}={value}"))
        };
        self.terms.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

/// A seed as it was given.
///
/// # Examples
///
/// See [`Manifest`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Given {
    /// What was written.
    pub given: String,
    /// The name of its source.
    pub label: String,
    /// The outputs it stands for, with their values in satoshis.
    pub outputs: BTreeMap<String, u64>,
    /// Outputs that an address received at an unknown height, and that are therefore not seeds.
    pub left_out: Vec<String>,
}

impl Manifest {
    /// Hashes the manifest's compact JSON: what ties a row of a table to its run.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, report::Report, spec::{self, Rule}, trace::{Options, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let run = |rule| spec::run(chain.view(), &[], &[rule], &stop::never(), &Options::default());
    /// let (fifo, lifo) = (run(Rule::Fifo), run(Rule::Lifo));
    /// assert_ne!(Report::new(&fifo)?.manifest().sha256(), Report::new(&lifo)?.manifest().sha256());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn sha256(&self) -> sha256::Hash {
        sha256::Hash::hash(serde_json::to_string(self).expect("a manifest is plain data").as_bytes())
    }

    pub(super) fn of(report: &Report<'_, '_>) -> Self {
        let (traces, given) = (report.traces, report.given);
        let first = &traces[0];
        let view = first.view();
        let value = |output| view.output(output).value().map_or(0, bitcoin::Amount::to_sat);
        let name = |output| view.output(output).outpoint().to_string();
        let seeds = if given.is_empty() {
            let seed = |seed: &crate::trace::Seeded| Given {
                given: name(seed.output),
                label: first.label(seed.source).to_owned(),
                outputs: BTreeMap::from([(name(seed.output), seed.value.to_sat())]),
                left_out: Vec::new(),
            };
            first.seeds().iter().map(seed).collect()
        } else {
            let seed = |seed: &ResolvedSeed| Given {
                given: seed.given.clone(),
                label: seed.label.clone(),
                outputs: seed.outputs.iter().map(|output| (name(*output), value(*output))).collect(),
                left_out: seed.left_out.iter().map(|output| name(*output)).collect(),
            };
            given.iter().map(seed).collect()
        };
        let bound = traces.iter().any(|trace| !trace.policy().conserving);
        Self {
            fundtrace: env!("CARGO_PKG_VERSION"),
            format: 1,
            network: spec::network_name(view.network()),
            input: Facts { sha256: view.digest().to_string(), counts: view.counts(), complete: view.complete() },
            view: Seen {
                as_of: view.height(),
                tip: view.tip(),
                left_out: view.left_out().map(|tx| tx.txid().to_string()).collect(),
            },
            policies: traces.iter().map(|trace| trace.policy().clone()).collect(),
            conventions: Conventions {
                options: first.options(),
                fee_position: "last",
                block_order: "position where it is given, else topological, then txid",
                poison: bound.then_some("an upper bound: its amounts overlap and its balance does not add up"),
            },
            owners: report.owner_rules().map(|rules| OwnersGiven {
                rules: rules.to_vec(),
                entities: first.entity_rules().is_some(),
                meaning: "an inference: a cluster of addresses that appear to have one owner under these rules, named by its first address",
            }),
            peels: report.peels.map(PeelsGiven::of),
            mixes: first.mixes_given().cloned(),
            stop: first.stop().to_owned(),
            seeds,
            tags: report.packs.to_vec(),
            unseeded: first.unseeded().iter().map(|output| name(*output)).collect(),
        }
    }
}
