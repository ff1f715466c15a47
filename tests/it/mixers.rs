//! Custodial mixers: what may be paid out, with the measure of chance beside it, chips, and what collects.

use fundtrace::bitcoin::{Amount, OutPoint};
use fundtrace::chain::Tx;
use fundtrace::detect::Verdict;
use fundtrace::service::chips;
use fundtrace::service::custodial_mixer::{self, Payouts, Terms};
use fundtrace::{Chain, detect};
use proptest::prelude::*;

use crate::random::case;
use crate::sketch::{Row, sketch, txid};

/// Two strangers' outputs of about that size, a deposit of 1,000,000, a payout of 980,000 from the mixer's pot, and two more strangers.
const ROWS: [Row<'_>; 6] = [
    ("y", &[("coin", 3_000_000, "yve")], &[(1_000_000, "shop3"), (1_990_000, "yve2")]),
    ("z", &[("coin", 3_000_000, "zoe")], &[(1_200_000, "shop4"), (1_790_000, "zoe2")]),
    ("a", &[("coin", 1_001_000, "me")], &[(1_000_000, "mixer")]),
    ("b", &[("coin", 5_000_000, "pot")], &[(980_000, "elsewhere"), (4_010_000, "pot2")]),
    ("c", &[("coin", 3_000_000, "ann")], &[(970_000, "shop"), (2_000_000, "ann2")]),
    ("d", &[("coin", 3_000_000, "ben")], &[(1_000_000, "shop2"), (1_990_000, "ben2")]),
];

