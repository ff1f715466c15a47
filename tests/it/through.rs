//! Through a mix: what each choice does, that it adds up, and what stays linked.

use std::collections::{BTreeMap, BTreeSet};

use fundtrace::bitcoin::{Amount, OutPoint, Txid};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::detect::coinjoin::{self, Rules, change};
use fundtrace::detect::{Confidence, Verdict};
use fundtrace::spec::{self, Rule};
use fundtrace::taint::Origin;
use fundtrace::trace::stop::{self, Stop};
use fundtrace::trace::{self, How, Mixes, Mode, Options, PathLimits, Reason, Seed, Through, Trace, Way};
use fundtrace::{Chain, ChainBuilder, OutputIndex, View};
use proptest::prelude::*;

use crate::mini::StopRow;
use crate::random::case;
use crate::sketch::{Row, pay, txid};

/// As [`crate::sketch::sketch`], without heights: rules that hold from a height on would not hold in its blocks.
fn sketch(txs: &[Row<'_>]) -> Chain {
    let mut builder = ChainBuilder::new();
    for (name, inputs, outputs) in txs {
        let inputs = inputs.iter().enumerate().map(|(vin, (of, sat, who))| {
            let outpoint = match of.split_once(':') {
                Some((of, vout)) => OutPoint::new(txid(of), vout.parse().unwrap()),
                None => OutPoint::new(txid(&format!("{name} {of}")), vin as u32),
            };
            NewInput::new(outpoint).prevout(pay(*sat, who))
        });
        let outputs = outputs.iter().map(|(sat, who)| pay(*sat, who)).collect();
        builder.insert(NewTx::claimed(txid(name), inputs.collect(), outputs)).unwrap();
    }
    builder.finish().unwrap()
}

fn listed(allow: impl IntoIterator<Item = Txid>) -> Mixes {
    let mut rules = Rules::default();
    rules.allow = allow.into_iter().collect();
    Mixes::new(rules, Confidence::from_percent(60))
}

fn through(mode: Mode) -> Through {
    Through::new(mode, Mixes::new(Rules::default(), Confidence::from_percent(60)))
}

/// How a run is carried on, for every seed: outputs and what is tainted of them.
fn amounts(trace: &Trace<'_>) -> Vec<(OutputIndex, Amount)> {
    trace.touched().iter().map(|touch| (touch.output, touch.amount)).collect()
}

fn seed(view: View<'_>, name: &str, vout: u32) -> Seed {
    view.output_at(OutPoint::new(txid(name), vout)).unwrap().seed("theft")
}

fn vouts(trace: &Trace<'_>, name: &str) -> Vec<u64> {
    let tx = trace.view().tx_at(&txid(name)).unwrap();
    let of = |output: OutputIndex| trace.touch(output).map_or(0, |touch| touch.amount.to_sat());
    tx.outputs().map(|output| of(output.index())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any transactions may be called mixes, so the strangest are crossed too.
    #[test]
    fn every_way_through_adds_up(case in case(false), picked in any::<u64>()) {
        let chain = case.chain();
        let view = chain.view();
        let mixes = view.txs().enumerate().filter(|(at, _)| picked >> (at % 64) & 1 == 1).map(|(_, tx)| tx.txid());
        let mixes = listed(mixes);
        let (seeds, stops) = (case.seeds(view), StopRow::all(&case.stops));
        for mode in Mode::ALL {
            let through = Through::new(mode, mixes.clone());
            let budgets = case.stops.iter().any(|stop| matches!(stop, StopRow::Budget(_) | StopRow::Below(_)));
            let traces = spec::run_through(view, &seeds, &Rule::ALL, &*stops, &through, &case.options);
            let poison: BTreeSet<OutputIndex> = traces[0].touched().iter().map(|touch| touch.output).collect();
            for (trace, rule) in traces.iter().zip(Rule::ALL) {
                check(trace);
                prop_assert!(budgets || trace.touched().iter().all(|touch| poison.contains(&touch.output)));
                if mode == Mode::Flag {
                    let plain = rule.forward(view, &seeds, &*stops, &case.options);
                    prop_assert_eq!(amounts(trace), amounts(&plain));
                    prop_assert_eq!(trace.ends(), plain.ends());
                }
                if mode == Mode::Stop {
                    // The engines that know no other way end at the same outputs for the same reasons.
                    let both = (&*stops).or(mixes.stop());
                    let fast = trace::reach(view, &seeds, rule, &both, &case.options);
                    let ends: Vec<_> = trace.ends().iter().map(|end| (end.output, end.amount, &end.reason)).collect();
                    let found: Vec<_> = fast.ends().map(|end| (end.output, end.amount, end.reason)).collect();
                    prop_assert_eq!(ends, found);
                }
            }
        }
    }
}

/// What must be true of every trace through mixes: the sums.
fn balanced(trace: &Trace<'_>) {
    let (balance, sheet) = (trace.balance(), trace.mix_sheet());
    let ends = [sheet.stopped, sheet.behind, sheet.behind_suspected, sheet.linked_change, sheet.clear];
    assert_eq!(ends.into_iter().sum::<Amount>(), balance.ends + balance.truncated);
    assert_eq!(sheet.suspected, trace.suspects().iter().map(|suspect| suspect.entered).sum());
    let stopped = trace.ends().iter().filter(|end| matches!(end.reason, Reason::Mix(_)));
    assert_eq!(stopped.map(|end| end.amount).sum::<Amount>(), sheet.stopped);
    let went = sheet.stopped + sheet.flagged + sheet.spread + sheet.linked + sheet.fell_back;
    assert_eq!(went, trace.mixes().iter().map(|crossing| crossing.entered).sum());
    assert!(trace.touched().iter().all(|touch| touch.amount <= trace.view().output(touch.output).value().unwrap()));
    if trace.policy().conserving {
        assert!(balance.adds_up() && trace.balances().iter().all(|balance| balance.adds_up()));
    }
}

/// The sums; and every satoshi is explained, also behind a mix.
fn check(trace: &Trace<'_>) {
    balanced(trace);
    for touch in trace.touched().iter().filter(|_| trace.policy().conserving) {
        let paths = trace.paths(touch.output, PathLimits::default().paths(10_000));
        assert_eq!(paths.explained(), touch.amount, "{} at {:?}", trace.policy().name, touch.output);
    }
    if matches!(trace.policy().origin, Origin::RowFront | Origin::RowBack) {
        once(trace);
    }
}

/// Where a rule names satoshis, no two ends are said to hold the same one: of no output do more lead to ends than it held.
fn once(trace: &Trace<'_>) {
    let mut led: BTreeMap<OutputIndex, Amount> = BTreeMap::new();
    for end in trace.ends() {
        for path in trace.paths(end.output, PathLimits::default().paths(10_000)).paths {
            path.steps.iter().for_each(|step| *led.entry(step.output).or_default() += path.amount);
        }
    }
    for (output, led) in led {
        let held = trace.touch(output).unwrap().amount;
        assert!(led <= held, "{}: {led} of {held} at {output:?}", trace.policy().name);
    }
}

/// Four people of a JoinMarket round; the second spends two of his coins together.
const ROUND: Row<'static> = (
    "mix",
    &[
        ("a", 9_000_000, "a"),
        ("b", 4_000_000, "b"),
        ("b2", 3_000_000, "b"),
        ("c", 12_345_678, "c"),
        ("d", 5_100_000, "d"),
    ],
    &[
        (5_000_000, "1"),
        (4_000_500, "a change"),
        (5_000_000, "2"),
        (2_000_400, "b change"),
        (5_000_000, "3"),
        (7_346_000, "c change"),
        (5_000_000, "4"),
        (97_000, "d change"),
    ],
);

fn of_round(mode: Mode) -> Through {
    // JoinMarket is graded below one half.
    Through::new(mode, Mixes::new(Rules::default(), Confidence::from_percent(40)))
}

fn run<'c>(chain: &'c Chain, rule: Rule, through: &Through, seeds: &[Seed]) -> Trace<'c> {
    rule.forward_through(chain.view(), seeds, &stop::never(), through, &Options::default())
}

