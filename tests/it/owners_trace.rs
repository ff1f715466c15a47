//! Traces between owners: every engine against the obvious way, sums that stay, and the command's reports.

use fundtrace::cluster::{self, Clusters, Evidence, Rule};
use fundtrace::report::{self, Report};
use fundtrace::spec;
use fundtrace::taint::Rule as Taint;
#[cfg(feature = "simulate")]
use fundtrace::trace::Engine;
use fundtrace::trace::{self, Options, Owners, Reason, Trace, Via, stop};
use fundtrace::{AddressIndex, BlockHeight, OutputIndex, TxIndex, View};
use proptest::prelude::*;

use crate::mini::{Mini, StopRow, name_of_outpoint, outpoint, seed};
use crate::random::{FIRST, case};
use crate::reach::{ENGINES, same};

/// Addresses dealt into `groups` clusters by chance; with 0 each is by itself.
fn dealt(view: View<'_>, groups: u64, chance: u64) -> Clusters {
    let group = |at: u32| (u64::from(at) + 1).wrapping_mul(chance | 1).rotate_left(17) % groups.max(1);
    let count = u32::try_from(view.addresses_seen()).unwrap();
    let mut last = std::collections::BTreeMap::new();
    let mut pairs: Vec<(TxIndex, AddressIndex, AddressIndex)> = Vec::new();
    for at in (0..count).filter(|_| groups > 0) {
        if let Some(before) = last.insert(group(at), at) {
            pairs.push((TxIndex::from_u32(0), AddressIndex::from_u32(before), AddressIndex::from_u32(at)));
        }
    }
    Evidence::of_pairs(view, Rule::new("dealt", 1), pairs).clusters()
}

/// The hops of every touched output, from what was carried and nothing else.
fn obvious(trace: &Trace<'_>, owners: &Owners<'_>) -> Vec<(OutputIndex, u32)> {
    let seeds: Vec<OutputIndex> = trace.seeds().iter().map(|seed| seed.output).collect();
    let mut hops: Vec<(OutputIndex, u32)> = Vec::new();
    let of = |hops: &[(OutputIndex, u32)], output| hops.iter().find(|(at, _)| *at == output).unwrap().1;
    let mut touched: Vec<OutputIndex> = trace.touched().iter().map(|touch| touch.output).collect();
    // A block's coinbase is paid last, by fees of transactions that stand after it.
    let coinbase = |output: &OutputIndex| trace.view().output(*output).tx().is_coinbase();
    let height = |output: &OutputIndex| trace.view().output(*output).tx().height();
    touched.sort_by_key(|output| (seeds.contains(output), *output));
    let mut open: std::collections::VecDeque<OutputIndex> = touched.into();
    while let Some(output) = open.pop_front() {
        if seeds.contains(&output) {
            hops.push((output, 0));
            continue;
        }
        let into = |tx: TxIndex| trace.carries().iter().filter(move |carry| carry.to == tx);
        let tx = trace.view().output(output).tx();
        let mut from: Vec<OutputIndex> = Vec::new();
        for carry in into(tx.index()) {
            match carry.via {
                Via::Output(output) => from.push(output),
                Via::Fee(payer) => from.extend(into(payer).filter_map(|carry| match carry.via {
                    Via::Output(output) => Some(output),
                    _ => None,
                })),
                _ => unreachable!(),
            }
        }
        if from.iter().any(|output| !hops.iter().any(|(at, _)| at == output)) {
            assert!(coinbase(&output) || height(&output).is_none() || !open.is_empty());
            open.push_back(output);
            continue;
        }
        let least = from.iter().map(|output| of(&hops, *output)).min().expect("something brought the taint");
        hops.push((output, least + u32::from(!owners.is_inside(trace.view().output(output)))));
    }
    hops.sort_unstable();
    hops
}

fn inside(trace: &Trace<'_>) -> Vec<(OutputIndex, u64)> {
    trace.inside_transfers().iter().map(|transfer| (transfer.output, transfer.amount.to_sat())).collect()
}

