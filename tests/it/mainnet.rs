//! Transactions of the main chain whose kind is known, and ordinary ones, from the folder that `FUNDTRACE_DATA` names; and what the detectors of
//! mixes say of one. For the tests and for `examples/detector_rates`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use fundtrace::bitcoin::consensus::deserialize;
use fundtrace::bitcoin::{Amount, Block, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{NewInput, NewTx, Tx};
use fundtrace::detect::coinjoin::{Rules, premix};
use fundtrace::detect::{Finding, Kind, Verdict};
use fundtrace::eval::Label;
use fundtrace::{BlockHeight, Chain, ChainBuilder};

pub fn read(path: &Path) -> Vec<u8> {
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

pub fn records(folder: &Path, name: &str) -> Vec<NewTx> {
    let bytes = read(&folder.join("coinjoin_mainnet_dumplings/dev").join(name));
    String::from_utf8(bytes).unwrap().lines().filter(|text| !text.is_empty()).map(line).collect()
}

pub fn freeze(records: impl IntoIterator<Item = NewTx>) -> Chain {
    let mut builder = ChainBuilder::new();
    for record in records {
        builder.insert(record).unwrap();
    }
    builder.finish().unwrap()
}

/// What the detectors find in a transaction, vetoes left out: a mix, or else a premix.
pub fn found(rules: &Rules, tx: Tx<'_>) -> Option<Finding> {
    let finding = rules.classify(tx).filter(|finding| finding.verdict != Verdict::No);
    finding.or_else(|| premix::find(tx))
}

/// The class that a finding puts a transaction into: a mix by protocol, or a premix.
pub fn class(finding: &Finding) -> &'static str {
    if finding.kind == Kind::Premix { "whirlpool_tx0" } else { finding.protocol }
}

/// What a transaction is said to be.
pub fn said(rules: &Rules, tx: Tx<'_>) -> Label<&'static str> {
    match found(rules, tx) {
        Some(finding) if finding.verdict == Verdict::Undecided => Label::Unknown,
        Some(finding) => Label::Of(class(&finding)),
        None => Label::Nothing,
    }
}

pub const WHIRLPOOL: &str = "dumplings__sw_202403/SamouraiCoinJoins.txt.zst";
pub const TX0: &str = "dumplings__sw_202403/SamouraiTx0s.txt.zst";
pub const WASABI1_EARLY: &str = "dumplings__end_zksnacks_202405/WasabiCoinJoins.txt.zst";
pub const WASABI1: &str = "dumplings__ww1_202405/WasabiCoinJoins.txt.zst";
pub const WASABI2: &str = "dumplings__end_zksnacks_202405/Wasabi2CoinJoins.txt.zst";
pub const OTHER: &str = "dumplings__jm_202406/OtherCoinJoins.txt.zst";
pub const LOOKALIKES: &str = "jm_filter_false_positives/OtherCoinJoins.txt.zst";
pub const POSTMIX: [&str; 6] = [
    "dumplings__sw_202403/SamouraiPostMixTxs.txt.zst",
    "dumplings__ww1_202405/WasabiPostMixTxs.txt.zst",
    "dumplings__end_zksnacks_202405/WasabiPostMixTxs.txt.zst",
    "dumplings__end_zksnacks_202405/Wasabi2PostMixTxs.txt.zst",
    "dumplings__jm_202406/OtherCoinJoinPostMixTxs.txt.zst",
    "jm_filter_false_positives/OtherCoinJoinPostMixTxs.txt.zst",
];

/// The files with what their transactions are.
pub fn labelled() -> Vec<(&'static str, Label<&'static str>)> {
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

/// The class of a transaction that stands in a file of neighbours, who spend a mix or pay into one, and that has a mix's form itself. No label says
/// so but the rule that is to be measured.
pub fn of_the_form(file: &str, tx: Tx<'_>) -> Option<&'static str> {
    match (file, said(&Rules::default(), tx)) {
        // The file is of what spends a mix, and a mix that spends one is a remix: here 94, later than the mixes in the other file or
        // earlier. Likewise 79 in the file of what pays into mixes, which have no data and the pool's amount alone.
        (_, Label::Of("whirlpool")) if file == POSTMIX[0] || file == TX0 => {
            let pool = tx.outputs().next().map(|output| output.value());
            tx.outputs().all(|output| Some(output.value()) == pool).then_some("whirlpool")
        }
        // One round of 240 inputs that the heuristic labels put behind a JoinMarket one; 201 of its 229 outputs are standard.
        (_, Label::Of("wasabi2")) if file == POSTMIX[4] => (tx.inputs().len() == 240).then_some("wasabi2"),
        _ => None,
    }
}

/// What a transaction of a file is: the file's label, and unknown of what is [of a mix's form](of_the_form) without a label.
pub fn label(file: &str, tx: Tx<'_>, truth: Label<&'static str>) -> Label<&'static str> {
    if of_the_form(file, tx).is_some() { Label::Unknown } else { truth }
}

/// Blocks of the main chain without what their inputs spend, by name.
pub fn single_blocks(folder: &Path) -> BTreeMap<String, Chain> {
    let mut chains = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("btc_mainnet_blocks")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            continue;
        }
        let stem = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
        let block: Block = deserialize(&read(&path)).unwrap();
        let height = stem.trim_start_matches("main_").parse::<u32>().ok();
        let chain = freeze(block.txdata.iter().map(|tx| {
            let record = NewTx::from_transaction(tx).time(block.header.time);
            height.map_or(record.clone(), |height| record.height(BlockHeight::from_u32(height)))
        }));
        chains.insert(stem, chain);
    }
    chains
}

/// Blocks of the main chain with what their inputs spend, by name.
pub fn with_prevouts(folder: &Path) -> BTreeMap<String, Chain> {
    let mut chains = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("btc_blocks_with_prevouts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("main_") || !name.contains(".blk") {
            continue;
        }
        let stem = name.split('.').next().unwrap();
        let block: Block = deserialize(&read(&path)).unwrap();
        let listed = ["", ".zst"].map(|end| path.with_file_name(format!("{stem}.prevouts.csv{end}")));
        let prevouts = String::from_utf8(read(listed.iter().find(|path| path.is_file()).unwrap())).unwrap();
        let mut prevouts = prevouts.lines().skip(1).map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            let value = Amount::from_sat(cells[4].parse().unwrap());
            TxOut { value, script_pubkey: ScriptBuf::from_hex(cells[5]).unwrap() }
        });
        let height = BlockHeight::from_u32(stem.trim_start_matches("main_").parse().unwrap());
        let chain = freeze(block.txdata.iter().map(|tx| {
            let inputs = if tx.is_coinbase() { 0 } else { tx.input.len() };
            let prevouts: Vec<Option<TxOut>> = prevouts.by_ref().take(inputs).map(Some).collect();
            NewTx::from_transaction(tx).prevouts(prevouts).height(height)
        }));
        chains.insert(stem.to_owned(), chain);
    }
    chains
}

/// Rounds of Wasabi 1 that a list names, and what was taken for such and is none. The lists tell no inputs and no outputs.
pub fn listed(folder: &Path) -> [BTreeSet<Txid>; 2] {
    let folder = folder.join("coinjoin_txid_lists");
    // `height, seen, time, txid, equal outputs, fee, coordinator`
    let rounds = String::from_utf8(read(&folder.join("wasabi1_coinjoins_2018-2019.csv"))).unwrap();
    let round = |row: &str| row.split(',').nth(3).map(|cell| cell.trim().parse().unwrap());
    let others: BTreeMap<String, Vec<Txid>> =
        serde_json::from_slice(&read(&folder.join("wasabi1_false_positives.json"))).unwrap();
    [rounds.lines().filter_map(round).collect(), others.into_values().flatten().collect()]
}
