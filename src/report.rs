//! Traces written for people and for programs.
//!
//! A [`Report`] holds the traces of one run side by side: one view, the same seeds and conventions, one trace a rule. [`json`] is the whole
//! result and a stable interface; [`dot`] draws; behind features of the same names stand `graphml`, `csv` and `table`. Every report
//! holds the [`Manifest`], which says what went in and under which conventions, with neither clock nor path, so that two runs on the
//! same facts are equal byte for byte.

mod classification;
mod classified;
#[cfg(feature = "csv")]
pub mod csv;
pub mod dot;
mod drawing;
mod elsewhere;
#[cfg(feature = "graphml")]
pub mod graphml;
pub mod json;
mod manifest;
mod mix;
mod passed;
mod peels;
mod routes;
mod sentence;
mod spread;
#[cfg(feature = "table")]
pub mod table;
pub mod tagpack;

pub use classification::Classification;
pub use manifest::{Conventions, Facts, Given, Manifest, OwnersGiven, PeelsGiven, Seen};
pub use sentence::Sentence;
pub use spread::{Arrived, Spread};

use std::collections::BTreeMap;

use crate::cluster::Rule;
use crate::error::{Error, SpecError};
use crate::id::{AddressIndex, OutputIndex};
use crate::service::peel::Peels;
use crate::spec::ResolvedSeed;
use crate::tag::{Listing, Tags};
use crate::trace::{Bound, Exposure, LeadOrder, Owner, Owners, PathLimits, Trace};

/// Traces of one run, known to belong together.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report::{self, Report}, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &Rule::ALL, &stop::never(), &Options::default());
/// let mut bytes = Vec::new();
/// report::json::write(&Report::new(&traces)?, &mut bytes)?;
/// let twice = [traces[0].clone(), traces[0].clone()];
/// assert!(Report::new(&twice).unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report<'t, 'c> {
    traces: &'t [Trace<'c>],
    given: &'t [ResolvedSeed],
    explain: &'t [OutputIndex],
    limits: PathLimits,
    bounds: &'t [Bound],
    routes_to: &'t [OutputIndex],
    owners: Option<&'t Owners<'t>>,
    peels: Option<&'t Peels<'t>>,
    exposure: bool,
    tags: Option<&'t Tags>,
    packs: &'t [Listing],
    classified: Option<&'t BTreeMap<AddressIndex, Classification>>,
    order: LeadOrder,
}