fn check(
    view: View<'_>,
    seeds: &[trace::Seed],
    stops: &[StopRow],
    options: &Options,
    owners: &Owners<'_>,
) -> Result<u64, TestCaseError> {
    let stop = StopRow::all(stops);
    let mut transfers = 0;
    for rule in Taint::ALL {
        let between = rule.forward_between(view, seeds, &*stop, options, owners);
        let hops: Vec<_> = between.touched().iter().map(|touch| (touch.output, touch.hops)).collect();
        prop_assert_eq!(hops, obvious(&between, owners));
        let seeded = |output| between.seeds().iter().any(|seed| seed.output == output);
        let stays = between.touched().iter().filter(|touch| owners.is_inside(view.output(touch.output)));
        let stays: Vec<_> = stays.filter(|touch| !seeded(touch.output)).collect();
        prop_assert_eq!(inside(&between), stays.iter().map(|t| (t.output, t.amount.to_sat())).collect::<Vec<_>>());
        for engine in ENGINES {
            let reach = match stops {
                // Where nothing may stop the engines stream, but not between owners.
                [] => trace::reach_between(engine, view, seeds, rule, &stop::never(), options, owners),
                _ => trace::reach_between(engine, view, seeds, rule, &*stop, options, owners),
            };
            same(&reach, &between)?;
            prop_assert_eq!(reach.inside(), between.inside());
        }
        transfers += between.inside().unwrap().transfers;
        let held: u64 = between.holdings(owners).iter().map(|holding| holding.amount.to_sat()).sum();
        prop_assert_eq!(held, between.ends().iter().map(|end| end.amount.to_sat()).sum::<u64>());
        // A limit on hops cuts elsewhere; nothing else does.
        if !stops.iter().any(|stop| matches!(stop, StopRow::Hops(_))) {
            let plain = rule.forward(view, seeds, &*stop, options);
            prop_assert!(plain.inside().is_none() && plain.inside_transfers().is_empty());
            let ends = |trace: &Trace<'_>| -> Vec<_> {
                let ends = trace.ends().iter().cloned();
                ends.map(|end| (end.output, end.amount, end.by_source, end.reason)).collect()
            };
            prop_assert_eq!(ends(&between), ends(&plain));
            prop_assert_eq!((between.balance(), between.balances()), (plain.balance(), plain.balances()));
            prop_assert_eq!((between.fees(), between.burned()), (plain.fees(), plain.burned()));
            prop_assert_eq!((between.displaced(), between.carries()), (plain.displaced(), plain.carries()));
            prop_assert!(between.ends().iter().zip(plain.ends()).all(|(between, plain)| between.hops <= plain.hops));
        }
    }
    Ok(transfers)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engines_agree_between_owners(case in case(false), groups in 0..4_u64, guarded in any::<bool>()) {
        let chain = case.chain();
        let cut = BlockHeight::from_u32(FIRST + u32::try_from(case.spare % 4).unwrap());
        let guard = |tx: fundtrace::chain::Tx<'_>| guarded && tx.outputs().len() == 3;
        for view in [chain.view(), chain.as_of(cut)] {
            let clusters = dealt(view, groups, case.spare);
            let owners = Owners::new(&clusters, vec![Rule::new("dealt", 1)]).guard(&guard);
            let seeds = case.seeds(view);
            for stops in [&case.stops[..], &[], &[StopRow::Hops(1)]] {
                check(view, &seeds, stops, &case.options, &owners)?;
            }
        }
    }
}

fn rules() -> Vec<Rule> {
    vec![Rule::new("spending", 1).parameters("coinjoin=skip")]
}

/// Ann pays from two addresses with change to the first, then moves all to her other address, then pays Bob.
const ANN: &str = "
    a @5: loot:0=60/ann1 own:0=40/ann2 -> 70/ann1 30/shop
    b @6: a:0 -> 70/ann2
    c @7: b:0 -> 50/bob 20/ann1
    d @8: c:0 -> 50/bob2
";

fn ends(trace: &Trace<'_>) -> Vec<(String, u64, u32)> {
    let name = |end: &trace::End| name_of_outpoint(trace.view().output(end.output).outpoint());
    trace.ends().iter().map(|end| (name(end), end.amount.to_sat(), end.hops)).collect()
}

fn rows(rows: &[(&str, u64, u32)]) -> Vec<(String, u64, u32)> {
    rows.iter().map(|(name, sat, hops)| ((*name).to_owned(), *sat, *hops)).collect()
}

