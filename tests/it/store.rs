//! The stored form: no byte that nothing vouches for, no bytes that make it panic, old versions that keep opening, and no
//! half-written store whenever the process dies.

use std::path::Path;
use std::sync::Arc;

use fundtrace::bitcoin::absolute::LockTime;
use fundtrace::bitcoin::hashes::{Hash, sha256};
use fundtrace::bitcoin::transaction::Version;
use fundtrace::bitcoin::{Amount, Network, OutPoint, ScriptBuf, Transaction, TxIn, TxOut};
use fundtrace::chain::NewTx;
use fundtrace::source::blk::Blocks;
use fundtrace::{BlockHeight, Chain, ChainBuilder};
use proptest::prelude::*;

use crate::blocks::{Folder, indexed};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture() -> Chain {
    let folder = root().join("fixtures/btc_regtest_core31");
    indexed(&Blocks::open(&[folder], Network::Regtest).unwrap(), Network::Regtest)
}

/// Name, offset and length of every column, read from the directory as `docs/format.md` draws it.
fn directory(store: &[u8]) -> Vec<(String, usize, usize)> {
    let number = |at: usize| usize::try_from(u64::from_le_bytes(store[at..at + 8].try_into().unwrap())).unwrap();
    let columns = usize::try_from(u32::from_le_bytes(store[12..16].try_into().unwrap())).unwrap();
    (0..columns)
        .map(|column| {
            let entry = 64 + 80 * column;
            let name = String::from_utf8(store[entry..entry + 24].to_vec()).unwrap();
            (name.trim_end_matches('\0').to_owned(), number(entry + 32), number(entry + 40))
        })
        .collect()
}

/// Everything that a view of a sound store answers.
pub fn walk(chain: &Chain<impl AsRef<[u8]>>) {
    let view = chain.view();
    for tx in view.txs().chain(view.stubs()) {
        let _ = (tx.fee(), tx.height(), tx.position(), tx.time(), tx.version(), tx.lock_time(), tx.weight());
        assert!(view.tx_at(&tx.txid()).is_some());
        for input in tx.inputs() {
            let _ =
                (input.value(), input.address_index(), input.spend(), input.redeem_type(), input.witness_script_type());
        }
        for output in tx.outputs() {
            let _ = (output.spent(), output.is_unspendable(), output.address(), output.is_first_of_address());
            if let Some(script) = output.script() {
                assert!(view.outputs_to(script).contains(output.index()));
            }
        }
    }
    let _ = (chain.summary(), chain.counts(), chain.digest());
}

/// Opens and verifies; what passes must be safe to walk.
pub fn open(bytes: &[u8]) {
    if let Ok(chain) = Chain::from_bytes(bytes)
        && chain.verify().is_ok()
    {
        walk(&chain);
    }
}

#[test]
fn every_flipped_byte_is_found_and_its_column_named() {
    let chain = fixture();
    walk(&chain);
    let store = chain.as_bytes();
    let columns = directory(store);
    let header = columns[0].1;
    let mut places: Vec<(usize, &str)> = (0..header).map(|at| (at, "")).collect();
    for (name, offset, length) in &columns {
        let step = (length / 23).max(1);
        places.extend((*offset..offset + length).step_by(step).map(|at| (at, name.as_str())));
        places.extend(length.checked_sub(1).map(|last| (offset + last, name.as_str())));
    }
    let mut bytes = store.to_vec();
    for (at, name) in places {
        bytes[at] ^= 1 << (at % 8);
        let opened = Chain::from_bytes(bytes.as_slice());
        let error = opened.and_then(|chain| chain.verify().map(|()| panic!("byte {at} is not missed"))).unwrap_err();
        assert!(error.is_store());
        if !name.is_empty() {
            assert!(error.to_string().contains(&format!("damaged in column {name}:")), "{at} in {name}: {error}");
        }
        bytes[at] ^= 1 << (at % 8);
    }
    let (_, offset, length) = columns.last().unwrap();
    assert_eq!(offset + length, store.len(), "no byte belongs to nothing");
}

