//! Real thefts against figures worked out elsewhere. The data lie outside the project: `FUNDTRACE_DATA` names their folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::{Amount, Network, OutPoint, Txid};
use fundtrace::chain::{ChainBuilder, Spent};
use fundtrace::source::{Form, read};
use fundtrace::taint::{Haircut, Taint};
use fundtrace::trace::{self, Options, Reason, stop};
use fundtrace::{BlockHeight, Chain};
use serde_json::Value;

use crate::mini::{each_rule, sat};

/// The folder of the cases, or a word that the test was skipped.
fn cases() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("FUNDTRACE_DATA") else {
        println!("skipped: FUNDTRACE_DATA is not set");
        return None;
    };
    Some(Path::new(&folder).join("cases_btc"))
}

fn chain(path: &Path) -> Chain {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(Form::of(&bytes).unwrap(), Form::Raw);
    let mut builder = ChainBuilder::new().network(Network::Bitcoin);
    for tx in read(Form::Raw, &bytes[..]) {
        builder.insert(tx.unwrap()).unwrap();
    }
    builder.finish().unwrap()
}

fn expectations(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("golden_expectations.json")).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn colonial_pipeline_is_traced_to_the_seizure_as_worked_out_by_hand() {
    let Some(folder) = cases() else { return };
    let golden = &expectations(&folder)["colonial"];
    let chain = chain(&folder.join("colonial_2021.jsonl"));
    let counts = chain.counts();
    assert_eq!((counts.transactions, counts.transactions_proven), (10, 10));
    let height = BlockHeight::from_u32(u32::try_from(number(golden, "as_of_height")).unwrap());
    let view = chain.as_of(height);
    let seed: OutPoint = text(golden, "seed_outpoint").parse().unwrap();
    let seizure: Txid = text(golden, "seizure_tx").parse().unwrap();
    let consolidation: Txid = text(golden, "consolidation_tx").parse().unwrap();
    let stolen = view.output_at(seed).unwrap();
    assert_eq!(stolen.value(), Some(sat(number(golden, "seed_value"))));
    // The FBI's output and the change are told apart by their values, which the file names.
    let at_fbi = &golden["tainted_sat_in_fbi_output"];
    let fbi = OutPoint::new(seizure, 1);
    assert_eq!(view.output_at(fbi).unwrap().value(), Some(sat(number(at_fbi, "poison"))));
    let outputs: Vec<_> = view.txs().flat_map(|tx| tx.outputs()).collect();
    let change = outputs.iter().find(|output| output.value() == Some(sat(590_422_177))).unwrap().outpoint();
    let at_change = &golden["tainted_sat_in_change_output_590422177"];
    each_rule!(rule => {
        let found = trace::forward(view, &[stolen.seed("theft")], &rule, &stop::never(), &Options::default());
        let held = |outpoint: OutPoint| {
            let output = view.output_at(outpoint).unwrap();
            found.touch(output.index()).map_or(Amount::ZERO, |touch| touch.amount)
        };
        assert_eq!(held(fbi), sat(number(at_fbi, rule.name())), "{} at the seizure", rule.name());
        assert_eq!(held(change), sat(number(at_change, rule.name())), "{} at the change", rule.name());
        for end in found.ends() {
            // The file is a part of the chain, and as of this height shows no spender of either.
            assert_eq!(view.output(end.output).spent(), Spent::Unknown);
            assert_eq!(end.reason, Reason::UnknownSpender);
        }
        assert!(rule.name() == "poison" || found.balance().adds_up());
        assert!(view.tx_at(&consolidation).is_some());
    });
    let found = trace::forward(view, &[stolen.seed("theft")], &Haircut, &stop::never(), &Options::default());
    let fees: Vec<u64> = found.fees().iter().map(|fee| fee.amount.to_sat()).collect();
    let expected: Vec<u64> =
        golden["haircut_fees"].as_array().unwrap().iter().map(|fee| fee.as_u64().unwrap()).collect();
    assert_eq!(fees, expected);
}

#[test]
fn dmm_bitcoin_lost_what_was_spent_less_the_fee() {
    let Some(folder) = cases() else { return };
    let golden = &expectations(&folder)["dmm"];
    let chain = chain(&folder.join("dmm_2024.jsonl"));
    let theft: Txid = text(golden, "theft_tx").parse().unwrap();
    let split: Txid = text(golden, "split_tx").parse().unwrap();
    let tx = chain.view().tx_at(&theft).unwrap();
    assert_eq!(tx.input_value(), Some(sat(number(golden, "sum_in"))));
    assert_eq!(tx.output_value(), Some(sat(number(golden, "out"))));
    assert_eq!(tx.fee(), Some(sat(number(golden, "fee"))));
    // The split stands before the theft: one of the coins stolen is its output.
    let split = chain.view().tx_at(&split).unwrap();
    assert!(split.outputs().any(|output| output.spender().is_some_and(|spender| spender.txid() == theft)));
    assert!(split.index() < tx.index());
    // Everything that came in is stolen, so every rule divides it alike.
    let seeds: Vec<_> = tx.outputs().map(|output| output.seed("dmm")).collect();
    let mut found = BTreeMap::new();
    each_rule!(rule => {
        let trace = trace::forward(chain.view(), &seeds, &rule, &stop::never(), &Options::default());
        found.insert(rule.name(), trace.ends().iter().map(|end| (end.output, end.amount)).collect::<Vec<_>>());
    });
    assert!(found.values().all(|ends| *ends == found["poison"]), "{found:?}");
}

#[test]
fn every_case_file_is_read_proven_and_frozen() {
    let Some(folder) = cases() else { return };
    for name in ["colonial_2021", "dmm_2024", "hydra_deposit_2020", "whirlpool_2019"] {
        let chain = chain(&folder.join(format!("{name}.jsonl")));
        let counts = chain.counts();
        assert!(counts.transactions >= 2, "{name}");
        assert_eq!(counts.transactions_claimed, 0, "{name}");
        assert_eq!(counts.prevouts_unknown, 0, "{name}");
    }
}