#[test]
fn spreading_gives_change_to_its_payer_alone() {
    let chain = sketch(&[ROUND]);
    let view = chain.view();
    let tx = view.tx_at(&txid("mix")).unwrap();
    let links = change::find(tx, &coinjoin::classify(tx).unwrap());
    let found: Vec<(u32, &[u32])> = links.iter().map(|link| (link.vout, &link.vins[..])).collect();
    assert_eq!(found, [(1, &[0][..]), (3, &[1, 2]), (5, &[3]), (7, &[4])]);
    let seeds = [seed(view, "mix a", 0)];
    for rule in [Rule::Haircut, Rule::Fifo, Rule::Lifo, Rule::Seniority, Rule::Juniority, Rule::Tiho] {
        let trace = run(&chain, rule, &of_round(Mode::Spread), &seeds);
        let got = vouts(&trace, "mix");
        assert_eq!(got[1], 4_000_500, "the payer's change whole");
        assert_eq!((got[3], got[5], got[7]), (0, 0, 0), "and nobody else's");
        let equal = [got[0], got[2], got[4], got[6]];
        assert!(equal.iter().max().unwrap() - equal.iter().min().unwrap() <= 1, "{equal:?}");
        // 4,999,500 went into the mix; a part of it is fee.
        let fee = trace.fees()[0].amount.to_sat();
        assert_eq!(equal.iter().sum::<u64>() + fee, 4_999_500);
        assert_eq!(trace.mixes()[0].how, How::Spread);
        // What was mixed is behind the mix; that the change is not is an inference, and counts by itself.
        let ways = tx.outputs().map(|output| trace.behind(output.index()).map(|behind| behind.way));
        let (mixed, none) = (Some(Way::Mixed), None);
        assert_eq!(ways.collect::<Vec<_>>(), [mixed, Some(Way::Linked), mixed, none, mixed, none, mixed, none]);
        let sheet = trace.mix_sheet();
        assert_eq!((sheet.linked_change.to_sat(), sheet.clear.to_sat()), (4_000_500, 0));
        let change = trace.paths(tx.outputs().nth(1).unwrap().index(), PathLimits::default());
        let told = change.paths[0].explain(&trace).to_string();
        assert!(told.contains("change of inputs [0] by mix_change/1, confidence 70 %"), "{told}");
        let mixed = trace.paths(tx.outputs().next().unwrap().index(), PathLimits::default());
        let told = mixed.paths[0].explain(&trace).to_string();
        assert!(
            told.contains("whatever the rule; out of what is taken for a mix (joinmarket/1, confidence 49 %; spread)")
        );
        assert!(told.contains("whose it is nobody knows") && !told.contains("another rule divides"), "{told}");
        assert_eq!(trace.linked().iter().map(|linked| linked.vouts[0]).collect::<Vec<_>>(), [1, 3, 5, 7]);
    }
    let poison = run(&chain, Rule::Poison, &of_round(Mode::Spread), &seeds);
    assert_eq!(vouts(&poison, "mix"), [5_000_000, 4_000_500, 5_000_000, 0, 5_000_000, 0, 5_000_000, 0]);
}

