//! Exposure: how much of a source reached which category of tagged service, and within how many hops.
//!
//! [`Trace::exposure`] returns a matrix with a row for each source, category, service and [bucket of hops](HopBucket), and rows for what reached no tag:
//! unspent, unknown, in fees, burned, displaced, cut by a limit (which one is named). Each satoshi of a source stands in exactly one row, so under a
//! conserving rule the rows of a source sum to its value. [`Origins::exposure`] is the same of a backward run: from which categories coins came.
//!
//! An output counts for the first of its tags that holds, in the analyst's order of trust, or for the tag at which the trace stopped. A seed's own tag is no
//! exposure: nothing went there. Run the trace with [`stop::tagged`](super::stop::tagged) and every row is of a first touch. Where a trace goes past tags
//! (`stop::never`, or tags of other categories), the rows say where the coins are in the end, and [`Exposure::passed`] what went past which service; that
//! overlaps with the rows and is in no sum.
//!
//! Direct exposure is one hop, indirect is more, each as the trace counts them: between owners, moves; and from the nearest seed, so that with several sources a
//! row's hops may be another source's, which is said. Ask for one source at a time where it matters. Reference: Chainalysis' and Elliptic's use of the words;
//! the matrix with its policy and hop bucket is this library's.

mod written;

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Amount;

use super::{Fees, OriginReason, Origins, Policy, Reason, Seeded, Trace, Way};
use crate::chain::View;
use crate::id::{BlockHeight, OutputIndex, SourceIndex};
use crate::tag::{Tag, Tags, are_at_odds};

/// How many hops away, in buckets.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::HopBucket;
/// let names: Vec<&str> = [1, 2, 3, 4, 10, 11].map(|hops| HopBucket::of(hops).as_str()).to_vec();
/// assert_eq!(names, ["1", "2-3", "2-3", "4-10", "4-10", "11+"]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum HopBucket {
    /// One hop; between owners perhaps none. Direct exposure.
    Direct,
    /// Two or three.
    Near,
    /// Four to ten.
    Middle,
    /// Eleven and more.
    Far,
}

impl HopBucket {
    /// Returns the bucket of a number of hops.
    pub fn of(hops: u32) -> Self {
        match hops {
            0 | 1 => Self::Direct,
            2 | 3 => Self::Near,
            4..=10 => Self::Middle,
            _ => Self::Far,
        }
    }

    /// Returns the numbers of hops in it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "1",
            Self::Near => "2-3",
            Self::Middle => "4-10",
            Self::Far => "11+",
        }
    }
}

/// What a row of an exposure is about. A total order: services by category, then what reached none.
///
/// # Examples
///
/// See [`Trace::exposure`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum ExposedTo {
    /// A tagged owner, or an address that a rule about services calls somebody's.
    Service {
        /// The tag's category; its abuse where it has none; empty where it has neither.
        category: String,
        /// The tag's abuse, such as `sanction`; empty where it names none.
        abuse: String,
        /// The tag's label.
        label: String,
        /// How far from the nearest seed: of this source where there is one source alone, and else of any.
        hops: HopBucket,
    },
    /// Nobody tagged.
    Elsewhere {
        /// Why it ends: a reason's name, or `fees`, `burned`, `displaced`; of backward runs `minted`.
        why: &'static str,
        /// What goes with the reason: the mix, or what the caller's rule said. Often empty.
        detail: String,
        /// Whether a limit of the analyst's cut it, so that it might have reached a service.
        limit: bool,
    },
}

/// A row: what of one source is at one place.
///
/// # Examples
///
/// See [`Trace::exposure`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ExposureRow {
    /// Whose it was.
    pub source: SourceIndex,
    /// Where it is.
    pub to: ExposedTo,
    /// How much.
    pub amount: Amount,
    /// At how many outputs; 0 for fees, burned and displaced.
    pub outputs: usize,
    /// How many different tags hold of these outputs.
    pub tags: usize,
    /// Whether any of it rests on an inference: a tag that a cluster carried here, or a rule about services.
    pub inferred: bool,
    /// Whether tags of one output contradict each other.
    pub conflict: bool,
    /// Whether a tag holds on some days alone and the day of a payment is not known.
    pub undated: bool,
    /// Whether a tag names a service; what names a person or a deed is nobody who can act.
    pub is_service: bool,
    /// How it lies to mixes, where the run had a choice at them; `None` where no mix lies before.
    pub way: Option<Way>,
}

