//! Exposure by category: rows against the balance sheet, and what more tags change.

use std::collections::BTreeMap;

use fundtrace::spec::{self, Rule};
use fundtrace::tag::{Inferred, Tag, Tags};
use fundtrace::taint::Fifo;
use fundtrace::trace::stop::{self, Stop};
use fundtrace::trace::{self, ExposedTo, Exposure, HopBucket, Options};
use fundtrace::{Chain, SourceIndex};
use proptest::prelude::*;

use crate::mini::{Mini, StopRow};
use crate::random::case;

const CATEGORIES: [&str; 3] = ["exchange", "gambling", "mixing_service"];

/// Tags on some of a chain's scripts, drawn by a number for each output.
fn tags(chain: &Chain, picks: &[u8]) -> Tags {
    let mut tags = Tags::default();
    let outputs = chain.view().stubs().chain(chain.view().txs()).flat_map(|tx| tx.outputs());
    for (output, pick) in outputs.zip(picks.iter().cycle()) {
        if let (Some(script), Some(category)) = (output.script(), CATEGORIES.get(usize::from(*pick))) {
            tags.insert(script.to_owned(), Tag::new(format!("{category} {pick}"), *category, "this test"));
        }
    }
    tags
}

/// What of each source is in a tagged category.
fn reached(exposure: &Exposure) -> BTreeMap<SourceIndex, u64> {
    let mut sums = BTreeMap::new();
    for row in exposure.by_category() {
        *sums.entry(row.source).or_default() += (row.direct + row.indirect).to_sat();
    }
    sums
}