#[test]
fn two_coins_of_one_payer_share_his_change_by_value() {
    let chain = sketch(&[ROUND]);
    let trace = run(&chain, Rule::Fifo, &of_round(Mode::Spread), &[seed(chain.view(), "mix b", 1)]);
    // Four of the seven million are stolen.
    assert_eq!(vouts(&trace, "mix")[3], 2_000_400 * 4 / 7 + 1, "rounded by largest remainder");
}

#[test]
fn links_weigh_where_they_are_exact_and_say_so_where_not() {
    let chain = sketch(&[ROUND]);
    let seeds = [seed(chain.view(), "mix a", 0)];
    let exact = run(&chain, Rule::Fifo, &of_round(Mode::Links), &seeds);
    assert_eq!(exact.mixes()[0].how, How::Linked);
    let got = vouts(&exact, "mix");
    let plain = vouts(&run(&chain, Rule::Haircut, &of_round(Mode::Flag), &seeds), "mix");
    // More of the payer's change and less of the greatest, which is another's in most ways.
    assert!(got[1] > plain[1] && got[5] < plain[5], "{got:?} {plain:?}");
    let spread = amounts(&run(&chain, Rule::Fifo, &of_round(Mode::Spread), &seeds));
    for (limit, how) in [((3, u64::MAX), How::LinksBounded), ((32, 0), How::LinksUndecided)] {
        let mut through = of_round(Mode::Links);
        (through.limits.txos_max, through.limits.steps_max) = limit;
        let trace = run(&chain, Rule::Fifo, &through, &seeds);
        assert_eq!(trace.mixes()[0].how, how);
        assert_eq!(amounts(&trace), spread);
        assert_eq!(trace.mix_sheet().fell_back.to_sat(), 9_000_000);
    }
}

