//! Change rules: what each says of a payment that it is right about and where it does not apply, the laws that hold for all, and a reference on real blocks.

use std::collections::{BTreeMap, BTreeSet};

use fundtrace::bitcoin::hashes::{Hash, sha256};
use fundtrace::chain::OutputSet;
use fundtrace::change::{
    self, AddressReuse, Change, ClusterMember, Context, Fingerprint, Fingerprints, Fresh, Hindsight, Legacy, Mask,
    MeiklejohnWait, Payment, PowerOfTen, Rule, SameFingerprint, TwoHops, Votes,
};
use fundtrace::{AddressIndex, BlockHeight, Chain, OutputIndex, TxIndex, View};
use proptest::prelude::*;

use crate::mini::{In, Mini};
use crate::random::{Case, FIRST, case};
use crate::sketch::{pay, sketch, txid, vouts, vouts_later};

type Inputs<'a> = &'a [(&'a str, u64, &'a str)];
type Outputs<'a> = &'a [(u64, &'a str)];

/// A payment by itself.
fn alone(inputs: Inputs<'_>, outputs: Outputs<'_>) -> Chain {
    sketch(&[("t", inputs, outputs)])
}

/// The payment after one that paid `old` and `older`.
fn after_old(inputs: Inputs<'_>, outputs: Outputs<'_>) -> Chain {
    sketch(&[("before", &[("coin", 100, "x")], &[(50, "old"), (20, "older")]), ("t", inputs, outputs)])
}

fn says(rule: Rule, chain: &Chain) -> Option<Vec<u32>> {
    let fingerprints = Fingerprints::of(chain.view());
    let single = |address: AddressIndex| address.to_u32();
    let context = Context::default().fingerprints(&fingerprints).cluster(&single);
    let said = vouts_later(chain, "t", &rule.hindsight(&context).unwrap());
    // The two ways to ask a rule of the first kind agree.
    if let Some(rule) = rule.change(&context) {
        assert_eq!(vouts(chain, "t", &rule), said);
    }
    said
}

const COIN: Inputs<'_> = &[("coin", 900, "alice")];
const TWO: Inputs<'_> = &[("coin", 600, "alice"), ("coin", 700, "alice2")];

#[test]
fn each_rule_that_does_not_look_ahead_is_right_here_and_silent_there() {
    let none = |rule, chain: Chain| assert_eq!(says(rule, &chain), None, "{rule}");
    let right = |rule, chain: Chain| assert_eq!(says(rule, &chain), Some(vec![1]), "{rule}");
    right(Rule::AddressReuse, alone(COIN, &[(500, "bob"), (399, "alice")]));
    none(Rule::AddressReuse, alone(COIN, &[(500, "bob"), (399, "carol")]));
    right(Rule::AddressType, alone(COIN, &[(500, "p2sh:bob"), (399, "new")]));
    let mixed: Inputs<'_> = &[("coin", 600, "alice"), ("coin", 700, "p2sh:alice")];
    none(Rule::AddressType, alone(mixed, &[(500, "p2sh:bob"), (399, "new")]));
    right(Rule::TypeUnanimous, alone(COIN, &[(500, "p2sh:bob"), (399, "new")]));
    none(Rule::TypeUnanimous, alone(COIN, &[(500, "bob"), (399, "new")]));
    for rule in [Rule::Client, Rule::Fresh, Rule::Shadow, Rule::Meiklejohn] {
        right(rule, after_old(COIN, &[(500, "old"), (399, "new")]));
        // One output that can be spent leaves no choice, and a coinbase pays nobody.
        none(rule, after_old(COIN, &[(0, "return"), (899, "new")]));
        right(rule, after_old(COIN, &[(500, "old"), (399, "new"), (0, "return")]));
    }
    for rule in [Rule::Fresh, Rule::Shadow, Rule::Meiklejohn] {
        none(rule, after_old(COIN, &[(500, "other"), (399, "new")]));
        none(rule, after_old(COIN, &[(500, "old"), (399, "older")]));
    }
    for rule in [Rule::Fresh, Rule::Meiklejohn] {
        none(rule, after_old(COIN, &[(300, "old"), (399, "new"), (100, "alice")]));
        right(rule, after_old(COIN, &[(300, "old"), (399, "new"), (100, "older")]));
    }
    none(Rule::Shadow, after_old(COIN, &[(300, "old"), (399, "new"), (100, "older")]));
    // A new address that is paid twice is not one output.
    none(Rule::Meiklejohn, after_old(COIN, &[(300, "old"), (399, "new"), (100, "new")]));
    right(Rule::Ermilov, after_old(&[("coin", 9_000_000, "a")], &[(5_000_000, "old"), (3_999_123, "new")]));
    none(Rule::Ermilov, after_old(&[("coin", 9_000_000, "a")], &[(5_123_000, "old"), (3_111_123, "new")]));
    none(Rule::Ermilov, after_old(&[("coin", 9_000_000, "new")], &[(5_000_000, "old"), (3_999_123, "new")]));
    right(Rule::Legacy, after_old(TWO, &[(1_000, "bob"), (299, "new")]));
    none(Rule::Legacy, after_old(TWO, &[(1_000, "bob"), (299, "old")]));
    right(Rule::OptimalChange, alone(TWO, &[(1_000, "bob"), (299, "new")]));
    right(Rule::OptimalFee, alone(TWO, &[(1_000, "bob"), (299, "new")]));
    assert_eq!(says(Rule::OptimalChange, &alone(TWO, &[(700, "bob"), (599, "new")])), Some(vec![1]));
    assert_eq!(says(Rule::OptimalFee, &alone(TWO, &[(700, "bob"), (599, "new")])), Some(vec![]));
    right(Rule::Uih1, alone(TWO, &[(500, "bob"), (299, "new")]));
    none(Rule::Uih1, alone(TWO, &[(650, "bob"), (640, "new")]));
    assert_eq!(says(Rule::Uih1, &alone(TWO, &[(299, "bob"), (299, "new")])), Some(vec![0, 1]));
    right(Rule::Uih2, alone(TWO, &[(1_000, "bob"), (299, "new")]));
    none(Rule::Uih2, alone(COIN, &[(500, "bob"), (299, "new")]));
    right(Rule::PowerOfTen, alone(&[("coin", 9_000_000, "a")], &[(5_000_000, "bob"), (3_999_000, "new")]));
    none(Rule::PowerOfTen, alone(COIN, &[(899, "bob")]));
    right(Rule::LastOutput, alone(COIN, &[(500, "bob"), (399, "new"), (0, "return")]));
    none(Rule::LastOutput, alone(COIN, &[(899, "bob")]));
    none(Rule::Nothing, alone(COIN, &[(899, "bob")]));
    assert_eq!(says(Rule::Nothing, &alone(COIN, &[(500, "bob"), (399, "new")])), Some(vec![]));
    let coinjoin = after_old(TWO, &[(1_000, "bob"), (299, "new")]);
    assert_eq!(vouts(&coinjoin, "t", &Legacy::new(|_: &Payment<'_>| true)), None);
    // Values that nobody told: the rules that need them do not apply.
    let blind = Mini::new("t @1: S:0 -> 5/bob 3/new").chain();
    let payment = Payment::of(blind.view().txs().next().unwrap()).unwrap();
    for rule in [Rule::OptimalChange, Rule::OptimalFee, Rule::Uih1, Rule::Legacy, Rule::AddressType] {
        assert_eq!(rule.change(&Context::default()).unwrap().candidates(&payment), None, "{rule}");
    }
}

/// The payment to bob at 0 and the change at 1, and who spends them.
fn spent_by(payer: &str, by_bob: (&str, Outputs<'_>), by_payer: (&str, Outputs<'_>)) -> Chain {
    sketch(&[
        (payer, &[("coin", 1_000, "alice")], &[(500, "bob"), (400, "change")]),
        (by_bob.0, &[("t:0", 500, "bob")], by_bob.1),
        (by_payer.0, &[("t:1", 400, "change")], by_payer.1),
    ])
}

#[test]
fn each_rule_that_looks_ahead_is_right_here_and_silent_there() {
    let right = |rule, chain: &Chain| assert_eq!(says(rule, chain), Some(vec![1]), "{rule}");
    let none = |rule, chain: &Chain| assert_eq!(says(rule, chain), None, "{rule}");
    let single = alone(COIN, &[(899, "bob")]);
    let three: Outputs<'_> = &[(100, "a"), (100, "b"), (200, "c")];
    right(Rule::Consumer, &spent_by("t", ("u", three), ("w", &[(399, "z")])));
    none(Rule::Consumer, &alone(COIN, &[(500, "bob"), (299, "new"), (100, "carol")]));
    right(Rule::LockTime, &spent_by("t lock=5", ("u", &[(499, "y")]), ("w lock=6", &[(399, "z")])));
    let unspent =
        sketch(&[("t", COIN, &[(500, "bob"), (399, "new")]), ("u lock=3", &[("t:0", 500, "bob")], &[(499, "y")])]);
    right(Rule::LockTime, &unspent);
    let told_nothing = Mini::new("t @1: S:0=9 -> 5/bob 3/new").chain();
    let tx = told_nothing.view().txs().next().unwrap();
    for rule in [Rule::LockTime, Rule::FixedFee] {
        assert_eq!(rule.hindsight(&Context::default()).unwrap().candidates(tx), None, "{rule}");
    }
    let rates = ("u weight=400", &[(300, "y")][..]);
    right(Rule::FixedFee, &spent_by("t weight=400", rates, ("w weight=800", &[(200, "z")])));
    right(
        Rule::Spent,
        &sketch(&[("t", COIN, &[(500, "bob"), (399, "c")]), ("w", &[("t:1", 399, "c")], &[(398, "z")])]),
    );
    none(Rule::Spent, &single);
    let peel: Outputs<'_> = &[(100, "a"), (299, "b")];
    right(Rule::Peeling, &spent_by("t", ("u", &[(499, "y")]), ("w", peel)));
    none(Rule::Peeling, &spent_by("t", ("u", &[(499, "y")]), ("w", &[(399, "z")])));
    right(Rule::Graphsense, &alone(&[("coin", 9_000, "a")], &[(5_000, "bob"), (3_999, "new")]));
    none(Rule::Graphsense, &alone(&[("coin", 9_000, "a")], &[(5_001, "bob"), (3_998, "new")]));
    let again = |blocks: &[&str]| {
        let coins: Vec<_> = blocks.iter().map(|who| [(90_u64, *who)]).collect();
        let mut txs: Vec<(&str, Inputs<'_>, Outputs<'_>)> = vec![
            ("before", &[("coin", 100, "x")], &[(50, "old"), (20, "older")]),
            ("t", COIN, &[(500, "old"), (399, "new")]),
        ];
        for (at, outputs) in coins.iter().enumerate() {
            txs.push((["a", "b", "c"][at], &[("coin", 100, "y")], outputs));
        }
        sketch(&txs)
    };
    right(Rule::MeiklejohnGlobal, &again(&["p", "q"]));
    none(Rule::MeiklejohnGlobal, &again(&["p", "new"]));
    let wait = |blocks, chain: &Chain| vouts_later(chain, "t", &MeiklejohnWait::blocks(blocks));
    assert_eq!(wait(2, &again(&["p", "q"])), Some(vec![1]));
    assert_eq!(wait(1, &again(&["p", "new"])), Some(vec![1]));
    assert_eq!(wait(2, &again(&["p", "new"])), None);
    assert_eq!(wait(3, &again(&["p", "q"])), None, "the window is not over");
    let dice = MeiklejohnWait::blocks(2).ignore(|tx| tx.txid() == txid("b"));
    assert_eq!(vouts_later(&again(&["p", "new"]), "t", &dice), Some(vec![1]));
    none(Rule::MeiklejohnWait, &again(&["p", "q"]));
    // The payee's address was change of its own payment before.
    let own_way = sketch(&[
        ("before", &[("coin", 100, "old")], &[(50, "old"), (20, "older")]),
        ("t", COIN, &[(500, "old"), (399, "new")]),
    ]);
    assert_eq!(wait(0, &own_way), None);
}

#[test]
fn rules_on_clusters_ask_the_callers() {
    let chain = spent_by("t", ("u", &[(499, "y")]), ("w", &[(399, "alice")]));
    let number = |who: &str| chain.view().address_index(&pay(0, who).script_pubkey).unwrap();
    let pair = [number("alice"), number("change")];
    let together = move |address| if pair.contains(&address) { u32::MAX } else { address.to_u32() };
    assert_eq!(vouts_later(&chain, "t", &ClusterMember::new(together)), Some(vec![1]));
    assert_eq!(says(Rule::ClusterMember, &chain), None);
    assert_eq!(says(Rule::TwoHops, &chain), Some(vec![1]));
    let early = chain.as_of(BlockHeight::from_u32(2));
    let single = |address: AddressIndex| address.to_u32();
    assert_eq!(TwoHops::new(single).candidates(early.tx_at(&txid("t")).unwrap()), None, "the change is unspent there");
}

#[test]
fn fingerprints_are_read_and_compared_where_they_are_known() {
    let chain = spent_by("t v2 rbf weight=400", ("u weight=400", &[(499, "y")]), ("w v2 rbf", &[(399, "z")]));
    let flags = Fingerprints::of(chain.view());
    let rule = |bits| vouts_later(&chain, "t", &SameFingerprint::new(&flags, Mask::new("m", bits)));
    assert_eq!(rule(Fingerprint::VERSION_2), Some(vec![1]));
    assert_eq!(rule(Fingerprint::RBF), Some(vec![1]));
    assert_eq!(rule(Fingerprint::P2WPKH), Some(vec![0, 1]));
    assert_eq!(rule(Fingerprint::SEGWIT), None, "nobody told the witness of w");
    assert_eq!(rule(Fingerprint::ZEROCONF), None, "nobody told the height of alice's coin");
    let word = |name| flags.get(chain.view().tx_at(&txid(name)).unwrap().index()).unwrap();
    assert!(word("t").has(Fingerprint::TWO_OUTPUTS | Fingerprint::WITNESS_KNOWN | Fingerprint::KNOWN));
    assert!(!word("t").has(Fingerprint::PLACED) && word("u").has(Fingerprint::PLACED));
    assert!(!word("t").has(Fingerprint::SORTED_OUTPUTS) && word("t").has(Fingerprint::SORTED_INPUTS));
    assert_eq!(word("t").bits() & (Fingerprint::TWO_INPUTS | Fingerprint::MORE_INPUTS), 0);
    // As of the second block the change is unspent: nothing to compare, though the words are there.
    let early = chain.as_of(BlockHeight::from_u32(2));
    let mask = Mask::new("m", Fingerprint::VERSION_2);
    assert_eq!(SameFingerprint::new(&flags, mask).candidates(early.tx_at(&txid("t")).unwrap()), None);
    let locked = sketch(&[("t lock=1", COIN, &[(1, "a"), (2, "b")]), ("u lock=1", COIN, &[(5, "a")])]);
    let flags = Fingerprints::of(locked.view());
    let u = flags.get(locked.view().tx_at(&txid("u")).unwrap().index()).unwrap();
    assert!(u.has(Fingerprint::LOCKTIME_HEIGHT) && !u.has(Fingerprint::LOCKTIME_TIME));
    assert!(Mask::ALL.iter().all(|mask| mask.bits != 0 && mask.bits & !Fingerprint::TWENTY == 0));
}

#[test]
fn votes_weigh_and_need_their_threshold() {
    let chain = after_old(&[("coin", 9_000_000, "a")], &[(5_000_000, "old"), (3_999_000, "new")]);
    let rules =
        || -> [Box<dyn Change>; 3] { [Box::new(Fresh), Box::new(PowerOfTen::default()), Box::new(AddressReuse)] };
    for (threshold, wins) in [(0, true), (1, true), (2, true), (3, false)] {
        let votes = rules().into_iter().fold(Votes::new(threshold), |votes, rule| votes.rule(rule, 1));
        assert_eq!(vouts(&chain, "t", &votes), wins.then(|| vec![1]), "{threshold}");
    }
    // Two against three: one more for than against.
    let against = Legacy::new(|_: &Payment<'_>| false).or(change::LastOutput);
    let votes = Votes::<&dyn Change>::new(1).rule(&Fresh, 2).rule(&OnlyFirst, 3).rule(&AddressReuse, 9);
    let payment = Payment::of(chain.view().tx_at(&txid("t")).unwrap()).unwrap();
    let ballot = votes.count(&payment).unwrap();
    assert_eq!((ballot.votes_for, ballot.votes_against, ballot.confidence_ppm), (3, 2, 571_428));
    assert_eq!(Change::name(&against), "or");
    let guesses = change::votes(chain.view(), &votes);
    assert_eq!(guesses.last().map(|guess| guess.output), Some(ballot.output));
}

#[derive(Debug)]
struct OnlyFirst;

impl Change for OnlyFirst {
    fn name(&self) -> &'static str {
        "only_first"
    }
    fn candidates(&self, payment: &Payment<'_>) -> Option<OutputSet> {
        payment.those(|output| output.index == payment.outputs()[0].index)
    }
}

#[test]
fn an_output_without_an_address_may_be_new_too() {
    // Of `bare` nobody knows whether it was paid before; with one output that is new for sure there may be two.
    use fundtrace::bitcoin::{OutPoint, ScriptBuf};
    use fundtrace::chain::{NewInput, NewTx};
    let mut builder = fundtrace::ChainBuilder::new();
    let mut bare = pay(500, "bare");
    bare.script_pubkey = ScriptBuf::from_hex("51").unwrap();
    let coin = NewInput::new(OutPoint::new(txid("c"), 0)).prevout(pay(900, "alice"));
    builder.insert(NewTx::claimed(txid("t"), vec![coin], vec![bare, pay(399, "new")])).unwrap();
    let chain = builder.finish().unwrap();
    assert_eq!(vouts(&chain, "t", &change::Shadow), None);
    assert_eq!(vouts(&chain, "t", &Fresh), None);
}

#[test]
fn what_a_later_block_shows_was_not_known_before() {
    let early = "b @90: c:0=1000/x -> 400/old 500/y
                 t @100: d:0=1000/a -> 400/v 500/old
                 w @300: e:0=1000/a -> 400/v 500/other";
    // At 200 somebody spends from v what no transaction here paid it; `t` came before.
    let late = format!("{early}\nu @200: S:0=1000/v -> 900/z");
    let view = |text: &str, name: &str| {
        let chain = Mini::new(text).chain();
        let payment = Payment::of(chain.view().tx_at(&crate::mini::txid(name)).unwrap()).unwrap();
        let new: Vec<_> = payment.outputs().iter().map(|output| output.is_new.unwrap()).collect();
        let early = chain.as_of(BlockHeight::from_u32(100));
        let address = chain.view().address_index(&crate::mini::script("v")).unwrap();
        (new, early.outputs_of(address).len(), early.outputs_to(&crate::mini::script("v")).len())
    };
    assert_eq!(view(early, "t"), (vec![true, false], 1, 1));
    assert_eq!(view(&late, "t"), (vec![true, false], 1, 1));
    // Of two that a missing transaction pays, the one that is spent first tells.
    let both = format!("{late}\nr @95: S:1=7/v -> 6/q");
    assert_eq!(view(&both, "t"), (vec![false, false], 2, 2));
    let later = Mini::new("w @300: e:0=1000/a -> 400/v 500/other\nu @200: S:0=1000/v -> 900/z").chain();
    let payment = Payment::of(later.view().tx_at(&crate::mini::txid("w")).unwrap()).unwrap();
    assert_eq!(payment.outputs()[0].is_new, Some(false));
}

#[test]
fn rates_are_of_the_predicate_that_they_were_published_of() {
    for rule in [Rule::LockTime, Rule::FixedFee, Rule::Uih1, Rule::Uih2] {
        assert_eq!(rule.published(), None, "{rule}");
    }
}

#[test]
fn names_are_file_names_and_lead_back() {
    let single = |address: AddressIndex| address.to_u32();
    let chain = alone(COIN, &[(899, "bob")]);
    let fingerprints = Fingerprints::of(chain.view());
    let context = Context::default().cluster(&single).fingerprints(&fingerprints);
    for rule in Rule::ALL {
        assert_eq!(rule.as_str().parse::<Rule>().unwrap(), rule);
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/change/{rule}.rs"));
        assert!(file.exists(), "{rule}");
        let later = rule.hindsight(&context).unwrap();
        assert!(later.name() == rule.as_str() || rule == Rule::SameFingerprint);
        assert!(rule.change(&context).is_none_or(|early| early.name() == rule.as_str()));
    }
}

#[test]
fn the_examples_sketch_is_this_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let words = |text: String| {
        text.split_whitespace().filter(|word| *word != "#" && *word != "pub").map(String::from).collect::<String>()
    };
    let code: String = read("tests/it/sketch.rs")
        .lines()
        .filter(|line| !line.starts_with("//!"))
        .map(|line| format!("{line}\n"))
        .collect();
    let strip = |text: String| words(text).replace(',', "");
    assert_eq!(strip(read("src/change/sketch.txt")), strip(code));
}

/// A random chain whose outputs pay a few addresses again and again, those of stubs too.
fn few_addresses(case: &Case) -> Mini {
    let who = |of: &str, vout: u32| {
        let sum: u32 = of.bytes().map(u32::from).sum::<u32>() * 7 + vout * 3;
        (!sum.is_multiple_of(5)).then(|| format!("k{}", sum % 9))
    };
    let mut mini = case.mini.clone();
    for row in &mut mini.rows {
        let name = row.name.clone();
        for (vout, output) in (0..).zip(&mut row.outputs) {
            output.script = output.script.take().or_else(|| who(&name, vout));
        }
        for In { of, vout, value, script } in &mut row.inputs {
            if value.is_some() {
                *script = who(of, *vout);
            }
        }
    }
    mini
}

fn early_rules() -> Vec<Box<dyn Change>> {
    Rule::ALL.iter().filter_map(|rule| rule.change(&Context::default())).collect()
}

/// What a rule says, by txid and vout, so that chains can be compared.
type Said = BTreeMap<(fundtrace::bitcoin::Txid, usize), Option<Vec<u32>>>;

fn said_early(view: View<'_>, up_to: BlockHeight) -> Said {
    let mut said = BTreeMap::new();
    let rules = early_rules();
    for tx in view.txs().filter(|tx| tx.height().is_some_and(|height| height <= up_to)) {
        for (at, rule) in rules.iter().enumerate() {
            let set = Payment::of(tx).and_then(|payment| rule.candidates(&payment));
            said.insert((tx.txid(), at), set.map(|set| set.iter().map(|output| view.output(output).vout()).collect()));
        }
    }
    said
}

fn said_later(view: View<'_>) -> Said {
    let fingerprints = Fingerprints::of(view);
    // Clusters that do not depend on how addresses are numbered.
    let cluster = |address: AddressIndex| view.address(address).to_string().bytes().map(u32::from).sum::<u32>() % 4;
    let context = Context::default().fingerprints(&fingerprints).cluster(&cluster);
    let wait = MeiklejohnWait::blocks(1);
    let mut rules: Vec<Box<dyn Hindsight + '_>> =
        Rule::ALL.iter().filter_map(|rule| rule.hindsight(&context)).collect();
    rules.push(Box::new(wait));
    let mut said = BTreeMap::new();
    for tx in view.txs() {
        for (at, rule) in rules.iter().enumerate() {
            let set = rule.candidates(tx);
            said.insert((tx.txid(), at), set.map(|set| set.iter().map(|output| view.output(output).vout()).collect()));
        }
    }
    said
}

/// The same blocks up to a height, frozen by themselves.
fn cut(mini: &Mini, tip: BlockHeight) -> Chain {
    let mut mini = mini.clone();
    mini.rows.retain(|row| row.height.is_some_and(|height| height <= tip.to_u32()));
    mini.complete = mini.complete.map(|(from, _)| (from, tip.to_u32()));
    mini.chain()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn only_outputs_that_can_be_spent_are_candidates(case in case(false)) {
        let chain = few_addresses(&case).chain();
        let view = chain.view();
        for ((name, _), vouts) in said_later(view) {
            let tx = view.tx_at(&name).unwrap();
            for vout in vouts.into_iter().flatten() {
                prop_assert!(tx.output(vout).is_some_and(|output| !output.is_unspendable()));
                prop_assert!(!tx.is_coinbase());
            }
        }
    }

    /// A rule that does not look ahead says the same of the whole chain, as of any height since, and before later blocks were there.
    #[test]
    fn later_blocks_change_nothing(case in case(false)) {
        let mini = few_addresses(&case);
        let chain = mini.chain();
        for height in (FIRST..=case.tip).map(BlockHeight::from_u32) {
            let whole = said_early(chain.view(), height);
            prop_assert_eq!(&said_early(chain.as_of(height), height), &whole);
            if mini.rows.iter().all(|row| row.height.is_some()) {
                prop_assert_eq!(said_early(cut(&mini, height).view(), height), whole);
            }
        }
    }

    /// A rule that looks ahead says as of a height what it said when the chain ended there.
    #[test]
    fn hindsight_ends_at_the_views_height(case in case(false)) {
        let mini = few_addresses(&case);
        prop_assume!(mini.complete.is_some());
        let chain = mini.chain();
        for height in (FIRST..=case.tip).map(BlockHeight::from_u32) {
            prop_assert_eq!(said_later(chain.as_of(height)), said_later(cut(&mini, height).view()));
        }
    }

    /// Having waited, the rule keeps its word.
    #[test]
    fn what_was_said_after_waiting_stays(case in case(false)) {
        let mini = few_addresses(&case);
        prop_assume!(mini.complete.is_some());
        let chain = mini.chain();
        let rule = MeiklejohnWait::blocks(1);
        for height in (FIRST..=case.tip).map(BlockHeight::from_u32) {
            for tx in chain.as_of(height).txs().filter(|tx| tx.height().unwrap().to_u32() < height.to_u32()) {
                prop_assert_eq!(rule.candidates(tx), rule.candidates(chain.view().tx(tx.index())));
            }
        }
    }

    #[test]
    fn combinations_are_set_operations(case in case(false), a in 0..16_usize, b in 0..16_usize) {
        let chain = few_addresses(&case).chain();
        let rules = early_rules();
        let (a, b) = (&rules[a % rules.len()], &rules[b % rules.len()]);
        let set = |set: Option<OutputSet>| set.map(|set| set.iter().collect::<BTreeSet<OutputIndex>>());
        for tx in chain.view().txs() {
            let Some(payment) = Payment::of(tx) else { continue };
            let (left, right) = (set(a.candidates(&payment)), set(b.candidates(&payment)));
            let both = left.as_ref().zip(right.as_ref());
            prop_assert_eq!(set(a.and(b).candidates(&payment)), both.map(|(left, right)| left & right));
            let either = both.map(|(left, right)| left | right).or_else(|| left.clone()).or_else(|| right.clone());
            prop_assert_eq!(set(a.or(b).candidates(&payment)), either.clone());
            prop_assert_eq!(set(a.in_hindsight().or(b.in_hindsight()).candidates(tx)), either);
            let rest = left.clone().map(|left| &left - &right.clone().unwrap_or_default());
            prop_assert_eq!(set(a.minus(b).candidates(&payment)), rest);
            prop_assert_eq!(set(a.unique().candidates(&payment)), left.clone().filter(|set| set.len() == 1));
            prop_assert_eq!(a.unless(|_: &Payment<'_>| true).candidates(&payment), None);
            prop_assert_eq!(set(a.unless(|_: &Payment<'_>| false).candidates(&payment)), left);
        }
    }

    /// The scan in pieces is the loop, on any number of threads.
    #[test]
    fn picks_are_those_of_the_loop(case in case(false), up_to in 0..4_u32) {
        let chain = few_addresses(&case).chain();
        let rules = early_rules();
        let rules: Vec<&dyn Change> = rules.iter().map(|rule| &**rule).collect();
        for view in [chain.view(), chain.as_of(BlockHeight::from_u32(FIRST + up_to))] {
            let twin = |rule: &dyn Change| -> Vec<(TxIndex, OutputIndex)> {
                let payments = view.txs().filter_map(Payment::of);
                payments.filter_map(|payment| Some((payment.index(), rule.candidates(&payment)?.only()?))).collect()
            };
            let expected: Vec<_> = rules.iter().map(|rule| twin(*rule)).collect();
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                prop_assert_eq!(&pool.install(|| change::picks_of_all(view, &rules)), &expected);
            }
            prop_assert_eq!(&change::picks(view, rules[4]), &expected[4]);
            prop_assert_eq!(&change::picks_in_hindsight(view, &rules[4].in_hindsight()), &expected[4]);
        }
    }

    /// Sets as words and as lists are one type.
    #[test]
    fn output_sets_are_sets(a in prop::collection::vec(0..200_u64, 0..12), b in prop::collection::vec(60..90_u64, 0..12)) {
        let of = |n: &[u64]| n.iter().copied().map(OutputIndex::from_u64).collect::<OutputSet>();
        let twin = |n: &[u64]| n.iter().copied().collect::<BTreeSet<u64>>();
        let list = |set: &OutputSet| set.iter().map(OutputIndex::to_u64).collect::<BTreeSet<u64>>();
        let ((x, y), (p, q)) = ((of(&a), of(&b)), (twin(&a), twin(&b)));
        prop_assert_eq!((list(&x), x.len(), x.is_empty()), (p.clone(), p.len(), p.is_empty()));
        prop_assert!(x.iter().is_sorted() && x.clone().into_iter().eq(x.iter()));
        prop_assert_eq!(x.only().is_some(), p.len() == 1);
        prop_assert!((0..200).all(|n| x.contains(OutputIndex::from_u64(n)) == p.contains(&n)));
        // One form for one set, however it came about.
        let sorted = |set: BTreeSet<u64>| of(&set.into_iter().rev().collect::<Vec<_>>());
        prop_assert_eq!(x.union(&y), sorted(&p | &q));
        prop_assert_eq!(x.intersection(&y), sorted(&p & &q));
        prop_assert_eq!(x.difference(&y), sorted(&p - &q));
    }
}

/// Random chains on which nothing was ever named would prove nothing.
#[test]
fn random_chains_have_change() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut named = BTreeMap::new();
    for _ in 0..150 {
        let case = case(false).new_tree(&mut runner).unwrap().current();
        for ((_, rule), vouts) in said_later(few_addresses(&case).chain().view()) {
            *named.entry(rule).or_insert(0) += u32::from(vouts.is_some_and(|vouts| vouts.len() == 1));
        }
    }
    // Small chains have no lock times, weights or days, one kind of script, and few digits.
    let silent = [
        "address_type",
        "type_unanimous",
        "ermilov",
        "nothing",
        "peeling",
        "lock_time",
        "fixed_fee",
        "meiklejohn_wait",
        "same_fingerprint",
    ];
    for (at, rule) in Rule::ALL.iter().enumerate() {
        assert!(named[&at] > 2 || silent.contains(&rule.as_str()), "{rule} named {}", named[&at]);
    }
}

/// Clusters by common spending with fresh change: a plain union over addresses.
#[test]
fn fresh_change_on_testnet3_is_the_references() {
    let Some(folder) = crate::reference::folder() else { return };
    let (chain, answers) = (crate::reference::chain(&folder), crate::reference::answers(&folder));
    let view = chain.view();
    let picks = change::picks(view, &Fresh);
    let expected = &answers["fresh_change"];
    assert_eq!(picks.len() as u64, crate::reference::number(expected, "count"));
    let names = picks.iter().map(|(_, output)| view.output(*output).outpoint().to_string());
    // This listing stands in chain order, other than the sorted ones of the taint figures.
    let listing = names.collect::<Vec<_>>().join("\n");
    assert_eq!(sha256::Hash::hash(listing.as_bytes()).to_string(), expected["sha256"]);

    let mut root: Vec<usize> = (0..view.addresses()).collect();
    fn find(root: &[usize], mut at: usize) -> usize {
        while root[at] != at {
            at = root[at];
        }
        at
    }
    let mut join = |a: AddressIndex, b: AddressIndex| {
        let (a, b) = (find(&root, a.to_u32() as usize), find(&root, b.to_u32() as usize));
        root[a.max(b)] = a.min(b);
    };
    for tx in view.txs() {
        let inputs: Vec<AddressIndex> = tx.inputs().filter_map(|input| input.address_index()).collect();
        inputs.windows(2).for_each(|pair| join(pair[0], pair[1]));
    }
    for (tx, output) in &picks {
        let input = view.tx(*tx).inputs().find_map(|input| input.address_index()).unwrap();
        join(input, view.output(*output).address_index().unwrap());
    }
    let mut sizes = BTreeMap::new();
    for at in 0..root.len() {
        *sizes.entry(find(&root, at)).or_insert(0_u64) += 1;
    }
    let expected = &answers["cospend_plus_fresh_change"];
    assert_eq!(sizes.len() as u64, crate::reference::number(expected, "clusters_incl_singletons"));
    let mut largest: Vec<u64> = sizes.into_values().collect();
    largest.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(serde_json::json!(largest[..10]), expected["largest"]);
}
