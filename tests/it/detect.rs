//! Detectors against real transactions of known kinds, and against ordinary ones. The data lie outside the project: `FUNDTRACE_DATA` names
//! their folder.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::consensus::deserialize;
use fundtrace::bitcoin::{Address, Amount, Block, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::detect::coinjoin::{self, Rules, lineage, premix};
use fundtrace::detect::{self, Kind, Verdict};
use fundtrace::eval::{Detection, Label};
use fundtrace::{BlockHeight, Chain, ChainBuilder};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("FUNDTRACE_DATA");
    if folder.is_none() {
        println!("skipped: FUNDTRACE_DATA is not set");
    }
    folder.map(PathBuf::from)
}

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "zst") {
        ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    } else {
        { file }.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// `value+script+type`.
fn txout(text: &str) -> TxOut {
    let mut parts = text.split('+');
    let value = Amount::from_sat(parts.next().unwrap().parse().unwrap());
    TxOut { value, script_pubkey: ScriptBuf::from_hex(parts.next().unwrap()).unwrap() }
}

/// `txid:::block_hash:::index:::time:::in}in..:::out}out..`, `in = prev_txid-vout-value+script+type`.
fn line(text: &str) -> NewTx {
    let parts: Vec<&str> = text.split(":::").collect();
    let input = |text: &str| {
        let mut names = text.splitn(3, '-');
        let txid: Txid = names.next().unwrap().parse().unwrap();
        let vout = names.next().unwrap().parse().unwrap();
        NewInput::new(OutPoint::new(txid, vout)).prevout(txout(names.next().unwrap()))
    };
    let inputs = parts[4].split("}{").map(input).collect();
    let outputs = parts[5].split("}{").map(txout).collect();
    NewTx::claimed(parts[0].parse().unwrap(), inputs, outputs).time(parts[3].parse().unwrap())
}

fn records(folder: &Path, name: &str) -> Vec<NewTx> {
    let bytes = read(&folder.join("coinjoin_mainnet_dumplings/dev").join(name));
    String::from_utf8(bytes).unwrap().lines().filter(|text| !text.is_empty()).map(line).collect()
}

fn freeze(records: impl IntoIterator<Item = NewTx>) -> Chain {
    let mut builder = ChainBuilder::new();
    for record in records {
        builder.insert(record).unwrap();
    }
    builder.finish().unwrap()
}

/// Where coordinators of Wasabi 1 were openly paid (Dumplings).
fn rules_with_coordinators() -> Rules {
    let mut rules = Rules::default();
    for address in ["bc1qs604c7jv6amk4cxqlnvuxv26hv3e48cds4m0ew", "bc1qa24tsgchvuxsaccp8vrnkfd85hrcpafg20kmjw"] {
        let address: Address<_> = address.parse().unwrap();
        rules.coordinators.insert(address.assume_checked().script_pubkey());
    }
    rules
}

/// What a transaction is said to be: a mix by protocol, or a premix.
fn said(rules: &Rules, tx: fundtrace::chain::Tx<'_>) -> Label<&'static str> {
    let finding = rules.classify(tx).filter(|finding| finding.verdict != Verdict::No);
    let finding = finding.or_else(|| premix::find(tx));
    match finding {
        Some(finding) if finding.verdict == Verdict::Undecided => Label::Unknown,
        Some(finding) if finding.kind == Kind::Premix => Label::Of("whirlpool_tx0"),
        Some(finding) => Label::Of(finding.protocol),
        None => Label::Nothing,
    }
}

const WHIRLPOOL: &str = "dumplings__sw_202403/SamouraiCoinJoins.txt.zst";
const TX0: &str = "dumplings__sw_202403/SamouraiTx0s.txt.zst";
const WASABI1_EARLY: &str = "dumplings__end_zksnacks_202405/WasabiCoinJoins.txt.zst";
const WASABI1: &str = "dumplings__ww1_202405/WasabiCoinJoins.txt.zst";
const WASABI2: &str = "dumplings__end_zksnacks_202405/Wasabi2CoinJoins.txt.zst";
const OTHER: &str = "dumplings__jm_202406/OtherCoinJoins.txt.zst";
const LOOKALIKES: &str = "jm_filter_false_positives/OtherCoinJoins.txt.zst";
const POSTMIX: [&str; 6] = [
    "dumplings__sw_202403/SamouraiPostMixTxs.txt.zst",
    "dumplings__ww1_202405/WasabiPostMixTxs.txt.zst",
    "dumplings__end_zksnacks_202405/WasabiPostMixTxs.txt.zst",
    "dumplings__end_zksnacks_202405/Wasabi2PostMixTxs.txt.zst",
    "dumplings__jm_202406/OtherCoinJoinPostMixTxs.txt.zst",
    "jm_filter_false_positives/OtherCoinJoinPostMixTxs.txt.zst",
];

/// The files with what their transactions are.
fn labelled() -> Vec<(&'static str, Label<&'static str>)> {
    let mut files = vec![
        (WHIRLPOOL, Label::Of("whirlpool")),
        (TX0, Label::Of("whirlpool_tx0")),
        (WASABI1_EARLY, Label::Of("wasabi1")),
        (WASABI1, Label::Of("wasabi1")),
        (WASABI2, Label::Of("wasabi2")),
        (LOOKALIKES, Label::Nothing),
    ];
    files.extend(POSTMIX.map(|name| (name, Label::Nothing)));
    files
}

#[test]
fn mixes_of_the_main_chain_are_told_from_what_looks_like_them() {
    let Some(folder) = folder() else { return };
    for (name, rules) in [("without", Rules::default()), ("with", rules_with_coordinators())] {
        let mut total = Detection::default();
        for (file, truth) in labelled() {
            let chain = freeze(records(&folder, file));
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for tx in chain.view().txs() {
                let said = said(&rules, tx);
                total.add(truth, said);
                *counts.entry(format!("{said:?}")).or_default() += 1;
                if said != truth && std::env::var_os("FUNDTRACE_SHOW").is_some() {
                    println!("  {truth:?} {said:?} {} in {} out {}", tx.txid(), tx.inputs().len(), tx.outputs().len());
                }
            }
            println!("{file} {truth:?}: {counts:?}");
        }
        println!("{name} coordinators' addresses: {total:#?}");
    }
}
