//! A trace against the true route of a theft, by value.
//!
//! For an output with s(o) sat of loot in the thief's book and t(o) sat of taint under a rule, the smaller of the two is a hit. Precision is
//! the hits' share of all taint, recall their share of all loot. Over a whole route a satoshi counts at every output that it
//! passes, so long peel chains weigh much; over the ends it counts where it comes to rest. The seeds are given, not found, and count on
//! neither side. Fees are no outputs and count on neither side.
//!
//! Möser, Böhme and Breuker, Towards risk scoring of Bitcoin transactions (BITCOIN 2014), define the taint that is scored;
//! transactions opened for each exit are the cost of a search as in Wu et al., TRacer: scalable graph-based transaction tracing for
//! account-based blockchain trading systems (IEEE TIFS 2023), section V.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Amount;

use super::Ratio;
use crate::id::{OutputIndex, TheftIndex};
use crate::trace::Trace;
use crate::truth::Truth;

/// What two books say of the same outputs, in satoshis.
///
/// # Examples
///
/// See [`agreement`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Agreement {
    /// What both say.
    pub hit: u128,
    /// What the run says.
    pub claimed: u128,
    /// What is true.
    pub truth: u128,
}

impl Agreement {
    /// Returns the share of what the run says that is true.
    pub fn precision(&self) -> Ratio {
        Ratio::new(self.hit, self.claimed)
    }

    /// Returns the share of what is true that the run says.
    pub fn recall(&self) -> Ratio {
        Ratio::new(self.hit, self.truth)
    }

    /// Returns the harmonic mean of precision and recall.
    pub fn f1(&self) -> Ratio {
        Ratio::new(2 * self.hit, self.claimed + self.truth)
    }
}

/// Compares two books: the hit at each output is the smaller of its two amounts.
///
/// Of an output that a book names twice, the greater amount counts.
///
/// # Complexity
///
/// A sort of both.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::{OutputIndex, eval};
/// let book = |rows: &[(u64, u64)]| {
///     rows.iter().map(|(output, sat)| (OutputIndex::from_u64(*output), Amount::from_sat(*sat))).collect::<Vec<_>>()
/// };
/// let score = eval::agreement(book(&[(1, 10), (2, 30)]), book(&[(2, 20), (3, 5)]));
/// assert_eq!((score.hit, score.claimed, score.truth), (20, 25, 40));
/// assert_eq!(score.precision().to_string(), "0.8000");
/// assert_eq!(score.recall().to_string(), "0.5000");
/// ```
pub fn agreement(
    truth: impl IntoIterator<Item = (OutputIndex, Amount)>,
    run: impl IntoIterator<Item = (OutputIndex, Amount)>,
) -> Agreement {
    compare(&book(truth), &book(run))
}

type Book = BTreeMap<OutputIndex, u64>;

fn book(rows: impl IntoIterator<Item = (OutputIndex, Amount)>) -> Book {
    let mut book = Book::new();
    for (output, amount) in rows {
        let held = book.entry(output).or_default();
        *held = amount.to_sat().max(*held);
    }
    book
}

fn compare(truth: &Book, run: &Book) -> Agreement {
    let sum = |book: &Book| book.values().map(|sat| u128::from(*sat)).sum();
    let hit = run.iter().map(|(output, sat)| u128::from(truth.get(output).copied().unwrap_or(0).min(*sat))).sum();
    Agreement { hit, claimed: sum(run), truth: sum(truth) }
}

/// How well a trace finds the route of a theft. Amounts are in satoshis.
///
/// # Examples
///
/// See [`route`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct RouteScore {
    /// Over every output that loot passed, inside custodians and after them too.
    pub route: Agreement,
    /// Over the outputs that loot passed until it first left the thief's hands: what the chain alone shows.
    pub direct: Agreement,
    /// Over where loot came to rest (exits, and what the thief holds) and where the trace ends.
    pub ends: Agreement,
    /// The same without what came after custodians.
    pub direct_ends: Agreement,
    /// Exits that loot took.
    pub exits: u64,
    /// Exits that taint reached, by however little.
    pub exits_found: u64,
    /// Loot that left through the exits.
    pub exits_sat: u128,
    /// Loot that left through the exits found.
    pub exits_found_sat: u128,
    /// What of it the trace claims there: at each exit the smaller of loot and taint.
    pub exits_hit_sat: u128,
    /// Transactions that the trace carried taint through: what an analyst would have to open.
    pub transactions: u64,
    /// Taint at outputs of which no row tells; left out of the four agreements.
    pub unknown_sat: u128,
}

impl RouteScore {
    /// Returns the share of exits that taint reached.
    pub fn exits_found(&self) -> Ratio {
        Ratio::new(self.exits_found, self.exits)
    }

    /// Returns the share of the loot through exits that left by those found.
    pub fn exits_by_value(&self) -> Ratio {
        Ratio::new(self.exits_found_sat, self.exits_sat)
    }

    /// Returns the share of the loot through exits that the trace claims there.
    pub fn exits_recall(&self) -> Ratio {
        Ratio::new(self.exits_hit_sat, self.exits_sat)
    }

