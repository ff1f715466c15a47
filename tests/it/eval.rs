//! Measures against their obvious twins, and truth files that are wrong.

use std::collections::HashMap;

use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash, hashes::Hash};
use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
use fundtrace::eval::{Bootstrap, ChangeCase, ChangeScore, Detection, Label, Pick, Ratio, cluster};
use fundtrace::truth::Truth;
use fundtrace::{BlockHeight, Chain, EntityIndex};
use proptest::prelude::*;

fn near(ratio: Ratio, float: f64) -> bool {
    match ratio.to_f64() {
        Some(found) => (found - float).abs() < 1e-9,
        None => float.is_nan(),
    }
}

/// Everything by going through all pairs.
fn twin(items: &[(u32, u32)]) -> [f64; 5] {
    let (mut both, mut together, mut owned, mut all) = (0.0, 0.0, 0.0, 0.0);
    for (at, a) in items.iter().enumerate() {
        for b in &items[..at] {
            all += 1.0;
            together += f64::from(u8::from(a.0 == b.0));
            owned += f64::from(u8::from(a.1 == b.1));
            both += f64::from(u8::from(a == b));
        }
    }
    let n = items.len() as f64;
    let share = |of: fn(&(u32, u32), &(u32, u32)) -> bool| {
        let item = |a: &(u32, u32)| {
            let shared = items.iter().filter(|b| of(a, b)).count() as f64;
            items.iter().filter(|b| *b == a).count() as f64 / shared
        };
        items.iter().map(item).sum::<f64>() / n
    };
    let chance = together * owned / all;
    let ari = (both - chance) / ((together + owned) / 2.0 - chance);
    [both / together, both / owned, share(|a, b| a.0 == b.0), share(|a, b| a.1 == b.1), ari]
}

proptest! {
    #[test]
    fn clusters_are_scored_as_all_pairs_say(items in prop::collection::vec((0..5_u32, 0..5_u32, prop::bool::weighted(0.9)), 0..40)) {
        let known: Vec<(u32, u32)> = items.iter().filter(|item| item.2).map(|item| (item.0, item.1)).collect();
        let owner = |item: &(u32, u32, bool)| item.2.then(|| EntityIndex::from_u32(item.1));
        let score = cluster(items.iter().map(|item| (item.0, owner(item))));
        prop_assert_eq!((score.items, score.unknown), (known.len() as u64, (items.len() - known.len()) as u64));
        let [precision, recall, bcubed_precision, bcubed_recall, ari] = twin(&known);
        prop_assert!(near(score.precision(), precision) && near(score.recall(), recall));
        prop_assert!(near(score.bcubed_precision(), bcubed_precision) && near(score.bcubed_recall(), bcubed_recall));
        match score.ari().to_f64() {
            Some(found) => prop_assert!((found - ari).abs() < 1e-9, "{} {}", found, ari),
            None => prop_assert!(ari.is_nan()),
        }
        let owners = known.iter().map(|item| item.1).collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(score.owners, owners as u64);
        // The groups of a bootstrap add up to the whole.
        let sum: Ratio = score.by_owner.iter().map(|part| Ratio::new(part.both, part.together)).sum();
        prop_assert!(sum.compare(score.precision()).is_none_or(|order| order.is_eq()));
    }

    #[test]
    fn change_and_classes_are_counted(cases in prop::collection::vec((prop::option::of(0..3_u32), prop::option::of((0..3_u32, 0..1_000_001_u32))), 0..60)) {
        let score: ChangeScore = {
            let mut score = ChangeScore::default();
            for (truth, pick) in &cases {
                let truth = truth.map(|vout| [vout]);
                let candidates = pick.map(|(vout, _)| [vout]);
                let pick = candidates.as_ref().zip(*pick).map(|(candidates, (_, confidence_ppm))| Pick { candidates, confidence_ppm });
                score.add(&ChangeCase { outputs: 3, truth: truth.as_ref().map(|vouts| vouts.as_slice()), pick });
            }
            score
        };
        let known: Vec<_> = cases.iter().filter_map(|(truth, pick)| Some(((*truth)?, *pick))).collect();
        let said: Vec<(u32, u32, u32)> = known.iter().filter_map(|(truth, pick)| pick.map(|(vout, sure)| (*truth, vout, sure))).collect();
        let right = said.iter().filter(|(truth, vout, _)| truth == vout).count() as f64;
        prop_assert!(near(score.true_positive_rate(), right / known.len() as f64));
        prop_assert!(near(score.false_positive_rate(), (said.len() as f64 - right) / (2 * known.len()) as f64));
        prop_assert!(near(score.coverage(), said.len() as f64 / known.len() as f64));
        let square = |(truth, vout, sure): &(u32, u32, u32)| (f64::from(*sure) / 1e6 - f64::from(u8::from(truth == vout))).powi(2);
        prop_assert!(near(score.brier(), said.iter().map(square).sum::<f64>() / said.len() as f64));

        let label = |class: Option<u32>| class.map_or(Label::Nothing, Label::Of);
        let mut detection = Detection::default();
        for (truth, pick) in &cases {
            detection.add(label(*truth), label(pick.map(|(class, _)| class)));
        }
        let mut said: HashMap<u32, [f64; 3]> = HashMap::new();
        for (truth, pick) in &cases {
            let found = pick.map(|(class, _)| class);
            for class in 0..3 {
                let [right, named, there] = said.entry(class).or_default();
                *right += f64::from(u8::from(*truth == Some(class) && found == Some(class)));
                *named += f64::from(u8::from(found == Some(class)));
                *there += f64::from(u8::from(*truth == Some(class)));
            }
        }
        for class in 0..3 {
            let [right, named, there] = said.get(&class).copied().unwrap_or_default();
            prop_assert!(near(detection.class(&class).precision(), right / named));
            prop_assert!(near(detection.class(&class).recall(), right / there));
        }
    }

    /// A bootstrap's interval holds the mean of most samples of a known distribution, and does not depend on threads.
    #[test]
    fn intervals_hold_what_they_should(seed in 0..1000_u64) {
        let groups: Vec<Ratio> = (0..30_u32).map(|n| Ratio::new((n * 7919 + u32::try_from(seed).unwrap() * 31) % 101, 100_u32)).collect();
        let interval = Bootstrap::default().seed(seed).interval(&groups).unwrap();
        prop_assert!(interval.low.compare(interval.value).unwrap().is_le() && interval.value.compare(interval.high).unwrap().is_le());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert_eq!(pool.install(|| Bootstrap::default().seed(seed).interval(&groups)), Some(interval));
        // For 30 groups of spread 0.29 the interval is some 0.2 wide.
        let width = interval.high.to_f64().unwrap() - interval.low.to_f64().unwrap();
        prop_assert!((0.1..0.3).contains(&width), "{}", width);
    }
}