fn rows(exposure: &Exposure) -> BTreeMap<(SourceIndex, ExposedTo), u64> {
    exposure.rows().iter().map(|row| ((row.source, row.to.clone()), row.amount.to_sat())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn rows_sum_to_the_sources(case in case(false), picks in prop::collection::vec(0..12_u8, 1..20), only in any::<bool>()) {
        let chain = case.chain();
        let (view, tags) = (chain.view(), tags(&chain, &picks));
        let seeds = case.seeds(view);
        let categories = if only { vec!["gambling".to_owned()] } else { Vec::new() };
        let limits = stop::tagged(&tags).only(&categories).or(StopRow::all(&case.stops));
        for trace in spec::run(view, &seeds, &Rule::ALL, &limits, &case.options) {
            let exposure = trace.exposure(&tags);
            prop_assert!(exposure.adds_up() || !trace.policy().conserving, "{}", exposure);
            prop_assert!(only || exposure.passed().is_empty());
            // What is called limited here is what the balance calls truncated, less what had reached a service.
            let limited: u64 = exposure.rows().iter()
                .filter(|row| matches!(row.to, ExposedTo::Elsewhere { limit: true, .. })).map(|row| row.amount.to_sat()).sum();
            let truncated: u64 = trace.balances().iter().map(|balance| balance.truncated.to_sat()).sum();
            prop_assert!(limited <= truncated);
            prop_assert_eq!(serde_json::to_value(&exposure).unwrap()["rows"].as_array().unwrap().len(), exposure.rows().len());
        }
        let origins = trace::backward(view, &seeds, &Fifo, &limits, &case.options);
        prop_assert!(origins.exposure(&tags).adds_up(), "{}", origins.exposure(&tags));
    }

    #[test]
    fn a_tag_more_moves_amounts_and_loses_none(case in case(false), picks in prop::collection::vec(0..12_u8, 1..20), also in 0..100_usize) {
        let chain = case.chain();
        let view = chain.view();
        let (fewer, mut more) = (tags(&chain, &picks), tags(&chain, &picks));
        let outputs: Vec<_> = view.txs().flat_map(|tx| tx.outputs()).filter(|output| output.script().is_some()).collect();
        more.insert(outputs[also % outputs.len()].script().unwrap().to_owned(), Tag::new("new", "new", "this test"));
        let seeds = case.seeds(view);
        // One trace, read with both: no row of those that reached a service gets less, no other row gets more.
        for trace in spec::run(view, &seeds, &[Rule::Haircut, Rule::Fifo, Rule::Tiho], &stop::tagged(&fewer), &case.options) {
            let (before, after) = (rows(&trace.exposure(&fewer)), rows(&trace.exposure(&more)));
            prop_assert_eq!(before.values().sum::<u64>(), after.values().sum::<u64>());
            for (key, amount) in &before {
                let now = after.get(key).copied().unwrap_or(0);
                match key.1 {
                    ExposedTo::Service { .. } => prop_assert!(now >= *amount, "{:?}", key),
                    _ => prop_assert!(now <= *amount, "{:?}", key),
                }
            }
        }
        // Two traces that stop at their tags, under rules that do not look at what is tainted: at least as much reaches a tag.
        for rule in [Rule::Fifo, Rule::Lifo] {
            let run = |tags| spec::run(view, &seeds, &[rule], &stop::tagged(tags), &case.options)[0].exposure(tags);
            let (before, after) = (run(&fewer), run(&more));
            prop_assert!(after.adds_up());
            let now = reached(&after);
            for (source, amount) in reached(&before) {
                prop_assert!(now.get(&source).copied().unwrap_or(0) >= amount, "{}{}", before, after);
            }
        }
    }
}

#[test]
fn hops_categories_and_the_rest_stand_in_rows_of_their_own() {
    let rows: Vec<crate::mini::Row> =
        ["a @7: loot:0=100 -> 40/exchange 50 5/return", "b @8: a:1 -> 20/dice 30", "c @9: b:1 -> 30"]
            .iter()
            .map(|row| row.parse().unwrap())
            .collect();
    let chain = Mini::of(rows).chain();
    let mut tags = Tags::default();
    tags.insert(crate::mini::script("exchange"), Tag::new("E", "exchange", "a list"));
    tags.insert(crate::mini::script("exchange"), Tag::new("F", "exchange", "another list"));
    tags.insert(crate::mini::script("dice"), Tag::new("D", "", "a list").abuse("scam"));
    let seed = crate::mini::seed(chain.view(), "loot:0=theft");
    let stop = stop::tagged(&tags).or(stop::hops(2));
    let trace = trace::forward(chain.view(), &[seed], &Fifo, &stop, &Options::default());
    let exposure = trace.exposure(&tags);
    assert!(exposure.adds_up());
    let service = |category: &str, label: &str, hops| ExposedTo::Service {
        category: category.into(),
        abuse: if category == "scam" { "scam".into() } else { String::new() },
        label: label.into(),
        hops,
    };
    let elsewhere = |why, limit| ExposedTo::Elsewhere { why, detail: String::new(), limit };
    let expected = [
        (service("exchange", "E", HopBucket::Direct), 40, 2, true),
        (service("scam", "D", HopBucket::Near), 20, 1, false),
        (elsewhere("burned", false), 5, 0, false),
        (elsewhere("fees", false), 5, 0, false),
        (elsewhere("hops", true), 30, 0, false),
    ];
    let found: Vec<_> =
        exposure.rows().iter().map(|row| (row.to.clone(), row.amount.to_sat(), row.tags, row.conflict)).collect();
    assert_eq!(found, expected);
    let sums: Vec<_> = exposure.by_category();
    let sums: Vec<_> =
        sums.iter().map(|sum| (sum.category.as_str(), sum.direct.to_sat(), sum.indirect.to_sat())).collect();
    assert_eq!(sums, [("exchange", 40, 0), ("scam", 0, 20)]);
    let text = exposure.to_string();
    assert!(text.contains("40 sat   40.00 %  exchange, E, 1 hop, direct (2 tags, CONFLICT)"), "{text}");
    assert!(text.contains("30 sat   30.00 %  no tagged service: hops, cut by a limit"), "{text}");
    assert!(text.contains("or hops 2; fees booked"), "{text}");

    // Where the run does not stop at tags, what went past is told and not summed.
    let trace = trace::forward(
        chain.view(),
        &[crate::mini::seed(chain.view(), "loot:0=theft")],
        &Fifo,
        &stop::never(),
        &Options::default(),
    );
    let mut on_the_way = Tags::default();
    let middle = trace.view().output_at(crate::mini::outpoint("a:1")).unwrap();
    on_the_way.insert(middle.script().unwrap().to_owned(), Tag::new("M", "mixing_service", "a list"));
    let exposure = trace.exposure(&on_the_way);
    assert!(exposure.adds_up() && exposure.by_category().is_empty());
    assert_eq!((exposure.passed().len(), exposure.passed()[0].amount.to_sat()), (1, 50));
}

#[test]
fn one_row_remembers_what_any_of_its_outputs_says() {
    let rows: Vec<crate::mini::Row> =
        ["a @7: loot:0=100 -> 40/exchange 30/another 30"].iter().map(|row| row.parse().unwrap()).collect();
    let chain = Mini::of(rows).chain();
    let mut tags = Tags::default();
    tags.insert(crate::mini::script("exchange"), Tag::new("E", "exchange", "a list"));
    tags.insert(crate::mini::script("exchange"), Tag::new("F", "exchange", "another list"));
    let mut spread = Tag::new("E", "exchange", "a list");
    spread.inferred = Some(Inferred::new("an address", "spending/1", "another address"));
    tags.insert(crate::mini::script("another"), spread);
    let first = |tags: &Tags| {
        let seed = crate::mini::seed(chain.view(), "loot:0=theft");
        let trace = trace::forward(chain.view(), &[seed], &Fifo, &stop::tagged(tags), &Options::default());
        trace.exposure(tags).rows()[0].clone()
    };
    let row = first(&tags);
    assert_eq!((row.amount.to_sat(), row.outputs, row.tags), (70, 2, 3));
    assert!(row.conflict && row.inferred);
    // Of tags that agree and are their sources' own, neither is said.
    let mut tags = Tags::default();
    tags.insert(crate::mini::script("exchange"), Tag::new("E", "exchange", "a list"));
    let row = first(&tags);
    assert!(!row.conflict && !row.inferred && row.tags == 1);
}

#[test]
fn going_back_what_ended_is_in_no_other_list() {
    let rows: Vec<crate::mini::Row> =
        ["a @7: loot:0=100 -> 60 40", "b @8: a:0 -> 60"].iter().map(|row| row.parse().unwrap()).collect();
    let chain = Mini::of(rows).chain();
    let view = chain.view();
    let mut tags = Tags::default();
    for (at, label) in [("loot:0", "first"), ("a:0", "middle"), ("b:0", "asked about")] {
        let output = view.output_at(crate::mini::outpoint(at)).unwrap();
        tags.insert(output.script().unwrap().to_owned(), Tag::new(label, "exchange", "a list"));
    }
    let seed = crate::mini::seed(view, "b:0=coins");
    let exposure = trace::backward(view, &[seed], &Fifo, &stop::never(), &Options::default()).exposure(&tags);
    let told = |rows: &[trace::ExposureRow]| -> Vec<(String, u64)> {
        let label = |to: &ExposedTo| match to {
            ExposedTo::Service { label, .. } => label.clone(),
            ExposedTo::Elsewhere { why, .. } => (*why).to_owned(),
            _ => unreachable!("there is no other kind of row"),
        };
        rows.iter().map(|row| (label(&row.to), row.amount.to_sat())).collect()
    };
    assert_eq!(told(exposure.rows()), [("first".to_owned(), 60)]);
    assert_eq!(told(exposure.passed()), [("middle".to_owned(), 60)]);
}

#[test]
fn a_class_counts_as_an_inference_and_mixes_and_other_sources_are_told() {
    use fundtrace::detect::{Confidence, coinjoin::Rules};
    use fundtrace::trace::{Classed, Mixes, Mode, Reason, Through, Way};

    let chain = fundtrace::detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5]).unwrap();
    let view = chain.view();
    let mix = view.txs().find(|tx| tx.inputs().len() == 5).unwrap();
    let stolen = mix.inputs().next().unwrap().prevout().unwrap();
    let first = mix.outputs().next().unwrap().index();
    let deposit = stop::when("a rule of this test", move |at| {
        let classed = Classed::new("deposit address", "E", "exchange", "deposit/9", 900_000);
        (at.output.index() == first).then(|| Reason::Classified(classed.into()))
    });
    let through = Through::new(Mode::Flag, Mixes::new(Rules::default(), Confidence::from_percent(60)));
    let run = |seeds: &[trace::Seed]| {
        trace::forward_through(view, seeds, &Fifo, &deposit, &through, &Options::default()).exposure(&Tags::default())
    };
    let exposure = run(&[stolen.seed("theft")]);
    assert!(exposure.adds_up());
    let row = &exposure.rows()[0];
    assert!(matches!(&row.to, ExposedTo::Service { category, label, .. } if category == "exchange" && label == "E"));
    assert!(row.inferred && row.is_service && row.tags == 0 && row.way == Some(Way::Mixed), "{row:?}");
    let text = exposure.to_string();
    assert!(text.contains("exchange, E, 1 hop, direct (by a rule about services, inferred), behind a mix"), "{text}");
    assert!(text.contains("exchange in all: 100000 sat at one hop, 0 sat further"), "{text}");
    let json = serde_json::to_value(&exposure).unwrap();
    assert_eq!(
        (&json["rows"][0]["mix_way"], &json["by_category"][0]["direct_sat"]),
        (&"mixed".into(), &100_000.into())
    );
    // Of two sources nobody is told that one's is direct.
    let other = mix.inputs().nth(1).unwrap().prevout().unwrap();
    let both = run(&[stolen.seed("theft"), other.seed("other")]).to_string();
    assert!(both.contains("of any source") && !both.contains("direct"), "{both}");
}
