//! `fundtrace cluster` and `fundtrace explain`, run as a user runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fundtrace::bitcoin::Network;
use fundtrace::change;
use fundtrace::simulate::WorldSpec;
use serde_json::Value;

fn fixture() -> String {
    format!("{}/fixtures/btc_regtest_core31", env!("CARGO_MANIFEST_DIR"))
}

fn fundtrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(arguments).output().expect("the command runs")
}

fn succeed(arguments: &[&str]) -> String {
    let output = fundtrace(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(arguments)).unwrap()
}

fn refused(arguments: &[&str], code: i32) -> String {
    let output = fundtrace(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The members of each cluster by its name.
fn clusters(file: &Path) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("address,cluster"));
    let mut clusters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (address, cluster) in lines.map(|line| line.split_once(',').unwrap()) {
        clusters.entry(cluster.into()).or_default().push(address.into());
    }
    clusters
}

#[test]
fn cluster_counts_and_lists_members() {
    let folder = folder("cluster-members");
    let file = folder.join("members.csv");
    let source = [&fixture(), "--network", "regtest"];
    let shown = json(&[&["cluster"], &source[..], &["--json", "--members", &file.display().to_string()]].concat());
    let clusters = clusters(&file);
    assert_eq!(shown["addresses"], 798, "what `info` counts");
    assert_eq!(shown["addresses"], clusters.values().map(Vec::len).sum::<usize>());
    assert_eq!(shown["clusters"], clusters.len());
    let mut sizes: Vec<usize> = clusters.values().map(Vec::len).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(shown["largest"], serde_json::json!(sizes[..10]));
    assert_eq!(shown["rules"], serde_json::json!(["spending"]));
    let used = &shown["rules_used"][0];
    assert_eq!((&used["name"], &used["version"]), (&"spending".into(), &1.into()));
    assert_eq!(used["parameters"], "skipped: coinjoin from 600000 ppm, repeated_outputs/1");
    assert_eq!(
        (&shown["fundtrace"], &shown["input"]["network"]),
        (&env!("CARGO_PKG_VERSION").into(), &"regtest".into())
    );
    assert_eq!(shown["input"]["sha256"].as_str().unwrap().len(), 64);
    assert!(shown["input"]["tip_height"].is_u64() && shown["input"]["height_unknown_left_out"] == 0);
    assert!(shown["left_out"]["spends_skipped"].is_u64());
    assert!(sizes[0] > 2);
    // A cluster is named by its first member.
    assert!(clusters.iter().all(|(name, members)| *name == members[0]));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside the file");

    let more = json(&[&["cluster"], &source[..], &["--json", "--rules", "same_key,spending"]].concat());
    assert_eq!(more["rules"], serde_json::json!(["spending", "same_key"]));
    assert!(more["clusters"].as_u64() <= shown["clusters"].as_u64());
    assert_eq!((&shown["coinjoin"], &more["coinjoin"]), (&"skip".into(), &"skip".into()));
    let every: Vec<&str> =
        change::Rule::ALL.iter().map(|rule| rule.as_str()).filter(|name| *name != "nothing").collect();
    for name in every {
        let with = json(&[&["cluster"], &source[..], &["--json", "--rules", &format!("{name},spending")]].concat());
        assert_eq!(with["rules"], serde_json::json!(["spending", name]));
        assert!(with["clusters"].as_u64() <= shown["clusters"].as_u64());
    }
    for name in ["votes", "votes_in_hindsight"] {
        let rules = format!("spending,{name}");
        let with = json(&[&["cluster"], &source[..], &["--json", "--rules", &rules]].concat());
        assert_eq!(with["rules"], serde_json::json!(["spending", name]));
        assert!(with["clusters"].as_u64() < shown["clusters"].as_u64());
        let votes = &with["left_out"]["votes"][0];
        assert_eq!((&votes["rule"], &votes["growth_limit"]), (&name.into(), &5.into()));
        assert!(votes["merges"].as_u64() > Some(0) && votes["agreeing"].is_u64());
    }
    // In this chain one ordinary payment spends a coin without need, and so does the payjoin.
    let payjoin = json(&[&["cluster"], &source[..], &["--json", "--payjoin", "skip"]].concat());
    assert_eq!((&shown["payjoin"], &payjoin["payjoin"]), (&"keep".into(), &"skip".into()));
    assert!(payjoin["clusters"].as_u64() > shown["clusters"].as_u64());
    let early = json(&[&["cluster"], &source[..], &["--json", "--as-of", "100"]].concat());
    assert!(early["addresses"].as_u64() < shown["addresses"].as_u64());
    assert!(succeed(&[&["cluster"], &source[..]].concat()).contains("clusters "));
}