/// Direct and indirect exposure of one source to one category.
///
/// # Examples
///
/// See [`Trace::exposure`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CategoryExposure {
    /// Whose it was.
    pub source: SourceIndex,
    /// The category.
    pub category: String,
    /// One hop away.
    pub direct: Amount,
    /// Further away.
    pub indirect: Amount,
}

/// The exposure of every source under one rule. Made by [`Trace::exposure`] and [`Origins::exposure`].
///
/// It is written as JSON with the labels of the sources, and as a table by its `Display`.
///
/// # Examples
///
/// See [`Trace::exposure`].
#[derive(Clone, Debug)]
pub struct Exposure {
    policy: Policy,
    backward: bool,
    stop: String,
    fees: Fees,
    as_of: Option<BlockHeight>,
    sources: Vec<(String, Amount)>,
    rows: Vec<ExposureRow>,
    passed: Vec<ExposureRow>,
}

impl Exposure {
    /// Returns the rule that the run was under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the stops and limits of the run, as they describe themselves: what lies behind them is in no row.
    pub fn stop(&self) -> &str {
        &self.stop
    }

    /// Returns the height as of which the chain was seen: what happened later is in no row.
    pub fn as_of(&self) -> Option<BlockHeight> {
        self.as_of
    }

    /// Returns the sources with their values; [`SourceIndex`] counts them.
    pub fn sources(&self) -> &[(String, Amount)] {
        &self.sources
    }

    /// Returns the rows, by source, then in the order of [`ExposedTo`].
    pub fn rows(&self) -> &[ExposureRow] {
        &self.rows
    }

    /// Returns what went past services at which the run did not stop. It overlaps with the rows and with itself.
    pub fn passed(&self) -> &[ExposureRow] {
        &self.passed
    }

    /// True when the rows of every source sum to its value: always, under a conserving rule.
    pub fn adds_up(&self) -> bool {
        let mut sums = vec![Amount::ZERO; self.sources.len()];
        for row in &self.rows {
            sums[row.source.at()] += row.amount;
        }
        self.sources.iter().zip(sums).all(|((_, value), sum)| *value == sum)
    }

    /// Sums the services of each category, by source and category.
    pub fn by_category(&self) -> Vec<CategoryExposure> {
        let mut sums: BTreeMap<(SourceIndex, &str), [Amount; 2]> = BTreeMap::new();
        for row in &self.rows {
            if let ExposedTo::Service { category, hops, .. } = &row.to {
                let at = usize::from(*hops != HopBucket::Direct);
                sums.entry((row.source, category)).or_default()[at] += row.amount;
            }
        }
        let row = |((source, category), [direct, indirect]): ((_, &str), [Amount; 2])| CategoryExposure {
            source,
            category: category.to_owned(),
            direct,
            indirect,
        };
        sums.into_iter().map(row).collect()
    }
}

