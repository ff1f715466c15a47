//! Small chains from one-line rows, and traces back to names that a person can read.
//!
//! ```text
//! pay @7.2: loot:0=5 other:0=3/alice -> 4 3/bob 0/return 2!unspent
//! ```
//!
//! A row is a name, `@height` and `.position` where known, the inputs and the outputs. An input that is no row's output belongs to a
//! stub; `=5` claims its value, `/alice` its script. `coinbase` alone spends nothing. An output is a value, then whom it pays
//! (`return` is an OP_RETURN, `genesis`, `bob` and so on are keys), then what a source says became of it (`!unspent`, `!by:name`).
//!
//! A name is its own txid: written as hex it is the name's bytes and zeros, so txids sort like names.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use fundtrace::bitcoin::hashes::{Hash, hash160};
use fundtrace::bitcoin::{Amount, Network, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash};
use fundtrace::chain::{Fate, NewInput, NewTx};
use fundtrace::taint::Taint;
use fundtrace::trace::stop::{self, Stop};
use fundtrace::trace::{self, Options, Reason, Seed, Trace};
use fundtrace::{BlockHeight, Chain, ChainBuilder, Error, View};

/// A transaction of a small chain.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub height: Option<u32>,
    pub position: Option<u32>,
    /// Empty for a coinbase.
    pub inputs: Vec<In>,
    pub outputs: Vec<Out>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct In {
    pub of: String,
    pub vout: u32,
    /// The value that the input claims for its prevout.
    pub value: Option<u64>,
    pub script: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Out {
    pub value: u64,
    /// Whom it pays; a key of its own where nothing is said.
    pub script: Option<String>,
    pub fate: Fate,
}

impl Out {
    pub fn of(value: u64) -> Self {
        Self { value, script: None, fate: Fate::Unknown }
    }
}

pub fn sat(sat: u64) -> Amount {
    Amount::from_sat(sat)
}

pub fn height(height: u32) -> BlockHeight {
    BlockHeight::from_u32(height)
}

/// The txid that is written as the bytes of the name.
pub fn txid(name: &str) -> Txid {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes.reverse();
    Txid::from_byte_array(bytes)
}

pub fn name_of(txid: Txid) -> String {
    let mut bytes = txid.to_byte_array().to_vec();
    bytes.reverse();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8(bytes).unwrap_or_else(|_| txid.to_string())
}

/// The outpoint of `name:vout`.
pub fn outpoint(text: &str) -> OutPoint {
    let (name, vout) = text.rsplit_once(':').expect("name:vout");
    OutPoint::new(txid(name), vout.parse().expect("a vout"))
}

pub fn name_of_outpoint(outpoint: OutPoint) -> String {
    format!("{}:{}", name_of(outpoint.txid), outpoint.vout)
}

/// The script of a key named so.
pub fn script(who: &str) -> ScriptBuf {
    match who {
        "return" => ScriptBuf::from_hex("6a0568656c6c6f").unwrap(),
        _ => ScriptBuf::new_p2wpkh(&WPubkeyHash::from_raw_hash(hash160::Hash::hash(who.as_bytes()))),
    }
}

fn txout(value: u64, who: Option<&str>, own: &str) -> TxOut {
    TxOut { value: sat(value), script_pubkey: script(who.unwrap_or(own)) }
}

impl Row {
    pub fn record(&self) -> NewTx {
        let input = |input: &In| {
            let record = NewInput::new(OutPoint::new(txid(&input.of), input.vout));
            let own = format!("{}:{}", input.of, input.vout);
            match input.value {
                Some(value) => record.prevout(txout(value, input.script.as_deref(), &own)),
                None => record,
            }
        };
        let mut inputs: Vec<NewInput> = self.inputs.iter().map(input).collect();
        if inputs.is_empty() {
            inputs.push(NewInput::new(OutPoint::null()));
        }
        let output = |(vout, output): (usize, &Out)| {
            txout(output.value, output.script.as_deref(), &format!("{}:{vout}", self.name))
        };
        let outputs = self.outputs.iter().enumerate().map(output).collect();
        let mut tx = NewTx::claimed(txid(&self.name), inputs, outputs);
        if let Some(at) = self.height {
            tx = tx.height(height(at));
        }
        if let Some(position) = self.position {
            tx = tx.position(position);
        }
        if self.outputs.iter().any(|output| output.fate != Fate::Unknown) {
            tx = tx.fates(self.outputs.iter().map(|output| output.fate));
        }
        tx
    }
}

/// As it is written, so that a failing case can become a scenario.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.height.map_or(Ok(()), |height| write!(f, " @{height}"))?;
        self.position.map_or(Ok(()), |position| write!(f, ".{position}"))?;
        f.write_str(if self.inputs.is_empty() { ": coinbase" } else { ":" })?;
        for input in &self.inputs {
            write!(f, " {}:{}", input.of, input.vout)?;
            input.value.map_or(Ok(()), |value| write!(f, "={value}"))?;
            input.script.as_ref().map_or(Ok(()), |script| write!(f, "/{script}"))?;
        }
        f.write_str(" ->")?;
        for output in &self.outputs {
            write!(f, " {}", output.value)?;
            output.script.as_ref().map_or(Ok(()), |script| write!(f, "/{script}"))?;
        }
        Ok(())
    }
}