#[test]
fn a_thief_who_pays_himself_makes_no_hop() {
    let chain = Mini::new(ANN).chain();
    let view = chain.view();
    let clusters = cluster::by_spending(view, |_| false);
    let owners = Owners::new(&clusters, rules());
    let seeds = [seed(view, "loot:0=theft")];
    let plain = Taint::Fifo.forward(view, &seeds, &stop::never(), &Options::default());
    let between = Taint::Fifo.forward_between(view, &seeds, &stop::never(), &Options::default(), &owners);
    assert_eq!(ends(&plain), rows(&[("c:1", 10, 3), ("d:0", 50, 4)]));
    assert_eq!(ends(&between), rows(&[("c:1", 10, 0), ("d:0", 50, 2)]));
    // a:0, b:0 and c:1 stay with Ann: 60, 60 and 10 of taint.
    let inside = between.inside().unwrap();
    assert_eq!((inside.transfers, inside.taint_sat), (3, 130));
    let path = &between.paths(between.ends()[1].output, trace::PathLimits::default()).paths[0];
    assert_eq!((path.moves(), path.steps.len()), (2, 5));
    let told = path.explain_with(&between, &owners).to_string();
    let lines: Vec<&str> = told.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["0", "0", "0", "1", "2"]);
    let ann = view.address(owners.of(view.output(seeds[0].output)).unwrap().name);
    assert_eq!(told.matches("no move: payer and payee are one cluster under spending 1 (coinjoin=skip)").count(), 2);
    assert_eq!(told.matches(&format!("appears to be of {ann}")).count(), 3);
    // One move is enough to leave Ann's cluster and not to leave Bob's.
    let between = Taint::Fifo.forward_between(view, &seeds, &stop::hops(1), &Options::default(), &owners);
    assert_eq!(ends(&between), rows(&[("c:0", 50, 1), ("c:1", 10, 0)]));
    assert_eq!(between.ends()[0].reason, Reason::Hops);
    let to = view.output_at(outpoint("d:0")).unwrap().index();
    let between = Taint::Fifo.forward_between(view, &seeds, &stop::never(), &Options::default(), &owners);
    let found = between.routes(&[to], &trace::route::RouteOptions::default());
    assert_eq!(found.routes[0].hops, 2);
    let held: Vec<_> = between.holdings(&owners).iter().map(|held| (held.amount.to_sat(), held.hops)).collect();
    assert_eq!(held, [(50, 2), (10, 0)]);
}

