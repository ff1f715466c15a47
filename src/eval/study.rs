//! The taint rules against true routes: all rules, all thefts of some worlds, decoys beside them.

use std::fmt;

use serde::Serialize;

use super::{Attribution, Bootstrap, Decoys, Interval, Ratio, landing, route};
use crate::chain::View;
use crate::id::TheftIndex;
use crate::par;
use crate::spec::Rule;
use crate::trace::{Options, Seed, Stop, Trace, stop};
use crate::truth::Truth;

/// How the traces of a study are run.
///
/// # Examples
///
/// See [`TaintStudy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct StudyOptions {
    /// Of the services' deposit addresses the analyst knows so many in a thousand; see [`Attribution`].
    pub deposits_permille: u32,
    /// A trace is cut after so many transactions.
    pub budget: u64,
    /// Decides which addresses are known, which decoys are drawn, and the resampling.
    pub seed: u64,
}

impl Default for StudyOptions {
    fn default() -> Self {
        Self { deposits_permille: 500, budget: 5_000, seed: 0 }
    }
}

impl fmt::Display for StudyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deposits_permille, budget, seed } = self;
        write!(
            f,
            "tags on {deposits_permille} in 1000 deposit addresses and all others of services, budget {budget} transactions, seed {seed}"
        )
    }
}

/// The measures, in the order of the table's columns.
const MEASURES: [&str; 8] = [
    "precision on the route",
    "recall of the route",
    "precision at its ends",
    "exits found",
    "loot claimed at exits",
    "transactions opened per exit",
    "ends at tagged services",
    "value on any thief's route",
];

/// From here on a measure says something of decoys too; those before are of one theft's route, on which a decoy has nothing.
const OF_DECOYS: usize = 6;

/// Of one theft, or of its decoy, under one rule: each measure, where there is something to measure.
type Measured = [Ratio; MEASURES.len()];

/// Scores of the taint rules over the thefts of any number of worlds.
///
/// Each theft is traced from its seeds under every rule, until tagged services or the budget; then the same search is run from decoys,
/// outputs of about the same value and time where nothing was stolen. A theft counts as one, however much was stolen and however long its
/// peel chain was: means of thefts, with intervals by resampling thefts.
///
/// # Examples
///
/// ```
/// use fundtrace::{eval::{StudyOptions, TaintStudy}, truth::Truth};
/// let chain = fundtrace::ChainBuilder::new().finish()?;
/// let truth = Truth::read(chain.view(), "".as_bytes())?;
/// let mut study = TaintStudy::new(StudyOptions::default());
/// study.add(chain.view(), &truth);
/// assert_eq!(study.thefts(), 0);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TaintStudy {
    options: StudyOptions,
    /// By rule, by theft; then the decoys' of the same.
    thefts: Vec<[Measured; Rule::ALL.len()]>,
    decoys: Vec<Option<[Measured; Rule::ALL.len()]>>,
}

impl TaintStudy {
    /// Starts a study.
    pub fn new(options: StudyOptions) -> Self {
        Self { options, thefts: Vec::new(), decoys: Vec::new() }
    }

    /// Returns how many thefts it is over.
    pub fn thefts(&self) -> usize {
        self.thefts.len()
    }

    /// Adds the thefts of a world whose seeds the view shows. They are traced side by side on the caller's rayon pool.
    ///
    /// # Panics
    ///
    /// When view and truth are not of one chain.
    pub fn add(&mut self, view: View<'_>, truth: &Truth) {
        let known = Attribution::new(view, truth, self.options.deposits_permille, self.options.seed);
        let stop = known.stop().or(stop::budget(self.options.budget));
        let thefts: Vec<TheftIndex> = (0..truth.thefts().len()).map(TheftIndex::of).collect();
        let thefts = thefts.into_iter().filter(|theft| !truth.seeds(view, *theft).is_empty()).collect::<Vec<_>>();
        let decoys = Decoys::default().seed(self.options.seed);
        let measured = par::map(&thefts, |theft| {
            let seeds: Vec<_> = truth.seeds(view, *theft).into_iter().map(|(output, _)| output).collect();
            let chosen: Option<Vec<_>> = decoys.choose(view, truth, &seeds).into_iter().collect();
            let run = |outputs: &[crate::OutputIndex]| {
                let seeds: Vec<Seed> = outputs.iter().map(|output| Seed::new(*output, "loot")).collect();
                Rule::ALL.map(|rule| measure(truth, *theft, &rule.forward(view, &seeds, &stop, &Options::default())))
            };
            (run(&seeds), chosen.map(|chosen| run(&chosen)))
        });
        for (theft, decoy) in measured {
            self.thefts.push(theft);
            self.decoys.push(decoy);
        }
    }