#[test]
fn what_is_not_understood_is_refused_and_leaves_no_file() {
    let folder = folder("cluster-refused");
    let source = fixture();
    let base = ["cluster", &source, "--network", "regtest"];
    let message = refused(&[&base[..], &["--rules", "spendin"]].concat(), 2);
    assert!(
        message.contains(
            "unknown rule \"spendin\"; known are spending, same_key, votes, votes_in_hindsight, address_reuse, "
        ),
        "{message}"
    );
    let table = folder.join("members.xlsx");
    let message = refused(&[&base[..], &["--members", &table.display().to_string()]].concat(), 2);
    assert!(message.contains(".csv or .parquet"), "{message}");
    refused(&[&base[..], &["--coinjoin", "maybe"]].concat(), 2);
    for name in ["absent/members.csv", "absent/members.parquet"] {
        let absent = folder.join(name);
        let message = refused(&[&base[..], &["--members", &absent.display().to_string()]].concat(), 1);
        assert!(message.contains(name), "{message}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn explain_names_the_transactions() {
    let folder = folder("cluster-explain");
    let file = folder.join("members.csv");
    let source = [&fixture(), "--network", "regtest"];
    succeed(&[&["cluster"], &source[..], &["--members", &file.display().to_string()]].concat());
    let clusters = clusters(&file);
    let members = clusters.values().max_by_key(|members| members.len()).unwrap();
    let (from, to) = (&members[0], members.last().unwrap());
    let shown = json(&["explain", &fixture(), from, to, "--network", "regtest", "--json"]);
    assert_eq!((&shown["same_cluster"], &shown["addresses_of_cluster"]), (&true.into(), &members.len().into()));
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["from"], &steps[steps.len() - 1]["to"]), (&from.as_str().into(), &to.as_str().into()));
    for step in steps {
        // Anyone can check: the transaction spends from both addresses.
        let tx = json(&["tx", &fixture(), step["txid"].as_str().unwrap(), "--network", "regtest", "--json"]);
        let spends = |who: &Value| tx["inputs"].as_array().unwrap().iter().any(|input| input["address"] == *who);
        assert!(spends(&step["from"]) && spends(&step["to"]));
        assert_eq!((&step["rule"], &step["height"]), (&"spending".into(), &tx["height"]));
    }
    let text = succeed(&["explain", &fixture(), from, to, "--network", "regtest"]);
    assert!(text.contains(steps[0]["txid"].as_str().unwrap()) && text.contains("by rule spending 1"), "{text}");
    assert!(text.starts_with(&format!(
        "{from} and {to} appear to be in one cluster of {} addresses (an inference), joined in ",
        members.len()
    )));
    assert_eq!(
        text.matches("   the only link: ").count(),
        steps.iter().filter(|step| step["only_link"] == true).count()
    );
    let other = clusters.keys().find(|name| *name != from).unwrap();
    let text = succeed(&["explain", &fixture(), from, other, "--network", "regtest"]);
    assert!(text.contains("are not joined by spending (skipped: coinjoin"), "{text}");
    let apart = json(&["explain", &fixture(), from, other, "--network", "regtest", "--json"]);
    assert_eq!((&apart["same_cluster"], &apart["steps"]), (&false.into(), &Value::Null));
    let nobody = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202";
    let message = refused(&["explain", &fixture(), from, nobody, "--network", "regtest"], 1);
    assert!(message.contains("is not in the input"), "{message}");
}

/// The references are defined without a guard; early chains have no CoinJoins, so the default that skips them gives the same.
#[test]
fn the_command_gives_the_references() {
    let folder = folder("cluster-references");
    let chains = [
        (
            "btc_testnet3_0_4000/dev_blk_testnet3_0-451.dat.zst",
            Network::Testnet,
            vec![("spending", 728), ("spending,fresh", 483)],
        ),
        ("btc_mainnet_0_4312/blk00000_0-4312.dat.zst", Network::Bitcoin, vec![("spending", 4_171)]),
    ];
    for (file, network, expected) in chains {
        let Some(chain) = crate::clusters::packed(file, network) else { return };
        let store = folder.join("chain.store");
        let mut bytes = Vec::new();
        chain.write_to(&mut bytes).unwrap();
        std::fs::write(&store, bytes).unwrap();
        for (rules, clusters) in expected {
            for coinjoin in ["skip", "keep"] {
                let shown = json(&[
                    "cluster",
                    &store.display().to_string(),
                    "--rules",
                    rules,
                    "--coinjoin",
                    coinjoin,
                    "--json",
                ]);
                assert_eq!(shown["clusters"], clusters, "{file} {rules} {coinjoin}");
            }
        }
    }
}