#[test]
fn what_is_not_of_one_payer_is_a_move() {
    // `m` spends from Ann and Eve, who are not joined; `n` from Ann and another.
    let text = "
        m @5: loot:0=60/ann eve:0=40/eve -> 60/ann 40/eve
        n @6: m:0 bare:0=10/genesis -> 60/ann 10/shop
    ";
    let chain = Mini::new(text).chain();
    let view = chain.view();
    let seeds = [seed(view, "loot:0=theft")];
    let hops = |clusters: &Clusters, guard: &(dyn Fn(fundtrace::chain::Tx<'_>) -> bool + Sync)| {
        let owners = Owners::new(clusters, rules()).guard(guard);
        let trace = Taint::Fifo.forward_between(view, &seeds, &stop::never(), &Options::default(), &owners);
        (trace.ends()[0].hops, trace.inside().unwrap().transfers)
    };
    let apart = cluster::by_spending(view, |_| true);
    assert_eq!(hops(&apart, &|_| false), (2, 0), "two payers, then two again");
    let joined = cluster::by_spending(view, |_| false);
    assert_eq!(hops(&joined, &|_| false), (0, 2), "who keeps mixes takes all for one");
    // Joined by others, but the guard says that several sign here: a mix is never one person's transfer.
    assert_eq!(hops(&joined, &|tx| tx.txid() == crate::mini::txid("m")), (1, 1));
}

#[test]
fn a_script_without_an_address_has_no_owner() {
    use fundtrace::bitcoin::{Amount, ScriptBuf, TxOut};
    use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    let bare = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
    let mut builder = ChainBuilder::new();
    let spend = NewInput::new(outpoint("loot:0")).prevout(bare(5));
    builder.insert(NewTx::claimed(crate::mini::txid("a"), vec![spend], vec![bare(3), bare(2)])).unwrap();
    let chain = builder.finish().unwrap();
    let view = chain.view();
    let clusters = cluster::by_spending(view, |_| false);
    let owners = Owners::new(&clusters, rules());
    let seeds = [seed(view, "loot:0=theft")];
    let trace = Taint::Haircut.forward_between(view, &seeds, &stop::never(), &Options::default(), &owners);
    assert!(trace.ends().iter().all(|end| end.hops == 1) && trace.inside_transfers().is_empty());
    let holdings = trace.holdings(&owners);
    assert_eq!((holdings.len(), holdings[0].owner, holdings[0].outputs.len()), (1, None, 2));
}

#[test]
fn every_format_names_owners_and_their_rules() {
    let chain = Mini::new(ANN).chain();
    let view = chain.view();
    let clusters = cluster::by_spending(view, |_| false);
    let owners = Owners::new(&clusters, rules());
    let seeds = [seed(view, "loot:0=theft")];
    let rules = [Taint::Fifo, Taint::Poison];
    let run = |entities: bool| match entities {
        true => spec::run_between(view, &seeds, &rules, &stop::never(), &Options::default(), &owners),
        false => spec::run(view, &seeds, &rules, &stop::never(), &Options::default()),
    };
    let ann = view.address(owners.of(view.output(seeds[0].output)).unwrap().name).to_string();
    for entities in [true, false] {
        let traces = run(entities);
        let to = [traces[0].ends()[1].output];
        let report = Report::new(&traces).unwrap().routes_to(&to).explain(&to).owners(&owners).unwrap();
        let mut bytes = Vec::new();
        report::json::write(&report, &mut bytes).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["manifest"]["owners"]["entities"], entities);
        let spending = serde_json::json!([{"name": "spending", "version": 1, "parameters": "coinjoin=skip"}]);
        assert_eq!(json["manifest"]["owners"]["rules"], spending);
        let run = &json["runs"][0];
        assert_eq!(run["inside"]["tainted_sat"], if entities { serde_json::json!(130) } else { ().into() });
        let of_ann = serde_json::json!({"cluster": ann, "addresses": 2});
        assert_eq!((&run["ends"][0]["owner"], &run["carries"][0]["owner"]), (&of_ann, &of_ann));
        assert_eq!(
            run["owners"][1],
            serde_json::json!({"owner": of_ann, "tainted_sat": 10, "ends": 1, "hops": if entities { 0 } else { 3 }})
        );
        assert_eq!(json["paths"][0]["paths"][0]["steps"][1]["owner"], of_ann);
        assert_eq!(json["routes"][0]["routes"][0]["steps"][0]["owner"], of_ann);
        let spread = json["spread"].as_array().unwrap();
        let ending = |name: &str| spread.iter().find(|row| row["outpoint"] == outpoint(name).to_string()).unwrap();
        assert_eq!(ending("c:1")["owner"], of_ann);
        assert_ne!(ending("d:0")["owner"], of_ann);
        let mut dot = Vec::new();
        report::dot::write(&report, &mut dot).unwrap();
        assert!(String::from_utf8(dot).unwrap().contains(&format!("appears to be of {ann}")));
    }
    let plain = run(false);
    let mut bytes = Vec::new();
    report::json::write(&Report::new(&plain).unwrap(), &mut bytes).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("owner"), "nothing is inferred that nobody asked for");
    let mixed = [run(true).remove(0), run(false).remove(1)];
    assert!(Report::new(&mixed).unwrap_err().is_spec());
}

/// A chain that would be streamed goes another way between owners, and the same.
#[cfg(feature = "simulate")]
#[test]
fn a_world_is_traced_alike_between_owners() {
    let chain = crate::worlds::chain(3_000);
    let view = chain.view();
    let clusters = cluster::by_spending(view, |_| false);
    let owners = Owners::new(&clusters, rules());
    let seeds = crate::reach::coinbases(view);
    for rule in [Taint::Haircut, Taint::Fifo] {
        let plain = rule.forward_between(view, &seeds, &stop::never(), &Options::default(), &owners);
        assert!(plain.inside().unwrap().transfers > 100);
        for engine in [Engine::Auto, Engine::Sparse, Engine::Dense] {
            let reach = trace::reach_between(engine, view, &seeds, rule, &stop::never(), &Options::default(), &owners);
            same(&reach, &plain).unwrap();
            assert_eq!(reach.inside(), plain.inside());
        }
    }
}

#[cfg(feature = "cli")]
mod command {
    use std::process::Command;

    use serde_json::Value;

