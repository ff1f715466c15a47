//! Backward runs: the other end of forward ones, and balances of their own.

use fundtrace::bitcoin::{Amount, Network};
use fundtrace::taint::{Fifo, Haircut, Juniority, Lifo, Poison, Seniority, Taint, Tiho};
use fundtrace::trace::{self, CoinbaseOrder, Fees, Options, OriginReason, Seed, stop};
use fundtrace::{OutputIndex, View};
use proptest::prelude::*;

use crate::mini::{self, Mini, StopRow};
use crate::random::{Case, case};

/// Every output that can be named as a seed or asked about.
fn outputs(view: View<'_>) -> Vec<OutputIndex> {
    let all = view.stubs().chain(view.txs()).flat_map(|tx| tx.outputs());
    all.filter(|output| output.value().is_some()).map(|output| output.index()).collect()
}

/// From every output forward and to every output backward: the same amounts.
fn adjoint<T: Taint>(case: &Case, rule: &T) -> Result<(), TestCaseError> {
    let chain = case.chain();
    let view = chain.view();
    let seeds = outputs(view);
    let seed = |output: OutputIndex| [Seed::new(output, "it")];
    let back: Vec<_> =
        seeds.iter().map(|to| trace::backward(view, &seed(*to), rule, &stop::never(), &case.options)).collect();
    for from in &seeds {
        let forward = trace::forward(view, &seed(*from), rule, &stop::never(), &case.options);
        for (to, back) in seeds.iter().zip(&back) {
            // What nobody can spend is burned, not touched.
            if view.output(*to).is_unspendable() || view.output(*from).is_unspendable() {
                continue;
            }
            let (there, here) =
                (forward.touch(*to).map(|touch| touch.amount), back.touch(*from).map(|touch| touch.amount));
            if T::CONSERVING {
                prop_assert_eq!(there, here, "{}: {} to {}", rule.name(), from, to);
            } else {
                prop_assert_eq!(there.is_some(), here.is_some(), "{} to {}", from, to);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fifo_is_the_other_end_of_fifo(case in case(false)) {
        adjoint(&case, &Fifo)?;
    }

    #[test]
    fn lifo_is_the_other_end_of_lifo(case in case(false)) {
        adjoint(&case, &Lifo)?;
    }

    #[test]
    fn poison_is_the_other_end_of_poison(case in case(false)) {
        adjoint(&case, &Poison)?;
    }

    #[test]
    fn every_balance_adds_up(case in case(false)) {
        fn check<T: Taint>(case: &Case, rule: &T) -> Result<(), TestCaseError> {
            let chain = case.chain();
            let view = chain.view();
            for stops in [&case.stops[..], &[]] {
                let origins = trace::backward(view, &case.seeds(view), rule, &*StopRow::all(stops), &case.options);
                if T::CONSERVING {
                    prop_assert!(origins.balance().adds_up());
                    for balance in origins.balances() {
                        prop_assert!(balance.adds_up());
                    }
                    for touch in origins.touched() {
                        prop_assert!(Some(touch.amount) <= view.output(touch.output).value());
                    }
                }
            }
            Ok(())
        }
        check(&case, &Fifo)?;
        check(&case, &Lifo)?;
        check(&case, &Haircut)?;
        check(&case, &Seniority)?;
        check(&case, &Juniority)?;
        check(&case, &Tiho)?;
        check(&case, &Poison)?;
    }

    /// In every transaction each input gives its share of what is wanted, to within a satoshi.
    #[test]
    fn haircut_is_within_a_satoshi_of_the_share_at_every_transaction(case in case(false)) {
        let chain = case.chain();
        let view = chain.view();
        let options = case.options.fees(Fees::Drop);
        for to in outputs(view) {
            let origins = trace::backward(view, &[Seed::new(to, "it")], &Haircut, &stop::never(), &options);
            for tx in view.txs().filter(|tx| !tx.is_coinbase()) {
                let Some(all) = tx.input_value() else { continue };
                let amount = |output: OutputIndex| origins.touch(output).map_or(0, |touch| i128::from(touch.amount.to_sat()));
                let wanted: i128 = tx.outputs().map(|output| amount(output.index())).sum();
                for input in tx.inputs() {
                    let (given, value) = (amount(input.prevout().unwrap().index()), i128::from(input.value().unwrap().to_sat()));
                    let all = i128::from(all.to_sat());
                    // What is asked about itself has all of its value.
                    if input.prevout().unwrap().index() != to {
                        prop_assert!((given * all - value * wanted).abs() < all.max(1), "{given} of {value}");
                    }
                }
            }
        }
    }
}

fn origins<T: Taint>(chain: &str, wanted: &str, rule: &T) -> Vec<String> {
    let chain = Mini::new(chain).chain();
    let view = chain.view();
    let seed = mini::seed(view, wanted);
    let found = trace::backward(view, &[seed], rule, &stop::never(), &trace::Options::default());
    found.ends().iter().map(|end| format!("{} {}", end.amount.to_sat(), end.reason.as_str())).collect()
}

#[test]
fn origins_by_hand() {
    // Inputs of 5 and 3 pay 4 and 3, and a fee of 1.
    let pay = "pay @7: first:0=5 second:0=3 -> 4 3";
    assert_eq!(origins(pay, "pay:1", &Fifo), ["1 unknown_prevout", "2 unknown_prevout"]);
    // The row from its end: 3 of the second and one of the first pay the 4, then three of the first pay the 3.
    assert_eq!(origins(pay, "pay:1", &Lifo), ["3 unknown_prevout"]);
    assert_eq!(origins(pay, "pay:0", &Lifo), ["1 unknown_prevout", "3 unknown_prevout"]);
    assert_eq!(origins(pay, "pay:0", &Haircut), ["3 unknown_prevout", "1 unknown_prevout"]);
    assert_eq!(origins(pay, "pay:1", &Seniority), ["3 unknown_prevout"]);
    assert_eq!(origins(pay, "pay:1", &Juniority), ["3 unknown_prevout"]);
    assert_eq!(origins(pay, "pay:1", &Tiho), ["3 unknown_prevout"]);
    assert_eq!(origins("pay @7: loot:0=5 -> 4\nlast @8: pay:0 -> 4", "last:0", &Fifo), ["4 unknown_prevout"]);
}

/// With several labels haircut draws: an input's part of a label may be more than a satoshi from its share, and every label still adds up.
#[test]
fn haircut_of_several_labels_is_drawn() {
    let chain = Mini::new("pay @5: a:0=1 b:0=26 c:0=1 -> 6 4 5 6 7").chain();
    let view = chain.view();
    let wanted = ["pay:0=a", "pay:1=b", "pay:2=c", "pay:3=d"].map(|text| mini::seed(view, text));
    let found = trace::backward(view, &wanted, &Haircut, &stop::never(), &trace::Options::default());
    let large = view.output_at(mini::outpoint("b:0")).unwrap().index();
    let parts = &found.ends().iter().find(|end| end.output == Some(large)).unwrap().by_source;
    // The fourth label wants 6 of 28, and 26 of those are here: 5.57 satoshis.
    let exact = |wanted: u64| wanted * 26 * 1000 / 28;
    for ((_, amount), wanted) in parts.iter().zip([6, 4, 5, 6]) {
        let off = (amount.to_sat() * 1000).abs_diff(exact(wanted));
        assert!(off < 2000, "{off}");
    }
    assert!(found.balances().iter().all(|balance| balance.adds_up()));
    // With one label the claim of a satoshi stands.
    let one = trace::backward(view, &wanted[3..], &Haircut, &stop::never(), &trace::Options::default());
    let given = one.touch(large).unwrap().amount.to_sat() * 1000;
    assert!(given.abs_diff(exact(6)) < 1000);
}

/// The fee holds satoshis of both inputs; which of them the first coinbase output gets depends on their order in it.
#[test]
fn a_fee_is_walked_back_in_its_own_order() {
    fn check<T: Taint>(rule: &T, order: CoinbaseOrder, from: &str) {
        // A block creates 37 satoshis here, and the fee is 6.
        let chain =
            Mini::new("cb @4050: coinbase -> 1 42\npay @4050: a:0=5 b:0=3 -> 2").network(Network::Regtest).chain();
        let view = chain.view();
        let options = Options::default().fees(Fees::Coinbase).coinbase_order(order);
        let seed = [mini::seed(view, "cb:0")];
        let found = trace::backward(view, &seed, rule, &stop::never(), &options);
        let output = found.ends()[0].output.map(|output| view.output(output).outpoint());
        assert_eq!((output, found.ends()[0].amount), (Some(mini::outpoint(from)), Amount::ONE_SAT), "{}", rule.name());
        let there = view.output_at(mini::outpoint(from)).unwrap();
        let forward = trace::forward(view, &[there.seed("it")], rule, &stop::never(), &options);
        assert_eq!(forward.touch(seed[0].output).map(|touch| touch.amount), Some(Amount::ONE_SAT));
    }
    // FIFO pays the 2 from `a`; the fee is three of `a` and three of `b`. LIFO pays it from `b`; the fee is one of `b` and five of `a`.
    check(&Fifo, CoinbaseOrder::FeesFirst, "a:0");
    check(&Lifo, CoinbaseOrder::SubsidyFirst, "b:0");
}

#[test]
fn a_stop_ends_the_search_and_names_tell_what_is_no_inverse() {
    let chain = Mini::new("pay @7: loot:0=5 -> 4\nlast @8: pay:0 -> 4").chain();
    let view = chain.view();
    let seed = mini::seed(view, "last:0");
    let found = trace::backward(view, std::slice::from_ref(&seed), &Tiho, &stop::hops(1), &trace::Options::default());
    assert_eq!(found.policy().name, "reverse_tiho");
    assert!(matches!(found.ends()[0].reason, OriginReason::Stopped(_)));
    assert_eq!(found.balance().truncated, Amount::from_sat(4));
    // One output on the way of another: what comes through it is its own answer.
    let both = [seed, mini::seed(view, "pay:0=other")];
    let found = trace::backward(view, &both, &Fifo, &stop::never(), &trace::Options::default());
    assert_eq!((found.balance().asked, found.balance().displaced), (Amount::from_sat(8), Amount::from_sat(4)));
    assert!(found.balances().iter().all(|balance| balance.adds_up()));
}

/// Fees through coinbases, whole blocks: what comes to an end comes from the seed.
#[cfg(feature = "simulate")]
#[test]
fn fees_in_a_world_are_followed_both_ways() {
    fn check<T: Taint>(view: View<'_>, rule: &T, options: &Options) -> usize {
        let mut pairs = 0;
        let seeds = view.txs().filter(|tx| !tx.is_coinbase() && tx.inputs().len() > 1).step_by(23).take(40);
        for seed in seeds.filter_map(|tx| tx.outputs().next()) {
            let forward = trace::forward(view, &[seed.seed("it")], rule, &stop::budget(300), options);
            // Ends that stand in a coinbase have come through a fee.
            let paid = forward.ends().iter().filter(|end| view.output(end.output).tx().is_coinbase());
            for end in paid.take(4).chain(forward.ends().iter().take(2)) {
                let back = trace::backward(view, &[Seed::new(end.output, "it")], rule, &stop::never(), options);
                assert_eq!(back.touch(seed.index()).map(|touch| touch.amount), Some(end.amount), "{}", rule.name());
                pairs += 1;
            }
        }
        pairs
    }
    let chain = crate::worlds::chain(3_000);
    for order in [CoinbaseOrder::SubsidyFirst, CoinbaseOrder::FeesFirst] {
        let options = Options::default().fees(Fees::Coinbase).coinbase_order(order);
        assert!(check(chain.view(), &Fifo, &options) > 20);
        assert!(check(chain.view(), &Lifo, &options) > 20);
    }
}
