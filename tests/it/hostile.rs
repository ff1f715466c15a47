//! Bytes and records that are wrong: never a panic, always an error that says where and which.

use fundtrace::Error;
use fundtrace::bitcoin::consensus::encode::serialize_hex;
use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute::LockTime,
    transaction::Version,
};
use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
use fundtrace::source::{Form, raw, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mini::{Mini, height, outpoint, txid};

/// A whole transaction, with a witness and two outputs.
fn transaction() -> Transaction {
    let input = TxIn {
        previous_output: OutPoint::new(txid("parent"), 3),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[7_u8; 5]]),
    };
    let output = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: crate::mini::script("bob") };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![output(5), output(6)],
    }
}

fn line() -> String {
    let prevout = TxOut { value: Amount::from_sat(12), script_pubkey: crate::mini::script("ann") };
    raw::line(&transaction(), Some(700_000), Some(1_600_000_000), &[Some(prevout)])
}

fn esplora() -> String {
    let tx = transaction();
    let vout: Vec<Value> = tx
        .output
        .iter()
        .map(|output| json!({"value": output.value.to_sat(), "scriptpubkey": output.script_pubkey.to_hex_string()}))
        .collect();
    let input = &tx.input[0];
    json!({
        "txid": tx.compute_txid().to_string(), "version": 2, "locktime": 0,
        "vin": [{"txid": input.previous_output.txid.to_string(), "vout": 3, "scriptsig": "", "sequence": u32::MAX,
            "prevout": {"value": 12, "scriptpubkey": crate::mini::script("ann").to_hex_string()}, "is_coinbase": false}],
        "vout": vout, "status": {"confirmed": true, "block_height": 700_000, "block_time": 1_600_000_000},
    })
    .to_string()
}

/// Reads and freezes whatever comes; only a panic is wrong.
fn swallow(form: Form, bytes: &[u8]) -> Result<usize, Error> {
    let _ = Form::detect(bytes);
    let mut builder = ChainBuilder::new();
    let mut items = read(form, bytes);
    for tx in items.by_ref() {
        builder.insert(tx?)?;
    }
    Ok(builder.finish()?.view().txs().count())
}

fn refused(form: Form, bytes: &[u8]) -> Error {
    let mut items = read(form, bytes);
    let error = items.find_map(Result::err).unwrap_or_else(|| panic!("{} was read", String::from_utf8_lossy(bytes)));
    assert!(items.next().is_none(), "nothing comes after an error");
    error
}

#[test]
fn what_is_whole_is_read() {
    assert_eq!(swallow(Form::Raw, line().as_bytes()).unwrap(), 1);
    assert_eq!(swallow(Form::Esplora, esplora().as_bytes()).unwrap(), 1);
    let both = format!("\n  \n{}\r\n\n{}\n", line(), line());
    assert_eq!(swallow(Form::Raw, both.as_bytes()).unwrap(), 1);
    assert_eq!(swallow(Form::Esplora, format!("[{0},{0}]\n{0} []", esplora()).as_bytes()).unwrap(), 1);
}

#[test]
fn every_truncation_is_refused_and_names_its_line() {
    for (form, whole) in [(Form::Raw, line()), (Form::Esplora, esplora())] {
        for end in 1..whole.len() {
            let error = refused(form, format!("\n\n{}", &whole[..end]).as_bytes());
            assert!(error.is_parse(), "{error}");
            assert!(error.to_string().starts_with("line "), "{error}");
        }
    }
    let error = refused(Form::Raw, format!("{}\n{}", line(), &line()[..80]).as_bytes());
    assert!(error.to_string().starts_with("line 2"), "{error}");
}