impl Trace<'_> {
    /// Says how much of each source reached which category of service. O(ends + touched, each with its tags).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::tag::{Tag, Tags};
    /// use fundtrace::taint::Fifo;
    /// use fundtrace::trace::{self, Options, stop};
    ///
    /// // Eight stolen satoshis pay 5 to an exchange and 2 to nobody known.
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let out = |sat, key: u8| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
    /// let spend = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(8, 1));
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(txid(2), vec![spend], vec![out(5, 8), out(2, 9)]))?;
    /// let chain = builder.finish()?;
    /// let mut tags = Tags::default();
    /// tags.insert(out(0, 8).script_pubkey, Tag::new("Example Exchange", "exchange", "its own list"));
    ///
    /// let seeds = [chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft")];
    /// let trace = trace::forward(chain.view(), &seeds, &Fifo, &stop::tagged(&tags), &Options::default());
    /// let exposure = trace.exposure(&tags);
    /// assert!(exposure.adds_up());
    /// let amounts: Vec<u64> = exposure.rows().iter().map(|row| row.amount.to_sat()).collect();
    /// assert_eq!(amounts, [5, 1, 2]); // The exchange, the fee, an unknown spender.
    /// let category = &exposure.by_category()[0];
    /// assert_eq!((category.category.as_str(), category.direct.to_sat(), category.indirect.to_sat()), ("exchange", 5, 0));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn exposure(&self, tags: &Tags) -> Exposure {
        let sheet = Sheet::new(self.view, tags, &self.seeds);
        let way = |output| self.behind(output).map(|behind| behind.way);
        let (mut rows, mut passed) = (Rows::new(), Rows::new());
        for end in &self.ends {
            let said = sheet.classify(Some(end.output), end.hops, Some(&end.reason), || elsewhere(&end.reason));
            add(&mut rows, &said, way(end.output), end.by_source.iter().copied());
        }
        for touch in self.touched.iter().filter(|touch| touch.carried) {
            let said = sheet.classify(Some(touch.output), touch.hops, None, || plain("", false));
            if !said.tags.is_empty() {
                add(&mut passed, &said, way(touch.output), touch.parts.iter().map(|part| (part.source, part.amount)));
            }
        }
        let balances = self.balances();
        for (at, balance) in balances.iter().enumerate() {
            let booked = [("fees", balance.fees), ("burned", balance.burned), ("displaced", balance.displaced)];
            book(&mut rows, SourceIndex::of(at), booked);
        }
        let seeded = balances.iter().map(|balance| balance.seeded);
        Exposure {
            policy: self.policy.clone(),
            backward: false,
            stop: self.stop.clone(),
            fees: self.options.fees,
            as_of: self.view.height(),
            sources: self.sources.iter().cloned().zip(seeded).collect(),
            rows: finished(rows),
            passed: finished(passed),
        }
    }
}

impl Origins<'_> {
    /// Says from which categories of service the coins of each label came: a row for each first tag on the way back. O(ends, each with its tags).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, tag::Tags, taint::Fifo, trace::{self, Options, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let origins = trace::backward(chain.view(), &[], &Fifo, &stop::never(), &Options::default());
    /// assert!(origins.exposure(&Tags::default()).rows().is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn exposure(&self, tags: &Tags) -> Exposure {
        let sheet = Sheet::new(self.view(), tags, self.wanted());
        let (mut rows, mut passed) = (Rows::new(), Rows::new());
        let ended: BTreeSet<OutputIndex> = self.ends().iter().filter_map(|end| end.output).collect();
        for end in self.ends() {
            let (stopped, or) = match &end.reason {
                OriginReason::Stopped(reason) => (Some(reason), elsewhere(reason)),
                other => (None, plain(other.as_str(), false)),
            };
            let said = sheet.classify(end.output, end.hops, stopped, || or);
            add(&mut rows, &said, None, end.by_source.iter().copied());
        }
        for touch in self.touched().iter().filter(|touch| !ended.contains(&touch.output)) {
            let said = sheet.classify(Some(touch.output), touch.hops, None, || plain("", false));
            if !said.tags.is_empty() {
                add(&mut passed, &said, None, touch.parts.iter().map(|part| (part.source, part.amount)));
            }
        }
        let balances = self.balances();
        for (at, balance) in balances.iter().enumerate() {
            book(&mut rows, SourceIndex::of(at), [("displaced", balance.displaced)]);
        }
        let asked = balances.iter().map(|balance| balance.asked);
        Exposure {
            policy: self.policy().clone(),
            backward: true,
            stop: self.stop().to_owned(),
            fees: self.options().fees,
            as_of: self.view().height(),
            sources: self.labels().iter().cloned().zip(asked).collect(),
            rows: finished(rows),
            passed: finished(passed),
        }
    }
}

/// What is asked of every output.
struct Sheet<'c, 't> {
    view: View<'c>,
    tags: &'t Tags,
    seeds: BTreeSet<OutputIndex>,
}

/// What is said of one output.
struct Said<'t> {
    to: ExposedTo,
    tags: Vec<&'t Tag>,
    /// Whether a rule about services says so, and no tag.
    classed: bool,
    /// Whether a tag's days cannot be compared with the payment's.
    undated: bool,
    /// 1, or 0 where it is no output.
    outputs: usize,
}

/// A row before it is finished.
#[derive(Default)]
struct Sum<'t> {
    amount: Amount,
    outputs: usize,
    tags: Vec<&'t Tag>,
    conflict: bool,
    classed: bool,
    undated: bool,
    is_service: bool,
}