#[test]
fn a_stop_names_protocol_rule_and_confidence() {
    let chain = sketch(&[ROUND]);
    let seeds = [seed(chain.view(), "mix a", 0)];
    let trace = run(&chain, Rule::Fifo, &of_round(Mode::Stop), &seeds);
    let [end] = trace.ends() else { panic!("one end") };
    assert_eq!(end.reason.to_string(), "mix (joinmarket, rule joinmarket/1, confidence 49 %)");
    assert!(!end.reason.is_limit());
    assert_eq!(trace.mix_sheet().stopped.to_sat(), 9_000_000);
    // Below the confidence asked for the run goes on, and says what it passed.
    let trace = run(&chain, Rule::Fifo, &through(Mode::Stop), &seeds);
    assert!(trace.mixes().is_empty() && trace.mix_sheet().stopped == Amount::ZERO);
    let [suspect] = trace.suspects() else { panic!("one suspect") };
    assert_eq!((suspect.finding.rule, suspect.entered.to_sat()), ("joinmarket/1", 9_000_000));
    let sheet = trace.mix_sheet();
    assert_eq!(
        (sheet.suspected.to_sat(), sheet.behind_suspected.to_sat(), sheet.clear.to_sat()),
        (9_000_000, 9_000_000, 0)
    );
    let told = trace.paths(trace.ends()[0].output, PathLimits::default()).paths[0].explain(&trace).to_string();
    assert!(told.contains("may be a mix (joinmarket/1, confidence 49 %) and was passed as none"), "{told}");
    // Who does not ask is told nothing.
    let plain = Rule::Fifo.forward(chain.view(), &seeds, &stop::never(), &Options::default());
    assert!(plain.suspects().is_empty() && amounts(&plain) == amounts(&trace));
    // A veto is one too, and an analyst's own stop comes first.
    let mut rules = Rules::default();
    rules.veto.insert(txid("mix"));
    let vetoed = Through::new(Mode::Stop, Mixes::new(rules, Confidence::from_percent(0)));
    let trace = run(&chain, Rule::Fifo, &vetoed, &seeds);
    // What the list overrules is told, and lies before nothing.
    let [vetoed] = trace.suspects() else { panic!("one vetoed") };
    assert!(trace.mixes().is_empty() && vetoed.vetoed && vetoed.finding.rule == "joinmarket/1");
    let sheet = trace.mix_sheet();
    assert_eq!((sheet.suspected, sheet.clear.to_sat()), (Amount::ZERO, 9_000_000));
    let trace =
        Rule::Fifo.forward_through(chain.view(), &seeds, &stop::hops(0), &of_round(Mode::Stop), &Options::default());
    assert_eq!(trace.ends()[0].reason, Reason::Hops);
    assert!(trace.mixes().is_empty());
}

const POOL: u64 = 1_000_000;

/// A mix, then: two of its outputs spent together, one that parts and meets again, and a second mix.
fn after() -> Chain {
    let inputs = [("a", POOL + 9_500, "a"), ("b", POOL, "b"), ("c", POOL, "c"), ("d", POOL, "d"), ("e", POOL, "e")];
    let equal: [(u64, &str); 5] = [(POOL, "1"), (POOL, "2"), (POOL, "3"), (POOL, "4"), (POOL, "5")];
    let again: [(u64, &str); 5] = [(POOL, "6"), (POOL, "7"), (POOL, "8"), (POOL, "9"), (POOL, "10")];
    sketch(&[
        ("mix", &inputs, &equal),
        ("join", &[("mix:0", POOL, "1"), ("mix:2", POOL, "3")], &[(2 * POOL - 500, "shop")]),
        ("part", &[("mix:1", POOL, "2")], &[(400_000, "x"), (599_000, "y")]),
        ("meet", &[("part:0", 400_000, "x"), ("part:1", 599_000, "y")], &[(998_000, "z")]),
        (
            "mix2",
            &[("mix:3", POOL, "4"), ("mix:4", POOL, "5"), ("f", POOL + 9_500, "f"), ("g", POOL, "g"), ("h", POOL, "h")],
            &again,
        ),
        ("last", &[("mix2:0", POOL, "6"), ("mix2:1", POOL, "7")], &[(2 * POOL - 500, "w")]),
    ])
}

#[test]
fn outputs_of_one_mix_spent_together_are_found() {
    let chain = after();
    let view = chain.view();
    let trace = run(&chain, Rule::Haircut, &through(Mode::Spread), &[seed(view, "mix a", 0)]);
    let index = |name| view.tx_at(&txid(name)).unwrap().index();
    let found: Vec<_> =
        trace.consolidations().iter().map(|joined| (joined.tx, joined.mix, joined.outputs.len())).collect();
    // What parted behind the mix and met again says nothing; the second mix is none itself.
    assert_eq!(found, [(index("join"), index("mix"), 2), (index("last"), index("mix2"), 2)]);
    assert!(trace.consolidations().iter().all(|joined| joined.rule == "postmix_consolidation/1"));
    let end = |name: &str| view.tx_at(&txid(name)).unwrap().outputs().next().unwrap().index();
    let depth = |name| trace.behind(end(name)).unwrap().mixes(view, Way::Mixed).len();
    assert_eq!((depth("join"), depth("meet"), depth("last")), (1, 1, 2));
}

#[test]
fn clean_outputs_of_the_mix_count_when_they_are_spent_with_tainted_ones() {
    let chain = after();
    // FIFO puts all of it into the first two outputs.
    let trace = run(&chain, Rule::Fifo, &through(Mode::Flag), &[seed(chain.view(), "mix a", 0)]);
    assert!(vouts(&trace, "mix")[2] == 0);
    assert_eq!(trace.consolidations()[0].outputs.len(), 2);
}

