//! What holds on every chain: section 1.13 of the design, on random small ones.

use std::collections::{BTreeMap, HashMap};

use fundtrace::bitcoin::Amount;
use fundtrace::chain::Spent;
use fundtrace::report::{self, Arrived, Report};
use fundtrace::spec::{self, Rule};
use fundtrace::taint::{Fifo, Haircut, Lifo, Lot, Part, Poison, Runs, Taint};
use fundtrace::trace::{self, Fees, Missing, Options, PathLimits, Reason, Trace, stop};
use fundtrace::{Chain, SourceIndex, TxIndex, View};
use proptest::prelude::*;

use crate::mini::{Ledger, Mini, StopRow, each_rule, follow, height, name_of_outpoint, sat, seed};
use crate::oracle::{Sats, each_pair};
use crate::random::{Case, FIRST, case};
use crate::twin;

fn config(cases: u32) -> ProptestConfig {
    // No regression files: a failure that matters becomes a scenario row.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn trace<'c, T: Taint>(case: &Case, view: View<'c>, rule: &T, stops: &[StopRow]) -> Trace<'c> {
    trace::forward(view, &case.seeds(view), rule, &*StopRow::all(stops), &case.options)
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn the_engine_and_the_rules_agree_with_the_plain_pass_and_satoshi_arrays(case in case(false)) {
        let chain = case.chain();
        let cut = FIRST + u32::try_from(case.spare % 4).unwrap();
        for view in [chain.view(), chain.as_of(height(cut))] {
            each_pair!((rule, plain) => {
                let actual = Ledger::of(&trace(&case, view, &rule, &case.stops));
                let expected = twin::run(view, &case.twin_seeds(&chain), &plain, &case.stops, case.options);
                prop_assert_eq!(actual, expected, "{}", rule.name());
            });
        }
    }

    #[test]
    fn value_is_conserved_within_every_output_and_inside_poison(case in case(false)) {
        let chain = case.chain();
        for up_to in FIRST..=case.tip {
            let view = chain.as_of(height(up_to));
            let poison = Ledger::of(&trace(&case, view, &Poison, &[]));
            each_rule!(rule => {
                let found = trace(&case, view, &rule, &case.stops);
                if rule.name() != "poison" {
                    let balance = found.balance();
                    prop_assert_eq!(balance.accounted(), balance.seeded);
                    for source in 0..u32::try_from(found.sources().len()).unwrap() {
                        let balance = found.balance_of(SourceIndex::from_u32(source));
                        prop_assert_eq!(balance.accounted(), balance.seeded);
                    }
                }
                for touch in found.touched() {
                    let value = view.output(touch.output).value().unwrap();
                    prop_assert!(touch.amount <= value);
                    if rule.name() != "poison" {
                        prop_assert_eq!(touch.parts.iter().map(|part| part.amount).sum::<Amount>(), touch.amount);
                    }
                }
                let inside = trace(&case, view, &rule, &[]);
                for touch in inside.touched() {
                    let name = name_of_outpoint(view.output(touch.output).outpoint());
                    prop_assert!(poison.touched.contains_key(&name), "{} is outside poison", name);
                }
                let ledger = Ledger::of(&inside);
                for name in ledger.fees.keys() {
                    prop_assert!(poison.fees.contains_key(name));
                }
                for name in ledger.burned.keys() {
                    prop_assert!(poison.burned.contains_key(name));
                }
            });
        }
    }

    #[test]
    fn the_order_of_insertion_and_duplicates_change_nothing(case in case(false), turn in any::<u64>()) {
        let chain = case.chain();
        let mut mixed = case.mini.clone();
        let again: Vec<_> = mixed.rows.iter().skip(1).step_by(2).cloned().collect();
        mixed.rows.extend(again);
        // Sorting by a hash of the name and the turn is a shuffle.
        mixed.rows.sort_by_key(|row| {
            let bytes = row.name.bytes().map(u64::from);
            bytes.fold(turn | 1, |hash, byte| (hash ^ byte).wrapping_mul(0x0100_0000_01b3).rotate_left(23))
        });
        let other = mixed.chain();
        prop_assert_eq!(other.digest(), chain.digest());
        prop_assert_eq!(other.counts(), chain.counts());
        each_rule!(rule => {
            let expected = Ledger::of(&trace(&case, chain.view(), &rule, &case.stops));
            prop_assert_eq!(Ledger::of(&trace(&case, other.view(), &rule, &case.stops)), expected);
        });
    }

    #[test]
    fn later_blocks_change_nothing_as_of_an_earlier_height(case in case(false)) {
        let cut = FIRST + u32::try_from(case.spare).unwrap_or(u32::MAX) % (case.tip - FIRST + 1);
        let long = case.chain();
        let mut early = case.mini.clone();
        // What has no height and spends a later block's coins is later too. Rows stand after those they spend.
        let mut later: Vec<String> = Vec::new();
        early.rows.retain(|row| {
            let keep = row.height.map_or(row.inputs.iter().all(|input| !later.contains(&input.of)), |at| at <= cut);
            later.extend((!keep).then(|| row.name.clone()));
            keep
        });
        early.complete = early.complete.map(|(from, _)| (from, cut));
        let short = early.chain();
        let mut case = case;
        // Of the seeds those that the short chain knows: a stub is known only through what spends it.
        case.seeds.retain(|text| {
            let name = text.split('=').next().unwrap();
            short.view().output_at(crate::mini::outpoint(name)).is_some()
        });
        each_rule!(rule => {
            let actual = Ledger::of(&trace(&case, long.as_of(height(cut)), &rule, &case.stops));
            let expected = Ledger::of(&trace(&case, short.as_of(height(cut)), &rule, &case.stops));
            prop_assert_eq!(actual, expected, "{} as of {}", rule.name(), cut);
        });
    }

    #[test]
    fn more_stops_only_shrink_fifo_lifo_and_poison(case in case(false)) {
        fn shrinks<T: Taint>(case: &Case, chain: &Chain, rule: &T) -> Result<(), TestCaseError> {
            // Hops can grow when a nearer seed's way is cut, and what then passes `below` or a hop limit with it, so only whole
            // runs with and without stops are compared.
            let all = trace(case, chain.view(), rule, &[]);
            let some = trace(case, chain.view(), rule, &case.stops);
            for touch in some.touched() {
                let before = all.touch(touch.output);
                prop_assert!(before.is_some_and(|before| before.amount >= touch.amount), "{}", rule.name());
            }
            prop_assert!(some.transactions() <= all.transactions());
            Ok(())
        }
        let chain = case.chain();
        shrinks(&case, &chain, &Fifo)?;
        shrinks(&case, &chain, &Lifo)?;
        shrinks(&case, &chain, &Poison)?;
    }

    #[test]
    fn disjoint_sources_add_up_under_fifo_lifo_and_poison(case in case(true)) {
        // Seeds are outputs of stubs, which nothing stands upstream of; named once each.
        fn adds_up<T: Taint>(case: &Case, chain: &Chain, rule: &T) -> Result<(), TestCaseError> {
            let mut case = case.clone();
            let mut named = std::collections::BTreeSet::new();
            case.seeds.retain(|text| named.insert(text.split('=').next().unwrap().to_string()));
            let joint = Ledger::of(&trace(&case, chain.view(), rule, &[]));
            let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
            let labels: std::collections::BTreeSet<&str> =
                case.seeds.iter().map(|text| text.split_once('=').unwrap().1).collect();
            for label in labels {
                let mut alone = case.clone();
                alone.seeds.retain(|text| text.split_once('=').unwrap().1 == label);
                for (name, amounts) in by_source(&Ledger::of(&trace(&alone, chain.view(), rule, &[]))) {
                    for (label, amount) in amounts {
                        *sums.entry((name.clone(), label)).or_default() += amount;
                    }
                }
            }
            let joint: BTreeMap<(String, String), u64> = by_source(&joint)
                .into_iter()
                .flat_map(|(name, amounts)| amounts.into_iter().map(move |(label, sat)| ((name.clone(), label), sat)))
                .collect();
            prop_assert_eq!(joint, sums, "{}", rule.name());
            Ok(())
        }
        let chain = case.chain();
        adds_up(&case, &chain, &Fifo)?;
        adds_up(&case, &chain, &Lifo)?;
        adds_up(&case, &chain, &Poison)?;
    }

    #[test]
    fn haircut_stays_by_the_exact_share_in_every_transaction(case in case(false)) {
        let chain = case.chain();
        let view = chain.view();
        let found = trace(&case, view, &Haircut, &[]);
        let displaced: Vec<_> = found.displaced().iter().map(|displaced| displaced.output).collect();
        let mut into: HashMap<TxIndex, u64> = HashMap::new();
        for carry in found.carries().iter().filter(|carry| matches!(carry.via, trace::Via::Output(_))) {
            *into.entry(carry.to).or_default() += carry.amount.to_sat();
        }
        for (tx, tainted) in into {
            let tx = view.tx(tx);
            let all = i128::from(tx.input_value().unwrap().to_sat());
            for output in tx.outputs().filter(|output| !output.is_unspendable()) {
                let seeded = found.seeds().iter().any(|seed| seed.output == output.index());
                if seeded || displaced.contains(&output.index()) {
                    continue;
                }
                let held = found.touch(output.index()).map_or(0, |touch| i128::from(touch.amount.to_sat()));
                let share = i128::from(output.value().unwrap().to_sat()) * i128::from(tainted);
                let off = (held * all - share).abs();
                // Strictly less than a satoshi with one source; the draw of several is within two.
                let bound = if found.sources().len() == 1 { all } else { 2 * all };
                prop_assert!(off < bound || all == 0, "{} of {} satoshis off", off, all);
            }
        }
    }

    #[test]
    fn haircut_of_one_source_is_within_a_satoshi_a_rounding_of_exact_rationals(case in case(true)) {
        let mut case = case;
        case.seeds.truncate(1);
        case.options = Options::default();
        let chain = case.chain();
        let view = chain.view();
        let found = trace(&case, view, &Haircut, &[]);
        // What real-valued haircut holds at each output, and how many roundings stand behind the integer one.
        let mut exact: HashMap<_, (Ratio, i128)> =
            found.seeds().iter().map(|seed| (seed.output, (Ratio(i128::from(seed.value.to_sat()), 1), 0))).collect();
        'txs: for tx in view.txs().filter(|tx| !tx.is_coinbase()) {
            let Some(all) = tx.input_value().filter(|all| *all > Amount::ZERO) else { continue };
            let (mut tainted, mut roundings) = (Ratio(0, 1), 0);
            for (held, behind) in tx.inputs().filter_map(|input| exact.get(&input.prevout()?.index()).copied()) {
                let Some(sum) = tainted.plus(held) else { break 'txs };
                tainted = sum;
                roundings += behind;
            }
            for output in tx.outputs().filter(|output| tainted.0 > 0 && !output.is_unspendable()) {
                let share = tainted.times(output.value().unwrap().to_sat(), all.to_sat());
                // Beyond 128 bits the rest of this chain is left unchecked.
                let Some(share) = share else { break 'txs };
                exact.insert(output.index(), (share, roundings + 1));
                let held = found.touch(output.index()).map_or(0, |touch| i128::from(touch.amount.to_sat()));
                prop_assert!((held * share.1 - share.0).abs() <= (roundings + 1) * share.1);
            }
        }
    }

    #[test]
    fn paths_explain_every_end_to_the_satoshi(case in case(false)) {
        let chain = case.chain();
        each_rule!(rule => {
            let found = trace(&case, chain.view(), &rule, &case.stops);
            check_paths(&found)?;
        });
    }

    #[test]
    fn what_is_missing_is_what_ended_the_trace(case in case(false)) {
        let chain = case.chain();
        let found = trace(&case, chain.view(), &Fifo, &[]);
        let missing = found.missing();
        let mut sorted = missing.clone();
        sorted.sort();
        sorted.dedup();
        prop_assert_eq!(&sorted, &missing);
        for end in found.ends().iter().filter(|end| end.reason == Reason::UnknownSpender) {
            let outpoint = chain.view().output(end.output).outpoint();
            prop_assert!(missing.contains(&Missing::SpenderOf(outpoint)));
        }
        let told = found.ends().iter().all(|end| end.reason == Reason::Unspent);
        prop_assert_eq!(missing.is_empty(), told && found.unseeded().is_empty());
        for item in missing {
            match item {
                Missing::Tx(txid) => prop_assert!(chain.view().tx_at(&txid).is_some_and(|tx| tx.is_stub())),
                Missing::SpenderOf(outpoint) => {
                    prop_assert_eq!(chain.view().output_at(outpoint).unwrap().spent(), Spent::Unknown);
                }
                other => prop_assert!(false, "{}", other),
            }
        }
    }

    #[test]
    fn every_rule_obeys_the_law_in_one_transaction(
        inputs in prop::collection::vec((0_u64..40, prop::option::weighted(0.6, 0_u32..4)), 1..6),
        cuts in prop::collection::vec(0_u64..60, 0..6),
        more in 0_usize..3,
    ) {
        let total: u64 = inputs.iter().map(|(value, _)| value).sum();
        let mut left = total;
        let mut outputs: Vec<Amount> = cuts.iter().map(|cut| {
            let value = *cut.min(&left);
            left -= value;
            sat(value)
        }).collect();
        outputs.push(sat(left));
        let labels = inputs.iter().filter_map(|(_, source)| *source).max().map_or(1, |most| most as usize + 1);
        let sources = labels + more;
        each_pair!((rule, plain) => {
            law(&rule, sources, &inputs, &outputs)?;
            let actual = spread(&rule, sources, &inputs, &outputs);
            prop_assert_eq!(actual, spread(&plain, sources, &inputs, &outputs), "{}", rule.name());
        });
    }

    #[test]
    fn runs_are_arrays_of_satoshis(steps in prop::collection::vec((0_u8..5, 0_u64..12, prop::option::of(0_u32..3)), 0..20)) {
        let mut runs = Runs::default();
        let mut array: Sats = Vec::new();
        for (what, len, source) in steps {
            let source = source.map(SourceIndex::from_u32);
            let cut = usize::try_from(len).unwrap().min(array.len());
            match what {
                0 | 1 => {
                    runs.append(source.map_or(Runs::clean(sat(len)), |source| Runs::of(source, sat(len))));
                    array.extend(vec![source; usize::try_from(len).unwrap()]);
                }
                2 => {
                    let taken: Sats = array.drain(..cut).collect();
                    same(&runs.take_front(sat(len)), &taken)?;
                }
                3 => {
                    let taken: Sats = array.drain(array.len() - cut..).rev().collect();
                    same(&runs.take_back(sat(len)), &taken)?;
                }
                _ => {
                    runs = runs.reversed();
                    array.reverse();
                }
            }
            same(&runs, &array)?;
        }
    }
}

/// A row of runs is this array; equal rows are equal values, however they were put together.
fn same(runs: &Runs, array: &Sats) -> Result<(), TestCaseError> {
    prop_assert_eq!(runs.value(), sat(array.len() as u64));
    prop_assert_eq!(runs.tainted(), sat(array.iter().flatten().count() as u64));
    let mut spelled = vec![None; array.len()];
    for part in runs.parts() {
        let from = usize::try_from(part.offset.to_sat()).unwrap();
        let to = from + usize::try_from(part.amount.to_sat()).unwrap();
        spelled[from..to].fill(Some(part.source));
    }
    prop_assert_eq!(&spelled, array);
    let mut again = Runs::default();
    for source in array {
        again.append(source.map_or(Runs::clean(sat(1)), |source| Runs::of(source, sat(1))));
    }
    prop_assert_eq!(runs, &again);
    Ok(())
}

fn lots<T: Taint>(rule: &T, inputs: &[(u64, Option<u32>)]) -> Vec<Lot<T::Mark>> {
    let mark = |(value, source): &(u64, Option<u32>)| {
        source.map_or(T::Mark::default(), |source| rule.seed(sat(*value), SourceIndex::from_u32(source)))
    };
    inputs.iter().map(|input| Lot { value: sat(input.0), mark: mark(input) }).collect()
}

/// The amounts by source at each output.
fn spread<T: Taint>(
    rule: &T,
    sources: usize,
    inputs: &[(u64, Option<u32>)],
    outputs: &[Amount],
) -> Vec<Vec<(SourceIndex, Amount)>> {
    // What is in the buffer must not matter.
    let mut marks = vec![rule.seed(sat(9), SourceIndex::from_u32(9)); 3];
    rule.spread(sources, &lots(rule, inputs), outputs, &mut marks);
    let by_source = |mark: &T::Mark| {
        let mut amounts = Vec::new();
        rule.by_source(mark, &mut |source, amount| amounts.push((source, amount)));
        amounts
    };
    marks.iter().map(by_source).collect()
}

fn law<T: Taint>(
    rule: &T,
    sources: usize,
    inputs: &[(u64, Option<u32>)],
    outputs: &[Amount],
) -> Result<(), TestCaseError> {
    let mut marks = Vec::new();
    rule.spread(sources, &lots(rule, inputs), outputs, &mut marks);
    prop_assert_eq!(marks.len(), outputs.len());
    let mut sums: BTreeMap<SourceIndex, Amount> = BTreeMap::new();
    for (mark, value) in marks.iter().zip(outputs) {
        prop_assert!(rule.amount(mark) <= *value);
        let mut parts: Vec<Part> = Vec::new();
        rule.parts(mark, &mut |part| parts.push(part));
        prop_assert!(parts.iter().all(|part| part.offset + part.amount <= *value));
        if !T::CONSERVING {
            continue;
        }
        prop_assert_eq!(parts.iter().map(|part| part.amount).sum::<Amount>(), rule.amount(mark));
        prop_assert_eq!(rule.amount(mark) == Amount::ZERO, *mark == T::Mark::default(), "clean is the default");
        // A fee put back into input order is the same money.
        prop_assert_eq!(rule.amount(&rule.fee(mark.clone())), rule.amount(mark));
        for part in parts {
            *sums.entry(part.source).or_insert(Amount::ZERO) += part.amount;
        }
    }
    if T::CONSERVING {
        let mut arrived: BTreeMap<SourceIndex, Amount> = BTreeMap::new();
        for (value, source) in inputs.iter().filter(|(value, _)| *value > 0) {
            if let Some(source) = source {
                *arrived.entry(SourceIndex::from_u32(*source)).or_insert(Amount::ZERO) += sat(*value);
            }
        }
        prop_assert_eq!(sums, arrived);
    }
    Ok(())
}

/// Everything that holds taint at the end, by source.
fn by_source(ledger: &Ledger) -> Vec<(String, Vec<(String, u64)>)> {
    let ends = ledger.ends.iter().map(|(name, end)| (name.clone(), end.by_source.clone()));
    let fees = ledger.fees.iter().map(|(name, fee)| (format!("fee of {name}"), fee.1.clone()));
    let burned = ledger.burned.iter().map(|(name, burned)| (format!("burned at {name}"), burned.1.clone()));
    ends.chain(fees).chain(burned).collect()
}

fn check_paths(found: &Trace<'_>) -> Result<(), TestCaseError> {
    let view = found.view();
    for end in found.ends() {
        let answer = found.paths(end.output, PathLimits::default().paths(2_000).steps(20_000));
        if found.policy().conserving && answer.hit.is_none() {
            let mut sums: BTreeMap<SourceIndex, Amount> = BTreeMap::new();
            for path in &answer.paths {
                *sums.entry(path.source).or_insert(Amount::ZERO) += path.amount;
            }
            prop_assert_eq!(sums.into_iter().collect::<Vec<_>>(), end.by_source.clone(), "{}", found.policy().name);
        }
        if end.amount > Amount::ZERO {
            prop_assert!(!answer.paths.is_empty());
        }
        prop_assert!(answer.paths.windows(2).all(|pair| pair[0].amount >= pair[1].amount));
        for path in &answer.paths {
            let first = path.steps.first().unwrap();
            prop_assert!(found.seeds().iter().any(|seed| seed.output == first.output && seed.source == path.source));
            prop_assert!(first.fee_of.is_none() && !first.certain);
            prop_assert_eq!(path.steps.last().unwrap().output, end.output);
            for pair in path.steps.windows(2) {
                let (from, to) = (view.output(pair[0].output), view.output(pair[1].output));
                // The next output is of the transaction that spends this one, or of the coinbase that took its fee.
                let spender = from.spender().unwrap();
                match pair[1].fee_of {
                    None => prop_assert_eq!(spender.index(), to.tx().index()),
                    Some(payer) => {
                        prop_assert_eq!(spender.index(), payer);
                        prop_assert!(to.tx().is_coinbase() && to.tx().height() == spender.height());
                    }
                }
            }
            for step in &path.steps {
                // No output on the way holds less than comes this way, so amounts do not grow backwards.
                prop_assert!(path.amount <= step.tainted);
                prop_assert_eq!(found.touch(step.output).unwrap().amount, step.tainted);
                if step.certain {
                    prop_assert_eq!(Some(step.tainted), view.output(step.output).value());
                }
            }
        }
        let cut = found.paths(end.output, PathLimits::default().paths(1).steps(20_000));
        prop_assert_eq!(cut.paths.len(), answer.paths.len().min(1));
        prop_assert_eq!(cut.hit.is_some(), answer.paths.len() > 1);
        // However few steps are allowed, one whole path is found.
        let none = found.paths(end.output, PathLimits::default().paths(10).steps(0));
        prop_assert_eq!(none.paths.is_empty(), answer.paths.is_empty());
        let is_seed = found.seeds().iter().any(|seed| seed.output == end.output);
        prop_assert_eq!(none.hit, (!is_seed).then_some(trace::PathLimit::Steps));
    }
    Ok(())
}

/// A fraction with a positive denominator, in lowest terms.
#[derive(Clone, Copy)]
struct Ratio(i128, i128);

impl Ratio {
    fn plus(self, other: Self) -> Option<Self> {
        let n = self.0.checked_mul(other.1)?.checked_add(other.0.checked_mul(self.1)?)?;
        Some(Self(n, self.1.checked_mul(other.1)?).lowest())
    }

    fn times(self, n: u64, d: u64) -> Option<Self> {
        Some(Self(self.0.checked_mul(n.into())?, self.1.checked_mul(d.into())?).lowest())
            // Room for the comparison that follows.
            .filter(|ratio| ratio.1 < 1 << 100)
    }

    fn lowest(self) -> Self {
        let (mut a, mut b) = (self.0, self.1);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self(self.0 / a.max(1), self.1 / a.max(1))
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let mini = Mini::new("each 1..500: t{i}: x{i}:0={i+7} -> {i+3}");
    let chain = mini.chain();
    let expected: Vec<_> = chain.view().txs().map(|tx| (tx.index(), tx.fee())).collect();
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| chain.view().scan(|tx| (tx.index(), tx.fee()))), expected);
    }
}

