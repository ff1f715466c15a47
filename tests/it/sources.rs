//! Bitcoin Core's JSON, bitcoin-etl's exports and rusty-blockparser's dumps: each is written here from whole blocks and read back
//! equal, each lie in them is refused, and so it is with real answers where `FUNDTRACE_DATA` names their folder.

use std::fmt::Write as _;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::block::{Header, Version as BlockVersion};
use fundtrace::bitcoin::blockdata::constants::genesis_block;
use fundtrace::bitcoin::consensus::{deserialize, encode::deserialize_hex, encode::serialize_hex};
use fundtrace::bitcoin::{
    Amount, Block, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime, transaction::Version,
};
use fundtrace::chain::NewTx;
use fundtrace::source::csv::{self, Dump};
use fundtrace::source::{Form, bitcoin_etl, esplora, read, rpc};
use fundtrace::{BlockHeight, Error};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mini::{script, txid};

/// The records that the blocks must give.
fn records(blocks: &[(u32, Block)]) -> Vec<NewTx> {
    let mut records = Vec::new();
    for (height, block) in blocks {
        for (position, tx) in (0..).zip(&block.txdata) {
            let record = NewTx::from_transaction(tx).height(BlockHeight::from_u32(*height)).position(position);
            let record = record.weight(u32::try_from(tx.weight().to_wu()).unwrap()).time(block.header.time);
            records.push(if position == 0 { record.header(block.header) } else { record });
        }
    }
    records
}

/// The records of blocks that come without their witnesses.
fn bare(blocks: &[(u32, Block)]) -> Vec<NewTx> {
    let mut records = Vec::new();
    for (height, block) in blocks {
        for (position, tx) in (0..).zip(&block.txdata) {
            let mut tx = tx.clone();
            tx.input.iter_mut().for_each(|input| input.witness.clear());
            let record = NewTx::from_transaction(&tx).height(BlockHeight::from_u32(*height)).position(position);
            let record = record.time(block.header.time);
            records.push(if position == 0 { record.header(block.header) } else { record });
        }
    }
    records
}

fn spend(previous_output: OutPoint, sequence: u32, witness: &[&[u8]]) -> TxIn {
    let script_sig = if previous_output.is_null() { "0151" } else { "" };
    TxIn {
        previous_output,
        script_sig: ScriptBuf::from_hex(script_sig).unwrap(),
        sequence: Sequence(sequence),
        witness: Witness::from_slice(witness),
    }
}

fn tx(version: i32, input: Vec<TxIn>, values: &[u64]) -> Transaction {
    let output = |&sat: &u64| TxOut { value: Amount::from_sat(sat), script_pubkey: script("bob") };
    let lock_time = LockTime::from_consensus(7);
    Transaction { version: Version(version), lock_time, input, output: values.iter().map(output).collect() }
}

/// The genesis block, and a block on it with a witness, a negative version and no round amount.
fn blocks() -> Vec<(u32, Block)> {
    let genesis = genesis_block(Network::Bitcoin);
    let coinbase = tx(1, vec![spend(OutPoint::null(), 0, &[&[0; 32]])], &[5_000_012_345, 0]);
    let parent = OutPoint::new(txid("parent"), 3);
    let spending = tx(-2, vec![spend(parent, 0xffff_fffd, &[&[7; 5], &[0x51]])], &[1, 99_999_999]);
    let last = tx(2, vec![spend(OutPoint::new(spending.compute_txid(), 1), 5, &[])], &[10]);
    let header = Header {
        version: BlockVersion::from_consensus(-5),
        prev_blockhash: genesis.block_hash(),
        bits: CompactTarget::from_consensus(0x0c00_ffff),
        nonce: 9,
        time: 1_300_000_000,
        ..genesis.header
    };
    let mut block = Block { header, txdata: vec![coinbase, spending, last] };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    vec![(0, genesis), (1, block)]
}

