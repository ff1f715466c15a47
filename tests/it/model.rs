//! Facts about a frozen chain: order, heights, stubs, addresses, counts, the digest, and what sources say of spends.

use fundtrace::bitcoin::opcodes::all::{OP_CHECKMULTISIG, OP_PUSHNUM_1};
use fundtrace::bitcoin::script::Builder;
use fundtrace::bitcoin::{
    Network, OutPoint, PubkeyHash, ScriptBuf, ScriptHash, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, WScriptHash,
    Witness, absolute::LockTime, hashes::Hash, script::PushBytesBuf, transaction::Version,
};
use fundtrace::chain::{ChainBuilder, NewInput, NewTx, OutputSet, ScriptType, Spent};
use fundtrace::source::{Form, raw, read};
use fundtrace::taint::Fifo;
use fundtrace::trace::{Missing, Reason};
use fundtrace::{Chain, View};
use serde_json::{Value, json};

use crate::mini::{Mini, follow, height, name_of, outpoint, sat, script, txid};

fn order(view: View<'_>) -> Vec<String> {
    view.txs().map(|tx| name_of(tx.txid())).collect()
}

#[test]
fn order_is_height_then_position_then_parents_then_txid() {
    let chain = Mini::new(
        "b @7.2: x:0 -> 1\na @7.3: x:1 -> 1\nz @6: x:2 -> 1\ny @6: z:0 -> 1\nm @6: x:3 -> 1\ncb @7: coinbase -> 1\nc @7: x:4 -> 1",
    )
    .chain();
    // In block 6 no position is known: m before z by txid, y after its parent z. In block 7 c, of no position, comes last.
    assert_eq!(order(chain.view()), ["m", "z", "y", "cb", "b", "a", "c"]);
    assert_eq!(chain.view().block(height(7)).map(|tx| name_of(tx.txid())).collect::<Vec<_>>(), ["cb", "b", "a", "c"]);
    assert_eq!(chain.view().tip(), Some(height(7)));
    assert_eq!(chain.as_of(height(6)).tip(), Some(height(6)));
    assert_eq!(order(chain.as_of(height(6))), ["m", "z", "y"]);
}

#[test]
fn a_transaction_without_position_does_not_lift_another_out_of_its_place() {
    let chain = Mini::new("a: x:0 -> 1\nb @7.1: a:0 -> 1\nc @7.2: x:1 -> 1\nd @7: b:0 -> 1").chain();
    assert_eq!(order(chain.view()), ["a", "b", "c", "d"]);
}

#[test]
fn an_unknown_height_is_the_least_that_the_parents_allow() {
    let rows = "p @9: x:0 -> 1 1\nfree: x:1 -> 1\nchild: p:0 free:0 -> 1\ncb @9: coinbase -> 5\nlate: cb:0 -> 5\nnext @10: late:0 -> 5";
    let chain = Mini::new(rows).chain();
    // `free` depends on nothing known; `child` is not before block 9; `late` spends a coinbase and so is not of its block.
    assert_eq!(order(chain.view()), ["free", "cb", "p", "child", "late", "next"]);
    assert!(chain.view().tx_at(&txid("child")).unwrap().height().is_none());
    let at_nine = chain.as_of(height(9));
    assert_eq!(order(at_nine), ["cb", "p"]);
    assert_eq!(at_nine.left_out().map(|tx| name_of(tx.txid())).collect::<Vec<_>>(), ["free", "child", "late"]);
    assert_eq!(chain.view().left_out().count(), 0);
    assert!(at_nine.tx_at(&txid("child")).is_none());
    // What is left out spends nothing there.
    assert_eq!(at_nine.output_at(outpoint("p:0")).unwrap().spent(), Spent::Unknown);
    // It stays left out however late the view is.
    assert_eq!(order(chain.as_of(height(99))), ["cb", "p", "next"]);
}

