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
//! Direct exposure is one hop, indirect is more, each as the trace counts them: between owners, moves. Reference: Chainalysis' and Elliptic's use of the words;
//! the matrix with its policy and hop bucket is this library's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bitcoin::Amount;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Fees, OriginReason, Origins, Policy, Reason, Seeded, Trace};
use crate::chain::View;
use crate::id::{OutputIndex, SourceIndex};
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
    /// A tagged service.
    Service {
        /// The tag's category; its abuse where it has none; empty where it has neither.
        category: String,
        /// The tag's label.
        label: String,
        /// How far from the source.
        hops: HopBucket,
    },
    /// No tagged service.
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
    /// Whether any of them was carried here by a cluster.
    pub inferred: bool,
    /// Whether tags of one output contradict each other.
    pub conflict: bool,
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
        let (mut rows, mut passed) = (Rows::new(), Rows::new());
        for end in &self.ends {
            let said = sheet.classify(Some(end.output), end.hops, Some(&end.reason), || elsewhere(&end.reason));
            add(&mut rows, &said, end.by_source.iter().copied());
        }
        for touch in self.touched.iter().filter(|touch| touch.carried) {
            let said = sheet.classify(Some(touch.output), touch.hops, None, || plain("", false));
            if !said.tags.is_empty() {
                add(&mut passed, &said, touch.parts.iter().map(|part| (part.source, part.amount)));
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
            add(&mut rows, &said, end.by_source.iter().copied());
        }
        for touch in self.touched().iter().filter(|touch| !ended.contains(&touch.output)) {
            let said = sheet.classify(Some(touch.output), touch.hops, None, || plain("", false));
            if !said.tags.is_empty() {
                add(&mut passed, &said, touch.parts.iter().map(|part| (part.source, part.amount)));
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
}

type Rows<'t> = BTreeMap<(SourceIndex, ExposedTo), Sum<'t>>;

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
        let Some(output) = output.filter(|output| !self.seeds.contains(output)) else {
            return Said { to: or(), tags: Vec::new(), outputs };
        };
        let mut tags: Vec<&'a Tag> = self.tags.holding(self.view.output(output)).collect();
        if let Some(Reason::Tagged(stopped)) = reason {
            // The tag at which the run stopped comes first; the tags that are asked about need not be those of the run.
            tags.retain(|tag| **tag != **stopped);
            tags.insert(0, stopped);
        }
        let Some(first) = tags.first() else { return Said { to: or(), tags, outputs } };
        let category = if first.category.is_empty() { &first.abuse } else { &first.category };
        let (category, label) = (category.clone(), first.label.clone());
        Said { to: ExposedTo::Service { category, label, hops: HopBucket::of(hops) }, tags, outputs }
    }
}

fn plain(why: &'static str, limit: bool) -> ExposedTo {
    ExposedTo::Elsewhere { why, detail: String::new(), limit }
}

fn elsewhere(reason: &Reason) -> ExposedTo {
    let detail = reason.detail().unwrap_or("").to_owned();
    ExposedTo::Elsewhere { why: reason.as_str(), detail, limit: reason.is_limit() }
}

fn add<'t>(rows: &mut Rows<'t>, said: &Said<'t>, amounts: impl Iterator<Item = (SourceIndex, Amount)>) {
    let mut by_source: BTreeMap<SourceIndex, Amount> = BTreeMap::new();
    for (source, amount) in amounts {
        *by_source.entry(source).or_default() += amount;
    }
    for (source, amount) in by_source {
        let sum = rows.entry((source, said.to.clone())).or_default();
        sum.amount += amount;
        sum.outputs += said.outputs;
        sum.conflict |= are_at_odds(&said.tags);
        sum.tags.extend(&said.tags);
    }
}

fn book<const N: usize>(rows: &mut Rows<'_>, source: SourceIndex, booked: [(&'static str, Amount); N]) {
    for (why, amount) in booked.into_iter().filter(|(_, amount)| *amount > Amount::ZERO) {
        rows.entry((source, plain(why, false))).or_default().amount += amount;
    }
}

fn finished(rows: Rows<'_>) -> Vec<ExposureRow> {
    let row = |((source, to), sum): (_, Sum<'_>)| {
        let inferred = sum.tags.iter().any(|tag| tag.inferred.is_some());
        // One tag on many addresses is many tags in memory; what it says tells whether it is the same.
        let said: BTreeSet<String> = sum.tags.iter().map(|tag| format!("{tag:?}")).collect();
        let (amount, outputs, conflict) = (sum.amount, sum.outputs, sum.conflict);
        ExposureRow { source, to, amount, outputs, tags: said.len(), inferred, conflict }
    };
    rows.into_iter().map(row).collect()
}