#[test]
fn every_rule_crosses_a_mix_of_several_sources() {
    let chain = after();
    let view = chain.view();
    let mut seeds = vec![seed(view, "mix a", 0), seed(view, "mix c", 2), seed(view, "mix2 f", 2)];
    (seeds[1].label, seeds[2].label) = ("other".into(), "third".into());
    for mode in Mode::ALL {
        for rule in Rule::ALL {
            check(&run(&chain, rule, &through(mode), &seeds));
        }
    }
    let swept = Mixes::of(view, Rules::default(), Confidence::from_percent(60));
    let (one, other) = (Through::new(Mode::Links, swept), through(Mode::Links));
    assert_eq!(amounts(&run(&chain, Rule::Fifo, &one, &seeds)), amounts(&run(&chain, Rule::Fifo, &other, &seeds)));
}

#[test]
fn behind_a_later_mix_outputs_of_the_first_join_nothing() {
    // One output of the first mix goes through a second; one of that and another of the first are spent together by whoever has them.
    let inputs = [("a", POOL + 9_500, "a"), ("b", POOL, "b"), ("c", POOL, "c"), ("d", POOL, "d"), ("e", POOL, "e")];
    let equal: [(u64, &str); 5] = [(POOL, "1"), (POOL, "2"), (POOL, "3"), (POOL, "4"), (POOL, "5")];
    let others = [("mix:0", POOL, "1"), ("f", POOL + 9_500, "f"), ("g", POOL, "g"), ("h", POOL, "h"), ("i", POOL, "i")];
    let again: [(u64, &str); 5] = [(POOL, "6"), (POOL, "7"), (POOL, "8"), (POOL, "9"), (POOL, "10")];
    let chain = sketch(&[
        ("mix", &inputs, &equal),
        ("mix2", &others, &again),
        ("both", &[("mix2:1", POOL, "7"), ("mix:3", POOL, "4")], &[(2 * POOL - 500, "w")]),
    ]);
    let trace = run(&chain, Rule::Haircut, &through(Mode::Spread), &[seed(chain.view(), "mix a", 0)]);
    assert_eq!(trace.mixes().len(), 2);
    assert!(trace.consolidations().is_empty(), "{:?}", trace.consolidations());
    let end = chain.view().tx_at(&txid("both")).unwrap().outputs().next().unwrap().index();
    assert_eq!(trace.behind(end).unwrap().mixes(chain.view(), Way::Mixed).len(), 2);
}

#[test]
fn linked_change_spent_with_an_equal_output_names_it() {
    let chain = sketch(&[
        ROUND,
        ("both", &[("mix:1", 4_000_500, "a change"), ("mix:4", 5_000_000, "3")], &[(9_000_000, "shop")]),
    ]);
    for mode in [Mode::Spread, Mode::Links] {
        let trace = run(&chain, Rule::Haircut, &of_round(mode), &[seed(chain.view(), "mix a", 0)]);
        let [joined] = trace.consolidations() else { panic!("{mode:?}: {:?}", trace.consolidations()) };
        assert_eq!(joined.outputs.iter().map(|output| chain.view().output(*output).vout()).collect::<Vec<_>>(), [1, 4]);
        // The change is whole under both.
        assert_eq!(vouts(&trace, "mix")[1], 4_000_500, "{mode:?}");
    }
}

#[test]
fn a_lead_is_told_by_all_its_outputs() {
    use fundtrace::report::Report;
    use fundtrace::tag::{Tag, Tags};
    // The exchange gets 5,000,000 out of a mix and 4,000,000 that never saw one.
    let chain = sketch(&[
        ("loot", &[("x", 13_100_000, "x")], &[(9_000_000, "a"), (4_000_000, "exchange")]),
        (
            "mix",
            &[("loot:0", 9_000_000, "a"), ("b", 7_000_000, "b"), ("c", 12_345_678, "c"), ("d", 5_100_000, "d")],
            &[
                (5_000_000, "exchange"),
                (5_000_000, "2"),
                (5_000_000, "3"),
                (5_000_000, "4"),
                (4_000_500, "a change"),
                (2_000_400, "b change"),
                (7_346_000, "c change"),
                (97_000, "d change"),
            ],
        ),
    ]);
    let view = chain.view();
    let mut tags = Tags::default();
    tags.insert(pay(1, "exchange").script_pubkey, Tag::new("E", "exchange", "a court"));
    let stop = stop::tagged(&tags);
    let seeds = [seed(view, "loot x", 0)];
    let traces = [Rule::Fifo.forward_through(view, &seeds, &stop, &of_round(Mode::Flag), &Options::default())];
    let report = Report::new(&traces).unwrap().tags(&tags, &[]);
    let lead = &report.sentences()[0];
    assert_eq!((lead.amount_sat, lead.rank.mixes), (9_000_000, 0), "the clear part ranks it");
    let parts = "(2 outputs there: 0.04000000 BTC that no mix lies before; 0.05000000 BTC behind a mix)";
    assert!(lead.sentence.contains(parts), "{}", lead.sentence);
    assert!(lead.defeat.iter().any(|line| line.starts_with("the mix: ")), "{:?}", lead.defeat);
}

