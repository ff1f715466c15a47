//! Peel chains: why they end, their lengths against a walk, and traces that hold them as one step.

use fundtrace::bitcoin::{Amount, OutPoint};
use fundtrace::chain::{NewInput, NewTx, Output};
use fundtrace::change::{Change, Fresh, Hindsight};
#[cfg(feature = "simulate")]
use fundtrace::change::{Fingerprint, Mask};
use fundtrace::detect::{Feature, Kind};
use fundtrace::report::{self, Report};
use fundtrace::service::peel::{Known, Peels, Ratio, Stop, Terms};
use fundtrace::spec;
use fundtrace::taint::Taint;
use fundtrace::trace::{self, Fold, Options, Seed, stop};
use fundtrace::{BlockHeight, Chain, ChainBuilder, TxIndex, View};
use proptest::prelude::*;

use crate::mini::each_rule;
use crate::random::case;
use crate::sketch::{Row, pay, sketch, txid};

/// Three steps; the last one's rest is `c:1`, worth 777,000.
const STEPS: [Row<'_>; 3] = [
    ("a", &[("coin", 900_000, "t")], &[(50_000, "x"), (849_000, "t1")]),
    ("b", &[("a:1", 849_000, "t1")], &[(40_000, "y"), (808_000, "t2")]),
    ("c", &[("b:1", 808_000, "t2")], &[(30_000, "x"), (777_000, "t3")]),
];

fn with(row: Row<'_>) -> Chain {
    sketch(&[&STEPS[..], &[row]].concat())
}