fn txid(n: u8) -> Txid {
    Txid::from_byte_array([n; 32])
}

/// Two transactions: the first pays two addresses, the second spends one of them to the other.
fn chain() -> Chain {
    let pays = |key: u8, sat| TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&[key])),
    };
    let mut builder = ChainBuilder::new();
    let spend = |n, vout| NewInput::new(OutPoint::new(txid(n), vout));
    let first = NewTx::claimed(txid(2), vec![spend(1, 0).prevout(pays(9, 50))], vec![pays(1, 30), pays(2, 20)]);
    builder.insert(first.height(BlockHeight::from_u32(5))).unwrap();
    builder
        .insert(NewTx::claimed(txid(3), vec![spend(2, 0)], vec![pays(2, 30)]).height(BlockHeight::from_u32(6)))
        .unwrap();
    builder.finish().unwrap()
}

const ROWS: [&str; 5] = [
    r#"{"entity":{"index":0,"kind":"thief"}}"#,
    r#"{"entity":{"index":1,"kind":"exchange","name":"X"}}"#,
    r#"{"theft":{"index":0,"thief":0,"victim":1,"height":5,"sat":30}}"#,
    r#"{"tx":{"txid":"0202020202020202020202020202020202020202020202020202020202020202","kind":"theft","outputs":[{"owner":0,"stolen":{"theft":0,"sat":30}},{"owner":1}]}}"#,
    r#"{"tx":{"txid":"0303030303030303030303030303030303030303030303030303030303030303","outputs":[{"owner":1,"role":"deposit","stolen":{"theft":0,"sat":30}}]}}"#,
];

#[test]
fn truth_that_contradicts_is_refused_with_its_line() {
    let chain = chain();
    let read = |rows: &[String]| Truth::read(chain.view(), rows.join("\n").as_bytes());
    let rows = ROWS.map(str::to_owned);
    let truth = read(&rows).unwrap();
    assert_eq!((truth.entities().len(), truth.thefts().len()), (2, 1));
    // In any order, as the format says.
    let mut turned = rows.clone();
    turned.reverse();
    assert_eq!(read(&turned).unwrap(), truth);
    for (line, from, to, said) in [
        (4, "0303030303", "0404040404", "not in the chain"),
        (3, r#",{"owner":1}]"#, "]", "tells of 1 outputs"),
        (3, r#""sat":30"#, r#""sat":31"#, "31 sat"),
        (3, r#"{"owner":1}]"#, r#"{"owner":0}]"#, "an address has one owner"),
        (1, r#""index":1"#, r#""index":2"#, "there is no entity 1"),
        (1, r#""index":1"#, r#""index":0"#, "has a row already"),
        (2, r#""victim":1"#, r#""victim":7"#, "no row tells of it"),
        (2, r#""thief":0"#, r#""thief":9"#, "no row tells of it"),
        (4, r#""role":"deposit""#, r#""role":"gift""#, "gift"),
        (0, r#""kind":"thief""#, r#""kind":"thief","age":40"#, "age"),
    ] {
        let mut rows = rows.clone();
        assert!(rows[line].contains(from), "{line}: {from}");
        rows[line] = rows[line].replace(from, to);
        let error = read(&rows).map(|_| panic!("{to} is taken")).unwrap_err();
        assert!(error.is_truth() || error.is_parse());
        assert!(error.to_string().contains(said) && error.to_string().contains("line "), "{error}");
    }
    let again = [rows.to_vec(), vec![rows[4].clone()]].concat();
    assert!(read(&again).unwrap_err().to_string().contains("has a row already"));
    assert!(read(&[rows[4][..60].to_owned()]).unwrap_err().is_parse());
}

proptest! {
    #[test]
    fn no_truth_file_panics(cut in 0..600_usize, at in 0..600_usize, byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..100)) {
        let chain = chain();
        let mut bytes = ROWS.join("\n").into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut.max(1));
        for file in [bytes, noise] {
            if let Ok(truth) = Truth::read(chain.view(), file.as_slice()) {
                for theft in (0..truth.thefts().len()).map(|at| fundtrace::id::TheftIndex::from_u32(u32::try_from(at).unwrap())) {
                    let _ = (truth.exits(chain.view(), theft), truth.direct_route(chain.view(), theft), truth.held(chain.view(), theft));
                }
            }
        }
    }
}