/// In a world with Whirlpool and Wasabi rounds the default joins fewer addresses, and a derivation says what was left out.
#[test]
fn coinjoins_are_left_out_unless_kept() {
    let store = folder("cluster-coinjoins").join("chain.store");
    fn is_mix(tx: fundtrace::chain::Tx<'_>) -> bool {
        fundtrace::detect::coinjoin::is_mix(tx, fundtrace::detect::Confidence::from_percent(60))
    }
    // The first small world in which there was a round.
    let mut worlds = (1..).map(|seed| crate::worlds::known(WorldSpec::new(12_000), seed).0);
    let chain = worlds.find(|chain| chain.view().txs().any(is_mix)).unwrap();
    let mut bytes = Vec::new();
    chain.write_to(&mut bytes).unwrap();
    std::fs::write(&store, bytes).unwrap();
    let store = store.display().to_string();
    let clusters = |more: &[&str]| json(&[&["cluster", &store, "--json"], more].concat());
    let (skip, keep) = (clusters(&[]), clusters(&["--coinjoin", "keep"]));
    assert!(skip["clusters"].as_u64() > keep["clusters"].as_u64(), "{skip} {keep}");
    let view = chain.view();
    let mix = view.txs().find(|tx| is_mix(*tx)).unwrap();
    let of = |at: usize| view.address(mix.inputs().nth(at).unwrap().address_index().unwrap()).to_string();
    let kept = json(&["explain", &store, &of(0), &of(1), "--coinjoin", "keep", "--json"]);
    assert_eq!(kept["steps"][0]["parameters"], "nothing skipped");
    let skipped = json(&["explain", &store, &of(0), &of(1), "--json"]);
    assert_eq!(skipped["rules"][0]["parameters"], "skipped: coinjoin from 600000 ppm, repeated_outputs/1");
    let rests_on_it = |step: &Value| step["txid"] == mix.txid().to_string();
    assert!(skipped["steps"].as_array().is_none_or(|steps| !steps.iter().any(rests_on_it)));
}

/// Who spends how much, and who is paid how much.
type Payment<'a> = (&'a [(u8, u64)], &'a [(u8, u64)]);

/// A store of a few transactions at heights from 100: each spends from people so much and pays people so much.
fn store(name: &str, txs: &[Payment<'_>]) -> (String, impl Fn(u8) -> String + use<>) {
    use fundtrace::bitcoin::{Address, Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash, hashes::Hash};
    use fundtrace::chain::{NewInput, NewTx};
    // From 128 on the legacy form of the person 128 less.
    let script = |who: u8| match who {
        128.. => ScriptBuf::new_p2pkh(&fundtrace::bitcoin::PubkeyHash::from_byte_array([who - 128; 20])),
        _ => ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([who; 20])),
    };
    let out = |(who, sat): &(u8, u64)| TxOut { value: Amount::from_sat(*sat), script_pubkey: script(*who) };
    let mut builder = fundtrace::ChainBuilder::new();
    for (number, (from, to)) in (1..).zip(txs) {
        let spend = |(vout, coin)| {
            NewInput::new(OutPoint::new(Txid::from_byte_array([200 + number; 32]), vout)).prevout(out(coin))
        };
        let spends = (0..).zip(from.iter()).map(spend).collect();
        let tx = NewTx::claimed(Txid::from_byte_array([number; 32]), spends, to.iter().map(out).collect());
        builder.insert(tx.height(fundtrace::BlockHeight::from_u32(99 + u32::from(number)))).unwrap();
    }
    let mut bytes = Vec::new();
    builder.finish().unwrap().write_to(&mut bytes).unwrap();
    let path = folder(name).join("chain.store");
    std::fs::write(&path, bytes).unwrap();
    (path.display().to_string(), move |who| Address::from_script(&script(who), Network::Bitcoin).unwrap().to_string())
}

const WITHOUT_IT: &str = "without it the two addresses asked about are not in one cluster";
const AS_WELL: &str = "not the only link";

