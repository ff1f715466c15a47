//! The rows of `fixtures/scenarios/*.toml`, each run through every rule it names and both engines.

use std::collections::BTreeMap;
use std::path::Path;

use fundtrace::bitcoin::Network;
use fundtrace::taint::Taint;
use fundtrace::trace::{self, CoinbaseOrder, Fees, Options, PathLimits, Seed};
use fundtrace::{SourceIndex, View};
use serde::Deserialize;

use crate::mini::{Ledger, Mini, StopRow, each, each_rule, height, rows, seed};
use crate::twin;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenario: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    #[serde(default)]
    network: Option<Network>,
    #[serde(default)]
    complete: Option<(u32, u32)>,
    #[serde(default)]
    as_of: Option<u32>,
    #[serde(default)]
    fees: Fees,
    #[serde(default)]
    coinbase_order: CoinbaseOrder,
    seeds: Vec<String>,
    #[serde(default)]
    stops: Vec<String>,
    /// Key to label.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    txs: String,
    expect: Vec<Expect>,
}

/// What rules give. Absent is none: every list is complete.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    rules: Vec<String>,
    /// `name:vout=amount`, then what is of interest: `[label=amount,..]`, `^hops`, `/reason`.
    #[serde(default)]
    ends: String,
    /// Fees that stay where they were paid: `name=amount`.
    #[serde(default)]
    fees: String,
    /// `name:vout=amount`, or `name=amount` for a reward nobody claimed.
    #[serde(default)]
    burned: String,
    #[serde(default)]
    displaced: String,
    /// The balance's amount in outputs where a limit cut the trace.
    #[serde(default)]
    truncated: u64,
}

const RULES: [&str; 7] = ["poison", "haircut", "fifo", "lifo", "seniority", "juniority", "tiho"];

#[test]
fn every_scenario_gives_what_its_row_says_under_every_rule_and_engine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut failures = Vec::new();
    let mut count = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for scenario in &file.scenario {
            count += 1;
            run(scenario, &mut failures);
        }
    }
    assert!(count > 30, "only {count} scenarios were found");
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

fn run(scenario: &Scenario, failures: &mut Vec<String>) {
    let mut mini = Mini::of(rows(&scenario.txs)).network(scenario.network.unwrap_or(Network::Bitcoin));
    mini.complete = scenario.complete;
    let chain = mini.freeze().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    let view = scenario.as_of.map_or(chain.view(), |at| chain.as_of(height(at)));
    let mut named: Vec<&str> = scenario.expect.iter().flat_map(|e| &e.rules).map(String::as_str).collect();
    named.sort_unstable();
    let mut all = RULES;
    all.sort_unstable();
    assert_eq!(named, all, "{}: every rule stands in one expectation", scenario.name);
    each_rule!(rule => { run_rule(scenario, view, &rule, failures) });
}

