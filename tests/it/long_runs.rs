//! The command's options for long and many runs: bounds, routes, seeds from a file, folders of cases, runs that go on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fundtrace::bitcoin::{Address, Network, ScriptBuf};
use serde_json::{Value, json};

const SEED: &str = "9436dbf0435b15378f309c35754a110db880fa9bb66a062160a25533bb4a212a:0";
const SEIZED: &str = "943f2d576ed8d9f388ba75eb82fe35cce29479b84121827ac368a5a94f44cf7a:1";

fn fundtrace(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = fundtrace(&[args, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

fn colonial() -> String {
    cases().join("colonial-pipeline-2021/transactions.jsonl").display().to_string()
}

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn bounds_and_routes_of_the_seized_output() {
    let result = json(&["trace", &colonial(), "--seed", SEED, "--bounds", "--explain", SEIZED, "--paths-to", SEIZED]);
    let bound = &result["bounds"][0];
    assert_eq!(bound["place"], SEIZED);
    let (least, most) = (bound["least_sat"].as_u64().unwrap(), bound["most_sat"].as_u64().unwrap());
    for run in result["runs"].as_array().unwrap().iter().filter(|run| run["conserving"] == true) {
        let carried = run["carries"].as_array().unwrap().iter().filter(|carry| carry["via"] == SEIZED);
        let passed: u64 = carried.map(|carry| carry["tainted_sat"].as_u64().unwrap()).sum();
        assert!((least..=most).contains(&passed), "{} carries {passed}, not {least} to {most}", run["policy"]);
    }
    assert!(bound["sentence"].as_str().unwrap().starts_with("under every rule that conserves value"));
    let routes = result["routes"].as_array().unwrap();
    assert_eq!(routes.iter().map(|row| row["order"].as_str().unwrap()).collect::<Vec<_>>().len(), 4);
    assert!(routes.iter().all(|row| row["routes"][0]["hops"] == 2 && row["policy"] == "poison"));
    let table =
        fundtrace(&["trace", &colonial(), "--seed", SEED, "--bounds", "--explain", SEIZED, "--paths-to", SEIZED]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("Bounds under every rule") && table.contains("Routes to 943f2d57"));
}

/// A limit cuts each rule elsewhere: the bounds are of runs without.
#[test]
fn bounds_are_of_runs_without_limits() {
    let ask = ["trace", &colonial(), "--seed", SEED, "--bounds", "--explain", SEIZED];
    let whole = json(&ask);
    for limit in [["--max-hops", "1"], ["--min-sat", "7000000000"], ["--max-transactions", "1"]] {
        let cut = json(&[&ask[..], &limit].concat());
        assert_ne!(cut["runs"], whole["runs"], "{limit:?}");
        assert_eq!(cut["bounds"], whole["bounds"], "{limit:?}");
        let table = String::from_utf8(fundtrace(&[&ask[..], &limit].concat()).stdout).unwrap();
        assert!(table.contains("A rule that a limit cut, further up, may hold less"), "{table}");
    }
    assert!(whole["bounds"][0]["sentence"].as_str().unwrap().contains("followed without limits"));
}

#[test]
fn what_the_format_cannot_show_is_refused() {
    let refused = |args: &[&str], why: &str| {
        let output = fundtrace(&[&["trace", &colonial(), "--seed", SEED], args].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(why), "{args:?}");
    };
    refused(&["--bounds"], "no output is named with --explain");
    for format in ["csv", "csv-edges", "dot", "graphml"] {
        refused(
            &["--bounds", "--explain", SEIZED, "--format", format],
            "--bounds goes with the formats table and json",
        );
        refused(&["--paths-to", SEIZED, "--format", format], "--paths-to goes with the formats table and json");
    }
}

/// Backward from the seized output: under FIFO what forward takes there from the seed is what comes from it.
#[test]
fn backward_from_the_seized_output() {
    let result = json(&["trace", &colonial(), "--seed", SEIZED, "--direction", "backward", "--policy", "fifo,tiho"]);
    assert_eq!((&result["runs"][0]["policy"], &result["runs"][1]["policy"]), (&"fifo".into(), &"reverse_tiho".into()));
    for run in result["runs"].as_array().unwrap() {
        let sum: u64 = run["balance"].as_object().unwrap().values().map(|sat| sat.as_u64().unwrap()).sum();
        assert_eq!(run["asked_sat"], sum);
    }
    let end = result["runs"][0]["ends"].as_array().unwrap().iter().find(|end| end["origin"] == SEED).unwrap();
    assert_eq!(end["from_sat"], 6_146_816_619_u64);
    let table = fundtrace(&["trace", &colonial(), "--seed", SEIZED, "--direction", "backward"]);
    assert!(String::from_utf8(table.stdout).unwrap().contains("an upper bound"));
    let refused = fundtrace(&["trace", &colonial(), "--seed", SEIZED, "--direction", "backward", "--bounds"]);
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn seeds_from_a_file() {
    let folder = folder("seeds_from_a_file");
    let file = folder.join("seeds.txt");
    std::fs::write(&file, format!("# the ransom\n\n{SEED}=ransom\n")).unwrap();
    let listed = json(&["trace", &colonial(), "--seeds", file.to_str().unwrap(), "--policy", "fifo"]);
    assert_eq!(listed, json(&["trace", &colonial(), "--seed", &format!("{SEED}=ransom"), "--policy", "fifo"]));
    // Some editors begin a file with a byte order mark.
    std::fs::write(&file, format!("\u{feff}{SEED}=ransom\n")).unwrap();
    assert_eq!(listed, json(&["trace", &colonial(), "--seeds", file.to_str().unwrap(), "--policy", "fifo"]));
    std::fs::write(&file, "# the ransom\nnonsense\n").unwrap();
    let refused = fundtrace(&["trace", &colonial(), "--seeds", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("seeds.txt, line 2: "));
}

#[test]
fn a_folder_of_cases_gives_one_summary() {
    let folder = folder("a_folder_of_cases");
    for name in ["colonial-pipeline-2021", "hydra-deposit-2020"] {
        let case = std::fs::read_to_string(cases().join(name).join("case.toml")).unwrap();
        let here = cases().join(name).display().to_string();
        let absolute = case.replace("\"transactions.jsonl\"", &format!("\"{here}/transactions.jsonl\""));
        assert_ne!(absolute, case);
        std::fs::write(folder.join(format!("{name}.toml")), absolute).unwrap();
    }
    let rows = json(&["trace", "--jobs", folder.to_str().unwrap(), "--policy", "fifo,poison"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let sum: u64 = ["ends_sat", "fees_sat", "burned_sat", "displaced_sat", "truncated_sat"]
            .iter()
            .map(|column| row[column].as_u64().unwrap())
            .sum();
        assert!(row["conserving"] == false || row["seeded_sat"] == sum, "{row}");
    }
    let case = folder.join("colonial-pipeline-2021.toml");
    let one = json(&["trace", "--case", case.to_str().unwrap(), "--policy", "fifo"]);
    assert_eq!(one["runs"][0]["balance"]["ends_sat"], rows[0]["ends_sat"]);
    let table = fundtrace(&["trace", "--jobs", folder.to_str().unwrap()]);
    assert!(String::from_utf8(table.stdout).unwrap().contains("Poison is an upper bound"));
    std::fs::remove_file(case).unwrap();
    std::fs::remove_file(folder.join("hydra-deposit-2020.toml")).unwrap();
    assert_eq!(fundtrace(&["trace", "--jobs", folder.to_str().unwrap()]).status.code(), Some(1));
}

/// A simulated chain as a store, and the height of its tip.
fn simulated(folder: &Path) -> (String, u64) {
    let world = folder.join("world");
    let world = world.to_str().unwrap();
    let made = fundtrace(&["simulate", "--txs", "1000", "--seed", "1", "--out", world, "--as", "store"]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let mut found = std::fs::read_dir(world).unwrap().map(|entry| entry.unwrap().path());
    let store = found.find(|path| path.extension().is_some_and(|extension| extension == "store")).unwrap();
    let store = store.to_str().unwrap().to_owned();
    let tip = json_of(&fundtrace(&["info", &store, "--json"]))["tip_height"].as_u64().unwrap();
    (store, tip)
}

#[test]
fn a_run_goes_on_where_its_file_says() {
    let folder = folder("a_run_goes_on");
    let file = folder.join("watch");
    let file = file.to_str().unwrap();
    let (store, tip) = simulated(&folder);
    let store = store.as_str();
    let seed = first_coinbase(store);
    let (half, tip) = ((tip / 2).to_string(), tip.to_string());
    let step = |as_of: &str| {
        json(&["trace", store, "--seed", &seed, "--policy", "haircut", "--as-of", as_of, "--resume", file])
    };
    let begun = step(&half);
    assert_eq!((&begun["resumed_from"], begun["height"].to_string()), (&Value::Null, half.clone()));
    let gone_on = step(&tip);
    assert_eq!((gone_on["resumed_from"].to_string(), gone_on["height"].to_string()), (half, tip.clone()));
    assert!(!gone_on["alerts"].as_array().unwrap().is_empty());
    let whole = json(&["trace", store, "--seed", &seed, "--policy", "haircut", "--as-of", &tip]);
    assert_eq!(gone_on["balance"], whole["runs"][0]["balance"]);
    let other = fundtrace(&["trace", store, "--seed", &seed, "--policy", "fifo", "--resume", file]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8(other.stderr).unwrap().contains("another rule"));
}

/// An address that receives again has one more seed, and the run goes on.
#[test]
fn a_run_goes_on_when_its_address_receives_again() {
    let folder = folder("an_address_receives_again");
    let file = folder.join("watch");
    let (store, tip) = simulated(&folder);
    let chain = fundtrace::Chain::from_bytes(std::fs::read(&store).unwrap()).unwrap();
    let (view, half) = (chain.view(), fundtrace::BlockHeight::from_u32(u32::try_from(tip / 2).unwrap()));
    let again = |output: &fundtrace::chain::Output<'_>| {
        let to = view.outputs_to(output.script().unwrap());
        output.tx().height() < Some(half) && to.iter().any(|other| view.output(other).tx().height() > Some(half))
    };
    let mut paid = view.txs().flat_map(|tx| tx.outputs()).filter(|output| output.address().is_some());
    let address = paid.find(again).unwrap().address().unwrap();
    let (seed, half) = (format!("{address}@0-{tip}"), half.to_string());
    let args = ["trace", &store, "--seed", &seed, "--policy", "fifo"];
    let watched = [&args[..], &["--resume", file.to_str().unwrap()]].concat();
    let begun = json(&[&watched[..], &["--as-of", &half]].concat());
    let gone_on = json(&watched);
    assert_eq!(gone_on["resumed_from"].to_string(), half);
    assert!(gone_on["seeded_sat"].as_u64() > begun["seeded_sat"].as_u64());
    assert_eq!(gone_on["balance"], json(&args)["runs"][0]["balance"]);
    for (option, value, told) in [("--policy", "lifo", "another rule"), ("--fees", "coinbase", "other conventions")] {
        let mut other: Vec<&str> = watched.iter().copied().filter(|arg| !["--policy", "fifo"].contains(arg)).collect();
        other.extend([option, value]);
        if option != "--policy" {
            other.extend(["--policy", "fifo"]);
        }
        let refused = fundtrace(&other);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8(refused.stderr).unwrap().contains(told));
    }
}

/// A link stays a link, permissions stay, and an error names the file that was asked for.
#[cfg(unix)]
#[test]
fn a_state_file_stays_what_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("a_state_file_stays");
    let (store, _) = simulated(&folder);
    let seed = first_coinbase(&store);
    let (file, link) = (folder.join("watch"), folder.join("link"));
    let args = ["trace", &store, "--seed", &seed, "--policy", "haircut", "--resume"];
    json(&[&args[..], &[file.to_str().unwrap()]].concat());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    json(&[&args[..], &[link.to_str().unwrap()]].concat());
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    let missing = folder.join("missing/watch").display().to_string();
    let refused = fundtrace(&[&args[..], &[&missing]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains(&missing) && !told.contains("partial") && !told.contains(".tmp"), "{told}");
}

/// What nobody was shown is not written down as told.
#[test]
fn alerts_that_were_not_shown_are_new_next_time() {
    let folder = folder("alerts_that_were_not_shown");
    let file = folder.join("watch");
    let (store, tip) = simulated(&folder);
    let (half, seed) = ((tip / 2).to_string(), first_coinbase(&store));
    let args = ["trace", &store, "--seed", &seed, "--policy", "haircut", "--resume", file.to_str().unwrap()];
    assert_eq!(fundtrace(&[&args[..], &["--format", "csv"]].concat()).status.code(), Some(1));
    assert!(!file.exists());
    json(&[&args[..], &["--as-of", &half]].concat());
    let begun = std::fs::read(&file).unwrap();
    assert_eq!(fundtrace(&[&args[..], &["--format", "csv"]].concat()).status.code(), Some(1));
    assert!(std::fs::read(&file).unwrap() == begun);
    // Where every write fails.
    #[cfg(target_os = "linux")]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(args).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(1));
        assert!(std::fs::read(&file).unwrap() == begun);
    }
    assert!(!json(&args)["alerts"].as_array().unwrap().is_empty());
    assert!(std::fs::read(&file).unwrap() != begun);
}

fn json_of(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An output of the first block that anybody spends from.
fn first_coinbase(store: &str) -> String {
    let chain = fundtrace::Chain::from_bytes(std::fs::read(store).unwrap()).unwrap();
    let view = chain.view();
    let spent = view.txs().flat_map(|tx| tx.outputs()).find(|output| output.spender().is_some()).unwrap();
    spent.outpoint().to_string()
}

const UNCLAIMED: &str = "5043649d99d2c9950a1315c50860735a80d6ac02020dec0a59083f1ec22628cc";
const STOLEN: &str = "0000000000000000000000000000000000000000000000000000000000000002:0";
const PAID: &str = "00142222222222222222222222222222222222222222";

/// A block whose coinbase claims 100 of the 500 satoshis of a transaction's fee; that transaction's `status` is given.
fn unclaimed(status: &Value) -> String {
    let confirmed = json!({
        "confirmed": true, "block_height": 5, "block_time": 1_600_000_005,
        "block_hash": "000000000000000000000000000000000000000000000000000000000abc0005",
    });
    let spent = |last: u32| {
        json!({
            "txid": format!("{last:064}"), "vout": 0, "scriptsig": "", "sequence": 0, "is_coinbase": false,
            "prevout": { "scriptpubkey": "00141111111111111111111111111111111111111111", "value": 1000 },
        })
    };
    let made = |sat: u64| json!([{ "scriptpubkey": PAID, "value": sat }]);
    let new = json!([{
        "txid": format!("{:064}", 0), "vout": u32::MAX, "prevout": null, "is_coinbase": true, "scriptsig": "0401000000",
        "sequence": u32::MAX,
    }]);
    json!([
        { "txid": "c2833484e00f870f18f0e5be5d0a3a77bde4cc7cc66143930c08c82d1a1e5893", "version": 1, "locktime": 0,
          "vin": new, "vout": made(5_000_000_100), "size": 100, "weight": 400, "fee": 0, "status": confirmed },
        { "txid": UNCLAIMED, "version": 1, "locktime": 0, "vin": [spent(1), spent(2)], "vout": made(1500), "size": 100,
          "weight": 400, "fee": 500, "status": if status.is_null() { &confirmed } else { status } },
    ])
    .to_string()
}

fn case(head: &str, seed: &str) -> String {
    format!("network = \"regtest\"\npolicies = [\"fifo\"]\n{head}\n[[seed]]\nat = \"{seed}\"\nlabel = \"x\"\n")
}

fn refused(args: &[&str]) -> String {
    let output = fundtrace(args);
    assert_ne!(output.status.code(), Some(0), "{args:?}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// What an option cannot do it does not do silently, and says so before it reads what is not even there.
#[test]
fn what_jobs_and_backward_runs_cannot_do_is_told_at_once() {
    let folder = folder("jobs_and_backward");
    let jobs = folder.to_str().unwrap();
    assert!(refused(&["trace", "--jobs", jobs, "--direction", "backward"]).contains("--jobs goes forward only"));
    assert!(refused(&["trace", "--jobs", jobs, "--max-paths", "2"]).contains("--max-paths"));
    assert!(refused(&["trace", "--jobs", jobs, "--format", "csv"]).contains("formats table and json"));
    let backward = ["trace", "absent.json", "--seed", SEED, "--direction", "backward"];
    assert!(refused(&[&backward[..], &["--format", "csv"]].concat()).contains("formats table and json"));
    assert!(refused(&[&backward[..], &["--bounds"]].concat()).contains("goes with none of"));
}

/// Over one input the cases are read as each of them is alone, or not at all.
#[test]
fn cases_over_one_input_are_read_as_each_is_alone() {
    let folder = folder("cases_over_one_input");
    let (input, cases) = (folder.join("input.json"), folder.join("cases"));
    std::fs::write(&input, unclaimed(&Value::Null)).unwrap();
    std::fs::create_dir(&cases).unwrap();
    let (input, jobs, one) = (input.to_str().unwrap(), cases.to_str().unwrap(), cases.join("a.toml"));
    std::fs::write(&one, case("complete = [5, 5]\nfees = \"coinbase\"", STOLEN)).unwrap();
    let alone = json(&["trace", input, "--case", one.to_str().unwrap()]);
    let rows = json(&["trace", input, "--jobs", jobs]);
    for key in ["ends_sat", "fees_sat", "burned_sat"] {
        assert_eq!(alone["runs"][0]["balance"][key], rows[0][key], "{key}");
    }
    assert_eq!(rows[0]["burned_sat"], 400);
    assert_eq!((&rows[0]["fees"], rows[0]["input_sha256"].is_string()), (&"coinbase".into(), true));
    std::fs::write(cases.join("b.toml"), case("", STOLEN)).unwrap();
    let error = refused(&["trace", input, "--jobs", jobs]);
    assert!(error.contains("a.toml and") && error.contains("differ in `complete`"), "{error}");
    assert_eq!(json(&["trace", input, "--jobs", jobs, "--complete", "5-5"]).as_array().unwrap().len(), 2);
    std::fs::write(cases.join("b.toml"), case("complete = [5, 5]", STOLEN).replace("regtest", "signet")).unwrap();
    assert!(refused(&["trace", input, "--jobs", jobs]).contains("differ in `network`"));
}

/// A case that fails takes no other with it, and cases of one title, or of none, are told apart by their files.
#[test]
fn a_case_that_fails_is_a_row() {
    let folder = folder("a_case_that_fails");
    std::fs::write(folder.join("input.json"), unclaimed(&Value::Null)).unwrap();
    let good = case("title = \"\"\ninput = [\"input.json\"]", STOLEN);
    std::fs::write(folder.join("a.toml"), &good).unwrap();
    std::fs::write(folder.join("b.toml"), good.replace("input.json", "absent.json")).unwrap();
    std::fs::write(folder.join("c.toml"), "no case").unwrap();
    std::fs::write(folder.join("d.toml"), &good).unwrap();
    std::fs::create_dir(folder.join("e.toml")).unwrap();
    let (jobs, input) = (folder.to_str().unwrap(), folder.join("input.json"));
    for (given, bad) in [(&[][..], 2), (&[input.to_str().unwrap()], 1)] {
        let run = |format| fundtrace(&[&["trace", "--jobs", jobs, "--format", format], given].concat());
        let (output, table) = (run("json"), run("table"));
        assert_eq!((output.status.code(), table.status.code()), (Some(1), Some(1)));
        assert!(String::from_utf8(output.stderr).unwrap().contains(&format!("{bad} of 4 cases failed")));
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.iter().filter(|row| row["error"].is_string()).count(), bad);
        for (row, file) in rows.iter().zip(["a.toml", "b.toml", "c.toml", "d.toml"]) {
            assert_eq!(row["file"], file);
        }
        assert_eq!((&rows[0]["ends_sat"], &rows[3]["ends_sat"]), (&500.into(), &500.into()));
        let table = String::from_utf8(table.stdout).unwrap();
        for named in ["a.toml: \n", "d.toml: \n", "c.toml\n  error: ", "unseeded"] {
            assert!(table.contains(named), "{named:?} is not in\n{table}");
        }
    }
}

/// What an address received at a height that nobody knows is no seed; every direction says so.
#[test]
fn outputs_left_out_of_a_seed_are_told() {
    let folder = folder("left_out");
    let input = folder.join("input.json");
    std::fs::write(&input, unclaimed(&json!({ "confirmed": false }))).unwrap();
    let script = ScriptBuf::from_hex(PAID).unwrap();
    let seed = format!("{}@5-5", Address::from_script(&script, Network::Regtest).unwrap());
    let cases = folder.join("cases");
    std::fs::create_dir(&cases).unwrap();
    std::fs::write(cases.join("a.toml"), case("input = [\"../input.json\"]", &seed)).unwrap();
    let (input, jobs) = (input.to_str().unwrap(), cases.to_str().unwrap());
    let backward =
        ["trace", input, "--network", "regtest", "--seed", &seed, "--direction", "backward", "--policy", "fifo"];
    let left_out = json!([format!("{UNCLAIMED}:0")]);
    assert_eq!(json(&backward)["left_out"], left_out);
    assert_eq!(json(&["trace", "--jobs", jobs])[0]["left_out"], left_out);
    for args in [&backward[..], &["trace", "--jobs", jobs]] {
        let table = String::from_utf8(fundtrace(args).stdout).unwrap();
        assert!(table.contains(&format!("left out, its height is unknown: {UNCLAIMED}:0")), "{table}");
    }
}
