//! The command with stores and block files, run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const TIP: &str = "7d957e4d27271b1ee97938bd7a1789ddc480c4dc13ac54b3ad9f7f1282e3c1da";

fn fixture() -> String {
    format!("{}/fixtures/btc_regtest_core31", env!("CARGO_MANIFEST_DIR"))
}

fn fundtrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(arguments).output().expect("the command runs")
}

fn succeed(arguments: &[&str]) -> String {
    let output = fundtrace(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "quiet where there is no terminal: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fail(arguments: &[&str]) -> String {
    let output = fundtrace(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(arguments)).unwrap()
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fundtrace-stores-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn indexed(folder: &Path) -> String {
    let store = folder.join("chain.store").display().to_string();
    succeed(&["index", &fixture(), "--out", &store, "--network", "regtest"]);
    store
}

#[test]
fn index_info_and_verify() {
    let folder = folder("info");
    let store = indexed(&folder);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["chain.store"], "nothing is left beside the store");
    assert!(succeed(&["verify", &store]).starts_with("sound: 537 transactions"));
    let info = json(&["info", &store, "--json"]);
    assert_eq!(info, json(&["info", &fixture(), "--network", "regtest", "--json"]));
    let expected = serde_json::json!({
        "blocks": 228, "txs": 537, "inputs": 434, "outputs": 1180, "addresses": 798, "unspent_outputs": 517,
        "unspent_sat": 940_000_000_000_u64, "fees_sat": 1_375_218, "tip_height": 227, "tip_hash": TIP, "stale_blocks": 2,
        "outputs_by_type": {"p2pk": 6, "op_return": 228, "p2pkh": 177, "p2sh": 213, "p2wpkh": 327, "p2tr": 225, "multisig": 1, "p2wsh": 3},
    });
    assert_eq!(info, expected);
    assert!(succeed(&["info", &store]).contains("tip height       227"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_shown_names_its_neighbours() {
    let folder = folder("look");
    let store = indexed(&folder);
    let fanout = "53a3df765d203d640871bada1845f11693bdacc5d5e65e02a94c983546d1cf04";
    let tx = json(&["tx", &store, fanout, "--json"]);
    assert_eq!((tx["inputs"].as_array().unwrap().len(), tx["outputs"].as_array().unwrap().len()), (2, 11));
    assert_eq!(tx["height"], 127);
    let spent = tx["outputs"].as_array().unwrap().iter().find(|output| output["fate"] == "spent").unwrap();
    let outpoint = spent["outpoint"].as_str().unwrap();
    let output = json(&["output", &store, outpoint, "--json"]);
    assert_eq!((&output["spent_by"], &output["tx"]["txid"]), (&spent["spent_by"], &Value::from(fanout)));
    let address = json(&["address", &store, output["address"].as_str().unwrap(), "--json"]);
    let outputs = address["outputs"].as_array().unwrap();
    assert!(outputs.iter().any(|output| output["outpoint"] == outpoint));
    // The spender's input names the output.
    let spender = json(&["tx", &store, output["spent_by"].as_str().unwrap(), "--json"]);
    assert!(spender["inputs"].as_array().unwrap().iter().any(|input| input["spends"] == outpoint));
    assert!(fail(&["tx", &store, &"00".repeat(32)]).contains("is not in the input"));
    assert!(fail(&["tx", &store, fanout, "--as-of", "126"]).contains("is not in the input"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_trace_of_the_store_is_the_trace_of_its_source() {
    let folder = folder("trace");
    let store = indexed(&folder);
    let seed = "53a3df765d203d640871bada1845f11693bdacc5d5e65e02a94c983546d1cf04:2=theft";
    let of_store = succeed(&["trace", &store, "--seed", seed, "--format", "json", "--fees", "coinbase"]);
    let of_blocks =
        ["trace", &fixture(), "--network", "regtest", "--seed", seed, "--format", "json", "--fees", "coinbase"];
    assert_eq!(of_store, succeed(&of_blocks));
    let result: Value = serde_json::from_str(&of_store).unwrap();
    assert_eq!(result["manifest"]["input"]["prevouts_proven"], 434);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn appending_is_indexing_at_once() {
    let folder = folder("append");
    let whole = indexed(&folder);
    let part = folder.join("part.store").display().to_string();
    succeed(&["index", &fixture(), "--out", &part, "--network", "regtest", "--to", "150"]);
    assert_eq!(json(&["info", &part, "--json"])["blocks"], 151);
    succeed(&["index", &fixture(), "--out", &part, "--append"]);
    assert_eq!(std::fs::read(&whole).unwrap(), std::fs::read(&part).unwrap());
    let again = fundtrace(&["index", &fixture(), "--out", &part, "--append"]);
    assert!(again.status.success());
    assert!(String::from_utf8(again.stderr).unwrap().contains("nothing to add"));
    assert!(
        fail(&["index", &fixture(), "--out", &part, "--append", "--network", "signet"]).contains("the store is of")
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn mistakes_are_told_with_their_remedy() {
    let folder = folder("mistakes");
    let store = indexed(&folder);
    let lone = folder.join("blk00000.dat");
    std::fs::copy(Path::new(&fixture()).join("blk00000.dat"), &lone).unwrap();
    let out = folder.join("none.store").display().to_string();
    let index = |source: &str, network: &str| fail(&["index", source, "--out", &out, "--network", network]);
    assert!(index(&folder.display().to_string(), "regtest").contains("put the node's blocks/xor.dat beside it"));
    assert!(index(&fixture(), "mainnet").contains("say --network regtest"));
    assert!(!Path::new(&out).exists());
    assert!(fail(&["trace", &store, "--network", "signet", "--seed", &format!("{TIP}:0")]).contains("not of signet"));
    let mut bytes = std::fs::read(&store).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&store, bytes).unwrap();
    assert!(fail(&["verify", &store]).contains("damaged in column"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// `simulate` and `eval`: the same bytes again, in every shape, and nothing where it is refused.
#[test]
fn worlds_are_made_and_scored() {
    let folder = folder("worlds");
    let at = |name: &str| folder.join(name).display().to_string();
    let simulate = |name: &str, shape: &str| {
        succeed(&["simulate", "--txs", "3000", "--seed", "9", "--out", &at(name), "--as", shape])
    };
    let card = simulate("a", "store");
    assert!(card.starts_with("calibration") && card.contains("two outputs "), "{card}");
    assert_eq!(
        [simulate("b", "store"), simulate("c", "blk"), simulate("d", "raw")],
        [card.clone(), card.clone(), card]
    );
    let bytes = |name: &str, file: &str| std::fs::read(folder.join(name).join(file)).unwrap();
    for file in ["chain.store", "truth.jsonl", "world.json"] {
        assert!(bytes("a", file) == bytes("b", file), "{file}");
    }
    assert!(
        bytes("c", "truth.jsonl") == bytes("a", "truth.jsonl")
            && bytes("d", "truth.jsonl") == bytes("a", "truth.jsonl")
    );
    let names: Vec<_> = std::fs::read_dir(folder.join("a")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "nothing else is left: {names:?}");

    let scores = succeed(&["eval", &at("a")]);
    assert!(scores.contains("not a known error rate on the real chain") && scores.contains("| tiho |"), "{scores}");
    assert_eq!(succeed(&["eval", &at("c")]), scores);
    let truth = at("a/truth.jsonl");
    assert_eq!(succeed(&["eval", "--chain", &at("a/chain.store"), "--truth", &truth]), scores);
    let rows = json(&["eval", &at("a"), "--json"]);
    assert_eq!(rows["rows"].as_array().map(Vec::len), Some(7));

    let full = fail(&["simulate", "--txs", "10", "--seed", "1", "--out", &at("a")]);
    assert!(full.contains("not empty"), "{full}");
    let none = fail(&["eval", &at("nowhere")]);
    assert!(none.contains("nowhere") && none.contains("fundtrace simulate"), "{none}");
    // The truth of another chain.
    succeed(&["simulate", "--txs", "1", "--seed", "10", "--out", &at("e")]);
    let other = fail(&["eval", "--chain", &at("e/chain.store"), "--truth", &truth]);
    assert!(other.contains("truth.jsonl"), "{other}");
    let fly = fundtrace(&["simulate", "--txs", "10", "--seed", "1", "--out", &at("f"), "--theft", "split 3, fly"]);
    assert_eq!(fly.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&fly.stderr).contains("whirlpool N"));
    std::fs::remove_dir_all(folder).unwrap();
}
