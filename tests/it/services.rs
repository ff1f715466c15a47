//! Deposit addresses and the wallets that they lead to.

use fundtrace::Chain;
use fundtrace::detect::{Feature, Verdict};
use fundtrace::id::AddressIndex;
use fundtrace::report::Classification;
use fundtrace::service::deposit::{self, Deposit, Deposits, Terms};
use fundtrace::service::hot_wallet::{self, How};
use fundtrace::tag::{Tag, Tags};
use fundtrace::{View, cluster};
use proptest::prelude::*;

use crate::random::case;
use crate::sketch::{Row, pay, sketch, txid};

fn tagged(whom: &[(&str, &str)]) -> Tags {
    let mut tags = Tags::default();
    for (who, label) in whom {
        tags.insert(pay(0, who).script_pubkey, Tag::new(*label, "exchange", "a list"));
    }
    tags
}

fn address(chain: &Chain, who: &str) -> AddressIndex {
    chain.view().address_index(&pay(0, who).script_pubkey).unwrap()
}

fn of<'f>(chain: &Chain, found: &'f Deposits, who: &str) -> Option<&'f Deposit> {
    found.of(address(chain, who))
}

fn find(chain: &Chain, tags: &Tags) -> Deposits {
    deposit::find(chain.view(), tags, None, &Terms::default())
}

/// What every deposit address keeps, asked of the chain anew: the service never pays it, it is not the service's own, and each of its spends gives the
/// service all or nothing, at least one of them all.
fn keeps_the_rules(view: View<'_>, found: &Deposits) {
    for deposit in found.iter() {
        let service = &found.service(deposit).label;
        let its =
            |address: Option<AddressIndex>| address.and_then(|a| found.owner(a)).is_some_and(|t| t.label == *service);
        assert!(!its(Some(deposit.address)));
        let mut swept = false;
        for output in view.outputs_of(deposit.address).iter().map(|output| view.output(output)) {
            let payer = output.tx();
            assert!(!payer.inputs().any(|input| its(input.address_index())), "{} pays its deposit", payer.txid());
            let Some(spender) = output.spender() else { continue };
            let sat = |own: bool| -> u64 {
                let of = spender.outputs().filter(|output| its(output.address_index()) == own);
                of.filter_map(|output| output.value()).map(|value| value.to_sat()).sum()
            };
            assert!(sat(true) == 0 || sat(false) == 0, "{} pays somebody else too", spender.txid());
            swept |= sat(true) > 0;
        }
        assert!(swept);
    }
}

/// Two are swept together, one is swept alone, one is not swept, and the wallet pays a customer.
const DIRECT: [Row<'_>; 7] = [
    ("a", &[("coin", 900, "ann")], &[(500, "d1"), (390, "ann2")]),
    ("b", &[("coin", 900, "ben")], &[(600, "d2"), (290, "ben2")]),
    ("c", &[("coin", 900, "cid")], &[(700, "d3"), (190, "cid2")]),
    ("d", &[("coin", 900, "dan")], &[(800, "d4"), (90, "dan2")]),
    ("e", &[("a:0", 500, "d1"), ("b:0", 600, "d2")], &[(1_090, "hot")]),
    ("f", &[("c:0", 700, "d3")], &[(690, "hot")]),
    ("g", &[("e:0", 1_090, "hot")], &[(300, "eve"), (780, "hot")]),
];

#[test]
fn who_is_swept_together_is_found_who_is_not_swept_is_not() {
    let chain = sketch(&DIRECT);
    let found = find(&chain, &tagged(&[("hot", "X")]));
    keeps_the_rules(chain.view(), &found);
    let one = of(&chain, &found, "d1").unwrap();
    assert_eq!((one.verdict, one.sweeps, one.siblings, one.swept.to_sat()), (Verdict::Yes, 1, 1, 500));
    assert_eq!(found.finding(chain.view(), one).features["service"], Feature::Text("X".into()));
    // A single sweep of a single address is what any payment without change looks like.
    assert_eq!(of(&chain, &found, "d3").unwrap().verdict, Verdict::Undecided);
    for other in ["d4", "ann", "ann2", "eve", "hot"] {
        assert_eq!(of(&chain, &found, other), None, "{other}");
    }
    let (sweeps, siblings) = found.evidence(chain.view(), one);
    assert_eq!((sweeps.len(), siblings), (1, vec![address(&chain, "d2")]));
    assert!(find(&chain, &Tags::default()).is_empty());
}

#[test]
fn an_address_that_the_service_pays_or_that_pays_others_is_none() {
    let mut rows = DIRECT.to_vec();
    rows.push(("h", &[("g:1", 780, "hot")], &[(100, "d1"), (670, "hot")]));
    let chain = sketch(&rows);
    let found = find(&chain, &tagged(&[("hot", "X")]));
    assert_eq!(of(&chain, &found, "d1"), None, "a withdrawal goes to it");
    assert!(of(&chain, &found, "d2").is_some());

    let mut rows = DIRECT.to_vec();
    rows.push(("h", &[("coin", 300, "fay")], &[(200, "d2"), (90, "fay2")]));
    rows.push(("i", &[("h:0", 200, "d2")], &[(100, "shop"), (90, "hot")]));
    let chain = sketch(&rows);
    let found = find(&chain, &tagged(&[("hot", "X")]));
    assert_eq!(of(&chain, &found, "d2"), None, "it pays a shop");
}

/// Twelve customers; their addresses are swept in two lots of six to `to`, and from there to the wallet.
fn through(to: &'static str) -> Chain {
    through_and(to, &[])
}

/// The same, and more.
fn through_and(to: &'static str, more: &[Row<'_>]) -> Chain {
    const NAMES: [[&str; 4]; 12] = [
        ["p0", "p0:0", "c0", "d0"],
        ["p1", "p1:0", "c1", "d1"],
        ["p2", "p2:0", "c2", "d2"],
        ["p3", "p3:0", "c3", "d3"],
        ["p4", "p4:0", "c4", "d4"],
        ["p5", "p5:0", "c5", "d5"],
        ["p6", "p6:0", "c6", "d6"],
        ["p7", "p7:0", "c7", "d7"],
        ["p8", "p8:0", "c8", "d8"],
        ["p9", "p9:0", "c9", "d9"],
        ["q0", "q0:0", "e0", "f0"],
        ["q1", "q1:0", "e1", "f1"],
    ];
    let paid: Vec<_> =
        NAMES.iter().map(|[_, _, who, to]| ([("coin", 900, *who)], [(500, *to), (390, "elsewhere")])).collect();
    let mut rows: Vec<Row<'_>> =
        NAMES.iter().zip(&paid).map(|([name, ..], (from, to))| (*name, &from[..], &to[..])).collect();
    let swept: Vec<_> = NAMES.iter().map(|[_, coin, _, who]| (*coin, 500, *who)).collect();
    let out = [(2_990, to)];
    rows.push(("s1", &swept[..6], &out));
    rows.push(("s2", &swept[6..], &out));
    let (one, two) = ([("s1:0", 2_990, to)], [("s2:0", 2_990, to)]);
    rows.push(("t1", &one, &[(2_980, "hot")]));
    rows.push(("t2", &two, &[(2_980, "hot")]));
    rows.push(("u", &[("t1:0", 2_980, "hot")], &[(1_000, "eve"), (1_970, "hot")]));
    rows.extend(more);
    sketch(&rows)
}