impl<'t, 'c> Report<'t, 'c> {
    /// Takes the traces of one run.
    ///
    /// # Errors
    ///
    /// When there is none, or when they differ in chain, height, seeds, stops or conventions, or two are of rules of one name
    /// ([`Error::is_spec`]): a comparison would compare different things.
    pub fn new(traces: &'t [Trace<'c>]) -> Result<Self, Error> {
        let Some((first, others)) = traces.split_first() else {
            return Err(SpecError::Mixed { what: "there is no trace" }.into());
        };
        let mixed = |what| Err(SpecError::Mixed { what }.into());
        for other in others {
            if !other.view().is_of_same_chain(first.view()) {
                return mixed("they are of different chains");
            }
            if other.view().height() != first.view().height() {
                return mixed("they are as of different heights");
            }
            if (other.seeds(), other.unseeded(), other.sources()) != (first.seeds(), first.unseeded(), first.sources())
            {
                return mixed("their seeds differ");
            }
            if other.stop() != first.stop() || other.options() != first.options() {
                return mixed("their stops or conventions differ");
            }
            if other.entity_rules() != first.entity_rules() {
                return mixed("they count moves between other owners");
            }
        }
        let named =
            |trace: &Trace<'_>| traces.iter().filter(|other| other.policy().name == trace.policy().name).count();
        if traces.iter().any(|trace| named(trace) > 1) {
            return mixed("two are of rules of one name");
        }
        Ok(Self {
            traces,
            given: &[],
            explain: &[],
            limits: PathLimits::default(),
            bounds: &[],
            routes_to: &[],
            peels: None,
            owners: None,
            exposure: false,
            tags: None,
            packs: &[],
            classified: None,
            order: LeadOrder::default(),
        })
    }

    /// Says how the seeds were written, where they were; otherwise they are listed by output.
    #[must_use]
    pub fn seeds(mut self, given: &'t [ResolvedSeed]) -> Self {
        self.given = given;
        self
    }

    /// Names outputs whose evidence paths are wanted, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn explain(mut self, outputs: &'t [OutputIndex]) -> Self {
        self.explain = outputs;
        self
    }

    /// Sets how far evidence is searched.
    #[must_use]
    pub fn paths(mut self, limits: PathLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds bounds that hold under any rule, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn bounds(mut self, bounds: &'t [Bound]) -> Self {
        self.bounds = bounds;
        self
    }

    /// Names outputs to which the best routes are wanted, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn routes_to(mut self, outputs: &'t [OutputIndex]) -> Self {
        self.routes_to = outputs;
        self
    }

    /// Shows the inferred owner of every output, in every format, and what each owner holds.
    ///
    /// # Errors
    ///
    /// When the traces count moves between owners that other rules name ([`Error::is_spec`]): the report would show one and count by the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, cluster::{self, Rule}, report::Report, spec, trace::{Options, Owners, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let clusters = cluster::by_spending(chain.view(), |_| false);
    /// let owners = Owners::new(&clusters, vec![Rule::new("spending", 1)]);
    /// let traces = spec::run_between(chain.view(), &[], &[spec::Rule::Fifo], &stop::never(), &Options::default(), &owners);
    /// let report = Report::new(&traces)?.owners(&owners)?;
    /// assert!(report.manifest().owners.unwrap().entities);
    /// let others = Owners::new(&clusters, vec![Rule::new("mine", 1)]);
    /// assert!(Report::new(&traces)?.owners(&others).unwrap_err().is_spec());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn owners(mut self, owners: &'t Owners<'t>) -> Result<Self, Error> {
        if self.traces[0].entity_rules().is_some_and(|rules| rules != owners.rules()) {
            return Err(
                SpecError::Mixed { what: "the owners shown are not those that moves are counted between" }.into()
            );
        }
        self.owners = Some(owners);
        Ok(self)
    }

    /// The owner of an output, and its name; where owners are shown.
    fn owner(&self, output: OutputIndex) -> Option<(Owner, String)> {
        let view = self.traces[0].view();
        let owner = self.owners?.of(view.output(output))?;
        Some((owner, view.address(owner.name).to_string()))
    }

    /// The rules that owners were formed under, where any are shown or counted by.
    fn owner_rules(&self) -> Option<&[Rule]> {
        self.owners.map(Owners::rules).or_else(|| self.traces[0].entity_rules())
    }

    /// Adds the peel chains on the way, each as one step with its peels, in the formats that hold them (JSON and the table).
    #[must_use]
    pub fn peels(mut self, peels: &'t Peels<'t>) -> Self {
        self.peels = Some(peels);
        self
    }

    /// Shows which tagged addresses taint touched, and which sources contradict each other, in the formats that hold them (JSON and the
    /// table); `packs` are the files the tags came from, for the manifest.
    #[must_use]
    pub fn tags(mut self, tags: &'t Tags, packs: &'t [Listing]) -> Self {
        (self.tags, self.packs) = (Some(tags), packs);
        self
    }

    /// Shows how much of each source reached which category of tags, in the formats that hold it (JSON and the table); nothing where the report knows
    /// no [`tags`](Self::tags).
    #[must_use]
    pub fn exposure(mut self) -> Self {
        self.exposure = true;
        self
    }

    /// The exposure under a rule, where it is asked for.
    fn exposure_of(&self, trace: &Trace<'_>) -> Option<Exposure> {
        self.tags.filter(|_| self.exposure).map(|tags| trace.exposure(tags))
    }

    /// Says what rules about services make of addresses: leads there become [sentences](Self::sentences), tagged or not.
    #[must_use]
    pub fn classified(mut self, classified: &'t BTreeMap<AddressIndex, Classification>) -> Self {
        self.classified = Some(classified);
        self
    }

    /// Says in which order [`sentences`](Self::sentences) stand; by [`Rank`](crate::trace::Rank) when not called.
    #[must_use]
    pub fn order(mut self, order: LeadOrder) -> Self {
        self.order = order;
        self
    }

    /// Says of the leads that end at services what an investigator can act on, with what it rests on and what would defeat it, in the
    /// [order](Self::order) asked for, twenty at most, each with why it ranks there; under the first rule that keeps the order of satoshis, or else conserves, and under the next conserving one where that
    /// one does not come.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::tag::{Level, Tag, Tags};
    /// use fundtrace::{report::Report, spec::{self, Rule}, trace::{Options, stop}};
    ///
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let out = |sat, key: u8| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let spend = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat, n));
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(txid(3), vec![spend(1, 500), spend(2, 300)], vec![out(400, 8), out(400, 9)]))?;
    /// let chain = builder.finish()?;
    /// let mut tags = Tags::default();
    /// let tag = Tag::new("Example Exchange", "exchange", "its own list").confidence(Level::ServiceData);
    /// tags.insert(out(0, 9).script_pubkey, tag);
    ///
    /// let seeds = [chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft")];
    /// let rules = [Rule::Fifo, Rule::Lifo, Rule::Haircut];
    /// let traces = spec::run(chain.view(), &seeds, &rules, &stop::tagged(&tags), &Options::default());
    /// let sentences = Report::new(&traces)?.tags(&tags, &[]).sentences();
    /// let text = &sentences[0].sentence;
    /// assert!(text.starts_with("rule fifo attributes 0.00000100 BTC (other rules: from 0.00000250 BTC to 0.00000400 BTC) to address 1"), "{text}");
    /// assert!(text.ends_with(" is tagged Example Exchange (exchange; confidence 50 of 100, service_data; says its own list)"), "{text}");
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn sentences(&self) -> Vec<Sentence> {
        sentence::sentences(self)
    }

    /// Returns the traces.
    pub fn traces(&self) -> &'t [Trace<'c>] {
        self.traces
    }

    /// Compares the rules end by end, in chain order.
    pub fn spreads(&self) -> Vec<Spread> {
        spread::spreads(self.traces)
    }

    /// Describes the run.
    pub fn manifest(&self) -> Manifest {
        Manifest::of(self)
    }
}

/// What a trace between owners did not count as moves, in words; `sat` is the amount as the format writes it.
fn inside_sentence(trace: &Trace<'_>, sat: &str) -> Option<String> {
    let (inside, rules) = (trace.inside()?, trace.entity_rules()?);
    let (transfers, were) = if inside.transfers == 1 { ("transfer", "was") } else { ("transfers", "were") };
    Some(format!(
        "{} {transfers} with {sat} sat of taint stayed inside one cluster and {were} not counted as moves, under {}",
        inside.transfers,
        crate::trace::told(rules)
    ))
}

/// Writes control characters and those that turn the direction of text as escapes: labels come from strangers, and must not move a
/// terminal's cursor or hide a row.
fn visible(text: &str) -> std::borrow::Cow<'_, str> {
    let hides = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hides) {
        return text.into();
    }
    let escaped = text.chars().map(|c| if hides(c) { c.escape_unicode().to_string() } else { c.to_string() });
    escaped.collect::<String>().into()
}