fn ratio(view: View<'_>, terms: Terms) -> Peels<'_> {
    Peels::of(view, &Ratio::default().in_hindsight(), &terms, Known::default())
}

fn stop_of(chain: &Chain, terms: Terms) -> (usize, Stop) {
    let peels = ratio(chain.view(), terms);
    let mut found = peels.chains();
    let first = found.next().unwrap();
    (first.steps.len(), first.stop)
}

fn ends(row: Row<'_>, expected: Stop) {
    assert_eq!(stop_of(&with(row), Terms::default()), (3, expected), "{expected:?}");
}

#[test]
fn a_chain_says_why_it_ends() {
    let rest = ("c:1", 777_000, "t3");
    ends(("d", &[rest], &[(776_000, "home")]), Stop::Whole);
    ends(("d", &[rest, ("coin", 500_000, "z")], &[(90_000, "p"), (1_000_000, "q")]), Stop::CoSpent);
    ends(("d", &[rest], &[(90_000, "p"), (90_000, "q"), (590_000, "r")]), Stop::Split);
    ends(("d", &[rest], &[(390_000, "p"), (380_000, "q")]), Stop::NoChange);
    ends(("d", &[rest], &[(545, "p"), (770_000, "q")]), Stop::Amount);
    ends(("d v2", &[rest], &[(90_000, "p"), (680_000, "q")]), Stop::Fingerprint);
    ends(("d rbf", &[rest], &[(90_000, "p"), (680_000, "q")]), Stop::Fingerprint);
    // Nobody said that this part of the chain is complete.
    ends(("d", &[("coin", 5, "z")], &[(4, "p")]), Stop::Unknown);
    // What nobody tells apart is no bound: a fourth step where the mask asks nothing, and dust beside the coin.
    let other = with(("d v2", &[rest], &[(90_000, "p"), (680_000, "q")]));
    assert_eq!(stop_of(&other, Terms::default().mask(0)), (4, Stop::Unknown));
    let dusty = with(("d", &[("coin", 600, "z"), rest], &[(90_000, "p"), (680_000, "q")]));
    assert_eq!(stop_of(&dusty, Terms::default()), (4, Stop::Unknown));
}

/// Only what the mask looks at is read of a fingerprint; the whole ones must say the same.
#[cfg(feature = "simulate")]
#[test]
fn whole_fingerprints_say_what_ends_a_chain() {
    let chain = crate::worlds::chain(2_000);
    let view = chain.view();
    let places = Fingerprint::ZEROCONF | Fingerprint::LOCKTIME_RECENT;
    let mut ended = 0;
    for mask in Mask::ALL.map(|mask| mask.bits).into_iter().chain([places, Fingerprint::PLACED, 0]) {
        let peels = ratio(view, loose().mask(mask));
        let (mut same, mut other) = (0, 0);
        for tx in view.txs() {
            let next = peels.next(tx.index());
            let Some(spends) = peels.step(tx.index()).and_then(|step| view.output(step.main).spender()) else {
                continue;
            };
            let agree = || Fingerprint::of(tx)?.agrees(Fingerprint::of(spends)?, mask);
            match next {
                Ok(next) => assert!(next == spends.index() && agree() != Some(false), "{tx:?} under {mask:x}"),
                Err(Stop::Fingerprint) => assert_eq!(agree(), Some(false), "{tx:?} under {mask:x}"),
                Err(_) => continue,
            }
            same += usize::from(next.is_ok());
            other += usize::from(next.is_err());
        }
        assert!(same > 0, "no chain goes on under {mask:x}");
        ended += other;
    }
    assert!(ended > 0, "no fingerprint ends a chain");
}

#[test]
fn services_and_gaps_end_a_chain() {
    let chain = with(("d", &[("c:1", 777_000, "t3")], &[(90_000, "p"), (680_000, "q")]));
    let view = chain.view();
    let service = view.output_at(OutPoint::new(txid("c"), 1)).unwrap().address_index();
    let tagged = |output: Output<'_>| output.address_index() == service;
    let rule = Ratio::default().in_hindsight();
    let peels = Peels::of(view, &rule, &Terms::default(), Known::default().tagged(&tagged));
    let found = peels.chains().next().unwrap();
    assert_eq!((found.steps.len(), found.stop), (3, Stop::Service));

    let mut terms = Terms::default();
    terms.gap_blocks = Some(0);
    assert_eq!(ratio(view, terms.steps_min(2)).chains().count(), 0);
    let why = ratio(view, terms).next(view.tx_at(&txid("a")).unwrap().index());
    assert_eq!(why, Err(Stop::Gap));
    // As of the second block there are two steps, whatever came later.
    let early = ratio(chain.as_of(BlockHeight::from_u32(2)), Terms::default().steps_min(2));
    assert_eq!(early.chains().map(|chain| chain.steps.len()).collect::<Vec<_>>(), [2]);
}

/// Three steps, of which the second spends what the first paid to a shop.
fn at_shop(rule: &dyn Hindsight, chain: &Chain, terms: Terms) -> Vec<(usize, Stop, &'static str, bool)> {
    let view = chain.view();
    let shop = view.output_at(OutPoint::new(txid("a"), 1)).unwrap().address_index();
    let tagged = |output: Output<'_>| output.address_index() == shop;
    let peels = Peels::of(view, rule, &terms, Known::default().tagged(&tagged));
    let findings = peels.findings();
    let told = peels.cut_short().map(|chain| {
        let found = findings.iter().find(|(tx, _)| *tx == chain.first()).expect("a finding for each");
        assert_eq!(found.1.features["cut_short"], Feature::Flag(true));
        (chain.steps.len(), chain.stop, found.1.verdict.as_str(), chain.is_payer_tagged)
    });
    told.collect()
}

#[test]
fn what_a_tag_cuts_short_is_shown_so() {
    let chain = sketch(&STEPS);
    let rule = Ratio::default().in_hindsight();
    // One step, then the shop; the two steps behind it are too few whatever is tagged.
    assert_eq!(at_shop(&rule, &chain, Terms::default()), [(1, Stop::Service, "undecided", false)]);
    // Without the tag it were too short all the same.
    assert_eq!(at_shop(&rule, &chain, Terms::default().steps_min(4)), []);
    // What has enough steps is no such chain.
    assert_eq!(at_shop(&rule, &chain, Terms::default().steps_min(1)), []);
}

#[test]
fn only_a_services_tag_makes_the_chain_its_own() {
    use fundtrace::tag::{Tag, Tags};
    let chain = sketch(&STEPS);
    let view = chain.view();
    let payer = pay(0, "t").script_pubkey;
    let confidence = |tag: Tag| {
        let mut tags = Tags::default();
        tags.insert(payer.clone(), tag);
        let tagged = |output: Output<'_>| tags.holding(output).next().is_some();
        let services = |output: Output<'_>| tags.holding(output).any(Tag::names_service);
        let known = Known::default().tagged(&tagged).services(&services);
        let peels = Peels::of(view, &Ratio::default().in_hindsight(), &Terms::default(), known);
        peels.chains().next().unwrap().confidence().to_ppm()
    };
    let of = |category: &str| Tag::new("x", category, "a list");
    assert_eq!(confidence(of("exchange")), 50_000);
    assert_eq!(confidence(of("exchange").abuse("sanction")), 50_000);
    assert_eq!(confidence(of("")), 50_000);
    for tag in [
        of("perpetrator"),
        of("user"),
        of("").abuse("scam"),
        of("").concepts(vec!["scam".into(), "Perpetrator".into()]),
    ] {
        assert_eq!(confidence(tag.clone()), 350_000, "{tag}");
    }
}

/// Without heights, because Whirlpool's rule asks when its pools were open.
#[test]
fn a_mix_ends_a_chain() {
    let mut builder = ChainBuilder::new();
    let mut add = |name: &str, inputs: &[(OutPoint, u64)], outputs: &[(u64, &str)]| {
        let input = |(of, sat): &(OutPoint, u64)| NewInput::new(*of).prevout(pay(*sat, &format!("{sat} of {name}")));
        let outputs = outputs.iter().map(|(sat, who)| pay(*sat, who)).collect();
        builder.insert(NewTx::claimed(txid(name), inputs.iter().map(input).collect(), outputs)).unwrap();
    };
    let rest = |name: &str| OutPoint::new(txid(name), 1);
    add("a", &[(rest("coin"), 150_000)], &[(20_000, "x"), (129_000, "129000 of b")]);
    add("b", &[(rest("a"), 129_000)], &[(12_000, "y"), (116_000, "116000 of c")]);
    add("c", &[(rest("b"), 116_000)], &[(14_900, "x"), (101_000, "101000 of d")]);
    // What is left has the size of a pool, with something for the miners.
    let others = [("k", 100_000), ("l", 100_100), ("m", 100_200), ("n", 100_300)].map(|(of, sat)| (rest(of), sat));
    add("d", &[&[(rest("c"), 101_000)], &others[..]].concat(), &["1", "2", "3", "4", "5"].map(|who| (100_000, who)));
    let chain = builder.finish().unwrap();
    assert_eq!(stop_of(&chain, Terms::default()), (3, Stop::Mix));
}

#[test]
fn the_caller_chooses_what_goes_on() {
    let chain = sketch(&STEPS);
    let head = chain.view().tx_at(&txid("a")).unwrap().index();
    let by = |rule: &dyn Hindsight| {
        let peels = Peels::of(chain.view(), rule, &Terms::default(), Known::default());
        (peels.chains().count(), peels.next(head).err(), peels.rule().to_owned())
    };
    // `t1` and `x` are both new at first.
    assert_eq!(by(&Fresh.in_hindsight()), (0, Some(Stop::NoChange), "fresh/1".into()));
    let any = Ratio::of_ppm(1);
    assert_eq!(by(&any.in_hindsight()), (0, Some(Stop::Ambiguous), "ratio/1 rho_ppm=1".into()));
    assert_eq!(by(&any.and(Ratio::default()).in_hindsight()).0, 1);
}

#[test]
fn a_finding_holds_what_was_seen() {
    let chain = sketch(&STEPS);
    let peels = ratio(chain.view(), Terms::default());
    let found = peels.findings();
    let [(head, finding)] = &found[..] else { panic!("one chain") };
    assert_eq!((chain.view().tx(*head).txid(), finding.kind), (txid("a"), Kind::Peel));
    assert_eq!(finding.features["length"], Feature::Count(3));
    assert_eq!(finding.features["peeled_sat"], Feature::Value(Amount::from_sat(120_000)));
    assert_eq!(finding.features["payees"], Feature::Count(2));
    assert_eq!(finding.features["rests_on"], Feature::Txs(["a", "b", "c"].map(txid).into()));
    // Every threshold that it was judged by.
    for (name, value) in Terms::default().parameters() {
        let expected = value.map_or(Feature::Text("none".into()), Feature::Count);
        assert_eq!(finding.features[name], expected, "{name}");
    }
    assert_eq!(finding.features["dust_max_sat"], Feature::Count(1_000));
    // 20 + 3 * 5 per cent, with all habits alike.
    assert_eq!(finding.confidence.to_ppm(), 350_000);
}

#[test]
fn payees_of_whom_none_comes_back_lower_the_confidence() {
    let names: Vec<(String, String, String)> =
        (0..12).map(|n| (format!("s{n}"), format!("s{}:1", n - 1), format!("p{n}"))).collect();
    let build = |payees: usize| {
        let ins: Vec<_> = (0..12_u64)
            .map(|n| {
                let of = if n == 0 { "coin" } else { &*names[n as usize].1 };
                [(of, 1_000_000 - n * 10_000, if n == 0 { "t" } else { &*names[n as usize - 1].0 })]
            })
            .collect();
        let outs: Vec<_> = (0..12_u64)
            .map(|n| [(9_000, &*names[n as usize % payees].2), (990_000 - n * 10_000, &*names[n as usize].0)])
            .collect();
        let rows: Vec<Row<'_>> = (0..12).map(|n| (&*names[n].0, &ins[n][..], &outs[n][..])).collect();
        let chain = sketch(&rows);
        let found = ratio(chain.view(), Terms::default()).chains().next().unwrap();
        assert_eq!(found.steps.len(), 12);
        (found.looks_like_withdrawals(), found.confidence().to_ppm())
    };
    assert_eq!(build(12), (true, 350_000));
    assert_eq!(build(3), (false, 700_000));
}

/// Terms under which small random chains have steps.
fn loose() -> Terms {
    let mut terms = Terms::default().steps_min(1).mask(0);
    (terms.outputs_max, terms.dust_max, terms.peel_min) = (4, Amount::from_sat(2), Amount::ZERO);
    terms.peel_max_ppm = 1_000_000;
    terms
}

/// Steps, longest chain, chains.
fn lengths_are_walks(view: View<'_>) -> (usize, u32, usize) {
    let peels = Peels::of(view, &Ratio::of_ppm(500_001).in_hindsight(), &loose(), Known::default());
    let walk = |tx: TxIndex| {
        let (mut at, mut steps) = (tx, u32::from(peels.step(tx).is_some()));
        while let Ok(next) = peels.next(at) {
            // A link is what it says: the next step spends what goes on.
            assert_eq!(peels.step(next).unwrap().spends, peels.step(at).unwrap().main);
            (at, steps) = (next, steps + 1);
        }
        steps
    };
    let all: Vec<u32> = view.txs().map(|tx| peels.length(tx.index())).collect();
    assert_eq!(all, view.txs().map(|tx| walk(tx.index())).collect::<Vec<_>>());
    // Each step is of one chain.
    let mut of_chains: Vec<TxIndex> = peels.chains().flat_map(|chain| chain.steps).map(|step| step.tx).collect();
    of_chains.sort_unstable();
    let steps: Vec<TxIndex> = view.txs().map(|tx| tx.index()).filter(|tx| peels.step(*tx).is_some()).collect();
    assert_eq!(of_chains, steps);
    (steps.len(), all.into_iter().max().unwrap_or(0), peels.chains().count())
}

fn adds_up<T: Taint>(view: View<'_>, seeds: &[Seed], rule: &T, peels: &Peels<'_>, options: &Options) -> usize {
    let trace = trace::forward(view, seeds, rule, &stop::never(), options);
    let folds = trace.fold(peels);
    let mut txs = Vec::new();
    let mut chains = 0;
    for fold in &folds {
        match fold {
            Fold::Tx(tx) => txs.push(*tx),
            Fold::Chain(folded) => {
                chains += 1;
                txs.extend(folded.steps.iter().map(|step| step.tx));
                if trace.policy().conserving {
                    let out = folded.peeled() + folded.rest + folded.fees() + folded.lost();
                    assert_eq!(folded.entered, out, "{}", folded.sentence(|output| output.to_string()));
                }
            }
            _ => unreachable!("there are two kinds"),
        }
    }
    txs.sort_unstable();
    // Nothing is lost or told twice; the last step may be one whose outputs nobody carries on.
    assert!(txs.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(trace.nodes().iter().all(|node| txs.binary_search(node).is_ok()));
    chains
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn one_pass_backwards_gives_what_walking_gives(case in case(true)) {
        let chain = case.chain();
        lengths_are_walks(chain.view());
        lengths_are_walks(chain.as_of(BlockHeight::from_u32(crate::random::FIRST + 2)));
    }

    #[test]
    fn a_tag_cuts_short_what_is_long_enough_without_it(case in case(true), bits in any::<u64>(), least in 1..4_u32) {
        let chain = case.chain();
        let view = chain.view();
        let (rule, terms) = (Ratio::of_ppm(500_001).in_hindsight(), loose().steps_min(least));
        let tagged = |output: Output<'_>| {
            let at = u64::from(output.outpoint().vout) + output.value().map_or(0, Amount::to_sat);
            bits >> (at % 64) & 1 == 1
        };
        let with = Peels::of(view, &rule, &terms, Known::default().tagged(&tagged));
        let without = Peels::of(view, &rule, &terms, Known::default());
        for tx in view.txs().map(|tx| tx.index()) {
            let cut = with.length(tx) > 0 && with.length(tx) < least && without.length(tx) >= least;
            prop_assert_eq!(with.is_cut_short(tx), cut);
        }
        // Each step is told once at most: of a chain, or of one cut short.
        let chains = with.chains().chain(with.cut_short());
        let mut told: Vec<TxIndex> = chains.flat_map(|chain| chain.steps).map(|step| step.tx).collect();
        let all = told.len();
        told.sort_unstable();
        told.dedup();
        prop_assert_eq!(told.len(), all);
    }

    #[test]
    fn what_enters_a_chain_is_peeled_left_or_paid(case in case(false)) {
        let chain = case.chain();
        let view = chain.view();
        let peels = Peels::of(view, &Ratio::of_ppm(500_001).in_hindsight(), &loose(), Known::default());
        let seeds = case.seeds(view);
        each_rule!(rule => { adds_up(view, &seeds, &rule, &peels, &case.options); });
    }
}

#[test]
fn random_chains_have_peel_chains_worth_testing() {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut steps, mut longest, mut folded) = (0, 0, 0);
    for _ in 0..100 {
        let case = case(false).new_tree(&mut runner).unwrap().current();
        let chain = case.chain();
        let view = chain.view();
        let found = lengths_are_walks(view);
        (steps, longest) = (steps + found.0, longest.max(found.1));
        let peels = Peels::of(view, &Ratio::of_ppm(500_001).in_hindsight(), &loose(), Known::default());
        folded += adds_up(view, &case.seeds(view), &fundtrace::taint::Fifo, &peels, &case.options);
    }
    assert!(steps > 100 && longest >= 3 && folded > 20, "{steps} steps, {longest} in a row, {folded} folded");
}