#[test]
fn the_first_seed_of_a_label_numbers_its_source() {
    let chain = Mini::new("t: a:0=5 b:0=3 c:0=1 -> 9").chain();
    let found = follow(chain.view(), &["b:0=B", "a:0=A", "c:0=B"], &Fifo);
    assert_eq!(found.sources(), ["B", "A"]);
    assert_eq!(found.label(SourceIndex::from_u32(1)), "A");
    assert_eq!(found.seeds().iter().map(|seed| seed.source.to_u32()).collect::<Vec<_>>(), [0, 1, 0]);
}

#[test]
fn a_seed_that_the_view_does_not_show_is_left_out_and_named() {
    let chain = Mini::new("t @5: a:0=5 -> 5\nu @9: t:0 -> 4\nv @9: x:0 -> 1").chain();
    let seeds = [seed(chain.view(), "u:0=late"), seed(chain.view(), "x:0=unknown"), seed(chain.view(), "t:0=good")];
    let found = trace::forward(chain.as_of(height(5)), &seeds, &Fifo, &stop::never(), &Options::default());
    assert_eq!(found.unseeded(), [seeds[0].output, seeds[1].output]);
    assert_eq!(found.balance().seeded, sat(5));
    // A stub's value can be fetched; an output above the view's height lacks nothing, nor does the end it would spend.
    assert_eq!(found.missing(), [Missing::Tx(crate::mini::txid("x"))]);
}