    fn run(arguments: &[&str]) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_fundtrace")).args(arguments).output().expect("the command runs")
    }

    fn text(arguments: &[&str]) -> String {
        let output = run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn case() -> String {
        format!("{}/fixtures/cases/whirlpool-2019/case.toml", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn trace_shows_owners_and_counts_between_them() {
        let case = case();
        let trace = |more: &[&str]| -> Value {
            let base = ["trace", "--case", &case, "--format", "json"];
            serde_json::from_str(&text(&[&base[..], more].concat())).unwrap()
        };
        let (plain, owners) = (trace(&[]), trace(&["--owners", "spending"]));
        let entities = trace(&["--owners", "spending,same_key", "--coinjoin", "keep", "--entities"]);
        assert_eq!(plain["manifest"]["owners"], Value::Null);
        let rule = &owners["manifest"]["owners"]["rules"][0];
        assert_eq!(
            (&rule["name"], &rule["parameters"]),
            (&"spending".into(), &"skipped: coinjoin from 600000 ppm, repeated_outputs/1".into())
        );
        let payjoin = trace(&["--owners", "spending", "--payjoin", "skip"]);
        let told = payjoin["manifest"]["owners"]["rules"][0]["parameters"].as_str().unwrap();
        assert!(told.ends_with(", unnecessary_input/1"), "{told}");
        let rules = entities["manifest"]["owners"]["rules"].as_array().unwrap();
        assert_eq!((rules.len(), &rules[0]["parameters"]), (2, &"nothing skipped".into()));
        for (one, other) in plain["runs"].as_array().unwrap().iter().zip(entities["runs"].as_array().unwrap()) {
            assert_eq!((&one["balance"], &one["by_source"]), (&other["balance"], &other["by_source"]));
            assert_eq!(one["inside"], Value::Null);
            assert!(other["inside"]["sentence"].as_str().unwrap().contains("not counted as moves, under spending 1"));
        }
        let table = text(&["trace", "--case", &case, "--owners", "spending", "--entities"]);
        assert!(table.contains(
            "owners  inferred by spending 1 (skipped: coinjoin from 600000 ppm, repeated_outputs/1); what stays"
        ));
        assert!(table.contains("An owner is an inference"));
        for (format, mark) in [
            ("csv", ",owner,owner_addresses,owner_rules,entities,policy_version"),
            ("csv-edges", ",owner,owner_addresses,"),
        ] {
            let csv = text(&["trace", "--case", &case, "--owners", "spending", "--format", format]);
            assert!(csv.lines().next().unwrap().contains(mark));
            assert!(csv.contains(",\"spending 1 (skipped: coinjoin from 600000 ppm, repeated_outputs/1)\",false,"));
            let columns = csv.lines().next().unwrap().split(',').position(|name| name == "owner").unwrap();
            assert!(
                csv.lines()
                    .skip(1)
                    .any(|line| line.split(',').nth(columns).is_some_and(|owner| owner.starts_with("bc1")))
            );
        }
        let graphml = text(&["trace", "--case", &case, "--owners", "spending", "--format", "graphml"]);
        assert!(graphml.contains("<data key=\"owner\">") && graphml.contains("attr.name=\"owner\""));
    }

    #[test]
    fn owners_are_refused_where_they_cannot_be_shown() {
        let case = case();
        for more in [
            &["--entities"][..],
            &["--coinjoin", "keep"],
            &["--owners", "nonsense"],
            &["--owners", "spending", "--direction", "backward"],
            &["--owners", "spending", "--resume", "x"],
        ] {
            assert!(!run(&[&["trace", "--case", &case][..], more].concat()).status.success(), "{more:?}");
        }
    }

    #[test]
    fn members_are_the_same_as_csv_and_as_parquet() {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        use parquet::record::RowAccessor;
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("members-parquet");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let source = format!("{}/fixtures/btc_regtest_core31", env!("CARGO_MANIFEST_DIR"));
        let [csv, columns] = ["m.csv", "m.parquet"].map(|name| folder.join(name).display().to_string());
        for file in [&csv, &columns] {
            text(&["cluster", &source, "--network", "regtest", "--members", file]);
        }
        let file = SerializedFileReader::new(std::fs::File::open(&columns).unwrap()).unwrap();
        let named: Vec<String> = file
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|column| column.name().into())
            .collect();
        assert_eq!(named, ["address", "cluster"]);
        let mut lines = vec![named.join(",")];
        for row in file.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            lines.push(format!("{},{}", row.get_string(0).unwrap(), row.get_string(1).unwrap()));
        }
        assert_eq!(std::fs::read_to_string(&csv).unwrap(), lines.join("\n") + "\n");
        assert!(lines.len() > 700);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside the files");
    }
}