#[test]
fn a_flipped_bit_in_the_bytes_is_refused_naming_both_txids() {
    let tx = transaction();
    let name = tx.compute_txid().to_string();
    // Without witness, so that the txid covers every bit.
    let mut bare = tx.clone();
    bare.input[0].witness.clear();
    let bytes = fundtrace::bitcoin::consensus::serialize(&bare);
    let (mut mismatches, mut not_transactions) = (0, 0);
    for at in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        let hex: String = flipped.iter().map(|byte| format!("{byte:02x}")).collect();
        let error =
            refused(Form::Raw, json!({"txid": name, "height": null, "time": null, "hex": hex}).to_string().as_bytes());
        let text = error.to_string();
        assert!(text.starts_with("line 1") && text.contains(&name), "{text}");
        if error.is_txid_mismatch() {
            let computed: Transaction = fundtrace::bitcoin::consensus::deserialize(&flipped).unwrap();
            assert!(text.contains(&computed.compute_txid().to_string()), "{text}");
            mismatches += 1;
        } else {
            assert!(error.is_parse() && text.contains("not a transaction"), "{text}");
            not_transactions += 1;
        }
    }
    assert!(mismatches > 500 && not_transactions > 10, "{mismatches} {not_transactions}");
}

#[test]
fn a_changed_part_of_esplora_json_is_refused_naming_both_txids() {
    let name = transaction().compute_txid().to_string();
    let whole: Value = serde_json::from_str(&esplora()).unwrap();
    let changes: [(&str, Value); 6] = [
        ("/version", json!(1)),
        ("/locktime", json!(9)),
        ("/vin/0/vout", json!(4)),
        ("/vin/0/sequence", json!(0)),
        ("/vout/0/value", json!(6)),
        ("/vout/1/scriptpubkey", json!("51")),
    ];
    for (place, value) in changes {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let error = refused(Form::Esplora, changed.to_string().as_bytes());
        assert!(error.is_txid_mismatch() && error.to_string().contains(&name), "{place}: {error}");
    }
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    let mut short: Value = serde_json::from_str(&line()).unwrap();
    short["prevouts"] = json!([null, null]);
    let error = refused(Form::Raw, short.to_string().as_bytes());
    assert!(error.to_string().contains(&transaction().compute_txid().to_string()), "{error}");
    let mut short: Value = serde_json::from_str(&esplora()).unwrap();
    short["outspends"] = json!([{"spent": false}]);
    let error = refused(Form::Esplora, short.to_string().as_bytes());
    assert!(error.to_string().contains(&transaction().compute_txid().to_string()), "{error}");
}

#[test]
fn a_mistyped_key_is_refused() {
    let text = line().replace("\"prevouts\"", "\"prevout\"");
    assert!(refused(Form::Raw, text.as_bytes()).to_string().contains("prevout"));
}

#[test]
fn deep_and_endless_json_is_refused() {
    for form in Form::ALL {
        for open in ["[", "{\"txid\":"] {
            assert!(swallow(form, open.repeat(100_000).as_bytes()).is_err());
        }
        let number = format!("{{\"txid\":{}}}", "9".repeat(100_000));
        assert!(swallow(form, number.as_bytes()).is_err());
    }
    // A transaction that says it has 2^32 inputs must not be given room for them.
    let hex = format!("02000000fe{}", "ff".repeat(8));
    let text = json!({"txid": txid("t").to_string(), "height": null, "time": null, "hex": hex}).to_string();
    assert!(refused(Form::Raw, text.as_bytes()).is_parse());
    let doubled = serialize_hex(&transaction()).repeat(2);
    let text = json!({"txid": transaction().compute_txid().to_string(), "height": null, "time": null, "hex": doubled});
    assert!(refused(Form::Raw, text.to_string().as_bytes()).is_parse());
}