impl FromStr for Row {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let bad = || format!("not a row: {line:?}");
        let (head, body) = line.split_once(": ").ok_or_else(bad)?;
        let (inputs, outputs) = body.split_once("->").ok_or_else(bad)?;
        let (name, place) = match head.split_once('@') {
            Some((name, place)) => (name.trim(), Some(place.trim())),
            None => (head.trim(), None),
        };
        let number = |text: &str| text.parse().map_err(|_| bad());
        let (at, position) = match place.map(|place| place.split_once('.').unwrap_or((place, ""))) {
            None => (None, None),
            Some((at, "")) => (Some(number(at)?), None),
            Some((at, position)) => (Some(number(at)?), Some(number(position)?)),
        };
        let inputs = inputs.split_whitespace().filter(|word| *word != "coinbase").map(|word| {
            let (word, script) = cut(word, '/');
            let (word, value) = cut(word, '=');
            let (of, vout) = word.rsplit_once(':').ok_or_else(bad)?;
            let value = value.map(|value| value.parse().map_err(|_| bad())).transpose()?;
            Ok(In { of: of.into(), vout: number(vout)?, value, script: script.map(Into::into) })
        });
        let outputs = outputs.split_whitespace().map(|word| {
            let (word, fate) = cut(word, '!');
            let (value, script) = cut(word, '/');
            let fate = match fate {
                None => Fate::Unknown,
                Some("unspent") => Fate::Unspent,
                Some(by) => Fate::SpentBy(txid(by.strip_prefix("by:").ok_or_else(bad)?)),
            };
            Ok(Out { value: value.parse().map_err(|_| bad())?, script: script.map(Into::into), fate })
        });
        let inputs = inputs.collect::<Result<_, String>>()?;
        Ok(Self { name: name.into(), height: at, position, inputs, outputs: outputs.collect::<Result<_, String>>()? })
    }
}

fn cut(word: &str, at: char) -> (&str, Option<&str>) {
    match word.split_once(at) {
        Some((word, rest)) => (word, Some(rest)),
        None => (word, None),
    }
}

/// Reads rows; empty lines and what follows `#` are passed over.
///
/// `each 1..9: h{i}: h{i-1}:0 -> {100-i}` stands for nine rows.
pub fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in text.lines().map(|line| cut(line, '#').0.trim()).filter(|line| !line.is_empty()) {
        let lines = each(line).unwrap_or_else(|| vec![line.into()]);
        rows.extend(lines.iter().map(|line| line.parse::<Row>().unwrap()));
    }
    rows
}

/// The lines that `each A..B: template` stands for.
pub fn each(line: &str) -> Option<Vec<String>> {
    let (range, template) = line.strip_prefix("each ")?.split_once(':')?;
    let (from, to) = range.split_once("..")?;
    let number = |text: &str| text.trim().parse::<i64>().expect("a number");
    Some((number(from)..=number(to)).map(|i| fill(template.trim(), i)).collect())
}