#[test]
fn a_collecting_address_is_learned_and_what_it_collects_from_is_found() {
    let chain = through("collector");
    let found = find(&chain, &tagged(&[("hot", "X")]));
    keeps_the_rules(chain.view(), &found);
    assert_eq!(found.owner(address(&chain, "collector")).unwrap().label, "X");
    let wallet = found.hot_wallets().iter().find(|wallet| wallet.how == How::Collecting).unwrap();
    assert_eq!((wallet.address, wallet.depositors), (address(&chain, "collector"), 12));
    let one = of(&chain, &found, "d0").unwrap();
    assert_eq!((one.verdict, one.collected, one.siblings, found.len()), (Verdict::Yes, true, 5, 12));
}

/// The wallet pays `cold` twice, and `cold` pays back, with change of its own.
const ASIDE: [Row<'_>; 3] = [
    ("h", &[("g:1", 780, "hot")], &[(300, "cold"), (470, "hot")]),
    ("i", &[("h:1", 470, "hot")], &[(200, "cold"), (260, "hot")]),
    ("j", &[("h:0", 300, "cold")], &[(190, "hot"), (100, "cold")]),
];

fn cold(rows: &[Row<'_>], clustered: bool) -> Vec<hot_wallet::ColdWallet> {
    let chain = sketch(&[&DIRECT, rows].concat());
    let clusters = clustered.then(|| cluster::by_spending(chain.view(), |_| false));
    let found = deposit::find(chain.view(), &tagged(&[("hot", "X")]), clusters.as_ref(), &Terms::default());
    hot_wallet::cold(chain.view(), &found, clusters.as_ref())
}

#[test]
fn a_cold_wallet_is_filled_twice_by_the_service_alone_and_pays_it_alone() {
    let wallets = cold(&ASIDE, false);
    assert_eq!(wallets.len(), 1);
    let wallet = &wallets[0];
    assert_eq!((wallet.received.to_sat(), wallet.filled.len(), wallet.returned.len()), (500, 2, 1));
    assert!(cold(&ASIDE[..2], false).is_empty(), "it never paid back");
    assert!(cold(&[ASIDE[0], ASIDE[2]], false).is_empty(), "it was filled once");
    let more: [(Row<'_>, &str); 3] = [
        (("k", &[("coin", 90, "bob")], &[(80, "cold")]), "somebody else pays it"),
        (("k", &[("coin", 90, "cold")], &[(80, "hot")]), "nobody knows who paid it"),
        (("k", &[("i:0", 200, "cold")], &[(100, "hot"), (90, "bob")]), "it pays somebody else"),
    ];
    for (row, why) in more {
        assert!(cold(&[&ASIDE[..], &[row]].concat(), false).is_empty(), "{why}");
    }
}

#[test]
fn the_addresses_of_a_cold_wallet_are_taken_together() {
    let rows: [Row<'_>; 3] = [
        ("h", &[("g:1", 780, "hot")], &[(300, "cold"), (470, "hot")]),
        ("i", &[("h:1", 470, "hot")], &[(200, "cold2"), (260, "hot")]),
        ("j", &[("h:0", 300, "cold"), ("i:0", 200, "cold2")], &[(490, "hot")]),
    ];
    assert!(cold(&rows, false).is_empty());
    let wallets = cold(&rows, true);
    assert_eq!((wallets.len(), wallets[0].received.to_sat(), wallets[0].returned.len()), (1, 500, 1));
}

#[test]
fn a_tagged_wallet_is_hot_when_enough_hand_coins_to_it() {
    let chain = sketch(&DIRECT);
    for (depositors_min, verdict, ppm) in [(3, Verdict::Yes, 900_000), (4, Verdict::Undecided, 500_000)] {
        let mut terms = Terms::default();
        terms.depositors_min = depositors_min;
        let found = deposit::find(chain.view(), &tagged(&[("hot", "X")]), None, &terms);
        let finding = found.hot_wallets()[0].finding(chain.view(), &found);
        assert_eq!((finding.verdict, finding.confidence.to_ppm()), (verdict, ppm));
        assert_eq!(finding.features["depositors"], Feature::Count(3));
        assert_eq!(finding.features["rests_on"], Feature::Txs(["e", "f"].map(txid).into()));
    }
}

/// Customers, each with an address that is paid 500 as often as there are places; each lot of them is swept to every place, and then there is more.
fn swept(lots: &[usize], to: &[&str], more: &[Row<'_>]) -> Chain {
    let (mut paid, mut swept) = (Vec::new(), Vec::new());
    let customers = lots.iter().enumerate().flat_map(|(lot, size)| (0..*size).map(move |n| (lot, n)));
    for (at, (lot, _)) in customers.enumerate() {
        let outputs: Vec<(u64, String)> = to.iter().map(|_| (500, format!("d{at}"))).collect();
        paid.push((format!("p{at}"), format!("c{at}"), outputs, lot));
    }
    for lot in 0..lots.len() {
        for (vout, place) in to.iter().enumerate() {
            let mine = (0..).zip(&paid).filter(|(_, (.., of))| *of == lot);
            let spent: Vec<(String, u64, String)> =
                mine.map(|(at, _): (usize, _)| (format!("p{at}:{vout}"), 500, format!("d{at}"))).collect();
            swept.push((format!("{place} {lot}").replace(' ', ""), spent, place));
        }
    }
    // A row borrows its words.
    let paid: Vec<_> = paid
        .iter()
        .map(|(name, who, outputs, _)| {
            let outputs: Vec<(u64, &str)> = outputs.iter().map(|(sat, to)| (*sat, to.as_str())).collect();
            (name.as_str(), [("coin", 2_000, who.as_str())], outputs)
        })
        .collect();
    let swept: Vec<_> = swept
        .iter()
        .map(|(name, spent, place)| {
            let spent: Vec<_> = spent.iter().map(|(of, sat, who)| (of.as_str(), *sat, who.as_str())).collect();
            let sum = spent.iter().map(|(_, sat, _)| sat).sum::<u64>() - 10;
            (name.as_str(), spent, [(sum, **place)])
        })
        .collect();
    let paid = paid.iter().map(|(name, from, to)| (*name, &from[..], &to[..]));
    let swept = swept.iter().map(|(name, from, to)| (*name, &from[..], &to[..]));
    sketch(&paid.chain(swept).chain(more.iter().copied()).collect::<Vec<_>>())
}

/// Who has an address, if X has the wallet.
fn whose(chain: &Chain, who: &str, also: &[(&str, &str)]) -> Option<String> {
    let found = find(chain, &tagged(&[&[("hot", "X")], also].concat()));
    found.owner(address(chain, who)).map(|tag| tag.label.clone())
}

#[test]
fn a_place_is_learned_from_ten_depositors_and_not_where_tags_contradict() {
    let x = Some("X".to_owned());
    let ten = swept(&[10], &["hot", "more"], &[]);
    assert_eq!(whose(&ten, "more", &[]), x);
    assert_eq!(whose(&swept(&[9], &["hot", "more"], &[]), "more", &[]), None);
    assert_eq!(whose(&ten, "more", &[("more", "Y"), ("more", "Z")]), None);
}

#[test]
fn a_collecting_address_collects_twice_little_else_and_hands_on_to_the_service_alone() {
    let x = Some("X".to_owned());
    let hands_on: [Row<'_>; 2] = [
        ("t0", &[("col0:0", 2_490, "col")], &[(2_480, "hot")]),
        ("t1", &[("col1:0", 2_490, "col")], &[(2_480, "hot")]),
    ];
    let both = swept(&[5, 5], &["col"], &hands_on);
    assert_eq!(whose(&both, "col", &[]), x);
    assert_eq!(whose(&both, "col", &[("col", "Y"), ("col", "Z")]), None, "it is disputed");
    let once = [("t0", &[("col0:0", 4_990, "col")][..], &[(4_980, "hot")][..])];
    assert_eq!(whose(&swept(&[10], &["col"], &once), "col", &[]), None, "it collected once");
    let away = [hands_on[0], ("t1", &[("col1:0", 2_490, "col")], &[(2_480, "away")])];
    assert_eq!(whose(&swept(&[5, 5], &["col"], &away), "col", &[]), None, "it pays somebody else");
    let little = [hands_on[0], hands_on[1], ("k", &[("coin", 90, "bob")], &[(10, "col")])];
    assert_eq!(
        whose(&swept(&[5, 5], &["col"], &little), "col", &[]),
        None,
        "a third of its receipts are no collections"
    );
    for (sat, whose_it_is, why) in [(9_000, None, "much of its coins"), (10, x, "one of ten, and little")] {
        let (paid, mut more) = ([(sat, "col")], hands_on[..1].to_vec());
        more.push(("k", &[("coin", 9_900, "bob")], &paid));
        assert_eq!(whose(&swept(&[5; 9], &["col"], &more), "col", &[]), whose_it_is, "{why}");
    }
}

#[test]
fn a_sweep_s_share_is_all_that_the_place_gets() {
    let mut rows = DIRECT.to_vec();
    rows[4].2 = &[(800, "hot"), (200, "fees")];
    rows[6] = ("g", &[("e:0", 800, "hot")], &[(300, "eve"), (490, "hot")]);
    let (chain, mut terms) = (sketch(&rows), Terms::default());
    terms.share_min_ppm = 700_000;
    let found = deposit::find(chain.view(), &tagged(&[("hot", "X")]), None, &terms);
    assert_eq!(of(&chain, &found, "d1").unwrap().share_ppm, 800_000);
    terms.share_min_ppm = 800_001;
    let found = deposit::find(chain.view(), &tagged(&[("hot", "X")]), None, &terms);
    assert_eq!(of(&chain, &found, "d1"), None);
}

#[test]
fn a_sweep_is_quick_below_the_limit_and_the_lower_median_counts() {
    let chain = sketch(&DIRECT);
    for (delay_max, verdict) in [(4, Verdict::Undecided), (5, Verdict::Yes)] {
        let mut terms = Terms::default();
        terms.delay_max = delay_max;
        let found = deposit::find(chain.view(), &tagged(&[("hot", "X")]), None, &terms);
        let one = of(&chain, &found, "d1").unwrap();
        assert_eq!((one.delay, one.verdict), (Some(4), verdict));
    }
    let twice = [
        ("a", &[("coin", 900, "ann")][..], &[(500, "d1"), (390, "ann2")][..]),
        ("b", &[("coin", 900, "ben")], &[(600, "d1"), (290, "ben2")]),
        ("e", &[("a:0", 500, "d1"), ("b:0", 600, "d1")], &[(1_090, "hot")]),
    ];
    let chain = sketch(&twice);
    assert_eq!(of(&chain, &find(&chain, &tagged(&[("hot", "X")])), "d1").unwrap().delay, Some(1));
}

#[test]
fn ten_others_that_are_swept_alone_make_up_for_a_sibling() {
    for (customers, verdict) in [(10, Verdict::Undecided), (11, Verdict::Yes)] {
        let chain = swept(&vec![1; customers], &["hot"], &[]);
        let found = find(&chain, &tagged(&[("hot", "X")]));
        assert_eq!(found.len(), customers);
        assert!(found.iter().all(|one| (one.siblings, one.verdict) == (0, verdict)), "{customers}");
    }
}

#[test]
fn a_sweep_may_be_half_of_strangers_and_no_more() {
    // Zed and Zoe spend otherwise too.
    let zed = ("z", &[("coin", 90, "zed"), ("coin", 90, "zoe")][..], &[(100, "shop"), (70, "shop2")][..]);
    for (with, is_found) in [(&["zed"][..], true), (&["zed", "zoe"], false)] {
        let mut from = vec![("a:0", 500, "d1")];
        from.extend(with.iter().map(|who| ("coin", 50, *who)));
        let chain = sketch(&[DIRECT[0], zed, ("e", &from, &[(540, "hot")])]);
        let found = find(&chain, &tagged(&[("hot", "X")]));
        assert_eq!(of(&chain, &found, "d1").is_some(), is_found, "{with:?}");
    }
}

#[test]
fn what_a_coin_alone_shows_where_it_goes_nowhere_known() {
    let rows = [
        ("h", &[("coin", 300, "fay")][..], &[(200, "d1"), (90, "fay2")][..]),
        ("i", &[("h:0", 200, "d1")], &[(190, "shop")]),
    ];
    // Nothing spends it: nobody can tell.
    let chain = sketch(&[&DIRECT[..], &rows].concat());
    let open = find(&chain, &tagged(&[("hot", "X")]));
    assert_eq!(of(&chain, &open, "d1").unwrap().open.to_sat(), 200);
    // It is spent, by a shop.
    let spent = [("j", &[("i:0", 190, "shop")][..], &[(100, "bob"), (80, "shop")][..])];
    let chain = sketch(&[&DIRECT[..], &rows, &spent].concat());
    let found = find(&chain, &tagged(&[("hot", "X")]));
    assert_eq!(of(&chain, &found, "d1"), None);
    assert!(of(&chain, &found, "d2").is_some());
}

#[test]
fn an_address_that_a_mix_pays_is_none() {
    use fundtrace::detect::{Confidence, coinjoin};
    let from = [("coin", 15_000, "m1"), ("coin", 16_000, "m2"), ("coin", 17_000, "m3")];
    let to = [(10_000, "d1"), (10_000, "n2"), (10_000, "n3"), (4_900, "o1"), (5_900, "o2"), (6_900, "o3")];
    let mut rows = DIRECT.to_vec();
    rows.insert(0, ("mix", &from, &to));
    let chain = sketch(&rows);
    let mix = chain.view().tx_at(&txid("mix")).unwrap();
    let mut terms = Terms::default();
    for (percent, is_found) in [(40, false), (41, true)] {
        terms.mix = Confidence::from_percent(percent);
        assert_eq!(coinjoin::is_mix(mix, terms.mix), !is_found);
        let found = deposit::find(chain.view(), &tagged(&[("hot", "X")]), None, &terms);
        assert_eq!(of(&chain, &found, "d1").is_some(), is_found, "{percent}");
    }
}

#[test]
fn a_deposit_tells_by_which_places_it_is_known() {
    let told = |chain: &Chain| {
        let found = find(chain, &tagged(&[("hot", "X")]));
        let one = of(chain, &found, "d0").unwrap();
        (one.learned, one.collected, one.dealt)
    };
    assert_eq!(told(&swept(&[10], &["hot", "more"], &[])), (false, false, 0), "one sweep goes to the tagged place");
    let hands_on: [Row<'_>; 2] = [
        ("t0", &[("col0:0", 2_490, "col")], &[(2_480, "hot")]),
        ("t1", &[("col1:0", 2_490, "col")], &[(2_480, "hot")]),
    ];
    assert_eq!(told(&swept(&[5, 5], &["col"], &hands_on)), (false, true, 0));
    assert_eq!(told(&swept(&[5, 5], &["col", "more"], &hands_on)), (true, false, 0), "one goes to a learned place");
    // Dealt out over the service's addresses; not where somebody else gets a part.
    for (to, dealt) in [(&[(400, "hot"), (690, "hot2")][..], 1), (&[(400, "hot"), (400, "hot2"), (290, "fees")], 0)] {
        let mut rows = DIRECT[..4].to_vec();
        rows.push(("e", DIRECT[4].1, to));
        let (chain, mut terms) = (sketch(&rows), Terms::default());
        terms.share_min_ppm = 700_000;
        let found = deposit::find(chain.view(), &tagged(&[("hot", "X"), ("hot2", "X")]), None, &terms);
        assert_eq!(of(&chain, &found, "d1").unwrap().dealt, dealt);
    }
}

#[test]
fn what_led_to_a_place_that_is_taken_back_is_judged_again() {
    // The wallet pays one of the ten, so that nine are left, too few for the other place.
    let paid = [("w", &[("hot0:0", 4_990, "hot")][..], &[(100, "d0"), (4_880, "hot")][..])];
    let chain = swept(&[10], &["hot", "more"], &paid);
    let found = find(&chain, &tagged(&[("hot", "X")]));
    assert_eq!((found.len(), found.owner(address(&chain, "more"))), (9, None));
    assert!(found.iter().all(|one| (one.sweeps, one.swept.to_sat()) == (1, 500)));
}

#[test]
fn what_an_earlier_run_inferred_is_no_ground() {
    let chain = sketch(&DIRECT);
    assert!(find(&chain, &tagged(&[("hot", "X")])).iter().count() > 0);
    let inferred =
        Tag::new("X", "exchange", "a list").inferred(fundtrace::tag::Inferred::new("1A", "spending/1", "1B"));
    let mut tags = Tags::default();
    tags.insert(pay(0, "hot").script_pubkey, inferred);
    assert_eq!(find(&chain, &tags).iter().count(), 0);
}

#[test]
fn tags_that_contradict_bar_a_place() {
    // Another service's tag on the collector: nothing leads through it.
    let chain = through("collector");
    let found = find(&chain, &tagged(&[("hot", "X"), ("collector", "Y")]));
    assert!(found.iter().all(|deposit| found.service(deposit).label == "Y"));
    // Two labels on one owner: neither has it.
    let mut rows = DIRECT.to_vec();
    rows.push(("h", &[("f:0", 690, "hot"), ("coin", 50, "hot2")], &[(100, "fay"), (630, "hot")]));
    let chain = sketch(&rows);
    let clusters = cluster::by_spending(chain.view(), |_| false);
    let both = tagged(&[("hot", "X"), ("hot2", "Y")]);
    let found = deposit::find(chain.view(), &both, Some(&clusters), &Terms::default());
    assert_eq!((found.len(), found.disputed().len()), (0, 1));
    let one = deposit::find(chain.view(), &tagged(&[("hot2", "Y")]), Some(&clusters), &Terms::default());
    assert_eq!(one.service(of(&chain, &one, "d1").unwrap()).label, "Y");
    // What was retracted says nothing.
    let mut tags = Tags::default();
    let tag = Tag::new("X", "exchange", "a list").retracted("2024-01-01".parse().unwrap());
    tags.insert(pay(0, "hot").script_pubkey, tag);
    assert!(find(&chain, &tags).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever address is tagged, of whatever chain.
    #[test]
    fn no_deposit_address_is_paid_by_its_service(case in case(false)) {
        let chain = case.mini.chain();
        let view = chain.view();
        for at in 0..view.addresses_seen() {
            let address = AddressIndex::from_u32(u32::try_from(at).unwrap());
            let outputs = view.outputs_of(address);
            let Some(script) = outputs.iter().find_map(|output| view.output(output).script()) else { continue };
            let mut tags = Tags::default();
            tags.insert(script.to_owned(), Tag::new("X", "exchange", "a list"));
            keeps_the_rules(view, &find(&chain, &tags));
        }
    }
}

/// What is said of an address: its verdict, and how sure that is.
fn said(chain: &Chain, who: &str, clusters: bool) -> Option<(Verdict, u32)> {
    let clusters = clusters.then(|| cluster::by_spending(chain.view(), |_| false));
    let tags = tagged(&[("hot", "X"), ("hot2", "X")]);
    let found = deposit::find(chain.view(), &tags, clusters.as_ref(), &Terms::default());
    of(chain, &found, who).map(|one| (one.verdict, one.confidence.to_ppm()))
}

/// The words of a report about an address.
fn told(chain: &Chain, found: &Deposits, who: &str) -> Classification {
    Classification::of_deposit(chain.view(), found, of(chain, found, who).unwrap())
}

#[test]
fn the_source_is_quoted_that_speaks_of_the_address_paid() {
    // Both are X's, as a court and a forum say, each of one.
    let chain = sketch(&[
        ("a", &[("coin", 900, "w")], &[(800, "hot")]),
        ("b", &[("coin", 900, "c")], &[(800, "d")]),
        ("s", &[("b:0", 800, "d")], &[(790, "hot2")]),
    ]);
    let mut tags = Tags::default();
    tags.insert(pay(0, "hot").script_pubkey, Tag::new("X", "exchange", "a court"));
    tags.insert(pay(0, "hot2").script_pubkey, Tag::new("X", "exchange", "a forum"));
    let found = find(&chain, &tags);
    let said = told(&chain, &found, "d");
    assert_eq!(
        (said.source.as_str(), said.from),
        ("a forum", chain.view().address(address(&chain, "hot2")).to_string())
    );
    let finding = found.finding(chain.view(), of(&chain, &found, "d").unwrap());
    assert_eq!(finding.features["tag_source"], Feature::Text("a forum".into()));
    assert_eq!(finding.features["is_paid_tagged"], Feature::Flag(true));
    assert_eq!(found.own_tag(address(&chain, "hot")).unwrap().source, "a court");
}

#[test]
fn all_of_one_sweep_may_be_one_wallet_s() {
    for lots in [&[6][..], &[6, 9], &[1, 6]] {
        let chain = swept(lots, &["hot"], &[]);
        assert_eq!(said(&chain, "d1", false), Some((Verdict::Yes, 666_667)), "{lots:?}");
    }
    // Ten others are swept elsewhere, in one transaction or in ten.
    for lots in [&[6, 10][..], &[6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] {
        assert_eq!(said(&swept(lots, &["hot"], &[]), "d1", false), Some((Verdict::Yes, 888_889)), "{lots:?}");
    }
    let chain = swept(&[6, 9], &["hot"], &[]);
    let found = find(&chain, &tagged(&[("hot", "X")]));
    let class = told(&chain, &found, "d1");
    assert!(class.why.iter().any(|reason| reason.ends_with("; 9 others of X are swept elsewhere")), "{class:?}");
    assert!(class.defeat.iter().any(|defeat| defeat.contains("may be one wallet's")), "{class:?}");
}

#[test]
fn what_is_paid_when_the_tag_does_not_hold_is_no_sweep() {
    let until = |rows: &[Row<'_>], day: &str| {
        let chain = sketch(rows);
        let mut tags = Tags::default();
        let tag = Tag::new("X", "exchange", "a list").until(day.parse().unwrap());
        tags.insert(pay(0, "hot").script_pubkey, tag);
        let found = find(&chain, &tags);
        let undated = |at| told(&chain, &found, at).defeat.iter().any(|defeat| defeat.contains("until 20"));
        ["d1", "d3"].map(|who| {
            let one = of(&chain, &found, who)?;
            assert_eq!(found.evidence(chain.view(), one).0.len(), usize::try_from(one.sweeps).unwrap());
            Some((one.sweeps, undated(who)))
        })
    };
    let mut rows = DIRECT.to_vec();
    // 2021-06-01 and the day after.
    (rows[4].0, rows[5].0) = ("e time=1622505600", "f time=1622592000");
    assert_eq!(until(&rows, "2012-01-01"), [None, None]);
    assert_eq!(until(&rows, "2021-06-01"), [Some((1, false)), None]);
    assert_eq!(until(&rows, "2021-06-02"), [Some((1, false)), Some((1, false))]);
    // On a day that nobody knows it may hold, and the report says so.
    assert_eq!(until(&DIRECT, "2012-01-01"), [Some((1, true)), Some((1, true))]);
    // Of an address that is swept on a day and on another, the one sweep is left, and the evidence names no other.
    rows[5] = ("f time=1622592000", &[("c:0", 700, "d1")], &[(690, "hot")]);
    rows[2].2 = &[(700, "d1"), (100, "d3"), (90, "cid2")];
    assert_eq!(until(&rows, "2021-06-01")[0], Some((1, false)));
    assert_eq!(until(&rows, "2021-06-02")[0], Some((2, false)));
}

#[test]
fn who_is_no_service_has_no_deposit_addresses() {
    let chain = swept(&[10], &["hot", "more"], &[]);
    let found = |hot: Tag, more: Option<Tag>| {
        let mut tags = Tags::default();
        tags.insert(pay(0, "hot").script_pubkey, hot);
        more.into_iter().for_each(|tag| tags.insert(pay(0, "more").script_pubkey, tag));
        let found = find(&chain, &tags);
        (found.len(), found.owner(address(&chain, "more")).map(|tag| tag.label.clone()))
    };
    let tag = |label: &str, category: &str| Tag::new(label, category, "police");
    assert_eq!(found(tag("Mallory", "perpetrator"), None), (0, None));
    assert_eq!(
        found(tag("Mallory", ""), None),
        (10, Some("Mallory".into())),
        "a tag that says no kind may be a service's"
    );
    assert_eq!(
        found(tag("X", "exchange"), Some(tag("Mallory", "perpetrator"))),
        (0, None),
        "and what is hers is not X's"
    );
    assert_eq!(found(tag("X", "exchange"), None), (10, Some("X".into())));
}

/// Ann pays all she has into `d1`, Ben into `d2`, and both are swept together with a coin of the wallet's.
const TOGETHER: [Row<'_>; 5] = [
    ("z", &[("coin", 900, "victim")], &[(500, "ann"), (390, "victim2")]),
    ("a", &[("z:0", 500, "ann")], &[(490, "d1")]),
    ("b", &[("coin", 600, "ben")], &[(590, "d2")]),
    ("e", &[("a:0", 490, "d1"), ("b:0", 590, "d2"), ("coin", 700, "hot")], &[(1_770, "hot")]),
    ("g", &[("e:0", 1_770, "hot")], &[(300, "eve"), (1_460, "hot")]),
];

#[test]
fn an_address_swept_with_a_coin_of_the_wallet_s_is_the_deposit_and_not_who_pays_it() {
    use fundtrace::detect::Confidence;
    use fundtrace::taint::Fifo;
    use fundtrace::trace::{self, Options, Reason, stop};

    let chain = sketch(&TOGETHER);
    let view = chain.view();
    for clusters in [false, true] {
        assert_eq!(said(&chain, "d1", clusters), Some((Verdict::Yes, 888_889)));
        for other in ["ann", "ben", "hot"] {
            assert_eq!(said(&chain, other, clusters), None, "{other}");
        }
    }
    let clusters = cluster::by_spending(view, |_| false);
    let found = deposit::find(view, &tagged(&[("hot", "X")]), Some(&clusters), &Terms::default());
    keeps_the_rules(view, &found);
    let one = of(&chain, &found, "d1").unwrap();
    assert_eq!((one.cosigned, one.siblings), (true, 1));
    assert!(told(&chain, &found, "d1").why.iter().any(|reason| reason.contains("a coin of X's own")));
    // The coin that Ann spends, as loot, ends where she pays it in.
    let seed = [view.tx_at(&txid("z")).unwrap().outputs().next().unwrap().seed("loot")];
    let stop = stop::classified(view, &found, Confidence::from_percent(80));
    let trace = trace::forward(view, &seed, &Fifo, &stop, &Options::default());
    let end = trace.ends().iter().find(|end| matches!(end.reason, Reason::Classified(_))).unwrap();
    assert_eq!(view.output(end.output).tx().txid(), txid("a"));
    // An address that the service pays is its own, or a customer's: no deposit address.
    let mut rows = TOGETHER.to_vec();
    rows.push(("h", &[("g:1", 1_460, "hot")], &[(400, "d2"), (1_050, "hot")]));
    rows.push(("i", &[("h:0", 400, "d2")], &[(390, "hot")]));
    let chain = sketch(&rows);
    assert_eq!((said(&chain, "d2", true), said(&chain, "ben", true)), (None, None));
}

#[test]
fn who_fills_two_addresses_of_a_service_once_may_be_anybody() {
    let rows = [
        ("a", &[("coin", 900, "ann")][..], &[(500, "d1"), (390, "ann2")][..]),
        ("e", &[("a:0", 500, "d1")], &[(200, "hot"), (290, "hot2")]),
        ("b", &[("coin", 900, "ben")], &[(500, "d1"), (390, "ben2")]),
        ("f", &[("b:0", 500, "d1")], &[(200, "hot"), (290, "hot2")]),
    ];
    assert_eq!(said(&sketch(&rows[..2]), "d1", false), Some((Verdict::Yes, 666_667)));
    let chain = sketch(&rows);
    assert_eq!(said(&chain, "d1", false), Some((Verdict::Yes, 666_667)), "twice, and nobody else pays the service");
    let found = find(&chain, &tagged(&[("hot", "X"), ("hot2", "X")]));
    let class = told(&chain, &found, "d1");
    assert_eq!(of(&chain, &found, "d1").unwrap().dealt, 2);
    let says = |reason: &String| reason.starts_with("2 of these transactions fill several addresses of X");
    assert!(class.why.iter().any(says), "{class:?}");
    assert!(class.defeat.iter().any(|defeat| defeat.contains("fills several addresses")), "{class:?}");
}

#[test]
fn a_wallet_that_forwards_three_times_is_undecided() {
    let rows = [
        ("a", &[("coin", 900, "ann")][..], &[(500, "mule"), (390, "ann2")][..]),
        ("b", &[("a:0", 500, "mule")], &[(490, "hot")]),
        ("c", &[("coin", 900, "ben")], &[(500, "mule"), (390, "ben2")]),
        ("d", &[("c:0", 500, "mule")], &[(490, "hot")]),
        ("e", &[("coin", 900, "cid")], &[(500, "mule"), (390, "cid2")]),
        ("f", &[("e:0", 500, "mule")], &[(490, "hot")]),
    ];
    assert_eq!(said(&sketch(&rows), "mule", false), Some((Verdict::Undecided, 666_667)));
}

#[test]
fn a_stop_counts_and_hashes_what_it_stops_at() {
    use fundtrace::bitcoin::hashes::{Hash, sha256};
    use fundtrace::detect::Confidence;
    use fundtrace::trace::stop::{self, Stop};

    let chain = swept(&[10, 10, 1], &["hot"], &[]);
    let view = chain.view();
    let found = find(&chain, &tagged(&[("hot", "X")]));
    assert_eq!(found.len(), 21, "one of them undecided");
    let mut lines: Vec<String> =
        (0..20).map(|at| format!("{}\n", view.address(address(&chain, &format!("d{at}"))))).collect();
    lines.sort();
    let hash = |lines: &[String]| sha256::Hash::hash(lines.concat().as_bytes());
    let terms = "depositors_min 10, share_min 1000000 ppm, delay_max 432 blocks, mix 600000 ppm";
    for (percent, lines) in [(0, &lines[..]), (80, &lines), (90, &[])] {
        let stop = stop::classified(view, &found, Confidence::from_percent(percent));
        let (ppm, count, hash) = (percent * 10_000, lines.len(), hash(lines));
        assert_eq!(stop.describe(), format!("deposit/2 from {ppm} ppm ({count} addresses, sha256 {hash}; {terms})"));
    }
}

#[cfg(feature = "simulate")]
mod simulated {
    use fundtrace::cluster::{self, Guard};
    use fundtrace::detect::Confidence;
    use fundtrace::eval::{self, Ratio};
    use fundtrace::id::TheftIndex;
    use fundtrace::service::deposit::{self, Terms};
    use fundtrace::simulate::WorldSpec;
    use fundtrace::taint::Fifo;
    use fundtrace::trace::{self, Options, Reason, stop};
    use fundtrace::truth::{EntityKind, Role};

    use super::{How, keeps_the_rules};

    const SURE: Confidence = Confidence::from_percent(80);

    /// One tag for each exchange, an address that it paid a withdrawal from: its deposit addresses are found, nobody else's are named, and a trace of loot
    /// ends where the loot was paid in, before a sweep.
    #[test]
    fn one_tag_finds_the_deposit_addresses_and_the_thief_s_among_them() {
        let spec = WorldSpec::new(12_000).thefts(vec!["wait 5, split 6, exchange".parse().unwrap()]);
        let (chain, truth) = crate::worlds::known(spec, 1);
        let view = chain.view();
        let tags = eval::one_tag_each(view, &truth, EntityKind::Exchange);
        let guard = Guard::default();
        let clusters = cluster::by_spending(view, |tx| guard.skips(tx));
        let found = deposit::find(view, &tags, Some(&clusters), &Terms::default());
        keeps_the_rules(view, &found);
        let score = eval::deposits(view, &truth, &found, SURE);
        assert!(score.precision.den > 200, "{score:?}");
        assert!(score.precision.num * 1_000 >= score.precision.den * 990, "{score:?}");
        // In so small a world a collecting address is seen too seldom to be learned: of those swept straight to the wallet.
        let straight: Ratio = score.by_use[..2].iter().copied().sum();
        assert!(straight.num * 10 >= straight.den * 9, "{score:?}");
        assert!(score.decoys.num * 100 < score.decoys.den, "{score:?}");

        // What was learned is the service's. Over the worlds of 30,000 transactions and seeds 1 to 12: 9 of 9 learned and 20 of 20 collecting.
        let owner = |address| truth.owner_of_address(address).map(|owner| &truth.entity(owner).name);
        let learned: Vec<_> = found.hot_wallets().iter().filter(|wallet| wallet.how != How::Tagged).collect();
        assert!(!learned.is_empty());
        assert!(learned.iter().all(|wallet| owner(wallet.address) == Some(&wallet.service)), "{learned:?}");

        let theft = TheftIndex::from_u32(0);
        let seeds: Vec<_> =
            truth.seeds(view, theft).into_iter().map(|(output, _)| view.output(output).seed("loot")).collect();
        let stop = stop::classified(view, &found, SURE);
        let trace = trace::forward(view, &seeds, &Fifo, &stop, &Options::default());
        let mut named = 0;
        for end in trace.ends() {
            let Reason::Classified(what) = &end.reason else { continue };
            named += 1;
            assert_eq!(truth.role(end.output), Some(Role::Deposit));
            let owner = truth.entity(truth.owner(end.output).unwrap());
            assert_eq!((&what.label, what.rule.as_str()), (&owner.name, deposit::RULE));
        }
        let exits = truth.exits(view, theft);
        let cashed = exits.iter().filter(|exit| exit.kind == EntityKind::Exchange).count();
        // One of the six went to the exchange with the collecting address.
        assert!(cashed > 0 && named * 4 >= cashed * 3, "{named} of {cashed}");
    }

    /// A tag on somebody who is no service names next to nothing.
    #[test]
    fn wrong_tags_name_next_to_nothing() {
        let (chain, truth) = crate::worlds::known(WorldSpec::new(8_000), 2);
        let view = chain.view();
        let guard = Guard::default();
        let clusters = cluster::by_spending(view, |tx| guard.skips(tx));
        let tags = eval::tags_on_nobody(view, &truth, 20, 2);
        let found = deposit::find(view, &tags, Some(&clusters), &Terms::default());
        let sure = found.iter().filter(|deposit| deposit.confidence >= SURE).count();
        assert!(sure * 100 < view.addresses_seen(), "{sure}");
    }
}

/// A real deposit of 2020 and what became of it: once the two addresses that it went on to are tagged, the rule sees one sweep that gives the service
/// all, without siblings and after ten days: two to one, and no more.
#[test]
fn a_real_deposit_of_two_transactions_is_seen_once_the_service_is_tagged() {
    use std::io::BufReader;

    use fundtrace::bitcoin::{Address, Network, address::NetworkUnchecked};
    use fundtrace::{ChainBuilder, source};

    let file = format!("{}/fixtures/cases/hydra-deposit-2020/transactions.jsonl", env!("CARGO_MANIFEST_DIR"));
    let mut builder = ChainBuilder::new();
    for tx in source::read(source::Form::Raw, BufReader::new(std::fs::File::open(file).unwrap())) {
        builder.insert(tx.unwrap()).unwrap();
    }
    let chain = builder.finish().unwrap();
    let view = chain.view();
    let listed: Address<NetworkUnchecked> = "16ZSAEfYpPCj3D94fsNt2okYj9Ue8mxy6T".parse().unwrap();
    let listed = listed.require_network(Network::Bitcoin).unwrap().script_pubkey();
    let address = view.address_index(&listed).unwrap();
    let sweep = view.outputs_of(address).iter().find_map(|output| view.output(output).spender()).unwrap();
    let mut tags = Tags::default();
    assert!(find(&chain, &tags).is_empty());
    for output in sweep.outputs() {
        tags.insert(output.script().unwrap().to_owned(), Tag::new("Hydra", "market", "for this test"));
    }
    let found = find(&chain, &tags);
    let deposit = found.of(address).expect("its every spend goes to the service");
    assert_eq!((deposit.sweeps, deposit.siblings, deposit.delay), (1, 0, Some(1_442)));
    assert_eq!((deposit.verdict, deposit.confidence.to_ppm()), (Verdict::Yes, 666_667));
    assert_eq!(found.evidence(view, deposit).0, [sweep.index()]);
}

#[cfg(feature = "cli")]
mod command {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use fundtrace::Chain;
    use serde_json::{Value, json};

    use super::{AddressIndex, Row, address, through_and, txid};

    /// The wallet puts aside and takes back; ten are paid at once and hand on at once; somebody mines.
    const MORE: [Row<'_>; 8] = [
        ("k1", &[("u:1", 1_970, "hot")], &[(500, "cold"), (1_460, "hot")]),
        ("k2", &[("k1:1", 1_460, "hot")], &[(600, "cold"), (850, "hot")]),
        ("k3", &[("k1:0", 500, "cold")], &[(490, "hot")]),
        ("g", &[("coin", 9_000, "payer")], &FORWARDERS),
        ("h", &FORWARDED, &[(7_900, "merchant")]),
        ("m1", &[("mint", 0, "")], &[(5_000, "miner")]),
        ("m2", &[("mint", 0, "")], &[(5_000, "miner")]),
        ("m3", &[("mint", 0, "")], &[(5_000, "miner"), (100, "other")]),
    ];
    const FORWARDERS: [(u64, &str); 10] = [
        (800, "p2sh:0"),
        (800, "p2sh:1"),
        (800, "p2sh:2"),
        (800, "p2sh:3"),
        (800, "p2sh:4"),
        (800, "p2sh:5"),
        (800, "p2sh:6"),
        (800, "p2sh:7"),
        (800, "p2sh:8"),
        (800, "p2sh:9"),
    ];
    const FORWARDED: [(&str, u64, &str); 10] = [
        ("g:0", 800, "p2sh:0"),
        ("g:1", 800, "p2sh:1"),
        ("g:2", 800, "p2sh:2"),
        ("g:3", 800, "p2sh:3"),
        ("g:4", 800, "p2sh:4"),
        ("g:5", 800, "p2sh:5"),
        ("g:6", 800, "p2sh:6"),
        ("g:7", 800, "p2sh:7"),
        ("g:8", 800, "p2sh:8"),
        ("g:9", 800, "p2sh:9"),
    ];

    /// The chain in a file, and tags on the wallet in another.
    struct Files {
        chain: Chain,
        folder: PathBuf,
    }

    impl Files {
        fn new(name: &str) -> Self {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            let chain = through_and("collector", &MORE);
            chain.write_to(std::fs::File::create(folder.join("chain.store")).unwrap()).unwrap();
            let head = "address,label,category,source,lastmod";
            let text = format!("{head}\n{},X,exchange,a list,2024-05-06\n", Self::named(&chain, "hot"));
            std::fs::write(folder.join("tags.csv"), text).unwrap();
            Self { chain, folder }
        }

        fn named(chain: &Chain, who: &str) -> String {
            chain.view().address(address(chain, who)).to_string()
        }

        fn named_at(&self, at: u32) -> String {
            self.chain.view().address(AddressIndex::from_u32(at)).to_string()
        }

        fn told(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fundtrace"));
            let output = command.current_dir(&self.folder).args(["detect", "chain.store"]).args(arguments).output();
            let output = output.expect("the command runs");
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        }

        /// The findings about addresses.
        fn found(&self, arguments: &[&str]) -> Vec<Value> {
            let (code, out, error) = self.told(&[&["--json"], arguments].concat());
            assert_eq!((code, &*error), (Some(0), ""), "{arguments:?}");
            let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.filter(|line| line.get("address").is_some()).collect()
        }
    }

    #[test]
    fn detect_says_what_addresses_are() {
        let files = Files::new("detect-services");
        let named = |who: &str| Value::from(Files::named(&files.chain, who));
        let found = files.found(&["--tags", "tags.csv"]);
        let of = |kind: &str| -> Vec<&Value> { found.iter().filter(|line| line["kind"] == kind).collect() };
        assert_eq!(found.len(), 12 + 2 + 1 + 1 + 1);

        let deposits = of("deposit");
        assert_eq!(deposits.len(), 12);
        let one = deposits.iter().find(|line| line["address"] == named("d0")).unwrap();
        assert!(one.get("txid").is_none());
        assert_eq!((&one["rule"], &one["verdict"]), (&json!("deposit/2"), &json!("yes")));
        let features = &one["features"];
        assert_eq!((&features["service"], &features["category"]), (&json!("X"), &json!("exchange")));
        assert_eq!((&features["tag_source"], &features["tag_date"]), (&json!("a list"), &json!("2024-05-06")));
        assert_eq!((&features["rests_on"], &features["rests_on_count"]), (&json!([txid("s1")]), &json!(1)));
        assert_eq!((&features["siblings"], &features["depositors_min"]), (&json!(5), &json!(10)));

        // The tag says whose it is, and none of those found pays it directly.
        let hot = of("hot_wallet").into_iter().find(|line| line["address"] == named("hot")).unwrap();
        assert_eq!((&hot["verdict"], &hot["features"]["how"]), (&json!("undecided"), &json!("tagged")));
        let collector = of("hot_wallet").into_iter().find(|line| line["address"] == named("collector")).unwrap();
        assert_eq!((&collector["verdict"], &collector["confidence"]), (&json!("yes"), &json!(700_000)));
        let features = &collector["features"];
        assert_eq!((&features["how"], &features["depositors"]), (&json!("collecting"), &json!(12)));
        assert_eq!(features["rests_on"], json!([txid("s1"), txid("s2")]));

        let cold = of("cold_wallet")[0];
        assert_eq!((&cold["address"], &cold["rule"]), (&named("cold"), &json!("cold_wallet/1")));
        assert_eq!(cold["features"]["rests_on"], json!(["k1", "k2", "k3"].map(txid)));
        assert_eq!((&cold["features"]["service"], &cold["features"]["received_sat"]), (&json!("X"), &json!(1_100)));
        let pool = of("pool")[0];
        assert_eq!((&pool["address"], &pool["confidence"]), (&named("miner"), &json!(400_000)));
        assert_eq!(pool["features"]["rests_on"], json!(["m1", "m2", "m3"].map(txid)));
        assert_eq!((&pool["features"]["reward_sat"], &pool["features"]["blocks_min"]), (&json!(15_000), &json!(3)));
        let processor = of("processor")[0];
        assert_eq!((&processor["address"], &processor["confidence"]), (&named("merchant"), &json!(300_000)));
        assert_eq!(
            (&processor["features"]["forwarders"], &processor["features"]["rests_on"]),
            (&json!(10), &json!([txid("h")]))
        );

        // In chain order of the addresses, whatever was asked for; and the same in words.
        let place = |line: &Value| (0..).find(|at| line["address"] == files.named_at(*at)).unwrap();
        assert!(found.is_sorted_by_key(place));
        let (_, words, _) = files.told(&["--tags", "tags.csv", "--only", "deposit,pool"]);
        assert_eq!(words.lines().count(), 12 + 1 + 1);
        let line = words.lines().find(|line| line.starts_with(named("miner").as_str().unwrap())).unwrap();
        assert!(line.contains(" pool yes 40.0000 % pool/1 ") && line.contains(" reward_sat=15000 "), "{line}");
    }

    #[test]
    fn detect_looks_for_the_kinds_asked_for_and_says_what_it_needs() {
        let files = Files::new("detect-services-only");
        let kinds = |arguments: &[&str]| -> Vec<String> {
            let mut kinds: Vec<String> =
                files.found(arguments).iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect();
            kinds.sort();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds(&[]), ["pool", "processor"]);
        assert_eq!(kinds(&["--only", "dust"]), [""; 0]);
        assert_eq!(kinds(&["--only", "hot_wallet,pool", "--tags", "tags.csv"]), ["hot_wallet", "pool"]);
        // Before the third coinbase there is no pool.
        assert_eq!(kinds(&["--as-of", "24"]), ["processor"]);
        for kind in ["deposit", "hot_wallet", "cold_wallet"] {
            let (code, _, error) = files.told(&["--only", kind]);
            assert!(code == Some(1) && error.contains(&format!("--only {kind} needs --tags FILE")), "{error}");
        }
        let head = "address,label\n";
        let nobody = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT";
        std::fs::write(files.folder.join("nobody.csv"), format!("{head}{nobody},Y\n")).unwrap();
        let (code, out, error) = files.told(&["--only", "deposit", "--json", "--tags", "nobody.csv"]);
        assert_eq!((code, &*out), (Some(0), ""));
        assert!(error.contains("no tagged address is in the input that may be"), "{error}");
    }
}
