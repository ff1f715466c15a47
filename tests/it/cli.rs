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