#[test]
fn a_suspected_mix_joins_nothing_for_sure() {
    // Two outputs of a mix go into a round of JoinMarket together: whose they are is what that round hides.
    let inputs = [("a", POOL + 9_500, "a"), ("b", POOL, "b"), ("c", POOL, "c"), ("d", POOL, "d"), ("e", POOL, "e")];
    let equal: [(u64, &str); 5] = [(POOL, "1"), (POOL, "2"), (POOL, "3"), (POOL, "4"), (POOL, "5")];
    let round = [("mix:0", POOL, "1"), ("mix:2", POOL, "3"), ("x", 900_000, "x")];
    let paid = [(600_000, "6"), (399_000, "7"), (600_000, "8"), (398_000, "9"), (600_000, "10"), (299_000, "11")];
    let chain = sketch(&[("mix", &inputs, &equal), ("round", &round, &paid)]);
    let view = chain.view();
    let seeds = [seed(view, "mix a", 0)];
    let trace = run(&chain, Rule::Haircut, &through(Mode::Spread), &seeds);
    assert_eq!(trace.suspects()[0].finding.rule, "joinmarket/1");
    assert!(trace.consolidations().is_empty());
    // Both lie before what is behind, and the mix says the least.
    let behind = trace.behind(view.tx_at(&txid("round")).unwrap().outputs().next().unwrap().index()).unwrap();
    let passed = |way| behind.mixes(view, way).len();
    assert_eq!((behind.way, passed(Way::Mixed), passed(Way::Suspected), passed(Way::Linked)), (Way::Mixed, 1, 1, 0));
    // Once it is vetoed it joins them.
    let mut rules = Rules::default();
    rules.veto.insert(txid("round"));
    let vetoed = Through::new(Mode::Spread, Mixes::new(rules, Confidence::from_percent(60)));
    assert_eq!(run(&chain, Rule::Haircut, &vetoed, &seeds).consolidations().len(), 1);
}

#[test]
fn undecided_is_no_mix() {
    let chain = fundtrace::detect::sketch(&[1_000_000; 5], &[1_000_000; 5]).unwrap();
    let verdicts = chain.view().txs().filter_map(coinjoin::classify).map(|finding| finding.verdict);
    assert!(verdicts.into_iter().all(|verdict| verdict != Verdict::Yes));
}

#[cfg(feature = "simulate")]
#[test]
fn in_a_simulated_world_every_way_adds_up() {
    use fundtrace::id::TheftIndex;
    use fundtrace::simulate::{Programme, WorldSpec};
    let programmes = ["whirlpool 2", "joinmarket"];
    let programmes = programmes.map(|mix| format!("wait 5, split 3, {mix}, shuffle 1, exchange").parse().unwrap());
    let programmes: Vec<Programme> = programmes.into();
    let (chain, truth) = crate::worlds::known(WorldSpec::new(12_000).thefts(programmes), 8);
    let view = chain.view();
    let mixes = Mixes::of(view, Rules::default(), Confidence::from_percent(40));
    let mut seen = BTreeSet::new();
    for theft in 0..2 {
        let seeds = truth.seeds(view, TheftIndex::from_u32(theft));
        let seeds: Vec<Seed> = seeds.iter().map(|(output, _)| view.output(*output).seed("theft")).collect();
        for mode in Mode::ALL {
            let through = Through::new(mode, mixes.clone());
            // Far enough behind the mixes, and not through the whole town.
            let stop = stop::hops(30);
            let run = |rule: Rule| rule.forward_through(view, &seeds, &stop, &through, &Options::default());
            let trace = run(Rule::Fifo);
            balanced(&trace);
            seen.extend(trace.mixes().iter().map(|crossing| (crossing.finding.protocol, crossing.how)));
        }
    }
    // The reason outlives a save.
    let stolen = (0..2).flat_map(|theft| truth.seeds(view, TheftIndex::from_u32(theft)));
    let seeds: Vec<Seed> = stolen.map(|(output, _)| view.output(output).seed("theft")).collect();
    let whole = trace::reach(view, &seeds, Rule::Fifo, &mixes.stop(), &Options::default());
    let (watch, _) = trace::Watch::start(view, &seeds, Rule::Fifo, &mixes.stop(), &Options::default()).unwrap();
    let mut bytes = Vec::new();
    watch.write_to(&mut bytes).unwrap();
    let again = trace::Watch::read(bytes.as_slice()).unwrap().advance(view, &mixes.stop()).unwrap().reach;
    assert!(whole.ends().any(|end| matches!(end.reason, Reason::Mix(_))));
    assert!(whole.ends().map(|end| (end.output, end.reason)).eq(again.ends().map(|end| (end.output, end.reason))));
    for protocol in ["whirlpool", "joinmarket"] {
        for how in [How::Stopped, How::Flagged, How::Spread] {
            assert!(seen.contains(&(protocol, how)), "{protocol} {how:?}: {seen:?}");
        }
    }
    assert!(seen.contains(&("whirlpool", How::Linked)), "{seen:?}");
}