/// A row as it is written.
struct Written<'e>(&'e Exposure, &'e ExposureRow);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(exposure, row) = self;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("source", &exposure.sources[row.source.at()].0)?;
        match &row.to {
            ExposedTo::Service { category, label, hops } => {
                map.serialize_entry("category", category)?;
                map.serialize_entry("label", label)?;
                map.serialize_entry("hops", hops.as_str())?;
                map.serialize_entry("tags", &row.tags)?;
                map.serialize_entry("inferred", &row.inferred)?;
                map.serialize_entry("conflict", &row.conflict)?;
            }
            ExposedTo::Elsewhere { why, detail, limit } => {
                map.serialize_entry("why", why)?;
                map.serialize_entry("detail", detail)?;
                map.serialize_entry("limit", limit)?;
            }
        }
        map.serialize_entry("outputs", &row.outputs)?;
        map.serialize_entry("amount_sat", &row.amount.to_sat())?;
        map.end()
    }
}

impl Serialize for Exposure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let sources: BTreeMap<&str, u64> =
            self.sources.iter().map(|(label, value)| (label.as_str(), value.to_sat())).collect();
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("policy", self.policy.name)?;
        map.serialize_entry("version", &self.policy.version)?;
        map.serialize_entry("conserving", &self.policy.conserving)?;
        map.serialize_entry("direction", if self.backward { "backward" } else { "forward" })?;
        map.serialize_entry("stop", &self.stop)?;
        map.serialize_entry("fees", self.fees.as_str())?;
        map.serialize_entry("sources_sat", &sources)?;
        for (name, rows) in [("rows", &self.rows), ("passed", &self.passed)] {
            map.serialize_entry(name, &rows.iter().map(|row| Written(self, row)).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, stop) = (self.policy.name, &self.stop);
        let way = if self.backward { "where it came from" } else { "where it went" };
        writeln!(f, "Exposure under {name}: {way}; stops: {stop}; fees {}", self.fees.phrase())?;
        if !self.policy.conserving {
            writeln!(f, "  an upper bound: the rows overlap and need not add up")?;
        }
        for (at, (label, value)) in self.sources.iter().enumerate() {
            writeln!(f, "  {}: {} sat", label.escape_debug(), value.to_sat())?;
            for row in self.rows.iter().filter(|row| row.source.at() == at) {
                line(f, row, *value)?;
            }
        }
        if !self.passed.is_empty() {
            writeln!(f, "  and past these, at which the run did not stop (in the rows above, too):")?;
        }
        for row in &self.passed {
            line(f, row, self.sources[row.source.at()].1)?;
        }
        Ok(())
    }
}

/// `5 sat  62.50 %  exchange, Example Exchange, 1 hop (1 tag)`
fn line(f: &mut fmt::Formatter<'_>, row: &ExposureRow, of: Amount) -> fmt::Result {
    let share = match of.to_sat() {
        0 => 0,
        value => u128::from(row.amount.to_sat()) * 10_000 / u128::from(value),
    };
    write!(f, "  {:>20} sat {:>4}.{:02} %  ", row.amount.to_sat(), share / 100, share % 100)?;
    match &row.to {
        ExposedTo::Service { category, label, hops } => {
            let category = if category.is_empty() { "no category" } else { category };
            let unit = if *hops == HopBucket::Direct { "hop, direct" } else { "hops" };
            write!(f, "{}, {}, {} {unit}", category.escape_debug(), label.escape_debug(), hops.as_str())?;
            write!(f, " ({} {}", row.tags, if row.tags == 1 { "tag" } else { "tags" })?;
            f.write_str(if row.inferred { ", inferred" } else { "" })?;
            writeln!(f, "{})", if row.conflict { ", CONFLICT" } else { "" })
        }
        ExposedTo::Elsewhere { why, detail, limit } => {
            let detail = if detail.is_empty() { String::new() } else { format!(" ({})", detail.escape_debug()) };
            let limit = if *limit { ", cut by a limit" } else { "" };
            writeln!(f, "no tagged service: {}{detail}{limit}", why.replace('_', " "))
        }
    }
}