#[test]
fn reports_hold_chains_with_their_peels() {
    let chain = with(("d", &[("c:1", 777_000, "t3")], &[(776_000, "home")]));
    let view = chain.view();
    let seed = view.output_at(OutPoint::new(txid("a"), 1)).unwrap().index();
    let rules = [spec::Rule::Haircut, spec::Rule::Fifo, spec::Rule::Poison];
    let traces = spec::run(view, &[Seed::new(seed, "theft")], &rules, &stop::never(), &Options::default());
    let peels = ratio(view, Terms::default().steps_min(2));
    let report = Report::new(&traces).unwrap().peels(&peels);
    let mut bytes = Vec::new();
    report::json::write(&report, &mut bytes).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let rows = value["peel_chains"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["policy"], "haircut");
    assert_eq!((&rows[0]["rule"], &rows[0]["confidence_ppm"]), (&"peel/1".into(), &300_000.into()));
    assert!(rows[0]["meaning"].as_str().unwrap().starts_with("an inference"));
    assert_eq!((&rows[0]["upper_bound"], &rows[2]["upper_bound"]), (&false.into(), &true.into()));
    let given = &value["manifest"]["peels"];
    assert_eq!((&given["rule"], &given["change"]), (&"peel/1".into(), &"ratio/1 rho_ppm=800000".into()));
    assert_eq!(
        (&given["terms"]["steps_min"], &given["terms"]["gap_seconds_max"]),
        (&2.into(), &serde_json::Value::Null)
    );
    assert_eq!((&rows[0]["transactions"], &rows[0]["stop"]), (&2.into(), &"whole".into()));
    assert_eq!((&rows[0]["entered_sat"], &rows[0]["peeled_sat"]), (&849_000.into(), &70_000.into()));
    assert_eq!((&rows[0]["rest_sat"], &rows[0]["fees_sat"]), (&777_000.into(), &2_000.into()));
    assert_eq!(rows[0]["peels"].as_array().unwrap().len(), 2);
    #[cfg(feature = "table")]
    {
        let mut bytes = Vec::new();
        report::table::write(&report, &mut bytes).unwrap();
        let table = String::from_utf8(bytes).unwrap();
        for part in [
            "peels   peel/1 with ratio/1 rho_ppm=800000: dust_max_sat=1000 ",
            "Peel chain of 2 transactions from ",
            "  an inference: that one owner cut these pieces off one coin rests on the change rule at every step\n",
            "  inferred by peel/1, confidence 30 %; what goes on is told by ratio/1 rho_ppm=800000\n",
            "  under haircut: 849,000 sat in, 70,000 sat peeled, ",
            "  under poison: at most 849,000 sat in, at most 70,000 sat peeled, ",
            "  these amounts are upper bounds: they overlap and must not be summed\n",
        ] {
            assert!(table.contains(part), "{part}\n{table}");
        }
        assert_eq!(table.matches("upper bounds: they").count(), 1);
    }
}