#[test]
fn the_policy_says_which_rounding_was_used() {
    let chain = Mini::new("t: a:0=5 b:0=3 -> 8").chain();
    let rounding = |seeds: &[&str]| follow(chain.view(), seeds, &Haircut).policy().parameters["rounding"].clone();
    assert_eq!(rounding(&["a:0=A", "b:0=A"]), "largest_remainder");
    assert_eq!(rounding(&["a:0=A", "b:0=B"]), "draw");
    each_rule!(rule => {
        let policy = follow(chain.view(), &["a:0"], &rule).policy().clone();
        assert_eq!(policy.name, rule.name());
        assert_eq!(policy.linear, ["poison", "fifo", "lifo"].contains(&policy.name));
        assert_eq!(policy.conserving, policy.name != "poison");
    });
}

#[test]
fn hops_grow_only_along_spends_with_fees_to_the_miner() {
    // Fees dropped and fees followed agree on every output that is no coinbase's descendant.
    let text = "cb @4050: coinbase -> 40\np @4050.1: s:0=9 -> 6";
    let chain = Mini::new(text).network(fundtrace::bitcoin::Network::Regtest).complete(4050, 4050).chain();
    let seeds = [seed(chain.view(), "s:0")];
    let run = |fees| {
        let options = Options::default().fees(fees);
        Ledger::of(&trace::forward(chain.view(), &seeds, &Fifo, &stop::never(), &options))
    };
    let (dropped, followed) = (run(Fees::Drop), run(Fees::Coinbase));
    assert_eq!(dropped.amounts(), "p:0=6");
    assert_eq!(dropped.fees["p"].0, 3);
    assert_eq!(followed.amounts(), "cb:0=3 p:0=6");
    assert_eq!(followed.fees["p"], (3, vec![("s:0".into(), 3)], true));
}