fn run_rule<T: Taint>(scenario: &Scenario, view: View<'_>, rule: &T, failures: &mut Vec<String>) {
    let name = rule.name();
    let seeds: Vec<Seed> = scenario.seeds.iter().map(|text| seed(view, text)).collect();
    let stops: Vec<StopRow> = scenario.stops.iter().map(|text| stop(scenario, text)).collect();
    let options = Options::default().fees(scenario.fees).coinbase_order(scenario.coinbase_order);
    let trace = trace::forward(view, &seeds, rule, &*StopRow::all(&stops), &options);
    let ledger = Ledger::of(&trace);
    let twin_seeds: Vec<_> = seeds.iter().map(|seed| (seed.output, seed.label.clone())).collect();
    let twin = twin::run(view, &twin_seeds, rule, &stops, options);

    let mut check = |what: &str, actual: String, expected: String| {
        if actual != expected {
            failures.push(format!("{} / {name} / {what}\n  actual   {actual}\n  expected {expected}", scenario.name));
        }
    };
    let expect = scenario.expect.iter().find(|expect| expect.rules.iter().any(|rule| rule == name)).unwrap();
    check("engines", format!("{ledger:?}"), format!("{twin:?}"));
    let (actual, expected) = ends(&ledger, &expect.ends);
    check("ends", actual, expected);
    let fees = ledger.fees.iter().filter(|(_, fee)| !fee.2).map(|(payer, fee)| format!("{payer}={}", fee.0));
    check("fees", sorted(fees), sorted(words(&expect.fees)));
    let burned = ledger.burned.iter().map(|(at, row)| format!("{at}={}", row.0));
    check("burned", sorted(burned), sorted(words(&expect.burned)));
    let displaced = ledger.displaced.iter().map(|(at, row)| format!("{at}={}", row.0));
    check("displaced", sorted(displaced), sorted(words(&expect.displaced)));
    let balance = trace.balance();
    check("truncated", balance.truncated.to_sat().to_string(), expect.truncated.to_string());
    if T::CONSERVING {
        check("balance", balance.accounted().to_string(), balance.seeded.to_string());
        for at in 0..u32::try_from(trace.sources().len()).unwrap() {
            let balance = trace.balance_of(SourceIndex::from_u32(at));
            check("balance of a source", balance.accounted().to_string(), balance.seeded.to_string());
        }
    }
    // Every end has an explanation, and explaining needs no more than the default limits here.
    for end in trace.ends() {
        let paths = trace.paths(end.output, PathLimits::default().paths(1_000));
        if T::CONSERVING {
            let sum: u64 = paths.paths.iter().map(|path| path.amount.to_sat()).sum();
            check("paths", sum.to_string(), end.amount.to_sat().to_string());
        }
        for path in &paths.paths {
            let text = path.explain(&trace).to_string();
            let lines = text.lines().count().to_string();
            check("explanation", lines, (path.steps.len() + 1).to_string());
        }
    }
}

/// The words of a list; `each 1..9: h{i}=1` stands for nine.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.lines().flat_map(expand).collect::<Vec<_>>().into_iter()
}

fn expand(line: &str) -> Vec<String> {
    each(line)
        .unwrap_or_else(|| vec![line.into()])
        .iter()
        .flat_map(|line| line.split_whitespace())
        .map(Into::into)
        .collect()
}

fn sorted(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    words.sort();
    words.join(" ")
}

/// Both lists as text. An end is written with the details that its expectation gives.
fn ends(ledger: &Ledger, expected: &str) -> (String, String) {
    let expected: Vec<String> = words(expected).collect();
    let actual = ledger.ends.iter().map(|(name, end)| {
        let mut text = format!("{name}={}", end.amount);
        let wanted = expected.iter().find(|word| word.split('=').next() == Some(name)).map_or("", |word| word);
        if wanted.contains('[') {
            let by: Vec<String> = end.by_source.iter().map(|(label, sat)| format!("{label}={sat}")).collect();
            text += &format!("[{}]", by.join(","));
        }
        if wanted.contains('^') {
            text += &format!("^{}", end.hops);
        }
        if wanted.contains('/') {
            text += &format!("/{}", end.reason.as_str());
        }
        if wanted.contains('(') {
            text += &format!("({})", end.reason.detail().unwrap_or(""));
        }
        text
    });
    (sorted(actual), sorted(expected.iter().cloned()))
}

fn stop(scenario: &Scenario, text: &str) -> StopRow {
    let (what, number) = text.split_once(' ').unwrap_or((text, "0"));
    let number: u64 = number.parse().expect("a number");
    let small = || u32::try_from(number).unwrap();
    match what {
        "hops" => StopRow::Hops(small()),
        "below" => StopRow::Below(number),
        "as_of" => StopRow::AsOf(small()),
        "budget" => StopRow::Budget(number),
        "tagged" => StopRow::Tagged(scenario.tags.clone().into_iter().collect()),
        "outputs" => StopRow::Outputs(usize::try_from(number).unwrap()),
        _ => panic!("{}: no stop {text:?}", scenario.name),
    }
}