#[test]
fn a_stub_has_the_outputs_that_are_spent_and_no_others() {
    let chain = Mini::new("t @5: s:7=3 s:2=4/bob s:9 -> 1").chain();
    let view = chain.as_of(height(0));
    let stub = view.tx_at(&txid("s")).unwrap();
    assert!(stub.is_stub() && !stub.is_proven() && stub.height().is_none());
    let outputs: Vec<_> = stub.outputs().map(|output| (output.vout(), output.value())).collect();
    assert_eq!(outputs, [(2, Some(sat(4))), (7, Some(sat(3))), (9, None)]);
    assert!(stub.output(0).is_none() && stub.output(8).is_none());
    assert_eq!(view.output_at(outpoint("s:2")).unwrap().script(), Some(script("bob").as_script()));
    assert_eq!(view.output_at(outpoint("s:9")).unwrap().script(), None);
    assert_eq!((stub.input_value(), stub.output_value(), stub.fee()), (None, None, None));
    assert_eq!((view.stubs().count(), view.txs().count()), (1, 0));
    // One value is not known, so what was paid in fees is not either.
    let tx = chain.view().tx_at(&txid("t")).unwrap();
    assert_eq!((tx.input_value(), tx.output_value(), tx.fee()), (None, Some(sat(1)), None));
}

#[test]
fn a_stub_is_filled_in_when_its_transaction_comes() {
    let chain = Mini::new("t: s:2=4 -> 1\ns @5: x:0=9 -> 1 2 4").chain();
    let tx = chain.view().tx_at(&txid("s")).unwrap();
    assert!(!tx.is_stub());
    assert_eq!(tx.outputs().len(), 3);
    assert_eq!(tx.output(2).unwrap().spender().unwrap().txid(), txid("t"));
    assert_eq!(chain.counts().stubs, 1);
}

/// A script of each type, whether it has an address, and whether it can be spent.
fn every_type() -> Vec<(ScriptBuf, ScriptType, bool, bool)> {
    let bytes = |bytes: &[u8]| PushBytesBuf::try_from(bytes.to_vec()).unwrap();
    let push = |len: usize, first: u8| {
        let mut key = vec![9; len];
        key[0] = first;
        key
    };
    let p2pk = |len, first| {
        let checksig = fundtrace::bitcoin::opcodes::all::OP_CHECKSIG;
        Builder::new().push_slice(bytes(&push(len, first))).push_opcode(checksig).into_script()
    };
    let multisig = Builder::new()
        .push_opcode(OP_PUSHNUM_1)
        .push_slice(bytes(&push(33, 2)))
        .push_opcode(OP_PUSHNUM_1)
        .push_opcode(OP_CHECKMULTISIG)
        .into_script();
    let hex = |hex: &str| ScriptBuf::from_hex(hex).unwrap();
    vec![
        (p2pk(33, 3), ScriptType::P2pk, true, true),
        (p2pk(65, 4), ScriptType::P2pk, true, true),
        (p2pk(33, 5), ScriptType::NonStandard, false, true),
        (ScriptBuf::new_p2pkh(&PubkeyHash::hash(b"k")), ScriptType::P2pkh, true, true),
        (ScriptBuf::new_p2sh(&ScriptHash::hash(b"s")), ScriptType::P2sh, true, true),
        (multisig, ScriptType::Multisig, false, true),
        (ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(b"k")), ScriptType::P2wpkh, true, true),
        (ScriptBuf::new_p2wsh(&WScriptHash::hash(b"s")), ScriptType::P2wsh, true, true),
        (hex(&format!("5120{}", "11".repeat(32))), ScriptType::P2tr, true, true),
        (hex("51024e73"), ScriptType::Anchor, true, true),
        (hex("5210751e76e8199196d454941c45d1b3a323"), ScriptType::WitnessUnknown, true, true),
        (hex("6a0568656c6c6f"), ScriptType::OpReturn, false, false),
        (hex("6a"), ScriptType::OpReturn, false, false),
        (hex("51"), ScriptType::NonStandard, false, true),
        (ScriptBuf::new(), ScriptType::NonStandard, false, true),
        (ScriptBuf::from_bytes(vec![0x51; 10_001]), ScriptType::NonStandard, false, false),
    ]
}

#[test]
fn every_script_type_is_told_and_has_its_address() {
    let outputs = every_type().into_iter().map(|(script_pubkey, ..)| TxOut { value: sat(1), script_pubkey }).collect();
    let mut builder = ChainBuilder::new().network(Network::Testnet);
    builder.insert(NewTx::claimed(txid("t"), vec![NewInput::new(outpoint("a:0"))], outputs)).unwrap();
    let chain = builder.finish().unwrap();
    let view = chain.view();
    let tx = view.tx_at(&txid("t")).unwrap();
    for (output, (script, kind, has_address, spendable)) in tx.outputs().zip(every_type()) {
        assert_eq!(output.script_type(), Some(kind), "{script}");
        assert_eq!(output.is_unspendable(), !spendable, "{script}");
        assert_eq!(output.address().is_some(), has_address, "{script}");
        assert_eq!(view.outputs_to(&script).iter().collect::<Vec<_>>(), [output.index()]);
        assert_eq!(view.address_index(&script), output.address_index());
        let Some(index) = output.address_index() else { continue };
        assert!(view.outputs_of(index).contains(output.index()));
        // Written for this network; a key has the address of its hash.
        let address = output.address().unwrap();
        assert!(address.as_unchecked().is_valid_for_network(Network::Testnet), "{address}");
        if kind != ScriptType::P2pk {
            assert_eq!(address.script_pubkey(), script);
        }
    }
    assert_eq!(view.address_index(&script("nobody")), None);
    assert!(view.outputs_to(&script("nobody")).is_empty());
}