/// Random JSON with the keys that the readers look for.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!(2_100_000_000_000_001_u64)),
        Just(Value::from(txid("t").to_string())),
        Just(Value::from(serialize_hex(&transaction()))),
        Just(json!("51")),
        "[0-9a-f]{0,12}".prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    let keys = [
        "txid",
        "height",
        "time",
        "hex",
        "prevouts",
        "value",
        "script",
        "vin",
        "vout",
        "version",
        "locktime",
        "status",
        "scriptsig",
        "sequence",
        "prevout",
        "is_coinbase",
        "scriptpubkey",
        "outspends",
        "spent",
        "confirmed",
        "block_height",
        "block_time",
        "result",
        "error",
        "hash",
        "merkleroot",
        "bits",
        "nonce",
        "tx",
        "coinbase",
        "scriptSig",
        "txinwitness",
        "scriptPubKey",
        "inputs",
        "outputs",
        "spent_transaction_hash",
        "spent_output_index",
        "script_hex",
        "lock_time",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(keys.to_vec()), inner), 0..8)
                .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for form in Form::ALL {
            prop_assert!(swallow(form, &bytes).is_err() || bytes.iter().all(u8::is_ascii_whitespace));
        }
    }

    #[test]
    fn random_json_never_panics(value in value()) {
        for form in Form::ALL {
            let _ = swallow(form, value.to_string().as_bytes());
        }
    }

    #[test]
    fn a_part_replaced_by_random_json_never_panics(value in value(), pick in any::<prop::sample::Index>()) {
        for (form, whole) in [(Form::Raw, line()), (Form::Esplora, esplora())] {
            let mut whole: Value = serde_json::from_str(&whole).unwrap();
            let places: Vec<String> = ["/txid", "/height", "/time", "/hex", "/prevouts", "/prevouts/0", "/prevouts/0/value",
                "/prevouts/0/script", "/vin", "/vin/0", "/vin/0/txid", "/vin/0/prevout", "/vin/0/prevout/value",
                "/vin/0/scriptsig", "/vin/0/is_coinbase", "/vout", "/vout/0", "/vout/0/value", "/status",
                "/status/block_height"].iter().filter(|place| whole.pointer(place).is_some()).map(ToString::to_string).collect();
            *whole.pointer_mut(pick.get::<String>(&places)).unwrap() = value.clone();
            let _ = swallow(form, whole.to_string().as_bytes());
        }
    }

    #[test]
    fn random_records_are_frozen_or_refused(rows in prop::collection::vec(
        (0_u8..6, prop::option::of(0_u32..4), prop::option::of(0_u32..3),
            prop::collection::vec((0_u8..8, 0_u32..3, prop::option::of(0_u64..4)), 0..3),
            prop::collection::vec((0_u64..4, 0_u8..4), 0..3)), 0..8),
        complete in prop::option::of((0_u32..3, 0_u32..3)),
    ) {
        // Names clash, circles close, values disagree: whatever freezes must hold together.
        let mut builder = ChainBuilder::new();
        if let Some((from, to)) = complete {
            builder = builder.complete(height(from), height(to));
        }
        let name = |n: u8| txid(&format!("n{n}"));
        for (of, at, position, inputs, outputs) in rows {
            let out = |sat, who: u8| TxOut { value: Amount::from_sat(sat), script_pubkey: crate::mini::script(["return", "a", "b", "c"][usize::from(who)]) };
            let inputs = inputs.into_iter().map(|(of, vout, value)| {
                let outpoint = if of == 7 { OutPoint::null() } else { OutPoint::new(name(of), vout) };
                let input = NewInput::new(outpoint);
                value.map_or(input.clone(), |sat| input.prevout(out(sat, 1)))
            });
            let mut tx = NewTx::claimed(name(of), inputs.collect(), outputs.into_iter().map(|(sat, who)| out(sat, who)).collect());
            if let Some(at) = at {
                tx = tx.height(height(at));
            }
            if let Some(position) = position {
                tx = tx.position(position);
            }
            let before = builder.len();
            if let Err(error) = builder.insert(tx) {
                prop_assert!(error.is_contradiction() && names_a_txid(&error), "{}", error);
                prop_assert_eq!(builder.len(), before);
            }
        }
        match builder.finish() {
            Err(error) => prop_assert!(error.is_contradiction(), "{}", error),
            Ok(chain) => {
                for tx in chain.view().txs() {
                    for prevout in tx.inputs().filter_map(|input| input.prevout()) {
                        prop_assert!(prevout.tx().index() < tx.index());
                        prop_assert_eq!(prevout.spender().unwrap().index(), tx.index());
                    }
                    prop_assert!(tx.fee().is_none() || tx.input_value() >= tx.output_value());
                }
            }
        }
    }
}