    /// Returns how many transactions were opened for each exit found; "n/a" where none was.
    pub fn transactions_per_exit(&self) -> Ratio {
        Ratio::new(self.transactions, self.exits_found)
    }
}

/// Scores a trace against the route of a theft.
///
/// The trace is to be of this theft's seeds alone ([`Truth::seeds`]): all its sources count as one. Where it stops at tagged
/// services it is scored as it stands, and recall over the whole route tells what is lost behind them; `direct` tells what could have been found.
///
/// # Panics
///
/// When trace, truth and theft are not of one chain.
///
/// # Complexity
///
/// Of the outputs touched, and of all loot of the chain.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::spec::Rule;
/// use fundtrace::trace::{Options, Seed, stop};
/// use fundtrace::{BlockHeight, eval, id::TheftIndex, truth::Truth};
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let mut builder = ChainBuilder::new();
/// let theft = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(40));
/// builder.insert(NewTx::claimed(txid(2), vec![theft], vec![out(40)]).height(BlockHeight::from_u32(8)))?;
/// // The thief pays 30 to an exchange and adds 10 of another coin.
/// let inputs = vec![NewInput::new(OutPoint::new(txid(2), 0)), NewInput::new(OutPoint::new(txid(1), 1)).prevout(out(10))];
/// builder.insert(NewTx::claimed(txid(3), inputs, vec![out(20), out(30)]).height(BlockHeight::from_u32(9)))?;
/// let chain = builder.finish()?;
/// let file = r#"{"entity":{"index":0,"kind":"thief"}}
/// {"entity":{"index":1,"kind":"exchange"}}
/// {"theft":{"index":0,"thief":0,"victim":1,"height":8,"sat":40}}
/// {"tx":{"txid":"T2","kind":"theft","outputs":[{"owner":0,"stolen":{"theft":0,"sat":40}}]}}
/// {"tx":{"txid":"T3","outputs":[{"owner":0,"stolen":{"theft":0,"sat":10}},{"owner":1,"stolen":{"theft":0,"sat":30}}]}}"#;
/// let file = file.replace("T2", &txid(2).to_string()).replace("T3", &txid(3).to_string());
/// let (view, theft) = (chain.view(), TheftIndex::from_u32(0));
/// let truth = Truth::read(view, file.as_bytes())?;
/// assert_eq!(truth.direct_route(view, theft).len(), 3);
///
/// let seeds: Vec<Seed> = truth.seeds(view, theft).into_iter().map(|(output, _)| Seed::new(output, "loot")).collect();
/// let score = |rule: Rule| eval::route(&truth, theft, &rule.forward(view, &seeds, &stop::never(), &Options::default()));
/// // First in, first out: 20 to the change, 20 to the exchange.
/// assert_eq!(score(Rule::Fifo).route.precision().to_string(), "0.7500");
/// // Poison claims all 50, of which 40 are loot.
/// assert_eq!(score(Rule::Poison).route.precision().to_string(), "0.8000");
/// assert_eq!(score(Rule::Poison).exits_found().to_string(), "1.0000");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn route(truth: &Truth, theft: TheftIndex, trace: &Trace<'_>) -> RouteScore {
    let view = trace.view();
    let given: BTreeSet<OutputIndex> = trace
        .seeds()
        .iter()
        .map(|seed| seed.output)
        .chain(truth.seeds(view, theft).into_iter().map(|(output, _)| output))
        .collect();
    let found = |(output, _): &(OutputIndex, Amount)| !given.contains(output);
    let known = |(output, _): &(OutputIndex, Amount)| truth.is_labelled(*output);

    let touched = || trace.touched().iter().map(|touch| (touch.output, touch.amount));
    let run = book(touched().filter(found).filter(known));
    let run_ends = book(trace.ends().iter().map(|end| (end.output, end.amount)).filter(found).filter(known));
    let whole = book(truth.route(view, theft).into_iter().filter(found));
    let direct = book(truth.direct_route(view, theft).into_iter().filter(found));
    let exits = truth.exits(view, theft);
    let rests = exits.iter().map(|exit| (exit.output, exit.amount)).chain(truth.held(view, theft));
    let ends = book(rests.filter(found));
    let direct_ends: Book =
        ends.iter().filter(|(output, _)| direct.contains_key(output)).map(|(output, sat)| (*output, *sat)).collect();

    let mut score = RouteScore {
        route: compare(&whole, &run),
        direct: compare(&direct, &run),
        ends: compare(&ends, &run_ends),
        direct_ends: compare(&direct_ends, &run_ends),
        transactions: trace.transactions(),
        unknown_sat: touched().filter(|row| !known(row)).map(|(_, amount)| u128::from(amount.to_sat())).sum(),
        ..RouteScore::default()
    };
    for exit in exits {
        let loot = exit.amount.to_sat();
        let taint = trace.touch(exit.output).map_or(0, |touch| touch.amount.to_sat());
        score.exits += 1;
        score.exits_sat += u128::from(loot);
        if taint > 0 {
            score.exits_found += 1;
            score.exits_found_sat += u128::from(loot);
            score.exits_hit_sat += u128::from(loot.min(taint));
        }
    }
    score
}