#[test]
fn no_truncation_opens() {
    let chain = fixture();
    let store = chain.as_bytes();
    for length in (0..5000).chain((5000..store.len()).step_by(997)) {
        assert!(Chain::from_bytes(&store[..length]).is_err_and(|error| error.is_store()), "{length}");
    }
    let longer = [store, &[0]].concat();
    assert!(Chain::from_bytes(longer).is_err());
}

/// A store whose bytes were changed and whose hashes were made to fit again.
fn rehashed(mut bytes: Vec<u8>) -> Vec<u8> {
    let columns = directory(&bytes);
    for (at, (_, offset, length)) in columns.iter().enumerate() {
        let hash = sha256::Hash::hash(&bytes[*offset..offset + length]);
        bytes[64 + 80 * at + 48..64 + 80 * at + 80].copy_from_slice(hash.as_byte_array());
    }
    let listed = 64 + 80 * columns.len();
    let hash = sha256::Hash::hash(&bytes[..listed]);
    bytes[listed..listed + 32].copy_from_slice(hash.as_byte_array());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Hashes show damage, not malice: what a store says under right hashes is checked too before anything is asked.
    #[test]
    fn no_bytes_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        open(&noise);
        let chain = {
            let mut builder = fundtrace::ChainBuilder::new().network(Network::Regtest);
            let folder = root().join("fixtures/btc_regtest_core31");
            Blocks::open(&[folder], Network::Regtest).unwrap().txs().skip(100).take(40).for_each(|tx| builder.insert(tx.unwrap()).unwrap());
            builder.finish().unwrap()
        };
        chain.verify().unwrap();
        let start = directory(chain.as_bytes())[0].1;
        let mut bytes = chain.into_bytes();
        for (index, byte) in changes {
            let at = start + index.index(bytes.len() - start);
            bytes[at] ^= byte;
        }
        open(&rehashed(bytes));
    }
}

/// Totals and flags are small and everything leans on them: their bytes, changed under right hashes.
#[test]
fn totals_and_flags_that_lie_are_refused() {
    let store = fixture().into_bytes();
    for (name, offset, length) in
        directory(&store).into_iter().filter(|(name, ..)| name == "totals" || name == "tx_flags")
    {
        for at in (offset..offset + length).step_by(if name == "totals" { 1 } else { 13 }) {
            for change in [1, 0x80] {
                let mut bytes = store.clone();
                bytes[at] ^= change;
                let chain = Chain::from_bytes(rehashed(bytes)).unwrap();
                let _ = (chain.summary(), chain.counts());
                let error = chain.verify().map(|()| panic!("byte {at} of {name} is not missed")).unwrap_err();
                assert!(error.is_store(), "{error}");
            }
        }
    }
}

#[test]
fn any_bytes_will_do() {
    let chain = fixture();
    let shared: Arc<[u8]> = chain.as_bytes().into();
    assert_eq!(Chain::from_bytes(shared).unwrap().store_hash(), chain.store_hash());
    assert_eq!(Chain::from_bytes(chain.as_bytes()).unwrap().summary(), chain.summary());
}

#[test]
fn partial_chains_are_stores_too() {
    let file = std::fs::read(root().join("fixtures/cases/colonial-pipeline-2021/transactions.jsonl")).unwrap();
    let mut builder = fundtrace::ChainBuilder::new();
    fundtrace::source::raw::read(file.as_slice()).for_each(|tx| builder.insert(tx.unwrap()).unwrap());
    let chain = builder.finish().unwrap();
    chain.verify().unwrap();
    walk(&chain);
    let mut bytes = Vec::new();
    chain.write_to(&mut bytes).unwrap();
    assert_eq!(Chain::from_bytes(bytes).unwrap().digest(), chain.digest());
}

#[test]
fn saving_replaces_whole_files() {
    let folder = Folder::new("save");
    let path = folder.0.join("chain.store");
    std::fs::write(&path, "something older").unwrap();
    let chain = fixture();
    chain.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), chain.as_bytes());
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
    let nowhere = chain.save(&folder.0.join("no/such/folder")).unwrap_err();
    assert!(nowhere.is_io() && nowhere.to_string().contains("no/such/folder"));
}