fn names_a_txid(error: &Error) -> bool {
    error.to_string().split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 64)
}

/// The rows are refused, as a contradiction, and the message names all of these.
#[track_caller]
fn contradiction(mini: &Mini, names: &[&str]) {
    let error = mini.freeze().expect_err("refused");
    assert!(error.is_contradiction(), "{error}");
    for name in names {
        let text = name.split_once(':').map_or(txid(name).to_string(), |_| outpoint(name).to_string());
        assert!(error.to_string().contains(&text), "{error} does not name {name}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let case = |rows: &str, names: &[&str]| contradiction(&Mini::new(rows), names);
    // Two spenders, of a stub and of a row, and one that spends twice.
    case("t: a:0=5 -> 5\nu: a:0=5 -> 5", &["a:0", "t", "u"]);
    case("t: a:0=5 -> 5\nu: t:0 -> 5\nv: t:0 -> 4", &["t:0", "u", "v"]);
    case("t: a:0=5 a:0=5 -> 5", &["a:0", "t"]);
    // Money from nowhere, and more than there is.
    case("t: a:0=5 -> 6", &["t"]);
    case("t: a:0=5 -> 5\nu: t:0 b:0=1 -> 7", &["u"]);
    case("t: a:0 -> 2100000000000001", &["t"]);
    case("t: a:0 -> 2100000000000000 1", &["t"]);
    case("t: a:0=2100000000000001 -> 1", &["t"]);
    case("t: a:0=2100000000000000 b:0=1 -> 1", &["t"]);
    case("t: a:0 -> 18446744073709551615 18446744073709551615", &["t"]);
    case("t: a:0 -> 2100000000000000\nu: b:0 -> 1\nv: t:0 u:0 -> 1", &["v"]);
    // Circles, and order.
    case("t: t:0 -> 5", &["t"]);
    case("t: u:0 -> 5\nu: t:0 -> 5", &["t"]);
    case("t: v:0 -> 5\nu: t:0 -> 5\nv: u:0 -> 5", &["t"]);
    case("t @9: a:0=5 -> 5\nu @8: t:0 -> 5", &["t", "u"]);
    case("t @9: a:0=5 -> 5\nu: t:0 -> 5\nv @8: u:0 -> 5", &["u", "v"]);
    case("t @9.2: a:0=5 -> 5\nu @9.1: t:0 -> 5", &["t"]);
    case("t @9.1: a:0=5 -> 5\nu @9.1: b:0=5 -> 5", &["t", "u"]);
    case("c @9: coinbase -> 5\nd @9: coinbase -> 5", &["c", "d"]);
    case("c @9: coinbase -> 5\nt @9.0: a:0=5 -> 5", &["c", "t"]);
    case("c @9.1: coinbase -> 5", &["c"]);
    case("c @9: coinbase -> 5\nt @9: c:0 -> 5", &["c", "t"]);
    case("t @500000000: a:0=5 -> 5", &["t"]);
    // Two records of one transaction.
    case("t @8: a:0=5 -> 5\nt @9: a:0=5 -> 5", &["t"]);
    case("c @91722: coinbase -> 5\nc @91842: coinbase -> 5", &["c"]);
    case("t @91722: a:0=5 -> 5\nt @91880: a:0=5 -> 5", &["t"]);
    case("t @8.1: a:0=5 -> 5\nt @8.2: a:0=5 -> 5", &["t"]);
    case("t: a:0=5 -> 5\nt: a:0=5 -> 4", &["t"]);
    case("t: a:0=5 -> 5\nt: a:1=5 -> 5", &["t"]);
    case("t: a:0=5 -> 5\nt: a:0=6 -> 5", &["t"]);
    case("t: a:0=5 -> 5/bob\nt: a:0=5 -> 5/ann", &["t"]);
    // What an input says of its prevout.
    case("t: a:0=5 -> 5\nu: t:0=4 -> 4", &["u", "t:0"]);
    case("t: a:0=5 -> 5/bob\nu: t:0=5/ann -> 4", &["u", "t:0"]);
    case("t: a:0=5 -> 5\nu: t:1 -> 4", &["u", "t:1"]);
    case("t: a:0=5 -> 5\nu: t:4294967295 -> 4", &["u", "t:4294967295"]);
    // What nobody can spend.
    case("t: a:0=5 -> 5/return\nu: t:0 -> 4", &["u", "t:0"]);
    case("u: t:0=5/return -> 4", &["u", "t:0"]);
    case("g @0: coinbase -> 5\nu @200: g:0 -> 4", &["u", "g:0"]);
    // What a source says of spenders.
    case("t: a:0=5 -> 5!by:u\nv: t:0 -> 5", &["t:0", "u", "v"]);
    case("t: a:0=5 -> 5!by:u\nu: b:0=5 -> 5", &["t:0", "u"]);
    case("t: a:0=5 -> 5!by:u\nt: a:0=5 -> 5!by:v", &["t", "u", "v"]);
}

#[test]
fn a_refused_record_leaves_the_builder_as_it_was() {
    let mini = Mini::new("t @8: a:0=5 -> 5\nt @9: a:0=5 -> 5");
    let mut builder = ChainBuilder::new();
    builder.insert(mini.rows[0].record()).unwrap();
    assert!(builder.insert(mini.rows[1].record()).is_err());
    assert_eq!(builder.len(), 1);
    let expected = Mini::new("t @8: a:0=5 -> 5").chain().digest();
    assert_eq!(builder.finish().unwrap().digest(), expected);
}

#[test]
fn a_record_without_inputs_or_with_two_that_spend_nothing_is_refused() {
    let none = NewTx::claimed(txid("t"), vec![], vec![]);
    let null = || NewInput::new(OutPoint::null());
    let two = NewTx::claimed(txid("t"), vec![null(), null()], vec![]);
    let beside = NewTx::claimed(txid("t"), vec![NewInput::new(outpoint("a:0")), null()], vec![]);
    for tx in [none, two, beside] {
        let error = ChainBuilder::new().insert(tx).unwrap_err();
        assert!(error.is_contradiction() && error.to_string().contains(&txid("t").to_string()), "{error}");
    }
}

#[test]
fn a_chain_that_is_not_complete_may_not_be_declared_so() {
    let incomplete = |rows: &str, from, to, what: &str| {
        let error = Mini::new(rows).complete(from, to).freeze().expect_err("refused");
        assert!(error.is_contradiction() && error.to_string().contains(what), "{error}");
    };
    incomplete("c @1: coinbase -> 5", 1, 2, "block 2");
    incomplete("c @2: coinbase -> 5", 1, 2, "block 1");
    incomplete("c @1: coinbase -> 5\nd @3: coinbase -> 5", 1, 3, "block 2");
    incomplete("t @1.1: a:0=5 -> 5", 1, 1, "block 1");
    incomplete("c @1: coinbase -> 5\nt: a:0=5 -> 5", 1, 1, &txid("t").to_string());
    incomplete("c @1: coinbase -> 5\nd @2: coinbase -> 5", 1, 1, &txid("d").to_string());
    incomplete("g @0: coinbase -> 5\nt @0.1: a:0=5 -> 5", 0, 0, &txid("a").to_string());
    incomplete("c @1: coinbase -> 5", 2, 1, &txid("c").to_string());
    assert!(Mini::new("c @1: coinbase -> 5\nt @1.1: a:0=5 -> 5").complete(1, 1).freeze().is_ok());
}

#[test]
fn a_supply_many_times_over_is_refused_before_sums_overflow() {
    let mut builder = ChainBuilder::new();
    let mut refused = None;
    for n in 0_u32..3_000 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        bytes[31] = 1;
        let output = TxOut { value: Amount::MAX_MONEY, script_pubkey: ScriptBuf::new() };
        let input = NewInput::new(OutPoint::new(txid("a"), n));
        refused =
            refused.or(builder.insert(NewTx::claimed(Txid::from_byte_array(bytes), vec![input], vec![output])).err());
    }
    assert!(refused.is_none());
    assert!(builder.finish().unwrap_err().is_contradiction());
}