#[cfg(feature = "cli")]
fn told(args: &[&str]) -> (bool, String) {
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(args).output().unwrap();
    (command.status.success(), String::from_utf8([command.stdout, command.stderr].concat()).unwrap())
}

#[cfg(feature = "cli")]
#[test]
fn the_command_shows_chains() {
    let folder = std::env::temp_dir().join(format!("fundtrace-peel-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = folder.join("chain.store");
    sketch(&STEPS).write_to(std::fs::File::create(&store).unwrap()).unwrap();
    let store = store.to_str().unwrap();
    let (_, found) = told(&["detect", store, "--only", "peel", "--json"]);
    let finding: serde_json::Value = serde_json::from_str(found.trim()).unwrap();
    assert_eq!((&finding["kind"], &finding["rule"]), (&"peel".into(), &"peel/1".into()));
    assert_eq!((&finding["txid"], &finding["features"]["length"]), (&txid("a").to_string().into(), &3.into()));
    // Both outputs are new, so by freshness there is none.
    let (_, none) = told(&["detect", store, "--only", "peel", "--json", "--peels-by", "ratio,fresh"]);
    assert_eq!(none, "");
    let (ok, said) = told(&["detect", store, "--peels-by", "two_hops"]);
    assert!(!ok && said.contains("two_hops: it needs clusters"), "{said}");

    // The coin before the chain is not in the store, and still can be a seed.
    let seed = format!("{}:0", txid("a coin"));
    let (ok, shown) = told(&["trace", store, "--seed", &seed, "--policy", "fifo", "--peels"]);
    assert!(ok && shown.contains("Peel chain of 3 transactions from "), "{shown}");
    assert!(shown.contains("900,000 sat in, 120,000 sat peeled, 777,000 sat left"), "{shown}");
    // A tag on what goes on from the first step leaves one, and says so.
    let at = |name: &str, vout| {
        let chain = sketch(&STEPS);
        let output = chain.view().output_at(OutPoint::new(txid(name), vout)).unwrap();
        output.address().unwrap().to_string()
    };
    let shop = format!("{}=a shop", at("a", 1));
    let (ok, shown) = told(&["trace", store, "--seed", &seed, "--policy", "fifo", "--peels", "--tag", &shop]);
    assert!(ok && shown.contains("Peel chain of 1 transactions, cut short by a tag, from "), "{shown}");
    assert!(shown.contains("  ends: service, a shop (says command line)\n"), "{shown}");
    let (ok, shown) = told(&["trace", store, "--seed", &seed, "--policy", "fifo", "--peels", "--format", "dot"]);
    assert!(!ok && shown.contains("--peels goes with"), "{shown}");
    std::fs::remove_dir_all(&folder).unwrap();
}