/// Puts a number in place of `{i}`, `{i-1}`, `{100-i}`.
fn fill(template: &str, i: i64) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (sum, after) = after.split_once('}').expect("a closing brace");
        let term = |text: &str| if text == "i" { i } else { text.parse().expect("i or a number") };
        let number = match sum.split_once(['-', '+']) {
            None => term(sum),
            Some((a, b)) if sum.contains('-') => term(a) - term(b),
            Some((a, b)) => term(a) + term(b),
        };
        text += before;
        text += &number.to_string();
        rest = after;
    }
    text + rest
}

/// A small chain still to be frozen.
#[derive(Clone, Debug)]
pub struct Mini {
    pub network: Network,
    pub complete: Option<(u32, u32)>,
    pub rows: Vec<Row>,
}

impl Mini {
    pub fn new(text: &str) -> Self {
        Self::of(rows(text))
    }

    pub fn of(rows: Vec<Row>) -> Self {
        Self { network: Network::Bitcoin, complete: None, rows }
    }

    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    pub fn complete(mut self, from: u32, to: u32) -> Self {
        self.complete = Some((from, to));
        self
    }

    pub fn freeze(&self) -> Result<Chain, Error> {
        let mut builder = ChainBuilder::new().network(self.network);
        if let Some((from, to)) = self.complete {
            builder = builder.complete(height(from), height(to));
        }
        for row in &self.rows {
            builder.insert(row.record())?;
        }
        builder.finish()
    }

    /// The chain, which must be free of contradictions.
    pub fn chain(&self) -> Chain {
        self.freeze().unwrap_or_else(|error| panic!("{error}\n{:#?}", self.rows))
    }
}

/// Reads `name:vout` or `name:vout=label`; without a label the output is its own source.
pub fn seed(view: View<'_>, text: &str) -> Seed {
    let (name, label) = cut(text, '=');
    let output = view.unbounded().output_at(outpoint(name));
    output.unwrap_or_else(|| panic!("no output {name}")).seed(label.unwrap_or(name))
}

/// Traces without stops under the default conventions.
pub fn follow<'c, T: Taint>(view: View<'c>, seeds: &[&str], rule: &T) -> Trace<'c> {
    let seeds: Vec<Seed> = seeds.iter().map(|text| seed(view, text)).collect();
    trace::forward(view, &seeds, rule, &stop::never(), &Options::default())
}

/// Does the same for every rule: `each_rule!(rule => { .. })`.
macro_rules! each_rule {
    ($rule:ident => $body:block) => {{
        {
            let $rule = fundtrace::taint::Poison;
            $body
        }
        {
            let $rule = fundtrace::taint::Haircut;
            $body
        }
        {
            let $rule = fundtrace::taint::Fifo;
            $body
        }
        {
            let $rule = fundtrace::taint::Lifo;
            $body
        }
        {
            let $rule = fundtrace::taint::Seniority;
            $body
        }
        {
            let $rule = fundtrace::taint::Juniority;
            $body
        }
        {
            let $rule = fundtrace::taint::Tiho;
            $body
        }
    }};
}
pub(crate) use each_rule;

/// Amounts by label.
pub type BySource = Vec<(String, u64)>;

/// What a trace found, by names, so that traces of different chains and engines can be compared.
///
/// Amounts of zero in fees and displaced taint are left out: they say nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ledger {
    pub seeded: u64,
    pub ends: BTreeMap<String, EndRow>,
    /// By payer: how much, and whether it went on to the coinbase.
    pub fees: BTreeMap<String, (u64, BySource, bool)>,
    /// By output, or by transaction for a reward that was not claimed.
    pub burned: BTreeMap<String, (u64, BySource)>,
    pub displaced: BTreeMap<String, (u64, BySource)>,
    /// Every output that was reached: amount, hops, whether it was carried on.
    pub touched: BTreeMap<String, (u64, u32, bool)>,
    pub transactions: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndRow {
    pub amount: u64,
    pub by_source: BySource,
    pub hops: u32,
    pub reason: Reason,
}