/// Two payments to one payee, and the vote names the same change in both: neither is the only link.
#[test]
fn a_vote_is_never_the_only_link() {
    let payment = ([(1, 60_000), (2, 70_000)], [(3, 10_001), (4, 119_001)]);
    let (one, two) = (payment, payment);
    let (file, address) = store("explain-votes", &[(&one.0, &one.1), (&two.0, &two.1)]);
    let found = json(&["cluster", &file, "--rules", "spending,votes", "--json"]);
    let merged = [3, 4].into_iter().filter(|who| {
        let explain = ["explain", &file, &address(1), &address(*who), "--rules", "spending,votes"];
        let shown = json(&[&explain[..], &["--json"]].concat());
        if shown["same_cluster"] != true {
            return false;
        }
        let step = &shown["steps"].as_array().unwrap()[shown["steps"].as_array().unwrap().len() - 1];
        assert_eq!((&step["rule"], &step["only_link"]), (&"votes".into(), &Value::Null));
        // What both payments name hangs by neither.
        assert_eq!(step["link"], "several_made");
        assert!(
            step["ballot"]["votes_for"].as_u64() >= Some(3) && !step["ballot"]["votes"].as_array().unwrap().is_empty()
        );
        let text = succeed(&explain);
        assert!(text.contains("votes   ") && text.contains(" ppm)"), "{text}");
        assert!(!text.contains(WITHOUT_IT) && !text.contains(AS_WELL), "{text}");
        true
    });
    assert!(merged.count() > 0, "{found}");
}

/// Without the first payment the second's change would be another output: nobody may say that it is the only link.
#[test]
fn of_rules_on_change_nothing_is_said_for_sure() {
    let txs: [Payment<'_>; 3] = [
        (&[(1, 1_000)], &[(2, 400), (3, 500)]),
        (&[(4, 1_000)], &[(5, 400), (2, 500)]),
        (&[(4, 1_000)], &[(5, 400), (3, 500)]),
    ];
    let (file, address) = store("explain-fresh", &txs);
    let text = succeed(&["explain", &file, &address(4), &address(5), "--rules", "spending,fresh"]);
    assert!(
        text.contains("the only inference among those made: without this transaction the rules might say otherwise")
    );
    assert!(!text.contains(WITHOUT_IT), "{text}");
}

#[test]
fn evidence_that_rests_on_clusters_says_so() {
    let txs: [Payment<'_>; 2] = [(&[(1, 1_000), (2, 1_000)], &[(3, 1_900)]), (&[(1, 1_000)], &[(2, 400), (4, 500)])];
    let (file, address) = store("explain-circular", &txs);
    for rule in ["cluster_member", "two_hops"] {
        let rules = format!("spending,{rule}");
        let explain = ["explain", &file, &address(1), &address(2), "--rules", &rules];
        let text = succeed(&explain);
        assert!(text.contains("by rule spending 1") && !text.contains(AS_WELL) && !text.contains(WITHOUT_IT), "{text}");
        let shown = json(&[&explain[..], &["--json"]].concat());
        let told = shown["rules"][1]["parameters"].as_str().unwrap();
        assert!(told.contains("clusters=spending 1 (skipped: coinjoin from 600000 ppm"), "{told}");
    }
}

#[test]
fn one_key_is_no_link_of_a_transaction() {
    let txs: [Payment<'_>; 2] = [(&[(1, 1_000)], &[(135, 400), (2, 500)]), (&[(3, 1_000)], &[(7, 400), (4, 500)])];
    let (file, address) = store("explain-key", &txs);
    let text = succeed(&["explain", &file, &address(7), &address(135), "--rules", "same_key"]);
    assert!(text.contains("rests on no transaction") && !text.contains("only link"), "{text}");
}

#[test]
fn what_kept_two_addresses_apart_is_told() {
    // Three people mix equal amounts.
    let coins = [(1, 70_000), (2, 80_000), (3, 90_000)];
    let paid = [(4, 50_000), (5, 50_000), (6, 50_000), (7, 19_000), (8, 29_000), (9, 39_000)];
    let (file, address) = store("explain-skipped", &[(&coins, &paid), (&[(1, 5_000)], &[(10, 4_000)])]);
    let explain = ["explain", &file, &address(1), &address(2)];
    let text = succeed(&explain);
    assert!(text.contains("spends from both and was left out: ") && text.contains("repeated_outputs/1"), "{text}");
    let shown = json(&[&explain[..], &["--json"]].concat());
    assert_eq!(shown["apart"]["skipped"][0]["txid"], "01".repeat(32));
    let counted = json(&["cluster", &file, "--json"]);
    assert_eq!(counted["left_out"]["spends_skipped"], 1);
    assert!(succeed(&["cluster", &file]).contains("left out   1 transactions that spend from several addresses"));
    // What is not there yet is not the same as what is not there.
    let message = refused(&["explain", &file, &address(1), &address(10), "--as-of", "100"], 1);
    assert!(message.contains("is not seen by height 100"), "{message}");
    let beyond = fundtrace(&["cluster", &file, "--as-of", "900"]);
    assert!(String::from_utf8_lossy(&beyond.stderr).contains("the input ends at height 101, below the 900 of --as-of"));
}