#[test]
fn reports_are_equal_byte_for_byte_on_any_number_of_threads() {
    let mini = Mini::new("a: s:0=50 c:0=30 -> 40 30\nb: a:0 d:0=7 -> 20 25\ne: a:1 b:0 -> 50");
    let chain = mini.chain();
    let view = chain.view();
    let seeds = [seed(view, "s:0=one"), seed(view, "d:0=two")];
    let report = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let traces = pool.install(|| spec::run(view, &seeds, &Rule::ALL, &stop::never(), &Options::default()));
        let mut bytes = Vec::new();
        report::json::write(&Report::new(&traces).unwrap(), &mut bytes).unwrap();
        bytes
    };
    let one = report(1);
    for threads in [2, 3, 8, 64] {
        assert_eq!(report(threads), one);
    }
}

/// Forty transactions of two inputs and two outputs have 2^40 ways through them.
#[test]
fn evidence_through_forty_mixings_is_found_and_adds_up() {
    let mut rows = vec!["m1: s:0=4000000 -> 2000001 1999999".to_owned()];
    rows.extend((2..=40).map(|n| format!("m{n}: m{}:0 m{}:1 -> 2000001 1999999", n - 1, n - 1)));
    let mini = Mini::new(&rows.join("\n"));
    let chain = mini.chain();
    let view = chain.view();
    let seeds = [seed(view, "s:0")];
    each_rule!(rule => {
        let found = trace::forward(view, &seeds, &rule, &stop::never(), &Options::default());
        for end in found.ends() {
            let answer = found.paths(end.output, PathLimits::default().paths(1_000));
            let name = found.policy().name;
            assert!(!answer.paths.is_empty(), "{name}");
            assert!(answer.paths.iter().all(|path| path.steps.len() == 41), "{name}");
            if found.policy().conserving {
                assert_eq!((answer.explained(), answer.hit), (end.amount, None), "{name}");
            }
        }
    });
}