#[test]
fn a_key_and_its_hash_are_one_address() {
    let p2pk = every_type()[0].0.clone();
    let p2pkh = ScriptBuf::new_p2pkh(&PubkeyHash::hash(&p2pk.as_bytes()[1..34]));
    let outputs = [&p2pk, &p2pkh, &p2pk].map(|script| TxOut { value: sat(1), script_pubkey: script.clone() });
    let mut builder = ChainBuilder::new();
    builder.insert(NewTx::claimed(txid("t"), vec![NewInput::new(outpoint("a:0"))], outputs.to_vec())).unwrap();
    let chain = builder.finish().unwrap();
    let view = chain.view();
    let [a, b, c] = [0, 1, 2].map(|vout| view.output_at(OutPoint::new(txid("t"), vout)).unwrap());
    assert_eq!(a.address_index(), b.address_index());
    assert_eq!(a.address(), b.address());
    let set =
        |outputs: &[fundtrace::chain::Output<'_>]| outputs.iter().map(|output| output.index()).collect::<OutputSet>();
    assert_eq!(view.outputs_of(a.address_index().unwrap()), set(&[a, b, c]));
    assert_eq!(view.outputs_to(&p2pk), set(&[a, c]));
    assert_eq!(view.outputs_to(&p2pkh), set(&[b]));
}

#[test]
fn look_ups_see_no_further_than_the_view() {
    let chain = Mini::new("t @5: x:0=3/bob -> 1/bob 1\nu @6: y:0=1 -> 1/bob\nv: z:0=1 -> 1/bob").chain();
    let bob = chain.view().address_index(&script("bob")).unwrap();
    assert_eq!(chain.view().outputs_of(bob).len(), 4);
    // Of a stub an output is visible from its spender on; what has no height never is as of one.
    assert_eq!(chain.as_of(height(5)).outputs_of(bob).len(), 2);
    assert_eq!(chain.as_of(height(6)).outputs_to(&script("bob")).len(), 3);
    assert_eq!(chain.as_of(height(4)).outputs_to(&script("bob")).len(), 0);
}

#[test]
fn the_later_of_a_bip30_pair_is_found_by_its_txid() {
    let chain = Mini::new("cb @91842: coinbase -> 2\ncb @91812: coinbase -> 1").chain();
    let found = |view: View<'_>| view.tx_at(&txid("cb")).and_then(|tx| tx.output_value());
    assert_eq!(found(chain.view()), Some(sat(2)));
    assert_eq!(found(chain.as_of(height(91_841))), Some(sat(1)));
    assert_eq!(found(chain.as_of(height(91_811))), None);
    let first = chain.view().txs().next().unwrap().outputs().next().unwrap();
    assert!(first.is_unspendable());
    let first = chain.as_of(height(91_841)).output(first.index());
    assert!(!first.is_unspendable());
}

#[test]
fn unspent_is_said_only_where_it_is_known() {
    let rows = "c @5: coinbase -> 1 1\nd @6: coinbase -> 1\nt @6.1: c:0 -> 1";
    let chain = Mini::new(rows).complete(5, 6).chain();
    let spent = |view: View<'_>, name| view.output_at(outpoint(name)).unwrap().spent();
    assert_eq!(spent(chain.view(), "c:1"), Spent::Unspent);
    assert_eq!(spent(chain.as_of(height(5)), "c:0"), Spent::Unspent);
    // The block after the last is not here: as of it nobody can say.
    assert_eq!(spent(chain.as_of(height(7)), "c:1"), Spent::Unknown);
    assert_eq!(spent(Mini::new(rows).chain().view(), "c:1"), Spent::Unknown);
    // A coin from before the first block might have been spent before it too: but here is its spender.
    let chain = Mini::new("c @5: coinbase -> 1\nt @5.1: old:0=1 -> 1").complete(5, 5).chain();
    assert!(matches!(spent(chain.view(), "old:0"), Spent::By(_)));
}

#[test]
fn counts_say_how_well_things_are_known() {
    let chain = Mini::new("t @5: a:0=5 b:0 -> 3 2!unspent\nu: t:0 -> 3\nc @5: coinbase -> 9").chain();
    let counts = chain.counts();
    assert_eq!((counts.transactions, counts.transactions_claimed, counts.transactions_proven), (3, 3, 0));
    assert_eq!((counts.stubs, counts.unspent_claimed), (2, 1));
    // A prevout in a claimed transaction is claimed too; a coinbase spends none.
    assert_eq!((counts.prevouts_proven, counts.prevouts_claimed, counts.prevouts_unknown), (0, 2, 1));
    assert_eq!((counts.heights_claimed, counts.heights_unknown, counts.times_claimed), (2, 1, 0));
}

fn parent() -> Transaction {
    let input = TxIn {
        previous_output: outpoint("x:0"),
        script_sig: ScriptBuf::from_hex("51").unwrap(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = |sats, who| TxOut { value: sat(sats), script_pubkey: script(who) };
    let outputs = vec![output(60, "ann"), output(30, "bob")];
    Transaction { version: Version::ONE, lock_time: LockTime::ZERO, input: vec![input], output: outputs }
}

/// The parent as Esplora tells it, without times.
fn as_esplora(tx: &Transaction, value: u64) -> Value {
    let output =
        |output: &TxOut| json!({"value": output.value.to_sat(), "scriptpubkey": output.script_pubkey.to_hex_string()});
    let input = &tx.input[0];
    json!({
        "txid": tx.compute_txid().to_string(), "version": tx.version.0, "locktime": 0, "size": 1, "fee": 1,
        "vin": [{"txid": input.previous_output.txid.to_string(), "vout": input.previous_output.vout,
            "scriptsig": input.script_sig.to_hex_string(), "sequence": input.sequence.0, "witness": [],
            "prevout": {"value": value, "scriptpubkey": script("x").to_hex_string(), "scriptpubkey_type": "v0_p2wpkh"}}],
        "vout": tx.output.iter().map(output).collect::<Vec<_>>(),
        "status": {"confirmed": true, "block_height": 9},
    })
}

fn freeze(form: Form, text: &str) -> Chain {
    let mut builder = ChainBuilder::new();
    for tx in read(form, text.as_bytes()) {
        builder.insert(tx.unwrap()).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn the_same_facts_have_one_digest_in_either_form() {
    let tx = parent();
    let prevout = TxOut { value: sat(100), script_pubkey: script("x") };
    let line = raw::line(&tx, Some(9), None, &[Some(prevout)]);
    let raw = freeze(Form::Raw, &line);
    let esplora = freeze(Form::Esplora, &as_esplora(&tx, 100).to_string());
    assert_eq!(raw.digest(), esplora.digest());
    assert_eq!(raw.counts(), esplora.counts());
    assert_eq!(raw.counts().transactions_proven, 1);
    // Every fact counts: another height, a prevout's value, the time, the network.
    let other = freeze(Form::Esplora, &as_esplora(&tx, 101).to_string());
    assert_ne!(other.digest(), raw.digest());
    for other in [line.replace("\"height\":9", "\"height\":8"), line.replace("\"time\":null", "\"time\":7")] {
        assert_ne!(other, line);
        assert_ne!(freeze(Form::Raw, &other).digest(), raw.digest());
    }
    let mut testnet = ChainBuilder::new().network(Network::Testnet);
    testnet.insert(read(Form::Raw, line.as_bytes()).next().unwrap().unwrap()).unwrap();
    assert_ne!(testnet.finish().unwrap().digest(), raw.digest());
}

#[test]
fn a_prevout_is_proven_where_its_transaction_is_here_and_proven() {
    let tx = parent();
    let mut child = tx.clone();
    child.input[0].previous_output = OutPoint::new(tx.compute_txid(), 0);
    child.output.pop();
    let lines = format!("{}\n{}", raw::line(&child, None, None, &[]), raw::line(&tx, Some(9), None, &[]));
    let counts = freeze(Form::Raw, &lines).counts();
    assert_eq!((counts.prevouts_proven, counts.prevouts_claimed, counts.prevouts_unknown), (1, 0, 1));
}

#[test]
fn what_leaves_out_bytes_is_claimed_and_what_comes_later_proves_it() {
    let tx = parent();
    let prevout = TxOut { value: sat(100), script_pubkey: script("x") };
    let line = raw::line(&tx, Some(9), None, &[Some(prevout)]);
    for (place, key) in [("/vin/0", "scriptsig"), ("/vin/0", "sequence"), ("", "version"), ("", "locktime")] {
        let mut json = as_esplora(&tx, 100);
        json.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        let claimed = freeze(Form::Esplora, &json.to_string());
        assert_eq!(claimed.counts().transactions_claimed, 1, "{key}");
        let mut builder = ChainBuilder::new();
        for (form, text) in [(Form::Esplora, json.to_string()), (Form::Raw, line.clone())] {
            builder.insert(read(form, text.as_bytes()).next().unwrap().unwrap()).unwrap();
        }
        assert_eq!(builder.finish().unwrap().digest(), freeze(Form::Raw, &line).digest(), "{key}");
    }
}

#[test]
fn unconfirmed_has_no_height() {
    let mut json = as_esplora(&parent(), 100);
    json["status"] = json!({"confirmed": false, "block_height": 9});
    assert_eq!(freeze(Form::Esplora, &json.to_string()).counts().heights_unknown, 1);
}

#[test]
fn outspends_say_what_is_unspent_and_whom_to_fetch() {
    let tx = parent();
    for key in ["outspends", "_outspends"] {
        let mut json = as_esplora(&tx, 100);
        json[key] = json!([{"spent": false}, {"spent": true, "txid": txid("spender").to_string(), "vin": 0}]);
        let chain = freeze(Form::Esplora, &json.to_string());
        assert_eq!(chain.counts().unspent_claimed, 1);
        let view = chain.view();
        let stolen = view.output_at(outpoint("x:0")).unwrap().seed("theft");
        let stop = fundtrace::trace::stop::never();
        let found = fundtrace::trace::forward(view, &[stolen], &Fifo, &stop, &Default::default());
        let reasons: Vec<_> = found.ends().iter().map(|end| end.reason.clone()).collect();
        assert_eq!(reasons, [Reason::Unspent, Reason::UnknownSpender]);
        assert_eq!(found.missing(), [Missing::Tx(txid("spender"))]);
    }
}

#[test]
fn a_trace_goes_on_once_what_it_missed_is_there() {
    // The loop of a tool: trace, fetch what is missing, trace again.
    let all = Mini::new("t: a:0=9 -> 5 4!unspent\nu: t:0 x:0 -> 6!unspent\nx: y:0=1 -> 1");
    let mut known = Mini::of(all.rows[..1].to_vec());
    let chain = known.chain();
    assert_eq!(follow(chain.view(), &["a:0"], &Fifo).missing(), [Missing::SpenderOf(outpoint("t:0"))]);
    known.rows.push(all.rows[1].clone());
    let chain = known.chain();
    let found = follow(chain.view(), &["a:0"], &Fifo);
    assert_eq!(found.ends()[0].reason, Reason::UnknownPrevout);
    assert_eq!(found.missing(), [Missing::Tx(txid("x"))]);
    known.rows.push(all.rows[2].clone());
    let chain = known.chain();
    let found = follow(chain.view(), &["a:0"], &Fifo);
    assert_eq!(found.missing(), []);
    assert_eq!(found.ends().len(), 2);
}

#[test]
fn leads_gather_by_address_and_rank() {
    let chain = Mini::new("t: a:0=20 -> 3/bob 8/ann 6/bob\nu: t:1 -> 8/carl").chain();
    let found = follow(chain.view(), &["a:0"], &Fifo);
    let of = |leads: std::vec::IntoIter<fundtrace::trace::Lead>| {
        leads.map(|lead| (lead.amount.to_sat(), lead.hops, lead.outputs.len(), lead.outpoint)).collect::<Vec<_>>()
    };
    let (bob, carl) = ((9, 1, 2, outpoint("t:2")), (8, 2, 1, outpoint("u:0")));
    assert_eq!(of(found.leads().by_amount()), [bob, carl]);
    assert_eq!(of(found.leads().by_hops()), [bob, carl]);
    let found = follow(chain.view(), &["t:1", "t:0"], &Fifo);
    assert_eq!(of(found.leads().by_amount()), [(8, 1, 1, outpoint("u:0")), (3, 0, 1, outpoint("t:0"))]);
    assert_eq!(of(found.leads().by_hops()), [(3, 0, 1, outpoint("t:0")), (8, 1, 1, outpoint("u:0"))]);
}