#[cfg(feature = "cli")]
mod command {
    use std::process::{Command, Output};

    use serde_json::Value;

    fn trace(arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fundtrace")).arg("trace").args(arguments).output().expect("the command runs")
    }

    fn case() -> String {
        format!("{}/fixtures/cases/whirlpool-2019/case.toml", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_choice_stands_in_the_result() {
        let json = |extra: &[&str]| -> Value {
            let output = trace(&[&["--case", &case(), "--policy", "fifo", "--format", "json"], extra].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        // Without a choice nothing is looked for.
        assert!(json(&[])["runs"][0].get("mixes").is_none());
        assert_eq!(json(&[])["manifest"]["stop"], "never");
        let sheets = ["stopped_sat", "flagged_sat", "spread_sat", "links_sat"];
        for (mode, sheet) in ["stop", "flag", "spread", "links"].into_iter().zip(sheets) {
            let found = json(&["--through", mode]);
            let mixes = &found["runs"][0]["mixes"];
            assert_eq!((&mixes["through"], &mixes["sheet"][sheet]), (&mode.into(), &5_010_000.into()));
            assert_eq!(mixes["crossings"][0]["finding"]["rule"], "whirlpool/1");
            assert!(found["manifest"]["stop"].as_str().unwrap().ends_with("mixes (from 60 %)"));
        }
        let stopped = json(&["--through", "stop"]);
        assert_eq!(stopped["runs"][0]["ends"][0]["reason"], "mix");
        let suspected = json(&["--through", "stop", "--mix-confidence", "99"]);
        assert_eq!(suspected["runs"][0]["mixes"]["suspects"][0]["finding"]["rule"], "whirlpool/1");
        assert!(suspected["runs"][0]["ends"][0]["reason"] != "mix");
        let given = &suspected["manifest"]["mixes"];
        assert_eq!((&given["through"], &given["confidence_min_ppm"]), (&"stop".into(), &990_000.into()));
        assert!(given["rules"].as_array().unwrap().contains(&"whirlpool/1".into()));
    }

    #[test]
    fn every_format_tells_what_lies_behind() {
        let text = |format: &str, extra: &[&str]| {
            let output = trace(&[&["--case", &case(), "--policy", "fifo,haircut", "--format", format], extra].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let mix = "323df21f0b0756f98336437aa3d2fb87e02b59f1946b714a7b09df04d429dec2";
        let (flagged, passed) = (&["--through", "flag"][..], &["--through", "flag", "--mix-confidence", "99"][..]);
        let csv = text("csv", flagged);
        let mut rows = csv.lines();
        assert!(rows.next().unwrap().contains(",detail,mix_way,mixes,policy_version,"), "{csv}");
        assert!(rows.all(|row| row.contains(&format!(",mixed,{mix},"))), "{csv}");
        assert!(text("csv", passed).lines().skip(1).all(|row| row.contains(&format!(",suspected,{mix},"))));
        assert!(!text("csv", &[]).contains("mix_way"));
        assert!(text("csv-edges", flagged).contains(",clear,,"));
        let dot = text("dot", flagged);
        assert!(dot.contains("mix: whirlpool/1, confidence 95 %; flagged") && dot.contains("behind a mix"), "{dot}");
        assert!(text("dot", passed).contains("may be a mix: whirlpool/1, confidence 95 %; passed as none"));
        let xml = text("graphml", flagged);
        assert!(xml.contains("<data key=\"mix_way\">behind a mix</data>") && xml.contains("<data key=\"mix\">mix: "));
        let table = text("table", flagged);
        assert!(
            table
                .contains(&format!("{mix}  whirlpool (whirlpool/1, confidence 95 %): flagged; came in: 5,010,000 sat"))
        );
        let table = text("table", passed);
        assert!(table.contains("passed as none") && table.contains("ends perhaps behind"), "{table}");
    }

    #[test]
    fn bounds_end_at_mixes_where_the_run_does() {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("through-bounds");
        std::fs::create_dir_all(&folder).unwrap();
        // The exchange is tagged behind the mix, so what stops at the mix cannot reach it.
        let run = |mode: &str| {
            let output = "323df21f0b0756f98336437aa3d2fb87e02b59f1946b714a7b09df04d429dec2:0";
            let output = trace(&[
                "--case",
                &case(),
                "--policy",
                "fifo",
                "--format",
                "json",
                "--bounds",
                "--through",
                mode,
                "--explain",
                output,
            ]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).unwrap()["bounds"][0]["most_sat"].clone()
        };
        assert_eq!(run("stop"), 0);
        assert!(run("flag").as_u64().unwrap() > 0);
    }

    #[test]
    fn a_table_tells_what_went_in() {
        let output = trace(&["--case", &case(), "--through", "spread"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Mixes (sat)") && text.contains("Through mixes: spread."), "{text}");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (extra, told) in [
            (&["--through", "guess"][..], "unknown way through a mix"),
            (&["--mix-confidence", "70"], "goes with --through"),
            (&["--veto", "/dev/null"], "--allow and --veto go with --through"),
            (&["--through", "stop", "--allow", "/nowhere/list"], "/nowhere/list"),
            (&["--through", "flag", "--direction", "backward"], "forward only"),
            (&["--through", "spread", "--policy", "fifo", "--resume", "/nowhere/state"], "--through stop alone"),
        ] {
            let output = trace(&[&["--case", &case()], extra].concat());
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && error.contains(told), "{extra:?}: {error}");
        }
    }

    #[test]
    fn lists_say_what_is_a_mix_whatever_the_rules_say() {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("through-lists");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let run = |extra: &[&str]| -> Value {
            let base = ["--case", &case(), "--policy", "fifo", "--format", "json", "--through", "stop"];
            let output = trace(&[&base, extra].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let mix = run(&[])["runs"][0]["mixes"]["crossings"][0]["txid"].as_str().unwrap().to_owned();
        let list = folder.join("list.txt").to_str().unwrap().to_owned();
        std::fs::write(&list, format!("\u{feff}# a coordinator's\n\n  {mix}\r\n")).unwrap();

        // What the rules call a mix is none, and the run goes on.
        let vetoed = run(&["--veto", &list]);
        assert!(vetoed["runs"][0]["mixes"]["crossings"].as_array().unwrap().is_empty(), "{vetoed}");
        assert!(vetoed["runs"][0]["ends"].as_array().unwrap().iter().all(|end| end["reason"] != "mix"));
        let given = &vetoed["manifest"]["mixes"];
        assert_eq!((&given["veto"]["entries"], given.get("allow")), (&1.into(), None));
        // What the rules are not sure enough of is one.
        let sure = ["--mix-confidence", "99"];
        assert!(run(&sure)["runs"][0]["mixes"]["crossings"].as_array().unwrap().is_empty());
        for lists in [&["--allow", &list][..], &["--allow", &list, "--veto", &list]] {
            let allowed = run(&[&sure, lists].concat());
            assert_eq!(allowed["runs"][0]["mixes"]["crossings"][0]["finding"]["rule"], "listed/1");
            assert_eq!(allowed["runs"][0]["ends"][0]["reason"], "mix");
            assert_eq!(allowed["manifest"]["mixes"]["allow"]["entries"], 1);
        }
        std::fs::write(&list, format!("# one\n{mix}\n{}\n", &mix[1..])).unwrap();
        let output = trace(&["--case", &case(), "--through", "stop", "--veto", &list]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("list.txt, line 3: "), "{error}");
        assert!(error.contains(&format!("{:?} is no txid; write one a line", &mix[1..])), "{error}");
    }

    #[test]
    fn a_case_file_carries_the_choice_and_jobs_stop_at_mixes() {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("through-jobs");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let text = std::fs::read_to_string(case()).unwrap();
        let input = format!("{}/fixtures/cases/whirlpool-2019/transactions.jsonl", env!("CARGO_MANIFEST_DIR"));
        let write = |name: &str, mode: &str| {
            let text = text.replace("\"transactions.jsonl\"", &format!("{input:?}"));
            std::fs::write(folder.join(name), format!("through = \"{mode}\"\n{text}")).unwrap();
        };
        write("a.toml", "stop");
        let rows = || trace(&["--jobs", folder.to_str().unwrap(), "--policy", "fifo", "--format", "json"]);
        let found: Value = serde_json::from_slice(&rows().stdout).unwrap();
        assert_eq!(found[0]["stop"], "stop at mixes (from 60 %)");
        assert_eq!((&found[0]["ends"], &found[0]["transactions"]), (&1.into(), &0.into()));
        write("b.toml", "spread");
        let output = rows();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!output.status.success());
        assert!(found[1]["error"].as_str().unwrap().contains("--through stop alone"));
    }
}