impl Ledger {
    pub fn of(trace: &Trace<'_>) -> Self {
        let view = trace.view();
        let name = |output| name_of_outpoint(view.output(output).outpoint());
        let sums = |parts: &[fundtrace::taint::Part]| {
            let mut sums = BTreeMap::new();
            for part in parts {
                *sums.entry(part.source).or_insert(0) += part.amount.to_sat();
            }
            sums.into_iter().map(|(source, sat)| (trace.label(source).to_string(), sat)).collect::<Vec<_>>()
        };
        let mut ledger = Self { transactions: trace.transactions(), ..Self::default() };
        ledger.seeded = trace.seeds().iter().map(|seed| seed.value.to_sat()).sum();
        for end in trace.ends() {
            let by_source =
                end.by_source.iter().map(|(of, amount)| (trace.label(*of).to_string(), amount.to_sat())).collect();
            let row = EndRow { amount: end.amount.to_sat(), by_source, hops: end.hops, reason: end.reason.clone() };
            assert!(ledger.ends.insert(unique(&ledger.ends, name(end.output)), row).is_none());
        }
        for fee in trace.fees().iter().filter(|fee| fee.amount > Amount::ZERO) {
            let row = (fee.amount.to_sat(), sums(&fee.parts), fee.coinbase.is_some());
            assert!(ledger.fees.insert(name_of(view.tx(fee.tx).txid()), row).is_none());
        }
        for burned in trace.burned() {
            let at = burned.output.map_or_else(|| name_of(view.tx(burned.tx).txid()), name);
            let row = (burned.amount.to_sat(), sums(&burned.parts));
            assert!(ledger.burned.insert(at, row).is_none());
        }
        for displaced in trace.displaced().iter().filter(|displaced| displaced.amount > Amount::ZERO) {
            add_displaced(&mut ledger, name(displaced.output), displaced.amount.to_sat(), sums(&displaced.parts));
        }
        for touch in trace.touched() {
            let row = (touch.amount.to_sat(), touch.hops, touch.carried);
            ledger.touched.insert(unique(&ledger.touched, name(touch.output)), row);
        }
        ledger
    }

    /// The ends as `name:vout=amount`, in the order of names.
    pub fn amounts(&self) -> String {
        let words: Vec<String> = self.ends.iter().map(|(name, end)| format!("{name}={}", end.amount)).collect();
        words.join(" ")
    }
}

/// A BIP30 pair shares its names; the later one gets a mark.
pub fn unique<T>(rows: &BTreeMap<String, T>, name: String) -> String {
    if rows.contains_key(&name) { name + "'" } else { name }
}

/// One output can give way twice: named under three labels.
pub fn add_displaced(ledger: &mut Ledger, at: String, amount: u64, by_source: BySource) {
    let row = ledger.displaced.entry(at).or_default();
    row.0 += amount;
    row.1.extend(by_source);
    row.1.sort();
}

/// A stop that both engines understand.
#[derive(Clone, Debug)]
pub enum StopRow {
    Hops(u32),
    Below(u64),
    AsOf(u32),
    Budget(u64),
    /// Keys that are tagged, each with its label.
    Tagged(Vec<(String, String)>),
    /// A closure that stops at outputs whose spender has so many outputs.
    Outputs(usize),
}

impl StopRow {
    /// The library's stop, handed to `run`.
    pub fn all(stops: &[Self]) -> Box<dyn Stop> {
        stops.iter().rev().fold(Box::new(stop::never()) as Box<dyn Stop>, |rest, row| Box::new(row.stop().or(rest)))
    }

    fn stop(&self) -> Box<dyn Stop> {
        match self {
            Self::Hops(max) => Box::new(stop::hops(*max)),
            Self::Below(least) => Box::new(stop::below(sat(*least))),
            Self::AsOf(at) => Box::new(stop::as_of(height(*at))),
            Self::Budget(max) => Box::new(stop::budget(*max)),
            Self::Tagged(keys) => {
                let mut tags = fundtrace::tag::Tags::default();
                for (key, label) in keys {
                    tags.insert(script(key), fundtrace::tag::Tag::new(label, "", "this test"));
                }
                // A suite's few tags may live as long as the suite.
                Box::new(stop::tagged(Box::leak(Box::new(tags))))
            }
            Self::Outputs(least) => {
                let least = *least;
                Box::new(stop::when(format!("{least} outputs"), move |at| {
                    at.spender.is_some_and(|tx| tx.outputs().len() >= least).then(|| Reason::Custom("batch".into()))
                }))
            }
        }
    }
}