fn asked(chain: &Chain, terms: Terms, payer: impl Fn(Tx<'_>) -> bool) -> Payouts {
    let deposit = chain.view().output_at(OutPoint::new(txid("a"), 0)).unwrap().index();
    custodial_mixer::payouts(chain.view(), deposit, &terms, payer).unwrap()
}

#[test]
fn candidates_come_with_their_number_and_with_decoys() {
    let chain = sketch(&ROWS);
    let found = asked(&chain, Terms::default(), |_| true);
    let amounts: Vec<u64> = found.candidates.iter().map(|candidate| candidate.amount.to_sat()).collect();
    assert_eq!(amounts, [980_000, 970_000]);
    assert_eq!(found.candidates.iter().map(|candidate| candidate.blocks).collect::<Vec<_>>(), [1, 2]);
    // What came before is asked the same: 1,000,000 finds both, for 1,200,000 there is nothing. No candidate is its own decoy.
    assert_eq!((found.decoys.asked, found.decoys.found, found.decoys.candidates), (2, 1, 2));
    // 30 % over two candidates, of which half is more than chance.
    assert_eq!(found.confidence().to_ppm(), 37_500, "as if two more decoys had found something");
    let finding = found.finding(chain.view()).unwrap();
    assert_eq!((finding.rule, finding.features["candidates"].clone()), ("payout/2", detect::Feature::Count(2)));
    let at = format!("{}:0 {}:0", txid("b"), txid("c"));
    assert_eq!(finding.features["candidates_at"], detect::Feature::Text(at));
    let detect::Feature::Txs(rests_on) = &finding.features["rests_on"] else { panic!("transactions") };
    assert_eq!(rests_on[..], [txid("a"), txid("b"), txid("c")], "the deposit too");
    for term in ["fee_min_ppm", "fee_max_ppm", "window_blocks", "decoys_near_ppm", "decoys_max", "parts_max"] {
        assert!(finding.features.contains_key(term), "{term}");
    }

    // Where the mixer's coins are known there is one.
    let pot = txid("b");
    let found = asked(&chain, Terms::default(), |tx| tx.txid() == pot);
    assert_eq!((found.candidates.len(), found.confidence().to_ppm()), (1, 75_000), "one decoy of two finds it too");
}

#[test]
fn each_decoy_has_a_window_of_its_own() {
    let chain = sketch(&ROWS);
    let mut terms = Terms::default();
    // Within two blocks of its own the stranger's million finds nothing; within three it finds the payout.
    terms.window_blocks = 2;
    let found = asked(&chain, terms, |_| true);
    assert_eq!((found.candidates.len(), found.decoys.asked, found.decoys.found), (2, 2, 0));
    terms.window_blocks = 3;
    assert_eq!(asked(&chain, terms, |_| true).decoys.candidates, 1);
}

#[test]
fn payouts_in_parts_are_counted_and_named() {
    let rows: [Row<'_>; 4] = [
        ("a", &[("coin", 1_001_000, "me")], &[(1_000_000, "mixer")]),
        ("b", &[("coin", 5_000_000, "pot")], &[(300_000, "x"), (4_690_000, "pot2")]),
        ("c", &[("b:1", 4_690_000, "pot2")], &[(280_000, "y"), (90_000, "crumb"), (4_310_000, "pot3")]),
        ("d", &[("c:2", 4_310_000, "pot3")], &[(400_000, "z"), (3_900_000, "pot4")]),
    ];
    let chain = sketch(&rows);
    assert!(asked(&chain, Terms::default(), |_| true).finding(chain.view()).is_none());
    // Two never are; of three the crumb is no part: it is below a tenth.
    assert_eq!(asked(&chain, Terms::default().parts(2), |_| true).sets.count, 0);
    let found = asked(&chain, Terms::default().parts(3), |_| true);
    let at = |output| chain.view().output(output).outpoint();
    let named: Vec<Vec<OutPoint>> = found.sets.listed.iter().map(|set| set.iter().copied().map(at).collect()).collect();
    let part = |name: &str, vout| OutPoint::new(txid(name), vout);
    assert_eq!((found.sets.count, named), (1, vec![vec![part("c", 0), part("b", 0), part("d", 0)]]));
    let finding = found.finding(chain.view()).unwrap();
    assert_eq!((finding.verdict, finding.confidence.to_ppm() > 0), (detect::Verdict::Undecided, true));
    assert_eq!(finding.features["sets"], detect::Feature::Count(1));
    // Without steps nothing is said.
    let mut terms = Terms::default().parts(3);
    terms.steps_max = 0;
    let finding = asked(&chain, terms, |_| true).finding(chain.view()).unwrap();
    assert_eq!((finding.verdict, finding.confidence.to_ppm()), (detect::Verdict::Undecided, 0));
}

#[test]
fn bounds_of_fee_and_window_are_kept() {
    let chain = sketch(&ROWS);
    let mut terms = Terms::default();
    (terms.fee_min_ppm, terms.fee_max_ppm) = (20_000, 20_000);
    assert_eq!(asked(&chain, terms, |_| true).candidates.len(), 1);
    (terms.fee_min_ppm, terms.fee_max_ppm) = (20_001, 29_999);
    assert_eq!(asked(&chain, terms, |_| true).candidates.len(), 0);
    let mut terms = Terms::default();
    terms.window_blocks = 1;
    assert_eq!(asked(&chain, terms, |_| true).candidates.len(), 1);
    // Nothing within the window, so nothing to measure chance on: no claim either.
    terms.window_blocks = 0;
    let found = asked(&chain, terms, |_| true);
    assert_eq!((found.decoys.asked, found.confidence().to_ppm(), found.finding(chain.view())), (0, 0, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn candidates_are_those_of_a_plain_scan(case in case(true), fee in 0_u32..400_000, wide in 0_u32..600_000, blocks in 0_u32..5) {
        let chain = case.chain();
        let view = chain.view();
        let mut terms = Terms::default();
        (terms.fee_min_ppm, terms.fee_max_ppm, terms.window_blocks) = (fee, fee + wide, blocks);
        for deposit in view.txs().flat_map(|tx| tx.outputs()) {
            let Some(found) = custodial_mixer::payouts(view, deposit.index(), &terms, |_| true) else { continue };
            let (paid_in, height) = (deposit.value().unwrap().to_sat(), deposit.tx().height().unwrap().to_u32());
            let fits = |sat: u64| {
                let of = |ppm: u32| u128::from(paid_in) * u128::from(1_000_000 - ppm.min(1_000_000));
                (of(fee + wide)..=of(fee)).contains(&(u128::from(sat) * 1_000_000))
            };
            let late = |tx: Tx<'_>| tx.height().is_some_and(|at| (height..=height + blocks).contains(&at.to_u32()));
            let expected: Vec<_> = view
                .txs()
                .filter(|tx| late(*tx) && !tx.is_coinbase() && tx.index() > deposit.tx().index())
                .flat_map(|tx| tx.outputs())
                .filter(|output| !output.is_unspendable() && output.value().is_some_and(|value| fits(value.to_sat())))
                .map(|output| output.index())
                .collect();
            prop_assert_eq!(found.candidates.iter().map(|row| row.output).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn chips_are_powers_of_two() {
    for (sat, expected) in [(100_000, Some(0)), (6_400_000, Some(6)), (1_638_400_000, None), (0, None), (100_001, None)]
    {
        assert_eq!(chips::size(Amount::from_sat(sat)), expected, "{sat}");
    }
    let said = |inputs: &[u64], outputs: &[u64]| {
        let chain = detect::sketch(inputs, outputs).unwrap();
        chain.view().txs().find_map(chips::make).map(|finding| (finding.verdict, finding.confidence.to_ppm()))
    };
    assert_eq!(said(&[3_000_000], &[400_000; 4]), Some((Verdict::Undecided, 400_000)));
    assert_eq!(said(&[1_000_000; 5], &[800_000; 4]), Some((Verdict::Yes, 600_000)));
    // With change nothing tells them from wages.
    assert_eq!(said(&[1_000_000; 5], &[800_000, 800_000, 800_000, 800_000, 7]), Some((Verdict::Undecided, 400_000)));
    assert_eq!(said(&[3_000_000], &[100_000, 200_000, 400_000, 800_000]), Some((Verdict::Undecided, 150_000)));
    // A hundred chips are the most, more are a payout.
    assert_eq!(said(&[3_000_000; 5], &[100_000; 100]), Some((Verdict::Yes, 600_000)));
    assert_eq!(said(&[3_000_000; 5], &[100_000; 101]), None);
    // Two other values are one too many; three chips one too few.
    assert_eq!(said(&[3_000_000], &[400_000, 400_000, 400_000, 400_000, 5_000, 6_000]), None);
    assert_eq!(said(&[3_000_000], &[400_000, 400_000, 400_000, 5_000]), None);
}

#[test]
fn scans_say_what_their_rules_say() {
    let chain = sketch(&[
        ("a", &[("coin", 1_700_000, "mixer")], &[(400_000, "p"), (400_000, "q"), (400_000, "r"), (400_000, "s")]),
        ("b", &[("a:0", 400_000, "p"), ("a:1", 400_000, "q")], &[(799_000, "customer")]),
        ("c", &[("a:2", 400_000, "r"), ("coin", 400_000, "t")], &[(799_000, "customer")]),
    ]);
    let found = chips::scan(chain.view());
    let rules: Vec<_> = found.iter().map(|(_, finding)| finding.rule).collect();
    // One coin went in, so neither rule affirms anything.
    assert!(found.iter().all(|(_, finding)| finding.verdict == Verdict::Undecided));
    assert!(found[0].1.features.contains_key("strict_form"));
    // What is a chip by its value alone was made by nobody, and `c` is no join.
    assert_eq!(rules, [chips::MAKE, chips::JOIN]);
    assert!(custodial_mixer::scan(chain.view()).is_empty());
}

#[test]
fn a_feed_is_of_several_transactions() {
    let one = [
        ("a", &[("coin", 400_000_000, "x")][..], &[(99_000_000, "i"), (98_500_000, "j"), (99_900_000, "k")][..]),
        (
            "d",
            &[("a:0", 99_000_000, "i"), ("a:1", 98_500_000, "j"), ("a:2", 99_900_000, "k")][..],
            &[(297_000_000, "pot")][..],
        ),
    ];
    // One transaction paid them, some of one value or not: that is what `structuring` says of that one.
    assert!(custodial_mixer::feed(sketch(&one).view().tx_at(&txid("d")).unwrap()).is_none());
}
