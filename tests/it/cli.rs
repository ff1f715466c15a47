//! The command `fundtrace`, run as a user runs it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SEED: &str = "9436dbf0435b15378f309c35754a110db880fa9bb66a062160a25533bb4a212a:0";
const SEIZED: &str = "943f2d576ed8d9f388ba75eb82fe35cce29479b84121827ac368a5a94f44cf7a:1";
const THEFT: &str = "975ec405ac9dc9fa5ab8009d94d6a1fe31dff8a8127ea90d023104e52754e4d7";

fn case(file: &str) -> String {
    format!("{}/fixtures/cases/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn colonial() -> String {
    case("colonial-pipeline-2021/transactions.jsonl")
}

fn fundtrace(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn fundtrace_on(input: &[u8], args: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fundtrace"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may refuse its arguments before it reads; then the pipe is closed already.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = fundtrace(&[args, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder of this test's own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn json_of_all_rules_has_the_documented_shape() {
    let result = json(&["trace", &colonial(), "--seed", SEED, "--as-of", "686683", "--policy", "all"]);
    assert_eq!(result["manifest"]["view"]["as_of"], 686_683);
    let runs = result["runs"].as_array().unwrap();
    let names: Vec<&str> = runs.iter().map(|run| run["policy"].as_str().unwrap()).collect();
    assert_eq!(names, ["poison", "haircut", "fifo", "lifo", "seniority", "juniority", "tiho"]);
    let expected =
        [6_369_996_546_u64, 5_828_829_111, 6_146_816_619, 6_145_827_297, 5_779_577_823, 6_369_007_224, 6_369_996_546];
    for (run, expected) in runs.iter().zip(expected) {
        let balance = run["balance"].as_object().unwrap();
        let mut keys: Vec<&str> = balance.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["burned_sat", "displaced_sat", "ends_sat", "fees_sat", "truncated_sat"]);
        if run["policy"] != "poison" {
            let accounted: u64 = balance.values().map(|sat| sat.as_u64().unwrap()).sum();
            assert_eq!(run["seeded_sat"], accounted);
        }
        let end = run["ends"].as_array().unwrap().iter().find(|end| end["outpoint"] == SEIZED).unwrap();
        assert_eq!(end["tainted_sat"], expected);
        assert_eq!(end["value_sat"], 6_369_996_546_u64);
        assert_eq!(end["by_source"][SEED], expected);
        assert_eq!(end["hops"], 2);
        assert_eq!(end["reason"], "unknown_spender");
        assert!(end["address"].as_str().unwrap().starts_with("bc1q"));
    }
    let spread = result["spread"].as_array().unwrap().iter().find(|end| end["outpoint"] == SEIZED).unwrap();
    assert_eq!((&spread["least_sat"], &spread["most_sat"]), (&5_779_577_823_u64.into(), &6_369_996_546_u64.into()));
}

#[test]
fn both_forms_of_a_case_give_one_result() {
    let run = |file: &str| {
        let mut seeds = Vec::new();
        let split = "c03acb80562302248f8be621e765315345a85cd3856bf49583e97b0428342908";
        for vout in [29, 21, 26, 23, 24, 25] {
            seeds.extend(["--seed".to_owned(), format!("{split}:{vout}=DMM")]);
        }
        let mut args: Vec<&str> = vec!["trace", file, "--policy", "all"];
        args.extend(seeds.iter().map(String::as_str));
        json(&args)
    };
    let (raw, esplora) = (run(&case("dmm-2024/transactions.jsonl")), run(&case("dmm-2024/esplora.json")));
    assert_eq!(raw["runs"], esplora["runs"]);
    assert_eq!(raw["runs"][0]["ends"][0]["outpoint"], format!("{THEFT}:0"));
    assert_eq!(esplora["manifest"]["input"]["transactions_proven"], 2);
}

#[test]
fn a_case_file_reproduces_the_run_byte_for_byte() {
    let by_case = fundtrace(&["trace", "--case", &case("colonial-pipeline-2021/case.toml"), "--format", "json"]);
    assert_eq!(by_case.status.code(), Some(0), "{}", message(&by_case));
    let again = fundtrace(&["trace", "--case", &case("colonial-pipeline-2021/case.toml"), "--format", "json"]);
    assert_eq!(by_case.stdout, again.stdout);
    let result: Value = serde_json::from_slice(&by_case.stdout).unwrap();
    let label = result["manifest"]["seeds"][0]["label"].as_str().unwrap();
    let by_flags = json(&["trace", &colonial(), "--seed", &format!("{SEED}={label}"), "--as-of", "686683"]);
    assert_eq!(result, by_flags);
}

#[test]
fn every_case_file_runs() {
    for entry in std::fs::read_dir(case("")).unwrap() {
        let file = entry.unwrap().path().join("case.toml");
        if file.exists() {
            for format in ["table", "json", "dot", "graphml", "csv", "csv-edges"] {
                let output = fundtrace(&["trace", "--case", file.to_str().unwrap(), "--format", format]);
                assert_eq!(output.status.code(), Some(0), "{}: {}", file.display(), message(&output));
                assert!(!output.stdout.is_empty());
                assert!(output.stderr.is_empty());
            }
        }
    }
}

#[test]
fn the_command_line_wins_over_the_case_file() {
    let file = case("colonial-pipeline-2021/case.toml");
    let result = json(&["trace", "--case", &file, "--policy", "lifo,fifo,lifo", "--max-hops", "1"]);
    assert_eq!(result["runs"].as_array().unwrap().len(), 2);
    assert_eq!(result["runs"][0]["policy"], "lifo");
    let run = &result["runs"][0];
    assert_eq!(run["ends"][0]["reason"], "hops");
    assert_eq!(run["balance"]["truncated_sat"], run["seeded_sat"]);
    assert_eq!(run["balance"]["ends_sat"], 0);
}

#[test]
fn standard_input_and_directories_are_inputs() {
    let bytes = std::fs::read(colonial()).unwrap();
    let output = fundtrace_on(&bytes, &["trace", "-", "--seed", SEED, "--policy", "fifo", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    let from_stdin: Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = case("colonial-pipeline-2021");
    assert_eq!(from_stdin, json(&["trace", &folder, "--seed", SEED, "--policy", "fifo"]));
}

#[test]
fn seeds_by_transaction_and_by_address() {
    let result = json(&["trace", &colonial(), "--policy", "fifo", "--seed", SEIZED.split(':').next().unwrap()]);
    assert_eq!(result["manifest"]["seeds"][0]["outputs"].as_object().unwrap().len(), 2);
    let address = "bc1qpx7vyv5tp7dm0g475ev527krg764t73dh77gls";
    let seed = format!("{address}@686683-686683=seized");
    let result = json(&["trace", &colonial(), "--policy", "fifo", "--seed", &seed]);
    assert_eq!(result["manifest"]["seeds"][0]["outputs"][SEIZED], 6_369_996_546_u64);
    let later = fundtrace(&["trace", &colonial(), "--seed", &format!("{address}@1-2")]);
    assert_eq!(later.status.code(), Some(1));
    assert!(message(&later).contains(address));
}

#[test]
fn a_flipped_bit_is_refused_with_both_txids() {
    let text = std::fs::read_to_string(case("dmm-2024/transactions.jsonl")).unwrap();
    let line = text.lines().find(|line| line.contains(&format!("\"txid\":\"{THEFT}\""))).unwrap();
    // The last hex digit before the lock time is the value of nothing else: flip one bit in the lock time.
    let flipped = line.replacen("00000000\",\"prevouts\"", "01000000\",\"prevouts\"", 1);
    assert_ne!(flipped, line);
    let output = fundtrace_on(flipped.as_bytes(), &["trace", "-", "--seed", &format!("{THEFT}:0")]);
    assert_eq!(output.status.code(), Some(1));
    let message = message(&output);
    let txids: Vec<&str> = message.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64).collect();
    assert_eq!(txids.len(), 2, "{message}");
    assert_eq!(txids[0], THEFT);
    assert_ne!(txids[1], THEFT);
    assert!(output.stdout.is_empty());
}

#[test]
fn data_errors_exit_with_1_and_say_what_and_where() {
    let folder = Folder::new("data_errors");
    let empty = folder.write("empty.jsonl", "");
    let csv = folder.write("table.csv", "txid,vout\n");
    let bad_case = folder.write("bad.toml", "polices = [\"fifo\"]\n");
    for (args, says) in [
        (vec!["trace", "no-such-file.jsonl", "--seed", SEED], "no-such-file.jsonl"),
        (vec!["trace", empty.as_str(), "--seed", SEED], "no transaction"),
        (vec!["trace", csv.as_str(), "--seed", SEED], "not recognised"),
        (vec!["trace", "--case", bad_case.as_str()], "polices"),
        (
            vec![
                "trace",
                colonial().leak(),
                "--seed",
                "aa00000000000000000000000000000000000000000000000000000000000000:0",
            ],
            "not in the input",
        ),
        (vec!["trace", colonial().leak(), "--seed", &SEIZED, "--as-of", "600000"], "above the view"),
    ] {
        let output = fundtrace(&args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", message(&output));
        assert!(message(&output).contains(says), "{args:?}: {}", message(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn command_line_errors_exit_with_2() {
    for args in [
        vec!["trace", "x.jsonl"],
        vec!["trace", "x.jsonl", "--seed", "somewhere"],
        vec!["trace", "x.jsonl", "--seed", SEED, "--policy", "lilo"],
        vec!["trace", "x.jsonl", "--seed", SEED, "--network", "moonnet"],
        vec!["trace", "x.jsonl", "--seed", SEED, "--from", "xml"],
        vec!["trace", "x.jsonl", "--seed", SEED, "--max-hops", "few"],
        vec!["follow"],
        vec![],
    ] {
        let output = fundtrace(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(fundtrace(&["--help"]).status.code(), Some(0));
    assert_eq!(fundtrace(&["--version"]).status.code(), Some(0));
}

#[test]
fn options_without_effect_are_accepted() {
    let plain = json(&["trace", &colonial(), "--seed", SEED, "--policy", "fifo"]);
    let same = json(&[
        "trace",
        &colonial(),
        "--seed",
        SEED,
        "--policy",
        "fifo",
        "--fees",
        "drop",
        "--network",
        "bitcoin",
        "--from",
        "raw",
        "--coinbase-order",
        "subsidy-first",
    ]);
    assert_eq!(plain, same);
    let other = json(&["trace", &colonial(), "--seed", SEED, "--policy", "fifo", "--coinbase-order", "fees-first"]);
    assert_eq!(plain["runs"], other["runs"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fundtrace"))
        .args(["trace", &colonial(), "--seed", SEED, "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(message(&output), "");
}

#[test]
fn formulas_in_labels_are_defused() {
    let seed = format!("{SEED}==HYPERLINK(\"x\")");
    let output = fundtrace(&["trace", &colonial(), "--seed", &seed, "--policy", "fifo", "--format", "csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{text}");
    let rows: Vec<&str> = text.lines().collect();
    let columns = |row: &str| row.split(',').count();
    assert!(rows.iter().all(|row| columns(row) == columns(rows[0])));
}

#[test]
fn evidence_can_be_asked_for() {
    let result =
        json(&["trace", &colonial(), "--seed", SEED, "--as-of", "686683", "--policy", "fifo", "--explain", SEIZED]);
    let paths = &result["paths"][0];
    assert_eq!(paths["to"], SEIZED);
    assert_eq!(paths["limit_hit"], Value::Null);
    assert_eq!(paths["paths"][0]["amount_sat"], 6_146_816_619_u64);
    let steps = paths["paths"][0]["steps"].as_array().unwrap();
    assert_eq!(steps[0]["outpoint"], SEED);
    assert_eq!(steps[2]["outpoint"], SEIZED);
    let table = fundtrace(&["trace", &colonial(), "--seed", SEED, "--as-of", "686683", "--explain", SEIZED]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("How taint came to 943f2d57"));
    assert!(text.contains("5,779,577,823"));
}

#[test]
fn graphs_are_well_formed() {
    let dot = fundtrace(&["trace", &colonial(), "--seed", SEED, "--format", "dot"]);
    let text = String::from_utf8(dot.stdout).unwrap();
    assert_eq!(text.matches('{').count() - text.lines().next().unwrap().matches('{').count(), 1);
    assert!(text.contains("fifo 6370000000"));
    let graphml = fundtrace(&["trace", &colonial(), "--seed", &format!("{SEED}=<&\">"), "--format", "graphml"]);
    let text = String::from_utf8(graphml.stdout).unwrap();
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    assert_eq!(text.matches("<node ").count(), text.matches("</node>").count());
    assert!(!text.contains("<&"));
}

/// A coinbase in the block at height 1, as Esplora tells it less what would prove the txid.
fn lone_coinbase() -> (String, String) {
    let txid = "11".repeat(32);
    let text = format!(
        r#"[{{"txid":"{txid}","vin":[{{"txid":"{}","vout":{},"is_coinbase":true}}],
            "vout":[{{"value":5000000000,"scriptpubkey":"51"}}],"status":{{"confirmed":true,"block_height":1}}}}]"#,
        "00".repeat(32),
        u32::MAX
    );
    (text, format!("{txid}:0"))
}

/// Runs the command, which must fail with this status, print no result and say all of this.
fn refused(args: &[&str], status: i32, says: &[&str]) {
    let output = fundtrace(args);
    let message = message(&output);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}");
    for part in says {
        assert!(message.contains(part), "{args:?}: {part:?} is not in: {message}");
    }
}

#[test]
fn a_dash_in_a_case_file_is_standard_input() {
    let folder = Folder::new("dash");
    let file =
        folder.write("case.toml", format!("input = [\"-\"]\npolicies = [\"fifo\"]\n[[seed]]\nat = \"{SEED}\"\n"));
    let bytes = std::fs::read(colonial()).unwrap();
    let output = fundtrace_on(&bytes, &["trace", "--case", &file, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    let by_case: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(by_case, json(&["trace", &colonial(), "--seed", SEED, "--policy", "fifo"]));
}

#[test]
fn an_empty_page_is_no_failure_but_no_transaction_at_all_is() {
    let folder = Folder::new("empty_page");
    let (text, seed) = lone_coinbase();
    let path = folder.0.to_str().unwrap().to_owned();
    let empty = folder.write("a.json", "[]\n");
    for args in [vec!["trace", path.as_str()], vec!["trace", "--from", "esplora", empty.as_str()]] {
        refused(&[args, vec!["--seed", &seed]].concat(), 1, &["the input holds no transaction"]);
    }
    folder.write("b.json", &text);
    folder.write("c.json", format!("[]\n{text}"));
    let result = json(&["trace", &path, "--seed", &seed, "--policy", "fifo"]);
    assert_eq!(result["manifest"]["input"]["transactions"], 1);
}

#[test]
fn only_a_declaration_of_completeness_makes_an_output_unspent() {
    let folder = Folder::new("complete");
    let (text, seed) = lone_coinbase();
    let input = folder.write("block.json", text);
    let reason = |more: &[&str]| {
        let args = [&["trace", input.as_str(), "--seed", &seed, "--policy", "fifo"], more].concat();
        json(&args)["runs"][0]["ends"][0]["reason"].clone()
    };
    assert_eq!(reason(&[]), "unknown_spender");
    assert_eq!(reason(&["--complete", "1-1"]), "unspent");
    let declared = folder.write("case.toml", "complete = [1, 1]\n");
    assert_eq!(reason(&["--case", &declared]), "unspent");
    let wrong = folder.write("wrong.toml", "complete = [1, 2]\n");
    assert_eq!(reason(&["--case", &wrong, "--complete", "1"]), "unspent");

    let missing = "declared complete from height 1 to 2, but the coinbase of block 2 is missing";
    refused(&["trace", &input, "--seed", &seed, "--complete", "1-2"], 1, &[missing]);
    refused(&["trace", &input, "--seed", &seed, "--case", &wrong], 1, &[missing]);
    let backwards = folder.write("backwards.toml", "complete = [2, 1]\n");
    let says = ["backwards.toml: ", "height 2 is above 1"];
    refused(&["trace", &input, "--seed", &seed, "--case", &backwards], 1, &says);
    refused(&["trace", &input, "--seed", &seed, "--complete", "2-1"], 2, &["height 2 is above 1"]);
    refused(&["trace", &input, "--seed", &seed, "--complete", "all"], 2, &["\"all\" is not a height", "FROM-TO"]);
}

#[test]
fn bad_values_of_a_case_file_name_the_file() {
    let folder = Folder::new("bad_values");
    let input = format!("input = [{:?}]\n", colonial());
    let seed = format!("[[seed]]\nat = \"{SEED}\"\n");
    for (text, says) in [
        (format!("network = \"moonnet\"\n{seed}"), "unknown network \"moonnet\""),
        (format!("policies = [\"lilo\"]\n{seed}"), "unknown policy \"lilo\""),
        ("[[seed]]\nat = \"somewhere\"\n".into(), "seed \"somewhere\""),
        (format!("{input}[[seed]]\nat = \"{}:0\"\n", "ab".repeat(32)), "is not in the input"),
        (input.clone(), "no seed was given"),
        (
            format!("{seed}[[tag]]\naddress = \"bc1qmistyped\"\nlabel = \"x\"\n"),
            "tag \"bc1qmistyped\" is not an address",
        ),
        (format!("title = \"x\"\n{seed}\nlable = \"x\"\n"), "case file, line 5: unknown field `lable`"),
        ("title = \"x\ninput = []\n".into(), "case file, line 1: "),
    ] {
        let file = folder.write("case.toml", &text);
        refused(&["trace", "--case", &file], 1, &[&format!("{file}: "), says]);
        let output = fundtrace(&["trace", "--case", &file]);
        assert_eq!(message(&output).lines().count(), 1, "{}", message(&output));
    }
}

#[test]
fn addresses_that_cannot_be_meant_are_told_apart() {
    let folder = Folder::new("addresses");
    let ours = "bc1qpx7vyv5tp7dm0g475ev527krg764t73dh77gls";
    let input = colonial();
    let seed = format!("{ours}@686683");
    let another = "is an address of another network than testnet";
    let output = fundtrace(&["trace", &input, "--network", "testnet", "--seed", &seed]);
    assert_eq!(output.status.code(), Some(1));
    assert!(message(&output).contains(&format!("seed {seed} {another}")), "{}", message(&output));
    assert!(!message(&output).contains("not in the input"), "{}", message(&output));
    refused(&["trace", &input, "--seed", ours], 2, &["add the heights: ADDRESS@FROM-TO"]);
    let mistyped = ours.replace("qpx7", "qpx8");
    let output = fundtrace(&["trace", &input, "--seed", &format!("{mistyped}@1-2")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains(&format!("{mistyped:?} is not an address;")), "{}", message(&output));
    assert!(!message(&output).contains("base58"), "{}", message(&output));

    let case = format!("network = \"testnet\"\n[[tag]]\naddress = \"{ours}\"\nlabel = \"x\"\n");
    let file = folder.write("case.toml", case);
    refused(&["trace", &input, "--case", &file, "--seed", SEED], 1, &[&format!("{file}: tag {ours} {another}")]);
}

#[test]
fn bad_json_is_told_with_one_line_and_one_column() {
    let (text, seed) = lone_coinbase();
    let esplora = text.replace("5000000000", "\"much\"");
    let raw = format!("\n{{\"txid\":\"{}\",\"hex\":5}}\n", "ab".repeat(32));
    let cut = format!("\n\n{{\"txid\":\"{}\",\"hex\":\"\"\n", "ab".repeat(32));
    for (form, text, says) in [
        ("esplora", &esplora, "-: line 2 column 35: invalid type: string \"much\", expected u64; expected Esplora"),
        ("raw", &raw, "-: line 2 column 82: invalid type: integer `5`, expected a string; expected an object with"),
        ("raw", &cut, "-: line 3 column 83: EOF while parsing an object; expected an object with"),
    ] {
        let output = fundtrace_on(text.as_bytes(), &["trace", "-", "--from", form, "--seed", &seed]);
        assert_eq!(output.status.code(), Some(1));
        assert!(message(&output).contains(says), "{}", message(&output));
        assert_eq!(message(&output).matches("column").count(), 1, "{}", message(&output));
    }
}

#[test]
fn hints_name_the_flags() {
    let folder = Folder::new("hints");
    let csv = folder.write("table.csv", "txid,vout\n");
    refused(&["trace", &csv, "--seed", SEED], 1, &["name the form yourself (--from on the command line)"]);
    refused(&["trace", &csv], 2, &["--seed <SEED[=LABEL]>|--seeds <FILE>|--case <FILE>|--jobs <FOLDER>"]);
    let help = String::from_utf8(fundtrace(&["--help"]).stdout).unwrap();
    assert!(help.contains("under several rules side by side"), "{help}");
    assert!(help.contains("Exit status: 0"), "{help}");
}

#[test]
fn tags_of_the_command_line_stop_beside_those_of_the_case_file() {
    let folder = Folder::new("tags");
    let first = &json(&["trace", &colonial(), "--seed", SEED, "--policy", "fifo"])["runs"][0]["ends"];
    let addresses: Vec<&str> = first.as_array().unwrap().iter().map(|end| end["address"].as_str().unwrap()).collect();
    let [one, two, ..] = addresses[..] else { panic!("{addresses:?}") };
    let case = format!("[[tag]]\naddress = \"{one}\"\nlabel = \"One\"\nsource = \"court filing\"\n");
    let file = folder.write("case.toml", case);
    let tag = format!("{two}=Two=2");
    let args = ["trace", &colonial(), "--seed", SEED, "--policy", "fifo", "--case", &file, "--tag", &tag];
    let result = json(&args);
    let ends = result["runs"][0]["ends"].as_array().unwrap();
    for (address, label) in [(one, "One"), (two, "Two=2")] {
        let end = ends.iter().find(|end| end["address"] == address).unwrap();
        assert_eq!(end["reason"], "tagged");
        assert_eq!(end["tag"]["label"], label);
    }
    assert!(ends.iter().any(|end| end.to_string().contains("command line")), "{ends:?}");

    let input = colonial();
    refused(&["trace", &input, "--seed", SEED, "--tag", "bc1q=x"], 2, &["\"bc1q\" is not an address"]);
    refused(&["trace", &input, "--seed", SEED, "--tag", two], 2, &["write ADDRESS=LABEL"]);
    let says = [&*format!("fundtrace: tag {two} is an address of another network than signet")];
    refused(&["trace", &input, "--seed", SEED, "--network", "signet", "--tag", &tag], 1, &says);
}

#[test]
fn detect_prints_one_finding_a_line() {
    let folder = Folder::new("detect");
    // Five by five of a pool's amount.
    let output = |n: u32, sat: u64| serde_json::json!({"value": sat, "scriptpubkey": format!("0014{n:040x}")});
    let vin: Vec<Value> = (0..5_u32)
        .map(|n| serde_json::json!({"txid": "11".repeat(32), "vout": n, "prevout": output(n, 1_000_000 + 300 * u64::from(n))}))
        .collect();
    let vout: Vec<Value> = (5..10).map(|n| output(n, 1_000_000)).collect();
    let tx = serde_json::json!({"txid": "22".repeat(32), "version": 2, "locktime": 0, "vin": vin, "vout": vout,
        "status": {"confirmed": true, "block_height": 600_000}});
    let input = folder.write("mix.json", tx.to_string());
    let run = |args: &[&str]| {
        let output = fundtrace(&[&["detect", input.as_str(), "--from", "esplora"], args].concat());
        (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), message(&output))
    };
    let (code, out, error) = run(&["--json"]);
    assert_eq!(code, Some(0), "{error}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let first = &lines[0];
    assert!(first["txid"].is_string());
    assert_eq!((&first["kind"], &first["protocol"]), (&Value::from("coinjoin"), &Value::from("whirlpool")));
    assert_eq!((&first["rule"], &first["verdict"]), (&Value::from("whirlpool/1"), &Value::from("yes")));
    assert_eq!(first["confidence"], 950_000);
    assert_eq!(first["features"]["entrants"], 4);
    assert_eq!(first["features"]["denominations_sat"], serde_json::json!([1_000_000]));
    assert_eq!(lines[1]["rule"], "whirlpool_lineage/2");
    assert_eq!(lines[1]["verdict"], "undecided");
    // It rests on nothing, so it is no surer than the form.
    assert_eq!((&lines[1]["confidence"], &lines[1]["features"]["rests_on"]), (&950_000.into(), &serde_json::json!([])));
    assert!(out.starts_with("{\"txid\":"));
    // A veto, other kinds, an earlier height, words.
    let veto = folder.write("veto.txt", format!("# known\n{}\n", first["txid"].as_str().unwrap()));
    assert!(run(&["--json", "--veto", &veto]).1.contains("\"listed/1\",\"verdict\":\"no\""));
    assert_eq!(run(&["--json", "--only", "dust,swap"]).1, "");
    assert_eq!(run(&["--json", "--as-of", "599999"]).1, "");
    assert!(run(&[]).1.ends_with("2 findings in 1 transactions\n"));
    assert_eq!(run(&["--only", "coin"]).0, Some(2));
    let bad = folder.write("bad.txt", "# none\n12");
    for option in ["--allow", "--veto", "--anchors"] {
        assert!(run(&[option, &bad]).2.contains("bad.txt, line 2: \"12\" is no txid"));
    }
    // A coordinator's list makes a mix of what the rules say nothing about.
    let vin = serde_json::json!([{"txid": "33".repeat(32), "vout": 0, "prevout": output(20, 50_000)}]);
    let tx = serde_json::json!({"txid": "44".repeat(32), "version": 2, "locktime": 0, "vin": vin, "vout": [output(21, 49_000)],
        "status": {"confirmed": true, "block_height": 600_000}});
    let (plain, allow) = (folder.write("plain.json", tx.to_string()), folder.write("allow.txt", "44".repeat(32)));
    let listed = fundtrace(&["detect", &plain, "--from", "esplora", "--json", "--allow", &allow]);
    let said: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&said["rule"], &said["verdict"]), (&Value::from("listed/1"), &Value::from("yes")));
}