    /// Returns a row for each rule: the mean of the thefts, and of their decoys, with 95 % intervals.
    pub fn rows(&self) -> Vec<TaintRow> {
        let bootstrap = Bootstrap::default().seed(self.options.seed);
        let rows = Rule::ALL.into_iter().enumerate().map(|(at, rule)| {
            let column = |of: &mut dyn Iterator<Item = Measured>| {
                let all: Vec<Measured> = of.collect();
                std::array::from_fn(|measure| {
                    let groups: Vec<Ratio> = all.iter().map(|measured| even(measured[measure])).collect();
                    Cell { value: groups.iter().copied().sum(), interval: bootstrap.interval(&groups) }
                })
            };
            TaintRow {
                rule: rule.as_str(),
                thefts: column(&mut self.thefts.iter().map(|rules| rules[at])),
                decoys: column(&mut self.decoys.iter().flatten().map(|rules| rules[at])),
            }
        });
        rows.collect()
    }
}

/// The tables that README and COMPARE.md carry: a row for each rule, and the same search from decoys beside it.
impl fmt::Display for TaintStudy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = |f: &mut fmt::Formatter<'_>, head: &[String], rows: &[Vec<String>]| -> fmt::Result {
            writeln!(f, "| rule | {} |", head.join(" | "))?;
            writeln!(f, "|---|{}", "---|".repeat(head.len()))?;
            rows.iter().try_for_each(|cells| writeln!(f, "| {} |", cells.join(" | ")))
        };
        let rows = self.rows();
        let on_route = |row: &TaintRow| {
            let cells = row.thefts[..OF_DECOYS].iter().map(ToString::to_string);
            std::iter::once(row.rule.to_owned()).chain(cells).collect()
        };
        let decoys = |row: &TaintRow| {
            let pairs = row.thefts.iter().zip(&row.decoys).skip(OF_DECOYS);
            let cells = pairs.flat_map(|(theft, decoy)| [theft.to_string(), decoy.to_string()]);
            std::iter::once(row.rule.to_owned()).chain(cells).collect()
        };
        writeln!(f, "In simulation; not a known error rate on the real chain.\n")?;
        let head: Vec<String> = MEASURES[..OF_DECOYS].iter().map(ToString::to_string).collect();
        table(f, &head, &rows.iter().map(on_route).collect::<Vec<_>>())?;
        writeln!(
            f,
            "\nFrom decoys, outputs like the stolen ones where nothing was stolen; in simulation; not a known error rate on the real chain.\n"
        )?;
        let both = |name: &&str| [format!("{name}: from thefts"), format!("{name}: from decoys")];
        let head: Vec<String> = MEASURES[OF_DECOYS..].iter().flat_map(both).collect();
        table(f, &head, &rows.iter().map(decoys).collect::<Vec<_>>())
    }
}

fn measure(truth: &Truth, theft: TheftIndex, trace: &Trace<'_>) -> Measured {
    let score = route(truth, theft, trace);
    let landed = landing(truth, trace);
    [
        score.direct.precision(),
        score.direct.recall(),
        score.direct_ends.precision(),
        score.exits_found(),
        score.exits_recall(),
        score.transactions_per_exit(),
        landed.tagged(),
        landed.loot(),
    ]
}

/// The same value, in millionths, so that every theft weighs the same.
fn even(ratio: Ratio) -> Ratio {
    if !ratio.is_defined() {
        return ratio;
    }
    let (whole, rest) = (ratio.num / ratio.den, ratio.num % ratio.den);
    // Sums of satoshis are far below 2^107.
    Ratio::new(whole * 1_000_000 + (rest * 1_000_000 + ratio.den / 2) / ratio.den, 1_000_000_u32)
}

/// A mean and its interval.
///
/// # Examples
///
/// See [`TaintStudy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Cell {
    /// The mean over the thefts for which there is something to measure.
    pub value: Ratio,
    /// Its 95 % interval, if there are two or more.
    pub interval: Option<Interval>,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.interval {
            Some(interval) => write!(f, "{:.2} ({:.2} to {:.2})", self.value, interval.low, interval.high),
            None => write!(f, "{:.2}", self.value),
        }
    }
}

/// What a rule is good and bad at.
///
/// # Examples
///
/// See [`TaintStudy`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaintRow {
    /// The rule's name.
    pub rule: &'static str,
    /// Each of [`TaintRow::MEASURES`] over the thefts.
    pub thefts: [Cell; 8],
    /// The same from decoys. Where a decoy can have nothing of it, that is what the numbers say.
    pub decoys: [Cell; 8],
}

impl TaintRow {
    /// What is measured.
    pub const MEASURES: [&str; 8] = MEASURES;
}