type Rows<'t> = BTreeMap<(SourceIndex, ExposedTo, Option<Way>), Sum<'t>>;

impl<'c, 't> Sheet<'c, 't> {
    fn new(view: View<'c>, tags: &'t Tags, seeds: &[Seeded]) -> Self {
        Self { view, tags, seeds: seeds.iter().map(|seed| seed.output).collect() }
    }

    fn classify<'a>(
        &self,
        output: Option<OutputIndex>,
        hops: u32,
        reason: Option<&'a Reason>,
        or: impl FnOnce() -> ExposedTo,
    ) -> Said<'a>
    where
        't: 'a,
    {
        let outputs = usize::from(output.is_some());
        let plain = |to, tags| Said { to, tags, classed: false, undated: false, outputs };
        let Some(output) = output.filter(|output| !self.seeds.contains(output)) else { return plain(or(), Vec::new()) };
        let paid = self.view.output(output);
        let mut tags: Vec<&'a Tag> = self.tags.holding(paid).collect();
        if let Some(Reason::Tagged(stopped)) = reason {
            // The tag at which the run stopped comes first; the tags that are asked about need not be those of the run.
            tags.retain(|tag| **tag != **stopped);
            tags.insert(0, stopped);
        }
        let hops = HopBucket::of(hops);
        let Some(first) = tags.first() else {
            let Some(Reason::Classified(classed)) = reason else { return plain(or(), tags) };
            let (category, label) = (classed.category.clone(), classed.label.clone());
            let to = ExposedTo::Service { category, abuse: String::new(), label, hops };
            return Said { classed: true, ..plain(to, tags) };
        };
        let category = if first.category.is_empty() { &first.abuse } else { &first.category };
        let (category, abuse, label) = (category.clone(), first.abuse.clone(), first.label.clone());
        let undated = (first.since.is_some() || first.until.is_some()) && paid.tx().time().is_none();
        Said { undated, ..plain(ExposedTo::Service { category, abuse, label, hops }, tags) }
    }
}

fn plain(why: &'static str, limit: bool) -> ExposedTo {
    ExposedTo::Elsewhere { why, detail: String::new(), limit }
}

fn elsewhere(reason: &Reason) -> ExposedTo {
    let detail = reason.detail().unwrap_or("").to_owned();
    ExposedTo::Elsewhere { why: reason.as_str(), detail, limit: reason.is_limit() }
}

fn add<'t>(
    rows: &mut Rows<'t>,
    said: &Said<'t>,
    way: Option<Way>,
    amounts: impl Iterator<Item = (SourceIndex, Amount)>,
) {
    let mut by_source: BTreeMap<SourceIndex, Amount> = BTreeMap::new();
    for (source, amount) in amounts {
        *by_source.entry(source).or_default() += amount;
    }
    for (source, amount) in by_source {
        let sum = rows.entry((source, said.to.clone(), way)).or_default();
        sum.amount += amount;
        sum.outputs += said.outputs;
        sum.conflict |= are_at_odds(&said.tags);
        sum.classed |= said.classed;
        sum.undated |= said.undated;
        sum.is_service |= said.classed || said.tags.first().is_some_and(|tag| tag.names_service());
        sum.tags.extend(&said.tags);
    }
}

fn book<const N: usize>(rows: &mut Rows<'_>, source: SourceIndex, booked: [(&'static str, Amount); N]) {
    for (why, amount) in booked.into_iter().filter(|(_, amount)| *amount > Amount::ZERO) {
        rows.entry((source, plain(why, false), None)).or_default().amount += amount;
    }
}

fn finished(rows: Rows<'_>) -> Vec<ExposureRow> {
    let row = |((source, to, way), sum): (_, Sum<'_>)| {
        let inferred = sum.classed || sum.tags.iter().any(|tag| tag.inferred.is_some());
        // One tag on many addresses is many tags in memory; what it says tells whether it is the same.
        let said: BTreeSet<String> = sum.tags.iter().map(|tag| format!("{tag:?}")).collect();
        let Sum { amount, outputs, conflict, undated, is_service, .. } = sum;
        ExposureRow { source, to, amount, outputs, tags: said.len(), inferred, conflict, undated, is_service, way }
    };
    rows.into_iter().map(row).collect()
}