fn all(items: impl Iterator<Item = Result<NewTx, Error>>) -> Vec<NewTx> {
    items.map(|item| item.unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// The error, after which nothing comes.
fn refused(mut items: impl Iterator<Item = Result<NewTx, Error>>) -> Error {
    let error = items.find_map(Result::err).expect("an error");
    assert!(items.next().is_none() && items.next().is_none(), "nothing comes after an error");
    error
}

fn btc(sat: u64) -> String {
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// An output as Core writes it.
fn core_output(n: usize, output: &TxOut, amount: &str) -> String {
    format!(r#"{{"value":{amount},"n":{n},"scriptPubKey":{{"asm":"","hex":"{:x}"}}}}"#, output.script_pubkey)
}

/// A transaction as Core writes it, with its bytes or without, and with what its inputs spend.
fn core_tx(tx: &Transaction, hex: bool, prevout: Option<&TxOut>, amount: fn(u64) -> String) -> String {
    let mut inputs = Vec::new();
    for input in &tx.input {
        let witness: Vec<String> =
            input.witness.iter().map(|item| format!("{:x}", ScriptBuf::from_bytes(item.to_vec()))).collect();
        let witness = if witness.is_empty() { String::new() } else { format!(r#","txinwitness":{}"#, json!(witness)) };
        let (from, sequence) = (input.previous_output, input.sequence.0);
        inputs.push(if from.is_null() {
            format!(r#"{{"coinbase":"{:x}","sequence":{sequence}{witness}}}"#, input.script_sig)
        } else {
            let prevout = prevout.map_or(String::new(), |prevout| {
                let (value, script) = (amount(prevout.value.to_sat()), &prevout.script_pubkey);
                format!(
                    r#","prevout":{{"generated":false,"height":3,"value":{value},"scriptPubKey":{{"hex":"{script:x}"}}}}"#
                )
            });
            format!(
                r#"{{"txid":"{}","vout":{},"scriptSig":{{"asm":"","hex":"{:x}"}},"sequence":{sequence}{witness}{prevout}}}"#,
                from.txid, from.vout, input.script_sig
            )
        });
    }
    let outputs: Vec<String> = tx
        .output
        .iter()
        .enumerate()
        .map(|(n, output)| core_output(n, output, &amount(output.value.to_sat())))
        .collect();
    let hex = if hex { format!(r#","hex":"{}""#, serialize_hex(tx)) } else { String::new() };
    format!(
        r#"{{"txid":"{}","hash":"{}","version":{},"locktime":{},"vin":[{}],"vout":[{}]{hex}}}"#,
        tx.compute_txid(),
        tx.compute_wtxid(),
        tx.version.0.cast_unsigned(),
        tx.lock_time.to_consensus_u32(),
        inputs.join(","),
        outputs.join(","),
    )
}

/// A block around transactions, as Core writes it.
fn core_block(height: u32, block: &Block, txs: &[String]) -> String {
    let header = block.header;
    let previous = match height {
        0 => String::new(),
        _ => format!(r#""previousblockhash":"{}","#, header.prev_blockhash),
    };
    format!(
        r#"{{"hash":"{}","confirmations":1,"height":{height},"version":{},"merkleroot":"{}","tx":[{}],
            "time":{},"nonce":{},"bits":"{:08x}","difficulty":1.5e3,{previous}"nTx":{}}}"#,
        block.block_hash(),
        header.version.to_consensus(),
        header.merkle_root,
        txs.join(","),
        header.time,
        header.nonce,
        header.bits.to_consensus(),
        txs.len(),
    )
}

fn getblock(height: u32, block: &Block, hex: bool) -> String {
    let txs: Vec<String> = block.txdata.iter().map(|tx| core_tx(tx, hex, None, btc)).collect();
    core_block(height, block, &txs)
}

fn etl_transactions(blocks: &[(u32, Block)]) -> Vec<Value> {
    let mut rows = Vec::new();
    for (height, block) in blocks {
        for (index, tx) in block.txdata.iter().enumerate() {
            let coinbase = tx.is_coinbase();
            let input = |(index, input): (usize, &TxIn)| {
                let from = input.previous_output;
                json!({"index": index, "spent_transaction_hash": from.txid.to_string(), "spent_output_index": from.vout,
                    "script_asm": "", "script_hex": input.script_sig.to_hex_string(), "sequence": input.sequence.0,
                    "required_signatures": null, "type": null, "addresses": ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT"],
                    "value": null})
            };
            let output = |(index, output): (usize, &TxOut)| {
                json!({"index": index, "script_asm": "OP_DUP", "script_hex": output.script_pubkey.to_hex_string(),
                    "type": "pubkeyhash", "addresses": ["a", "b"], "value": output.value.to_sat()})
            };
            let inputs: Vec<Value> = tx.input.iter().filter(|_| !coinbase).enumerate().map(input).collect();
            let outputs: Vec<Value> = tx.output.iter().enumerate().map(output).collect();
            rows.push(json!({
                "hash": tx.compute_txid().to_string(), "version": tx.version.0, "lock_time": tx.lock_time.to_consensus_u32(),
                "block_number": height, "block_hash": block.block_hash().to_string(),
                "block_timestamp": block.header.time, "is_coinbase": coinbase, "index": index,
                "inputs": inputs, "outputs": outputs, "fee": 0,
            }));
        }
    }
    rows
}

fn etl_blocks(blocks: &[(u32, Block)]) -> Vec<Value> {
    let row = |(height, block): &(u32, Block)| {
        let header = block.header;
        json!({
            "hash": block.block_hash().to_string(), "number": height, "version": header.version.to_consensus(),
            "merkle_root": header.merkle_root.to_string(), "timestamp": header.time, "nonce": format!("{:x}", header.nonce),
            "bits": format!("{:08x}", header.bits.to_consensus()),
            "coinbase_param": block.txdata[0].input[0].script_sig.to_hex_string(), "transaction_count": block.txdata.len(),
        })
    };
    blocks.iter().map(row).collect()
}

fn lines(rows: &[Value]) -> String {
    rows.iter().fold(String::new(), |text, row| text + &row.to_string() + "\n")
}

/// As Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("'{key}': {}", python(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        number => number.to_string(),
    }
}

/// As Python's csv module writes rows: names first, quotes where they are needed, an empty list as nothing.
fn etl_csv(rows: &[Value], list: fn(&Value) -> String) -> String {
    let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let mut text = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",") + "\r\n";
    for row in rows {
        let cell = |name: &&String| {
            let cell = match &row[name.as_str()] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Array(items) if items.is_empty() => String::new(),
                value @ Value::Array(_) => list(value),
                value => python(value),
            };
            if cell.contains(['"', ',']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        };
        text += &(names.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n");
    }
    text
}

/// `height` writes the column that the documentation has and the tool has not.
fn csvdump(blocks: &[(u32, Block)], with_height: bool) -> Dump<String> {
    let mut dump =
        Dump { blocks: String::new(), transactions: String::new(), inputs: String::new(), outputs: String::new() };
    for (height, block) in blocks {
        let (header, hash) = (block.header, block.block_hash());
        writeln!(
            dump.blocks,
            "{hash};{height};{};{};{};{};{};{};{}",
            header.version.to_consensus().cast_unsigned(),
            block.total_size(),
            header.prev_blockhash,
            header.merkle_root,
            header.time,
            header.bits.to_consensus(),
            header.nonce,
        )
        .unwrap();
        for tx in &block.txdata {
            let (txid, lock_time) = (tx.compute_txid(), tx.lock_time.to_consensus_u32());
            writeln!(dump.transactions, "{txid};{hash};{};{lock_time}", tx.version.0.cast_unsigned()).unwrap();
            for input in &tx.input {
                let (from, sequence) = (input.previous_output, input.sequence.0);
                writeln!(dump.inputs, "{txid};{};{};{:x};{sequence}", from.txid, from.vout, input.script_sig).unwrap();
            }
            for (n, output) in tx.output.iter().enumerate() {
                let column = if with_height { format!("{height};") } else { String::new() };
                let (value, script) = (output.value.to_sat(), &output.script_pubkey);
                writeln!(dump.outputs, "{txid};{n};{column}{value};{script:x};").unwrap();
            }
        }
    }
    dump
}

fn read_dump(dump: &Dump<String>) -> impl Iterator<Item = Result<NewTx, Error>> {
    csv::read(Dump {
        blocks: dump.blocks.as_bytes(),
        transactions: dump.transactions.as_bytes(),
        inputs: dump.inputs.as_bytes(),
        outputs: dump.outputs.as_bytes(),
    })
}

/// Writes the blocks in every form and reads them back.
fn round_trips(blocks: &[(u32, Block)]) {
    for hex in [true, false] {
        let texts: Vec<String> = blocks.iter().map(|(height, block)| getblock(*height, block, hex)).collect();
        let envelope = |text: &String| format!(r#"{{"result":{text},"error":null,"id":1}}"#);
        let enveloped: Vec<String> = texts.iter().map(envelope).collect();
        for text in [
            texts.join("\n"),
            enveloped.join(""),
            format!("[{}]", texts.join(",")),
            format!("[] [{}]", enveloped.join(",\n")),
        ] {
            assert_eq!(Form::detect(text.as_bytes()), Some(Form::Rpc));
            assert_eq!(all(rpc::read(text.as_bytes())), records(blocks));
        }
    }
    let bare = bare(blocks);
    for with_height in [false, true] {
        assert_eq!(all(read_dump(&csvdump(blocks, with_height))), bare);
    }
    let (txs, rows) = (etl_transactions(blocks), etl_blocks(blocks));
    for (txs, rows) in [
        (lines(&txs), lines(&rows)),
        (etl_csv(&txs, Value::to_string), etl_csv(&rows, Value::to_string)),
        (etl_csv(&txs, python), etl_csv(&rows, python)),
    ] {
        assert_eq!(Form::detect(txs.as_bytes()), Some(Form::BitcoinEtl));
        let read = all(bitcoin_etl::read(txs.as_bytes(), Some(rows.as_bytes())));
        for ((read, mut expected), row) in read.into_iter().zip(bare.clone()).zip(etl_transactions(blocks)) {
            // The block before must be there for a header.
            if read.block_header().is_none() && expected.block_header().is_some() {
                assert!(row["block_number"].as_u64() == Some(u64::from(blocks[0].0)) && blocks[0].0 > 0);
                expected = NewTx::from_transaction(&without_witness(&blocks[0].1.txdata[0]))
                    .height(BlockHeight::from_u32(blocks[0].0))
                    .position(0)
                    .time(blocks[0].1.header.time);
            }
            assert_eq!(read, expected);
        }
    }
}

fn without_witness(tx: &Transaction) -> Transaction {
    let mut tx = tx.clone();
    tx.input.iter_mut().for_each(|input| input.witness.clear());
    tx
}

#[test]
fn every_form_reads_back_what_was_written() {
    round_trips(&blocks());
    assert!(all(rpc::read(getblock(1, &blocks()[1].1, true).as_bytes())).iter().all(NewTx::is_proven));
}

#[test]
fn verbosity_3_tells_the_prevouts() {
    let (_, block) = &blocks()[1];
    let prevout = TxOut { value: Amount::from_sat(123_456_789), script_pubkey: script("ann") };
    for hex in [true, false] {
        let txs: Vec<String> = block.txdata.iter().map(|tx| core_tx(tx, hex, Some(&prevout), btc)).collect();
        let read = all(rpc::read(core_block(1, block, &txs).as_bytes()));
        assert_eq!(read[0].inputs()[0].prevout, None);
        assert_eq!(read[1].inputs()[0].prevout, Some(prevout.clone()));
        assert_eq!(read[1].clone().prevouts([None]), records(&blocks())[2]);
    }
}

#[test]
fn a_node_that_leaves_the_witness_out_leaves_the_weight_unknown() {
    let (_, block) = &blocks()[1];
    let (whole, bare) = (serialize_hex(&block.txdata[1]), serialize_hex(&without_witness(&block.txdata[1])));
    let read = all(rpc::read(getblock(1, block, true).replace(&whole, &bare).as_bytes()));
    assert_eq!(read[1].tx_weight(), None);
    assert!(read[0].tx_weight().is_some());
}

/// What comes of the answer with a part replaced, which must be there.
fn answer_with(part: &str, replacement: &str) -> Error {
    answer_of(&getblock(1, &blocks()[1].1, true), part, replacement)
}

fn answer_of(whole: &str, part: &str, replacement: &str) -> Error {
    assert!(whole.contains(part), "{part} is not in {whole}");
    refused(rpc::read(whole.replacen(part, replacement, 1).as_bytes()))
}

#[test]
fn a_block_that_is_not_what_it_says_is_refused() {
    let (_, block) = &blocks()[1];
    let hash = block.block_hash().to_string();
    for (part, other) in [
        (r#""nonce":9"#, r#""nonce":8"#),
        (r#""version":-5"#, r#""version":5"#),
        (r#""time":1300000000"#, r#""time":1300000001"#),
        (r#""bits":"0c00ffff""#, r#""bits":"0d00ffff""#),
        (r#""previousblockhash":"#, r#""nextblockhash":"#),
        (hash.as_str(), &blocks()[0].1.block_hash().to_string()),
    ] {
        let error = answer_with(part, other);
        let computed = if part == hash { &hash } else { "hashes to" };
        assert!(error.is_parse() && !error.is_txid_mismatch(), "{error}");
        assert!(error.to_string().starts_with("entry 1: the header of block") && error.to_string().contains(computed));
    }
    let txs: Vec<String> = block.txdata.iter().map(|tx| core_tx(tx, true, None, btc)).collect();
    for txs in [&txs[..2], &txs[1..], &[txs[0].clone(), txs[2].clone(), txs[1].clone()], &[]] {
        let error = refused(rpc::read(core_block(1, block, txs).as_bytes()));
        assert!(error.is_parse() && error.to_string().contains(&format!("block {hash}")), "{error}");
        assert!(error.to_string().contains("merkle root"), "{error}");
    }
}

#[test]
fn a_transaction_that_is_not_what_it_says_is_refused() {
    let (_, block) = &blocks()[1];
    let tx = &block.txdata[2];
    let (name, other) = (tx.compute_txid().to_string(), txid("other").to_string());
    // Where it is the name of the transaction: the second time it is its hash, which is the same without witness.
    let error = answer_with(&format!(r#""txid":"{name}""#), &format!(r#""txid":"{other}""#));
    assert!(error.is_txid_mismatch(), "{error}");
    assert!(error.to_string().contains(&name) && error.to_string().contains(&other), "{error}");
    let whole = getblock(1, block, false);
    for (part, other) in [(r#""value":0.00000010"#, r#""value":0.00000011"#), (r#""sequence":5"#, r#""sequence":6"#)] {
        assert!(answer_of(&whole, part, other).is_txid_mismatch());
    }
    // The witness is not in the txid, but in the hash.
    let error = answer_of(&whole, "0707070707", "0707070708");
    assert!(error.is_parse() && error.to_string().contains(&block.txdata[1].compute_wtxid().to_string()), "{error}");
    assert!(answer_with(&serialize_hex(tx), "0200").to_string().contains(&name));
}

#[test]
fn what_the_node_answers_instead_of_a_block_is_quoted_or_refused() {
    let read = |text: &str| refused(rpc::read(text.as_bytes()));
    let error = read(r#"{"result":null,"error":{"code":-28,"message":"Loading block index..."},"id":1}"#);
    assert!(error.is_parse() && error.to_string().contains("Loading block index..."), "{error}");
    let error = read(r#"{"error":"Work queue depth exceeded"}"#);
    assert!(error.to_string().contains("Work queue depth exceeded"), "{error}");
    let error = read(&format!(
        "{} {{\"result\":null,\"error\":{{\"code\":-5,\"message\":\"Block not found\"}}}}",
        getblock(1, &blocks()[1].1, true)
    ));
    assert!(error.to_string().starts_with("entry 2") && error.to_string().contains("Block not found"), "{error}");
    for text in [
        r#"{"result":"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09","error":null}"#,
        r#"{"result":null,"error":null}"#,
        r#"{"result":{"result":{}}}"#,
        "{}",
        "5",
        "[[]]",
    ] {
        let error = read(text);
        assert!(error.is_parse() && error.to_string().contains("verbosity 2"), "{error}");
    }
    // Verbosity 1 has txids for transactions.
    let (_, block) = &blocks()[1];
    let error = refused(rpc::read(core_block(1, block, &[format!("\"{}\"", txid("t"))]).as_bytes()));
    assert!(error.to_string().starts_with("line 1 column") && error.to_string().contains("verbosity 2"), "{error}");
}

#[test]
fn a_part_that_is_missing_is_named() {
    let whole: Value = serde_json::from_str(&getblock(1, &blocks()[1].1, false)).unwrap();
    for (place, key) in [
        ("", "hash"),
        ("", "height"),
        ("", "version"),
        ("", "merkleroot"),
        ("", "time"),
        ("", "bits"),
        ("", "nonce"),
        ("", "tx"),
        ("/tx/1", "txid"),
        ("/tx/1", "version"),
        ("/tx/1", "locktime"),
        ("/tx/1", "vin"),
        ("/tx/1", "vout"),
        ("/tx/1/vin/0", "txid"),
        ("/tx/1/vin/0", "vout"),
        ("/tx/1/vin/0", "scriptSig"),
        ("/tx/1/vin/0", "sequence"),
        ("/tx/1/vout/0", "value"),
        ("/tx/1/vout/0", "scriptPubKey"),
    ] {
        let mut less = whole.clone();
        less.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        let error = refused(rpc::read(less.to_string().as_bytes()));
        assert!(error.is_parse() && error.to_string().contains(key), "{place} {key}: {error}");
    }
}

#[test]
fn every_truncation_is_refused_by_line() {
    let rpc = getblock(1, &blocks()[1].1, false);
    let etl = lines(&etl_transactions(&blocks()[1..]));
    for (form, whole) in [(Form::Rpc, rpc), (Form::BitcoinEtl, etl.lines().nth(1).unwrap().to_owned())] {
        for end in 1..whole.len() {
            let error = refused(read(form, &whole.as_bytes()[..end]));
            assert!(error.is_parse() && error.to_string().starts_with("line "), "{error}");
        }
    }
}

#[test]
fn amounts_that_are_no_satoshis_are_refused_with_their_place() {
    let whole = getblock(1, &blocks()[1].1, false);
    let amount = r#""value":0.99999999"#;
    for bad in ["0.999999990000000001", "-1", "1e-9", "1e30", "true", "\"1\"", "null", "999999999999999"] {
        let error = answer_of(&whole, amount, &format!(r#""value":{bad}"#));
        assert!(error.is_parse() && error.to_string().starts_with("line 1 column"), "{bad}: {error}");
    }
    for good in ["9999.9999e-4", "0.9999999900", "99999999e-8", "0.00099999999E+3"] {
        let text = whole.replacen(amount, &format!(r#""value":{good}"#), 1);
        assert_eq!(all(rpc::read(text.as_bytes())), records(&blocks()[1..]));
    }
}

#[test]
fn a_reader_that_fails_is_an_io_error_in_every_form() {
    struct Fails;

    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }
    }

    for form in Form::ALL {
        // At once, and in the middle of something.
        for start in ["", "[{\"txid\":", "{\"tx\":[", "\n"] {
            let error = refused(read(form, BufReader::new(start.as_bytes().chain(Fails))));
            if form == Form::BitcoinEtl && start.len() > 1 {
                continue;
            }
            assert!(error.is_io() && !error.is_parse(), "{form} {start:?}: {error}");
            assert_eq!(error.io_kind(), Some(std::io::ErrorKind::ConnectionReset));
        }
    }
    let fails = || BufReader::new(Fails);
    let dump = Dump { blocks: fails(), transactions: fails(), inputs: fails(), outputs: fails() };
    assert!(refused(csv::read(dump)).is_io());
    assert!(refused(bitcoin_etl::read("".as_bytes(), Some(fails()))).is_io());
}

#[test]
fn forms_are_recognised_in_what_was_cut_off() {
    let truncated = br#"[{"txid":"00","version":2,"locktime":0,"vin":[{"txid":"#;
    assert_eq!(Form::of(truncated).unwrap(), Form::Esplora);
    let error = refused(esplora::read(&truncated[..]));
    assert!(error.is_parse() && error.to_string().starts_with("line 1 column"), "{error}");
    let whole = getblock(1, &blocks()[1].1, true);
    assert_eq!(Form::detect(&whole.as_bytes()[..whole.len() / 2]), Some(Form::Rpc));
    for unknown in
        ["", "[", "{}", "[[]]", "[[{\"vin\":1}]]", "5", "[5]", "{\"result", "{\"tx\":[]}", "\"hex\"", "hash,inputs"]
    {
        assert_eq!(Form::detect(unknown.as_bytes()), None, "{unknown}");
    }
    let error = Form::of(b"{\"blocks\":[]}").unwrap_err();
    assert!(Form::ALL.iter().all(|form| error.to_string().contains(form.as_str())), "{error}");
}

#[test]
fn an_etl_coinbase_is_proven_only_by_its_block() {
    let (txs, rows) = (etl_transactions(&blocks()), etl_blocks(&blocks()));
    let alone = all(read(Form::BitcoinEtl, lines(&txs).as_bytes()));
    let proven: Vec<bool> = alone.iter().map(NewTx::is_proven).collect();
    assert_eq!(proven, [false, false, true, true]);
    assert!(alone[0].is_coinbase() && alone[1].is_coinbase() && alone.iter().all(|tx| tx.block_header().is_none()));
    assert_eq!((alone[1].tx_version(), alone[1].tx_lock_time()), (Some(1), Some(7)));
    assert_eq!(alone[1].outputs(), blocks()[1].1.txdata[0].output);
    assert_eq!((alone[1].block_height(), alone[1].block_position()), (Some(BlockHeight::from_u32(1)), Some(0)));
    // An altered script proves nothing, and an altered header is none; a transaction without a part is a claim.
    let mut altered = rows.clone();
    altered[1]["coinbase_param"] = json!("00");
    altered[1]["nonce"] = json!("1");
    let mut less = txs.clone();
    less[2]["inputs"][0]["sequence"] = Value::Null;
    let read = all(bitcoin_etl::read(lines(&less).as_bytes(), Some(lines(&altered).as_bytes())));
    let proven: Vec<bool> = read.iter().map(NewTx::is_proven).collect();
    assert_eq!(proven, [true, false, false, true]);
    assert!(read[0].block_header().is_some() && read[1].block_header().is_none());
    // The order of the rows does not matter, and the header needs the block before.
    let backwards: Vec<Value> = rows.iter().rev().cloned().collect();
    let read = |rows: &[Value]| all(bitcoin_etl::read(lines(&txs).as_bytes(), Some(lines(rows).as_bytes())));
    assert_eq!(read(&backwards), read(&rows));
    assert!(read(&rows)[1].block_header().is_some() && read(&rows[1..])[1].block_header().is_none());
}

#[test]
fn an_etl_row_that_lies_is_refused() {
    let (txs, rows) = (etl_transactions(&blocks()), etl_blocks(&blocks()));
    let read = |txs: &[Value]| refused(bitcoin_etl::read(lines(txs).as_bytes(), Some(lines(&rows).as_bytes())));
    let changed = |place: &str, value: Value| {
        let mut txs = txs.clone();
        *txs[2].pointer_mut(place).unwrap() = value;
        read(&txs)
    };
    for (place, value) in [
        ("/version", json!(3)),
        ("/lock_time", json!(8)),
        ("/inputs/0/sequence", json!(1)),
        ("/inputs/0/spent_output_index", json!(1)),
        ("/outputs/1/value", json!(99_999_998)),
        ("/outputs/1/script_hex", json!("51")),
    ] {
        let error = changed(place, value);
        assert!(error.is_txid_mismatch() && error.to_string().starts_with("line 3"), "{place}: {error}");
    }
    let error = changed("/block_number", json!(7));
    assert!(error.is_parse() && error.to_string().contains("height 7"), "{error}");
    for (place, value) in [
        ("/inputs/0/spent_transaction_hash", Value::Null),
        ("/outputs/0/value", json!(1.5)),
        ("/outputs/0/value", json!(-1)),
        ("/version", json!(5_000_000_000_u64)),
        ("/hash", json!("xx")),
    ] {
        let error = changed(place, value);
        assert!(error.is_parse() && error.to_string().starts_with("line 3"), "{place}: {error}");
    }
    let csv = etl_csv(&txs, python);
    for (part, other) in [("hash,index", "index"), ("True", "maybe"), ("None", "Nothing"), ("'index': 0", "'index: 0")]
    {
        assert!(csv.contains(part), "{part} is not in {csv}");
        let error = refused(read_form(Form::BitcoinEtl, &csv.replacen(part, other, 1)));
        assert!(error.is_parse() && error.to_string().starts_with("line "), "{part}: {error}");
    }
    let error = refused(read_form(Form::BitcoinEtl, "hash,value\n1,2"));
    assert!(error.is_parse() && error.to_string().contains("inputs"), "{error}");
}

fn read_form(form: Form, text: &str) -> impl Iterator<Item = Result<NewTx, Error>> {
    read(form, text.as_bytes())
}

#[test]
fn a_dump_that_is_out_of_step_is_refused_by_file_and_line() {
    let whole = csvdump(&blocks(), false);
    let change = |file: fn(&mut Dump<String>) -> &mut String, part: &str, other: &str, says: &str| {
        let mut dump = whole.clone();
        let text = file(&mut dump);
        assert!(text.contains(part), "{part} is not in {text}");
        *text = text.replacen(part, other, 1);
        let error = refused(read_dump(&dump));
        assert!(error.to_string().starts_with(says), "{part} -> {other}: {error}");
        error
    };
    fn blocks_file(dump: &mut Dump<String>) -> &mut String {
        &mut dump.blocks
    }
    fn transactions(dump: &mut Dump<String>) -> &mut String {
        &mut dump.transactions
    }
    fn inputs(dump: &mut Dump<String>) -> &mut String {
        &mut dump.inputs
    }
    fn outputs(dump: &mut Dump<String>) -> &mut String {
        &mut dump.outputs
    }
    let (_, block) = &blocks()[1];
    let names: Vec<String> = block.txdata.iter().map(|tx| tx.compute_txid().to_string()).collect();
    let (hash, genesis) = (block.block_hash(), blocks()[0].1.block_hash());

    // A gap in the outputs, an output of another transaction, one too few, one too many, none at all.
    let error = change(outputs, &format!("{};1;0;", names[0]), &format!("{};2;0;", names[0]), "tx_out line 3");
    assert!(error.is_parse() && error.to_string().contains(&format!("{}:2", names[0])), "{error}");
    change(outputs, &format!("{};0;", names[1]), &format!("{};0;", names[2]), "tx_out line 4");
    let line = |text: &str, start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned() + "\n";
    let output = line(&whole.outputs, &format!("{};1;", names[1]));
    assert!(change(outputs, &output, "", "transactions line 3").is_txid_mismatch());
    let last = line(&whole.outputs, &names[2]);
    let more = format!("{last}{}", last.replace(";0;", ";1;"));
    assert!(change(outputs, &last, &more, "transactions line 4").is_txid_mismatch());
    change(outputs, &last, "", "tx_out line 6: the end of the file");
    change(inputs, &line(&whole.inputs, &names[1]), "", "tx_in line 3");
    // Changed parts.
    let input = line(&whole.inputs, &names[2]);
    let error = change(inputs, &input, &input.replace(";5\n", ";6\n"), "transactions line 4");
    assert!(error.is_txid_mismatch(), "{error}");
    assert!(change(inputs, &input, &input.replace(";5\n", ";x\n"), "tx_in line 4").to_string().contains("sequence"));
    change(inputs, &input, &input.replace(";5\n", "\n"), "tx_in line 4");
    assert!(change(outputs, &last, &last.replace(";10;", ";-1;"), "tx_out line 6").to_string().contains("value"));
    // Blocks.
    let error = change(blocks_file, ";9\n", ";8\n", "blocks line 2");
    assert!(error.to_string().contains(&hash.to_string()) && error.to_string().contains("hashes to"), "{error}");
    change(blocks_file, &line(&whole.blocks, &genesis.to_string()), "", "blocks line 1");
    change(blocks_file, &line(&whole.blocks, &hash.to_string()), "", "blocks line 2: the end of the file");
    let more = format!("{}{0}", line(&whole.blocks, &hash.to_string()));
    change(blocks_file, &line(&whole.blocks, &hash.to_string()), &more, "blocks line 3");
    // A transaction is left out in all three files: only the merkle root shows it.
    let mut dump = whole.clone();
    for file in [&mut dump.transactions, &mut dump.inputs, &mut dump.outputs] {
        *file = file.lines().filter(|line| !line.starts_with(&names[2])).map(|line| line.to_owned() + "\n").collect();
    }
    let error = refused(read_dump(&dump));
    assert!(error.to_string().starts_with("blocks line 2") && error.to_string().contains("merkle root"), "{error}");
    change(transactions, &line(&whole.transactions, &names[2]), "", "blocks line 2");
    change(transactions, &line(&whole.transactions, &names[2]), &"x;".repeat(9), "transactions line 4");
}

fn fixed(sat: u64) -> String {
    btc(sat)
}

fn short(sat: u64) -> String {
    btc(sat).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn scientific(sat: u64) -> String {
    format!("{sat}e-8")
}

fn scaled(sat: u64) -> String {
    format!("0.{sat:020}E+12")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// The txid says whether the amount came back as it was.
    #[test]
    fn decimal_amounts_are_exact(sat in prop_oneof![any::<u64>(), 0..2_100_000_000_000_000_u64, 0..1_000_u64]) {
        for amount in [fixed, short, scientific, scaled] {
            let coinbase = tx(1, vec![spend(OutPoint::null(), 0, &[])], &[sat]);
            let mut block = genesis_block(Network::Bitcoin);
            block.txdata = vec![coinbase];
            block.header.merkle_root = block.compute_merkle_root().unwrap();
            let text = core_block(0, &block, &[core_tx(&block.txdata[0], false, None, amount)]);
            prop_assert_eq!(all(rpc::read(text.as_bytes())), records(&[(0, block)]));
        }
    }

    #[test]
    fn a_dump_with_a_byte_changed_never_panics(pick in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let whole = csvdump(&blocks(), true);
        let mut files = [whole.blocks, whole.transactions, whole.inputs, whole.outputs].map(String::into_bytes);
        let at = pick.index(files.iter().map(Vec::len).sum());
        *files.iter_mut().flatten().nth(at).unwrap() = byte;
        let [blocks, transactions, inputs, outputs] = &files;
        let dump = Dump { blocks: &blocks[..], transactions: &transactions[..], inputs: &inputs[..], outputs: &outputs[..] };
        csv::read(dump).for_each(drop);
    }

    #[test]
    fn an_export_with_a_byte_changed_never_panics(pick in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let txs = etl_transactions(&blocks());
        for text in [lines(&txs), etl_csv(&txs, python), etl_csv(&txs, Value::to_string)] {
            let mut bytes = text.into_bytes();
            let at = pick.index(bytes.len());
            bytes[at] = byte;
            let rows = lines(&etl_blocks(&blocks()));
            bitcoin_etl::read(&bytes[..], Some(rows.as_bytes())).for_each(drop);
            bitcoin_etl::read(rows.as_bytes(), Some(&bytes[..])).for_each(drop);
        }
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("FUNDTRACE_DATA");
    if folder.is_none() {
        println!("skipped: FUNDTRACE_DATA is not set");
    }
    folder.map(PathBuf::from)
}

fn bytes(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap();
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "zst") {
        ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    } else {
        BufReader::new(file).read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// The files in a folder and those below it whose names have this part.
fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path, part) } else { vec![path] };
    paths.into_iter().flat_map(below).filter(|path| path.to_str().unwrap().contains(part)).collect()
}

#[test]
fn real_answers_of_getblock_are_the_blocks() {
    let Some(folder) = folder() else { return };
    let (mut read, mut compared) = (0, 0);
    for path in files(&folder.join("rpc_getblock_v2"), ".getblock2.json") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let height: u32 = name.strip_prefix("main_").unwrap().split('.').next().unwrap().parse().unwrap();
        let answer = bytes(&path);
        assert_eq!(Form::of(&answer).unwrap(), Form::Rpc);
        let given = all(rpc::read(&answer[..]));
        let json: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(given.len(), json["tx"].as_array().unwrap().len());
        assert_eq!(given[0].block_header().unwrap().block_hash().to_string(), json["hash"].as_str().unwrap());
        assert!(given.iter().all(|tx| tx.is_proven() && tx.tx_weight().is_some()), "{name}");
        read += 1;
        let block = files(&folder.join("btc_mainnet_blocks"), &format!("main_{height}.blk")).pop();
        let Some(block) = block.map(|path| deserialize::<Block>(&bytes(&path)).unwrap()) else { continue };
        assert_eq!(given, records(&[(height, block.clone())]), "{name}");
        compared += 1;
        // The parts alone give the same, to the satoshi.
        let mut parts = json;
        for tx in parts["tx"].as_array_mut().unwrap() {
            assert!(tx.as_object_mut().unwrap().remove("hex").is_some());
        }
        let parts = all(rpc::read(parts.to_string().as_bytes()));
        assert_eq!(parts[1..], given[1..], "{name}");
        // These nodes did not write a coinbase's witness, so from block 481824 on its weight is unknown.
        assert_eq!((parts[0].txid(), parts[0].block_header()), (given[0].txid(), given[0].block_header()));
        assert_eq!(parts[0].tx_weight(), given[0].tx_weight().filter(|_| height < 481_824));
    }
    assert_eq!((read, compared), (9, 6));
}

#[test]
fn real_blocks_read_back_from_every_form() {
    let Some(folder) = folder() else { return };
    for height in [125_000, 150_000, 275_000, 549_400] {
        let block = bytes(&folder.join(format!("btc_mainnet_blocks/main_{height}.blk")));
        round_trips(&[(height, deserialize(&block).unwrap())]);
    }
    let answer: Value =
        serde_json::from_slice(&bytes(&folder.join("rpc_etl_fixtures/electrumx/bitcoin_mainnet_951658.json.zst")))
            .unwrap();
    let block: Block = deserialize_hex(answer["block"].as_str().unwrap()).unwrap();
    round_trips(&[(951_658, block)]);
}

#[test]
fn real_exports_of_bitcoin_etl_are_what_the_node_answered() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("rpc_etl_fixtures/bitcoin-etl");
    let mut cases = 0;
    for path in files(&folder, "expected_transactions") {
        let case = path.parent().unwrap();
        let txs = bytes(&path);
        let rows = bytes(&case.join("expected_blocks.json"));
        assert_eq!(Form::of(&txs).unwrap(), Form::BitcoinEtl);
        let read = all(bitcoin_etl::read(&txs[..], Some(&rows[..])));
        assert!(!read.is_empty() && read.iter().all(NewTx::is_proven));
        let answers: Vec<NewTx> =
            files(case, "_2.json").iter().flat_map(|path| all(rpc::read(&bytes(path)[..]))).collect();
        assert_eq!(read.len(), answers.len());
        for tx in &read {
            let answer = answers.iter().find(|answer| answer.txid() == tx.txid()).unwrap();
            assert_eq!((tx.inputs(), tx.outputs()), (answer.inputs(), answer.outputs()));
            assert_eq!((tx.block_height(), tx.block_time()), (answer.block_height(), answer.block_time()));
            assert_eq!((tx.tx_version(), tx.tx_lock_time()), (answer.tx_version(), answer.tx_lock_time()));
            assert_eq!(tx.block_position(), answer.block_position());
            // Blocks 0 and 50002 have the one before them.
            let height = tx.block_height().unwrap().to_u32();
            let known = [0, 50_002].contains(&height) && tx.block_position() == Some(0);
            assert_eq!(tx.block_header(), answer.block_header().filter(|_| known));
        }
        let alone = all(bitcoin_etl::read(&txs[..], None::<&[u8]>));
        assert!(alone.iter().all(|tx| tx.is_proven() != tx.is_coinbase()));
        cases += 1;
    }
    assert_eq!(cases, 5);
}

#[test]
fn real_answers_that_are_no_blocks_are_refused() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("rpc_etl_fixtures");
    for (part, says) in [
        ("get_block_not_found_response", "Block not found"),
        ("get_block_hash_out_of_range_response", "Block height out of range"),
        ("rpc_in_warmup_response", "rpc in warmup"),
        ("get_block_hash_response", "verbosity 2"),
        ("raw_mempool", "verbosity 2"),
        ("rpc_response_getblockcount", "verbosity 2"),
        // Verbosity 1.
        ("bitcoin_mainnet_951658", "verbosity 2"),
        // Made up: block 50001 under another hash, a transaction too many, a hex that is none.
        ("24fb37364cbf81fd49cc2d51c09c75c35433c3a1945d04_None", "hashes to"),
        ("get_block_response.json", "merkle root"),
        ("get_block_response_2", "hex"),
    ] {
        let path = files(&folder, part).pop().unwrap();
        let error = refused(rpc::read(&bytes(&path)[..]));
        assert!(error.is_parse() && error.to_string().contains(says), "{part}: {error}");
    }
}