/// All of the output is tainted under every rule, but whose taint it is only the rule decides.
#[test]
fn a_step_is_certain_only_of_its_own_source() {
    let mini = Mini::new("t: a:0=50 b:0=50 -> 50 50\nu: c:0=50 d:0=50 -> 50 50");
    let chain = mini.chain();
    let view = chain.view();
    let two = [seed(view, "a:0=A"), seed(view, "b:0=B")];
    let one = [seed(view, "c:0=C"), seed(view, "d:0=C")];
    for (seeds, certain) in [(two, false), (one, true)] {
        let found = trace::forward(view, &seeds, &Fifo, &stop::never(), &Options::default());
        for end in found.ends() {
            let answer = found.paths(end.output, PathLimits::default());
            assert_eq!(answer.paths[0].steps[1].certain, certain);
        }
    }
}

/// Where a stop ends one rule's trace and not another's, the spread says what each put there, and does not call unseen nothing.
#[test]
fn the_spread_tells_went_on_from_never_arrived() {
    let mini = Mini::new("t: a:0=100 b:0=900 -> 500 500\nu: t:0 -> 500");
    let chain = mini.chain();
    let view = chain.view();
    let stop = stop::below(sat(60));
    let traces = spec::run(view, &[seed(view, "a:0")], &[Rule::Fifo, Rule::Haircut], &stop, &Options::default());
    let spreads = Report::new(&traces).unwrap().spreads();
    let row =
        |name: &str| spreads.iter().find(|row| name_of_outpoint(view.output(row.output).outpoint()) == name).unwrap();
    let one = vec![(SourceIndex::from_u32(0), sat(100))];
    let half = vec![(SourceIndex::from_u32(0), sat(50))];
    assert_eq!(row("t:0").by_rule, [Arrived::WentOn(sat(100), one.clone()), Arrived::Ended(sat(50), half)]);
    assert_eq!((row("t:0").least(), row("t:0").most(), row("t:0").is_cut()), (sat(50), sat(100), false));
    assert_eq!(row("u:0").by_rule, [Arrived::Ended(sat(100), one), Arrived::Cut]);
    assert!(row("u:0").is_cut());
}

#[test]
fn a_spread_is_agreed_only_when_the_sources_are() {
    let mini = Mini::new("t: a:0=50 b:0=50 -> 50 50");
    let chain = mini.chain();
    let view = chain.view();
    let seeds = [seed(view, "a:0=A"), seed(view, "b:0=B")];
    let traces = spec::run(view, &seeds, &[Rule::Fifo, Rule::Lifo], &stop::never(), &Options::default());
    let spread = &Report::new(&traces).unwrap().spreads()[0];
    assert_eq!((spread.least(), spread.most()), (sat(50), sat(50)));
    assert!(!spread.is_agreed());
    assert_eq!(spread.of_source(SourceIndex::from_u32(0)), (sat(0), sat(50)));
}