#[test]
fn stores_of_every_version_keep_opening() {
    let store = std::fs::read(root().join("fixtures/formats/1-regtest.store")).unwrap();
    let chain = Chain::from_bytes(store).unwrap();
    chain.verify().unwrap();
    walk(&chain);
    assert_eq!((chain.summary().blocks, chain.summary().txs, chain.summary().stale_blocks), (228, 537, Some(2)));
    let newer = [&chain.as_bytes()[..8], &[2], &chain.as_bytes()[9..]].concat();
    assert!(
        Chain::from_bytes(newer)
            .unwrap_err()
            .to_string()
            .contains("format version 2, and this program reads version 1")
    );
}

#[test]
fn the_fuzzers_corpus_is_replayed() {
    let mut replayed = 0;
    for target in ["store", "blk"] {
        for file in std::fs::read_dir(root().join("fuzz/corpus").join(target)).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            open(&bytes);
            let folder = Folder::new("corpus");
            std::fs::write(folder.0.join("blk00000.dat"), &bytes).unwrap();
            if let Ok(blocks) = Blocks::open(&[&folder.0], Network::Regtest) {
                let _ = blocks.txs().count();
                let mut writer = fundtrace::chain::Writer::new(Network::Regtest, &folder.0);
                let _ = blocks.write_to(&mut writer, |_| ());
            }
            replayed += 1;
        }
    }
    assert!(replayed >= 12, "the corpus is there");
}

/// Twenty kills at odd moments: the store's name leads to nothing, or to a whole store.
#[cfg(feature = "cli")]
#[test]
fn a_killed_index_leaves_the_last_good_store() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let folder = Folder::new("kill");
    let out = folder.0.join("chain.store");
    let index = || {
        Command::new(env!("CARGO_BIN_EXE_fundtrace"))
            .args(["index", "--network", "regtest", "--out"])
            .args([&out, &root().join("fixtures/btc_regtest_core31")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let started = Instant::now();
    assert!(index().wait().unwrap().success());
    let whole = started.elapsed();
    std::fs::remove_file(&out).unwrap();
    let (mut absent, mut present) = (0, 0);
    for kill in 0..20 {
        let mut child = index();
        std::thread::sleep(whole.mul_f64(f64::from((kill * 7) % 20) / 18.0).min(Duration::from_secs(2)));
        let _ = child.kill();
        let _ = child.wait();
        if out.exists() {
            Chain::from_bytes(std::fs::read(&out).unwrap()).unwrap().verify().unwrap();
            present += 1;
            // Every other time the next one finds an older store there.
            if kill % 2 == 0 {
                std::fs::remove_file(&out).unwrap();
            }
        } else {
            absent += 1;
        }
    }
    println!("killed: {absent} times no store, {present} times a whole one");
    // Nothing that a kill left behind is in the way.
    assert!(index().wait().unwrap().success());
    Chain::from_bytes(std::fs::read(&out).unwrap()).unwrap().verify().unwrap();
}

/// Two transactions that spend a coinbase of the block before; then one of them is moved into the coinbase's block.
#[test]
fn verify_refuses_a_coinbase_that_is_spent_in_its_own_block() {
    let tx = |previous_output, outputs: usize| Transaction {
        version: Version(1),
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output, script_sig: vec![1, 5].into(), ..TxIn::default() }],
        output: vec![
            TxOut { value: Amount::from_sat(1000), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) };
            outputs
        ],
    };
    let coinbase = tx(OutPoint::null(), 2);
    let txid = coinbase.compute_txid();
    let mut builder = ChainBuilder::new().network(Network::Regtest);
    for (tx, height) in [(&coinbase, 5), (&tx(OutPoint::new(txid, 0), 1), 6), (&tx(OutPoint::new(txid, 1), 1), 6)] {
        builder.insert(NewTx::from_transaction(tx).height(BlockHeight::from_u32(height))).unwrap();
    }
    let chain = builder.finish().unwrap();
    chain.verify().unwrap();
    let mut bytes = chain.as_bytes().to_vec();
    let (_, offset, length) =
        directory(&bytes).into_iter().find(|(name, ..)| name == "block_first_tx").expect("a column of that name");
    assert_eq!(bytes[offset..offset + length], [0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]);
    bytes[offset + 4] = 2;
    let error = Chain::from_bytes(rehashed(bytes)).unwrap().verify().unwrap_err();
    assert!(error.is_store() && error.to_string().contains("its own block's coinbase"), "{error}");
}
